"""What is told of models: all of the header, and whatever keeps a file from being used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from geosharp.errors import InputError, UsageError
from geosharp.hfreqdiff import models
from geosharp.hfreqdiff.inventory import (
    Entry,
    describe_model,
    examine,
    find_entry,
    list_models,
    verify_model,
)
from tests.hfreqdiff.made_model import SIGMA_DATA, make_model, make_network

PACKAGE_MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where models ship, and the user's."""
    shipped, own = tmp_path / "shipped", tmp_path / "share" / "geosharp" / "models"
    for folder in (shipped, own):
        folder.mkdir(parents=True)
    monkeypatch.setattr(models, "_FOLDERS", (shipped,))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return shipped, own


def entry_of(path: Path) -> Entry:
    return Entry(str(path), "file", path)


def test_all_models_are_listed_by_what_finds_them(folders: tuple[Path, Path], tmp_path: Path) -> None:
    shipped, own = folders
    base = make_model(tmp_path).rename(shipped / "hfreqdiff-base.safetensors")
    mine = make_model(tmp_path).rename(own / "mine.safetensors")
    hidden = make_model(tmp_path).rename(own / "base.safetensors")
    assert list_models() == (
        Entry("base", "shipped", base),
        Entry(str(hidden), "user folder", hidden),
        Entry("mine", "user folder", mine),
    )
    assert [find_entry(entry.name) for entry in list_models()] == [*list_models()]
    other = make_model(tmp_path)
    assert find_entry(str(other)) == Entry(str(other), "file", other)
    with pytest.raises(UsageError, match=r"^NAME: 'none'"):
        find_entry("none", "NAME")


@pytest.mark.parametrize("sigma_data", [None, SIGMA_DATA])
def test_a_model_is_described_as_it_is(tmp_path: Path, sigma_data: float | None) -> None:
    path = make_model(tmp_path, sigma_data=sigma_data)
    told = describe_model(entry_of(path))
    assert told == {
        "name": str(path),
        "place": "file",
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "parameters": sum(parameter.numel() for parameter in make_network().parameters()),
        "draws": sigma_data is not None,
        "sigma_data": sigma_data,
        "ratios": [1.5, 6.5],
        "facts": {"made": "by code"},
    }
    assert json.loads(json.dumps(told)) == told


def test_a_whole_model_is_held_against_its_card(tmp_path: Path) -> None:
    path = make_model(tmp_path)
    entry, card = entry_of(path), path.with_suffix(".md")
    assert verify_model(entry) is None
    card.write_text("says nothing")
    assert verify_model(entry) is None
    card.write_text(f"# Card\n\nSHA-256\n  `{hashlib.sha256(path.read_bytes()).hexdigest()}`.")
    assert verify_model(entry) == card.name
    # One bit of a weight, which the file's own structure does not tell.
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"is not that of its card {card.name}"):
        verify_model(entry)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def make_foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path)


def make_newer(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'\\"format\\": 1', b'\\"format\\": 2'))


def make_infinite(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"\x00\x00\x80\x7f")


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (damage, "damaged"),
        (make_foreign, "safetensors, but no model of geosharp"),
        (make_newer, "in format 2; needed: format 1"),
    ],
)
def test_what_is_no_model_has_a_fault(tmp_path: Path, spoil: object, fault: str) -> None:
    path = make_model(tmp_path)
    assert callable(spoil)
    spoil(path)
    for verify in (False, True):
        told = examine(entry_of(path), verify=verify)
        assert {*told} == {"name", "place", "file", "fault"}
        assert fault in told["fault"]


def test_what_only_the_weights_tell_takes_verifying(tmp_path: Path) -> None:
    path = make_model(tmp_path)
    assert examine(entry_of(path), verify=True)["card"] is None
    make_infinite(path)
    assert "fault" not in examine(entry_of(path), verify=False)
    assert "not finite" in examine(entry_of(path), verify=True)["fault"]


@pytest.mark.parametrize("path", sorted(PACKAGE_MODELS.glob("*.safetensors")), ids=lambda path: path.stem)
def test_shipped_models_are_those_of_their_cards(path: Path) -> None:
    assert verify_model(entry_of(path)) == f"{path.stem}.md"
