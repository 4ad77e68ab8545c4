"""What a table asks for one scene is what fuse takes, or is refused by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geosharp.archive.options import check_shared, merge_options
from geosharp.errors import InputError, UsageError
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.raster.manifest import Listed


def merge(options: dict[str, Any], folder: Path = Path(), **shared: Any) -> dict[str, Any]:
    scene = Listed("p", ("m",), place="t.csv, line 2", options=options, folder=str(folder))
    return merge_options({"calibration": "auto", **shared}, scene)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"method": "glp"}, {"method": "glp"}),
        ({"--method": "glp", "no-align": True}, {"method": "glp", "align": False}),
        ({"steps": 4, "--seed": 7}, {"diffusion": Diffusion(steps=4, seed=7)}),
        ({"bands": "4, nir"}, {"bands": ["4", "nir"]}),
        ({"bands": [4, "nir"]}, {"bands": [4, "nir"]}),
        ({"area": "0,1.5,2,3"}, {"area": (0.0, 1.5, 2.0, 3.0)}),
        ({"area": [0, 1.5, 2, 3]}, {"area": (0.0, 1.5, 2.0, 3.0)}),
        ({"method": "brovey", "weights": [1, 2]}, {"method": "brovey", "weights": (1.0, 2.0)}),
        ({"sensor": "WorldView-2", "cog": True}, {"sensor": "WorldView-2", "cog": True}),
        ({"calibration": "sensor", "extent": "pan"}, {"calibration": "sensor", "extent": "pan"}),
    ],
)
def test_flags_and_arguments_are_what_fuse_takes(given: dict[str, Any], meant: dict[str, Any]) -> None:
    read = merge(given)
    assert {name: value for name, value in read.items() if name in meant} == meant


def test_a_scene_goes_before_all_and_leaves_out_what_its_method_has_no_use_for() -> None:
    shared = {"diffusion": Diffusion(seed=3, precision="bf16"), "tile": 128}
    assert merge({"steps": 2}, **shared)["diffusion"] == Diffusion(seed=3, precision="bf16", steps=2)
    assert merge({"method": "exp"}, **shared) == {"method": "exp", "tile": 128}
    assert merge({}, **shared) == {"calibration": "auto", **shared}
    shared = {"method": "brovey", "weights": (1.0, 2.0)}
    assert merge({"method": "glp"}, **shared) == {"method": "glp", "calibration": "auto"}
    assert merge({"dtype": "uint8"}, **shared)["weights"] == (1.0, 2.0)


def test_files_are_sought_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "part.geojson").write_text("{}")
    assert merge({"area": "part.geojson"}, tmp_path)["area"] == str(tmp_path / "part.geojson")


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        ({"methd": "glp"}, "options"),
        ({"out": "/etc/x.tif"}, "options"),
        ({"preview": "/tmp/x.png"}, "options"),
        ({"save_model": "x.safetensors"}, "options"),
        ({"overwrite": True}, "options"),
        ({"threads": 1000}, "options"),
        ({"device": "cuda"}, "options"),
        ({"creation": {"NUM_THREADS": "1"}}, "options"),
        ({"method": "glp", "--method": "gsa"}, "options"),
        ({"method": "nix"}, "--method"),
        ({"method": 3}, "--method"),
        ({"steps": 0}, "--steps"),
        ({"steps": "4"}, "--steps"),
        ({"seed": True}, "--seed"),
        ({"method": "glp", "steps": 4}, "--method"),
        ({"cog": "yes"}, "--cog"),
        ({"bands": {}}, "--bands"),
        ({"area": [1, 2]}, "--area"),
        ({"area": [1, 2, 3, float("nan")]}, "--area"),
        ({"area": [10**400] * 4}, "--area"),
        ({"weights": [1]}, "--weights"),
        ({"adapt": "x"}, "--adapt"),
        ({"extent": "all"}, "--extent"),
        ({"dtype": "complex64"}, "--dtype"),
        ({"sensor": "nix"}, ""),
        ({"calibration": "nix"}, "--calibration"),
        ({"model": "nix\0"}, "--model"),
        ({"model": "nix"}, ""),
    ],
    ids=str,
)
def test_what_no_scene_may_ask_for_is_refused_by_its_line(given: dict[str, Any], subject: str) -> None:
    with pytest.raises(InputError) as caught:
        merge(given)
    assert caught.value.subject.startswith(f"t.csv, line 2, {subject}")


@pytest.mark.parametrize(
    "shared",
    [
        {"method": "nope"},
        {"sensor": "nope"},
        {"dtype": "int3"},
        {"calibration": "nope.json"},
        {"method": "glp", "diffusion": Diffusion()},
        {"colour": "red"},
        {"out": "a.tif"},
    ],
)
def test_what_no_scene_could_be_made_with_is_refused_before_any_is_tried(shared: dict[str, Any]) -> None:
    with pytest.raises((UsageError, InputError)):
        check_shared(shared)
    check_shared({"method": "glp", "calibration": "per-sensor", "sensor": "WorldView-2"})
