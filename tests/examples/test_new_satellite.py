"""The walk of a new satellite's team: each command runs as written, and does what the text says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

from geosharp.hfreqdiff.checkpoint import load, read_header
from geosharp.raster.scene import open_scene
from geosharp.raster.sensor_file import read_sensor
from tests.examples.replay import replay

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXT = (EXAMPLES / "new_satellite.md").read_text("utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", TEXT, re.M | re.S)
MODEL = "newsat-1.safetensors"

pytestmark = pytest.mark.slow


class Walk:
    """folder: where all of it was done; outputs, errors: what each block has printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with pytest.MonkeyPatch.context() as patch:
            # python and geosharp are those of this environment.
            patch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
            patch.setenv("XDG_DATA_HOME", str(folder / "data"))
            done = [self._run(block) for block in BLOCKS]
        self.outputs, self.errors = zip(*done, strict=True)

    def _run(self, block: str) -> tuple[str, str]:
        command = ["bash", "-c", f"set -e\n{block}"]
        if "kill" not in block:
            return replay(command, self.folder, self.folder / "aside")
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def block(self, words: str) -> int:
        """The number of the first block that holds `words`."""
        return next(number for number, block in enumerate(BLOCKS) if words in block)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("walk")
    (folder / "examples").symlink_to(EXAMPLES)
    return Walk(folder)


def test_three_scenes_are_made_and_one_is_not_learnt_from(walk: Walk) -> None:
    assert len(list((walk.folder / "newsat").rglob("*_pan.tif"))) == 3
    facts = read_header(walk.folder / MODEL).facts
    assert [scene["pan"] for scene in facts["scenes"]] == ["north_pan.tif", "south_pan.tif"]


def test_the_sensor_file_is_whole(walk: Walk) -> None:
    sensor = read_sensor(walk.folder / "newsat.toml")
    assert [band.name for band in sensor.bands] == ["green", "red", "nir"]
    assert {band.gain for band in sensor.bands} == {0.3}


def test_calibration_finds_what_the_text_says(walk: Walk) -> None:
    told = walk.outputs[walk.block("geosharp calibrate")]
    (line,) = (line for line in told.splitlines() if "all together" in line)
    assert [float(gain) for gain in line.split()[2:4]] == pytest.approx([0.2, 0.2], abs=0.02)
    down, right = (float(value) for value in re.findall(r"([+-][\d.]+) \(\+-[\d.]+\)", told))
    assert (down, right) == pytest.approx((0.5, 0.0), abs=0.05)
    assert re.search(r"^verdict +converged$", told, re.M)
    assert json.loads((walk.folder / "north.json").read_text())


def test_the_killed_run_goes_on_with_step_2(walk: Walk) -> None:
    first = walk.block(f"-o {MODEL}")
    assert not walk.outputs[first]
    # The state of step 1 is on disk before its line is told, so that the kill may come between.
    assert re.findall(r"^step (\d) of 2", walk.errors[first + 1], re.M) == ["2"]
    assert not (walk.folder / f".{MODEL}.state").exists()


def test_the_verdict_is_the_last_line_but_one_and_among_those_explained(walk: Walk) -> None:
    *_, verdict, path = walk.outputs[walk.block(f"-o {MODEL}") + 1].splitlines()
    assert path == MODEL
    assert f"- **{verdict.split(' (')[0]}**." in TEXT


def test_the_model_tells_what_the_text_says(walk: Walk) -> None:
    told = walk.outputs[walk.block("geosharp info")]
    for part in ("north_pan.tif", "sha256", "calibration", "base", "settings", "scores", "verdict"):
        assert part in told


def test_the_result_is_of_the_model_and_on_pans_grid(walk: Walk) -> None:
    aside = walk.folder / "newsat" / "aside"
    scene = open_scene(aside / "east_pan.tif", aside / "east_ms.tif", sensor=walk.folder / "newsat.toml")
    with rasterio.open(walk.folder / "east.tif") as fused:
        assert (fused.count, fused.shape) == (3, scene.pan.grid.shape)
        digest = load(walk.folder / MODEL).digest
        assert json.loads(fused.tags()["GEOSHARP_PARAMETERS"])["model_sha256"] == digest
    assert digest in walk.outputs[walk.block("geosharp models")]


def test_both_models_are_judged_and_agree(walk: Walk) -> None:
    rows = re.findall(r"^ ?hfreqdiff +([\d.]+)", walk.outputs[walk.block("geosharp evaluate")], re.M)
    base, tuned = map(float, rows)
    assert tuned == pytest.approx(base, abs=0.1)


def test_the_shared_model_is_as_small_as_the_text_says(walk: Walk) -> None:
    shared = walk.folder / "data" / "geosharp" / "models" / MODEL
    assert shared.stat().st_size == pytest.approx(4e6, rel=0.2)
