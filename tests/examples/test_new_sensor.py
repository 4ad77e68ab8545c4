"""The script that leaves a sensor out: halves that do not overlap, and scores of what would be shipped."""

from __future__ import annotations

import importlib
import json
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import rasterio

from geosharp.raster.scene import open_scene
from geosharp.tuning.recipe import Recipe
from tests.hfreqdiff.made_model import make_model
from tests.made import make_pair

EXPERIMENTS = Path(__file__).parents[2] / "examples" / "experiments"
SCENE = "ikonos_urban"
WAYS = ["adapt", "fine-tuned", "from-nothing"]
BASE = {"psnr": 30.0, "hqnr": 0.9}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("new_sensor")


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return np.asarray(raster.read())


@pytest.mark.parametrize(
    ("shape", "offset", "axis"), [((76, 64), (0, 0), 1), ((64, 92), (0.5, -0.25), 2)], ids=["tall", "wide"]
)
def test_halves_are_the_scene_cut_in_two(
    script: ModuleType, tmp_path: Path, shape: tuple[int, int], offset: tuple[float, float], axis: int
) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    pan, ms = make_pair(folder, pan_shape=shape, bands=3, offset=offset)
    with rasterio.open(ms, "r+") as raster:
        raster.descriptions = ("green", "red", "nir")
        raster.update_tags(SENSOR="IKONOS")
    halves = script.cut_halves(folder, tmp_path / "out")
    whole, scenes = open_scene(pan, ms), [open_scene(half / "pan.tif", half / "ms.tif") for half in halves]
    rows, cols = whole.area.within(whole.grid.rect)
    for name, known in (("ms.tif", read(ms)), ("pan.tif", read(pan)[:, rows, cols])):
        assert np.array_equal(np.concatenate([read(half / name) for half in halves], axis), known)
    for scene in scenes:
        assert scene.placed.shift == whole.placed.shift
        assert scene.sensor == whole.sensor
        assert [band.name for band in scene.bands] == ["green", "red", "nir"]
    # Neither overlaps the other nor leaves a gap, on the ground as in pixels.
    one, other = (scene.ms_grid.bounds() for scene in scenes)
    assert (one[1] == other[3]) if axis == 1 else (one[2] == other[0])


def test_what_is_not_shipped_neither_gains_nor_loses(script: ModuleType) -> None:
    worse = {"psnr": 29.0, "hqnr": 0.95}
    kept, shipped = (script.Outcome(better, "", 1.0, worse) for better in (False, True))
    assert [each.gain("psnr", BASE, shipped=True) for each in (kept, shipped)] == [0, -1]
    assert kept.gain("psnr", BASE, shipped=False) == -1
    assert (kept.right(BASE), shipped.right(BASE)) == (True, False)
    none = script.Outcome(False, "", 1.0)
    assert (none.right(BASE), none.gain("hqnr", BASE, shipped=True)) == (None, 0)


@pytest.mark.parametrize(
    ("psnr", "hqnr", "better"),
    [(30.5, 0.9, True), (30.02, 0.9, False), (30.5, 0.89, False), (30.5, 0.898, True)],
)
def test_better_is_closer_than_the_noise_and_no_less_in_hqnr(
    script: ModuleType, psnr: float, hqnr: float, better: bool
) -> None:
    assert script.is_better({"psnr": psnr, "hqnr": hqnr}, BASE) is better


def test_each_way_is_scored_on_the_other_half_and_nothing_is_made_twice(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench" / SCENE).mkdir(parents=True)
    make_pair(tmp_path / "bench" / SCENE, pan_shape=(640, 304), bands=2)
    monkeypatch.setattr("geosharp.adaptation.WARM_UP", 2)
    for module in ("adaptation", "training"):
        monkeypatch.setattr(f"geosharp.{module}.Recipe", partial(Recipe, batch=1, side=32, margin=4))
    out, scored, score = tmp_path / "out", [], script.score_scene

    def watch(folder: Path, *rest: Any) -> Any:
        scored.append(folder)
        return score(folder, *rest)

    told = ["--data", tmp_path / "bench", "--scenes", SCENE, "--out", out, "--ways", ",".join(WAYS)]
    told += ["--model", make_model(tmp_path), "--minutes", 1e-6, "--markdown", tmp_path / "found.md"]

    def start(steps: int) -> str:
        monkeypatch.setattr("sys.argv", ["new_sensor.py", *map(str, told), "--steps", str(steps)])
        script.main()
        return capsys.readouterr().out

    monkeypatch.setattr(script, "score_scene", watch)
    text = start(2)
    assert text == (tmp_path / "found.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith("|")]
    assert [row[1] for row in rows if row[2] in ("", "1")] == [
        *("base", *WAYS, "gsa", "glp", "glp-hpm"),
        *WAYS,
    ]
    found = {way: json.loads((out / "found" / SCENE / f"{way}-1.json").read_text()) for way in WAYS}
    for way, own in found.items():
        assert f"{own['minutes']:.1f}" in rows[2 + WAYS.index(way) + 1]
        # Weights are kept, and scored, whatever the verdict; but not by --adapt.
        assert (own["scores"] is None) == (way == "adapt" and not own["better"])
    assert found["fine-tuned"]["scores"] != found["from-nothing"]["scores"]
    assert set(scored) == {out / "scored" / SCENE}

    monkeypatch.setattr(script, "score_scene", None)
    monkeypatch.setattr(script, "WAYS", dict.fromkeys(WAYS))
    assert start(2) == text
    with pytest.raises(SystemExit, match="other steps"):
        start(3)
