"""A result tells how it was made, and the command it tells makes the same file."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import rasterio
from typer.testing import CliRunner

from geosharp import provenance
from geosharp.cli import app
from geosharp.errors import InputError
from geosharp.provenance import trace
from tests.hfreqdiff.made_model import make_model
from tests.made import ORIGIN
from tests.raster.made_sensor import write_sensor


@pytest.fixture
def here(tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a pan.tif, an ms.tif and a model."""
    for path, name in zip(made_pair, ("pan one.tif", "ms.tif"), strict=True):
        shutil.copy(path, tmp_path / name)
    (tmp_path / "weights").mkdir()
    make_model(tmp_path).rename(tmp_path / "weights" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(arguments: list[str]) -> Any:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done


def draw_square(side: int) -> str:
    """A GeoJSON of so many PAN pixels within the pair."""
    x, y = ORIGIN[0] + 10, ORIGIN[1] - 10
    ring = [(x, y), (x + side, y), (x + side, y - side), (x, y - side), (x, y)]
    crs = {"type": "name", "properties": {"name": "EPSG:32633"}}
    return json.dumps({"type": "Polygon", "coordinates": [ring], "crs": crs})


@pytest.mark.parametrize(
    "options",
    [
        "--method glp",
        "--method brovey --weights 1,2,3,4 --no-overviews --co COMPRESS=LZW --co PREDICTOR=1",
        "--method gsa --bands 3,1 --no-align --dtype float32 --cog --tile 128",
        "--method exp --area 500010,4599850,500120,4599960 --no-mask --extent pan",
        "--method glp-hpm --calibration sensor --sensor worldview-2",
        "--model weights/model.safetensors --steps 2 --seed 7 --consistency 2 --uncertainty u.tif --draws 3",
    ],
)
def test_the_command_makes_the_same_file(here: Path, options: str) -> None:
    run(["fuse", "pan one.tif", "ms.tif", "-o", "out.tif", *shlex.split(options)])
    told = json.loads(run(["info", "out.tif", "--json"]).stdout)
    again = shlex.split(told["command"])
    assert again[0] == "geosharp"
    run(again[1:])
    assert Path("out-again.tif").read_bytes() == Path("out.tif").read_bytes()
    assert told["notes"] == []


def test_a_person_reads_how_it_was_made(here: Path) -> None:
    run(["fuse", "pan one.tif", "ms.tif", "-o", "out.tif", "--method", "glp"])
    told = run(["info", "out.tif"]).stdout
    assert "geosharp fuse 'pan one.tif' ms.tif -o out-again.tif --method glp" in told
    assert "glp" in told.splitlines()[0]


def test_what_is_otherwise_now_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = here / "weights" / "model.safetensors"
    asked = ["--model", "weights/model.safetensors", "--tile", "64"]
    run(["fuse", "pan one.tif", "ms.tif", "-o", "out.tif", *asked])
    make_model(here, seed=1).rename(model)
    monkeypatch.setattr(provenance, "__version__", "99")
    notes = trace("out.tif")["notes"]
    assert any("and this is 99" in note for note in notes)
    assert any("is another one now" in note for note in notes)
    model.unlink()
    assert any("is not here" in note for note in trace("out.tif")["notes"])


def test_a_file_of_an_area_or_a_sensor_that_has_changed_is_told(here: Path) -> None:
    sensor, area = write_sensor(here, "blue", "green", "red", "nir"), here / "area.geojson"
    area.write_text(draw_square(120))
    asked = ["--method", "glp", "--sensor", "newsat.toml", "--area", "area.geojson"]
    run(["fuse", "pan one.tif", "ms.tif", "-o", "out.tif", *asked])
    assert trace("out.tif")["notes"] == []
    write_sensor(here, "blue", "green", "red", "nir", head="bits = 12")
    area.write_text(draw_square(80))
    notes = trace("out.tif")["notes"]
    assert [note.split(" is another one")[0] for note in notes] == [
        "the sensor newsat.toml",
        "the area area.geojson",
    ]
    sensor.unlink()
    area.unlink()
    assert ["is not here" in note for note in trace("out.tif")["notes"]] == [True, True]


def test_a_calibration_that_has_changed_and_inputs_that_are_gone_are_told(here: Path) -> None:
    run(["calibrate", "pan one.tif", "ms.tif", "-o", "c.json"])
    run(["fuse", "pan one.tif", "ms.tif", "-o", "out.tif", "--method", "glp", "--calibration", "c.json"])
    assert trace("out.tif")["notes"] == []
    run(["calibrate", "pan one.tif", "ms.tif", "-o", "c.json", "--bands", "1", "--overwrite"])
    (here / "ms.tif").rename(here / "moved.tif")
    gone, changed = sorted(trace("out.tif")["notes"], key=len)
    assert gone == "ms.tif is not here"
    assert changed.startswith("the calibration c.json is another one now than it was")


@pytest.mark.parametrize("better", [True, False])
def test_what_an_adapted_model_began_with_is_what_is_compared(here: Path, better: bool) -> None:
    """The result's model is not the command's where that has learnt from the scene, and is better."""
    model = here / "weights" / "model.safetensors"
    base = hashlib.sha256(model.read_bytes()).hexdigest()
    run(["fuse", "pan one.tif", "ms.tif", "-o", "out.tif", "--model", "weights/model.safetensors"])
    with rasterio.open("out.tif", "r+") as raster:
        parameters = json.loads(raster.tags()["GEOSHARP_PARAMETERS"])
        parameters |= {"adapt": 1.0, "model_sha256": "ab" * 32 if better else base}
        told = {"base_sha256": base, "better": better}
        raster.update_tags(GEOSHARP_PARAMETERS=json.dumps(parameters), GEOSHARP_ADAPTATION=json.dumps(told))
    assert trace("out.tif")["notes"] == []
    make_model(here, seed=1).rename(model)
    (note,) = trace("out.tif")["notes"]
    assert f"is another one now than it was ({base[:8]})" in note


def test_what_geosharp_did_not_make_is_refused(here: Path) -> None:
    with pytest.raises(InputError, match=r"ms.tif: has no tags of geosharp"):
        trace("ms.tif")
    with rasterio.open("ms.tif", "r+") as raster:
        raster.update_tags(GEOSHARP_PARAMETERS="{[", GEOSHARP_METHOD="glp")
    with pytest.raises(InputError, match="has no tags of geosharp"):
        trace("ms.tif")
