"""The script that compares kinds of pairs: they differ in their kernel alone, and the truth is known."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from geosharp.calibration import learn
from geosharp.hfreqdiff.checkpoint import load
from geosharp.imaging.degradation import Degradation
from geosharp.padm.table import table_degradation
from geosharp.raster.scene import open_scene
from geosharp.tuning.recipe import Recipe
from tests.hfreqdiff.made_model import make_model
from tests.made import make_pair

EXPERIMENTS = Path(__file__).parents[2] / "examples" / "experiments"
SCENE = "ikonos_urban"
PLANTED = 0.08


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("pairs")


def test_pairs_differ_in_their_kernel_alone(script: ModuleType, made_pair: tuple[Path, Path]) -> None:
    scene, shift = open_scene(*made_pair), (0.5, -0.25)
    found = Degradation.alike([0.6] * len(scene.bands), 0.6, shift)
    kinds = {kind: take(scene, found, 1) for kind, take in script.PAIRS.items()}
    assert {taken.shift for taken in kinds.values()} == {shift}
    assert kinds["PADM"] == found
    assert kinds["table"].unshifted == table_degradation(scene)
    drawn = np.array([script.take_random(scene, found, seed).gains for seed in range(200)])
    assert tuple(map(tuple, drawn[1])) == kinds["random"].gains
    assert 0.03 < drawn.min() < 0.035
    assert 0.55 < drawn.max() < 0.6
    # As often below the geometric mean of the limits as above.
    assert np.median(drawn) == pytest.approx((0.03 * 0.6) ** 0.5, rel=0.3)


def test_the_planted_kernel_is_in_the_made_scenes(script: ModuleType, tmp_path: Path) -> None:
    halves = script.make_halves(tmp_path, 256, PLANTED)
    scenes = [open_scene(half / "pan.tif", half / "ms.tif") for half in halves]
    for scene in scenes:
        gains, shift = learn(scene).degradation.mean_gain, learn(scene).degradation.shift
        assert gains == pytest.approx((PLANTED, PLANTED), abs=0.02)
        assert shift == pytest.approx((0, 0), abs=0.1)
        assert abs(table_degradation(scene).mean_gain[0] - PLANTED) > 0.1
    one, other = (script.rasterio.open(half / "truth.tif") for half in halves)
    with one, other:
        assert one.shape == scenes[0].grid.shape
        assert not np.array_equal(one.read(), other.read())


def test_each_kind_is_scored_and_nothing_is_made_twice(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench" / SCENE).mkdir(parents=True)
    make_pair(tmp_path / "bench" / SCENE, pan_shape=(704, 360), bands=2)
    monkeypatch.setattr(script, "Recipe", partial(Recipe, batch=1, side=32, margin=4))
    told = ["--data", tmp_path / "bench", "--scene", SCENE, "--out", tmp_path / "out", "--seeds", 1]
    told += ["--model", make_model(tmp_path), "--side", 352, "--markdown", tmp_path / "found.md"]

    def start(steps: int) -> str:
        monkeypatch.setattr("sys.argv", ["pairs.py", *map(str, told), "--steps", str(steps)])
        script.main()
        return capsys.readouterr().out

    text = start(2)
    assert text == (tmp_path / "found.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith("|")]
    lines = ["none", *script.PAIRS, "PADM less table", "PADM less random"]
    assert [row[1] for row in rows] == 2 * ["pairs", "---", *lines]
    assert float(rows[-5][2].split()[0]) == pytest.approx(PLANTED, abs=0.02)
    for place in (SCENE, "made"):
        files = [tmp_path / "out" / "found" / place / f"{kind}-1.safetensors" for kind in script.PAIRS]
        assert len({load(file).digest for file in files}) == len(files)

    monkeypatch.setattr(script, "learn_pairs", None)
    monkeypatch.setattr(script, "score", None)
    assert start(2) == text
    with pytest.raises(SystemExit, match="other steps"):
        start(3)
