from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from geosharp.errors import InputError, ResourceError
from geosharp.hfreqdiff.checkpoint import FORMAT, RATIOS, load, read_header, save
from geosharp.hfreqdiff.network import Architecture, HFreqdiff

TINY = Architecture(8, 1, 1, 1, "unshuffle", True, False)
FACTS = {"licences": ["CC0"], "scores": {"all": 1.5}}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save(tmp_path / "tiny.safetensors", HFreqdiff(TINY), 0.21, FACTS)
    return tmp_path / "tiny.safetensors"


def take_apart(path: Path) -> tuple[dict[str, Any], bytes]:
    """The file's own header, and the bytes of the tensors."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def put_together(path: Path, header: dict[str, Any], tensors: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + tensors)


def rewrite(path: Path, **changes: Any) -> None:
    """Change entries of geosharp's header; None takes one away."""
    header, tensors = take_apart(path)
    told = {**json.loads(header["__metadata__"]["geosharp"]), **changes}
    told = {name: value for name, value in told.items() if value != "away"}
    header["__metadata__"]["geosharp"] = json.dumps(told)
    put_together(path, header, tensors)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.subject == str(path)
    return str(caught.value)


def test_what_is_saved_is_loaded(saved: Path) -> None:
    model = load(saved)
    assert model.header == read_header(saved)
    assert (model.header.architecture, model.header.sigma_data, model.header.facts) == (TINY, 0.21, FACTS)
    torch.manual_seed(0)
    for name, value in HFreqdiff(TINY).state_dict().items():
        assert torch.equal(model.network.state_dict()[name], value)
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    assert not model.network.training


def test_the_header_tells_what_a_tile_needs_and_who_wrote_it(saved: Path) -> None:
    told = json.loads(take_apart(saved)[0]["__metadata__"]["geosharp"])
    assert told["format"] == FORMAT
    assert told["size_rules"] == {"multiple": 4, "halo": [23, 23]}
    assert told["version"]


def test_ratios_are_saved_and_have_a_default_where_a_header_has_none(saved: Path) -> None:
    assert read_header(saved).ratios == RATIOS
    save(saved, HFreqdiff(TINY), None, FACTS, (2, 4.5))
    assert read_header(saved).ratios == (2.0, 4.5)
    rewrite(saved, ratios="away")
    assert read_header(saved).ratios == RATIOS


def test_the_digest_is_of_the_weights_and_the_header(saved: Path) -> None:
    digest = load(saved).digest
    save(saved, HFreqdiff(TINY), 0.22, FACTS)
    assert load(saved).digest != digest


def test_saving_replaces_and_leaves_nothing_beside(saved: Path) -> None:
    save(saved, HFreqdiff(TINY), None, FACTS)
    assert read_header(saved).sigma_data is None
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_file_that_is_not_there_or_not_safetensors_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    for content in (b"", b"GIF89a", b"\x00" * 100, b'{"a": 1}' * 20):
        other.write_bytes(content)
        assert "no safetensors file, or a damaged one" in refusal(other)


@pytest.mark.parametrize("kept", [4, 40, 600, -1])
def test_a_file_cut_short_is_refused(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    assert "damaged" in refusal(saved)


def test_weights_of_something_else_are_refused(saved: Path) -> None:
    header, tensors = take_apart(saved)
    header["__metadata__"] = {"format": "pt"}
    put_together(saved, header, tensors)
    assert "no model of geosharp" in refusal(saved)


def test_a_newer_file_names_both_formats(saved: Path) -> None:
    rewrite(saved, format=FORMAT + 1, version="9.9")
    message = refusal(saved)
    assert f"of geosharp 9.9 in format {FORMAT + 1}" in message
    assert "Upgrade geosharp" in message


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"format": "away"}, "without a format"),
        ({"facts": "away"}, "without sigma_data and facts"),
        *(
            ({"ratios": ratios}, f"{ratios!r} as ratios")
            for ratios in (None, 4, [2], [4, 2], [0.5, 4], ["2", "4"], [True, 4], [2, float("inf")])
        ),
        ({"sigma_data": -1.0}, "without sigma_data and facts"),
        ({"architecture": {"width": 8}}, "other parts than width"),
        ({"architecture": {**vars(TINY), "width": 16}}, "other weights than its header announces"),
        ({"architecture": {**vars(TINY), "width": 10**9}}, "1000000000 as width"),
        ({"architecture": {**vars(TINY), "transform": "fourier"}}, "'fourier' as transform"),
        ({"architecture": {**vars(TINY), "fusion": 1}}, "1 as fusion"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(saved: Path, changes: dict[str, Any], found: str) -> None:
    rewrite(saved, **changes)
    assert found in refusal(saved)


def test_weights_that_are_no_numbers_are_refused(saved: Path) -> None:
    network = HFreqdiff(TINY)
    network.draw_stem.weight.data[0, 0] = float("nan")
    save(saved, network, None, FACTS)
    assert "not finite" in refusal(saved)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(saved: Path) -> None:
    with pytest.raises(ResourceError, match="Choose --device cpu"):
        load(saved, "cuda")


def test_a_checkpoint_is_as_readable_as_any_new_file(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain", tmp_path / "model.safetensors"
    plain.write_bytes(b"")
    save(path, HFreqdiff(TINY), None, {})
    assert path.stat().st_mode == plain.stat().st_mode


def test_it_tells_the_sensor_files_that_it_was_trained_with(tmp_path: Path) -> None:
    told = [{"sensor": "NewSat-1", "sensor_file": "newsat.toml"}, {"sensor": "IKONOS", "sensor_file": None}]
    odd = [5, {}, {"sensor": "a", "sensor_file": ["b"]}, {"sensor": "a\x1b", "sensor_file": "b"}]
    for scenes, files in (
        ([*told, *odd, *told], {"NewSat-1": "newsat.toml"}),
        (odd, {}),
        (4, {}),
        (None, {}),
    ):
        save(tmp_path / "m.safetensors", HFreqdiff(TINY), None, {"scenes": scenes})
        assert read_header(tmp_path / "m.safetensors").sensor_files == files
