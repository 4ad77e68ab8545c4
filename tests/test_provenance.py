"""A result tells how it was made, and the command it tells makes the same file."""

from __future__ import annotations

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


@pytest.fixture
def here(tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a pan.tif, an ms.tif and a model."""
    for path, name in zip(made_pair, ("pan one.tif", "ms.tif"), strict=True):
        shutil.copy(path, tmp_path / name)
    make_model(tmp_path).rename(tmp_path / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(arguments: list[str]) -> Any:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.parametrize(
    "options",
    [
        "--method glp",
        "--method brovey --weights 1,2,3,4 --no-overviews --co COMPRESS=LZW --co PREDICTOR=1",
        "--method gsa --bands 3,1 --no-align --dtype float32 --cog --tile 128",
        "--method exp --area 500010,4599850,500120,4599960 --no-mask --extent pan",
        "--method glp-hpm --calibration sensor --sensor worldview-2",
        "--model model.safetensors --steps 2 --seed 7 --consistency 2 --uncertainty u.tif --draws 3",
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
    run(["fuse", "pan one.tif", "ms.tif", "-o", "out.tif", "--model", "model.safetensors", "--tile", "64"])
    make_model(here, seed=1).rename(here / "model.safetensors")
    monkeypatch.setattr(provenance, "__version__", "99")
    notes = trace("out.tif")["notes"]
    assert any("and this is 99" in note for note in notes)
    assert any("is another one now" in note for note in notes)
    (here / "model.safetensors").unlink()
    assert any("is not here" in note for note in trace("out.tif")["notes"])


def test_what_geosharp_did_not_make_is_refused(here: Path) -> None:
    with pytest.raises(InputError, match=r"ms.tif: has no tags of geosharp"):
        trace("ms.tif")
    with rasterio.open("ms.tif", "r+") as raster:
        raster.update_tags(GEOSHARP_PARAMETERS="{[", GEOSHARP_METHOD="glp")
    with pytest.raises(InputError, match="has no tags of geosharp"):
        trace("ms.tif")
