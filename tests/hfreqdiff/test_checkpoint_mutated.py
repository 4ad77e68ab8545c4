"""A spoilt model is refused before it computes, or it is whole."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geosharp.errors import InputError
from geosharp.hfreqdiff.checkpoint import load, read_header
from tests.hfreqdiff.made_model import make_model
from tests.mutated import DEEP, LONG, few, near, near_json, near_text

ENTRY = "geosharp"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_model(tmp_path_factory.mktemp("good")).read_bytes()


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The table of tensors of a safetensors file, and their bytes."""
    (size,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def join(table: str, weights: bytes) -> bytes:
    return struct.pack("<Q", len(table.encode())) + table.encode() + weights


def check(path: Path, content: bytes) -> None:
    """The law."""
    path.write_bytes(content)
    with suppress(InputError):
        model = load(path)
        weights = model.network.state_dict().values()
        assert all(value.dtype == torch.float32 and value.isfinite().all() for value in weights)


@few(100)
@given(data=st.data())
def test_bytes_anywhere(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    check(tmp_path / "m.safetensors", data.draw(near(good)))


@few(100)
@given(data=st.data())
def test_the_table_of_tensors(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    table, weights = split(good)
    names = [name for name in table if name != "__metadata__"]
    name = data.draw(st.sampled_from(names))
    kinds = ("F64", "F16", "BF16", "I8", "U64", "BOOL", "F4", "F8_E4M3", "C64", "F32")
    entry = data.draw(
        near_json(table[name])
        | st.fixed_dictionaries(
            {**{k: st.just(v) for k, v in table[name].items()}, "dtype": st.sampled_from(kinds)}
        )
    )
    check(tmp_path / "m.safetensors", join(json.dumps(table | {name: entry}), weights))


@few(100)
@given(data=st.data())
def test_the_header(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    table, weights = split(good)
    header = data.draw(near_text(json.loads(table["__metadata__"][ENTRY])))
    check(tmp_path / "m.safetensors", join(json.dumps(table | {"__metadata__": {ENTRY: header}}), weights))


@pytest.mark.parametrize("header", [DEEP, '{"format": ' + LONG + "}", '{"facts": ' + DEEP])
def test_nesting_and_numbers_without_end_are_refused(tmp_path: Path, good: bytes, header: str) -> None:
    table, weights = split(good)
    path = tmp_path / "m.safetensors"
    path.write_bytes(join(json.dumps(table | {"__metadata__": {ENTRY: header}}), weights))
    with pytest.raises(InputError, match="not JSON"):
        read_header(path)


def test_an_architecture_without_measure_is_refused_at_once(tmp_path: Path, good: bytes) -> None:
    table, weights = split(good)
    header = json.loads(table["__metadata__"][ENTRY])
    for name, value in header["architecture"].items():
        if type(value) is int:
            header["architecture"][name] = 1024
    path = tmp_path / "m.safetensors"
    path.write_bytes(join(json.dumps(table | {"__metadata__": {ENTRY: json.dumps(header)}}), weights))
    with pytest.raises(InputError):
        load(path)
