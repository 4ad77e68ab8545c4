from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from rasterio.transform import from_origin

from geosharp.errors import PairError
from geosharp.imaging.degradation import Degradation, degrade_bands
from geosharp.imaging.resample import Axis, Span
from geosharp.quality import protocol
from geosharp.quality.coarsening import Read
from geosharp.quality.protocol import FullScoring, ReducedScoring, check_counted, find_peak
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader, open_scene
from tests.made import ORIGIN, make_pair, texture, write_raster

SIDE = 320
HOW = Degradation(((0.45, 0.3), (0.2, 0.2), (0.1, 0.2)), (0.15, 0.15), (0.25, -0.5))


def perfect_scene(
    folder: Path, ratio: float = 4.0, offset: tuple[float, float] = (0.5, -1.25)
) -> tuple[Scene, np.ndarray]:
    """A scene whose MS is `truth` degraded by HOW, and `truth` on PAN's pixels."""
    truth = np.stack([1500 * texture((SIDE, SIDE), seed) + 300 for seed in range(3)])
    down, right = HOW.shift
    axes = Axis(ratio, offset[0] + down), Axis(ratio, offset[1] + right)
    size = int(SIDE / ratio)
    margin = 80
    grown = np.pad(truth, ((0, 0), (margin, margin), (margin, margin)), mode="reflect")
    spans = (Span(-margin, SIDE + margin),) * 2
    target = (Span(0, size),) * 2
    ms, _ = degrade_bands(torch.from_numpy(grown), None, spans, target, axes, HOW.gains, 0.5)
    x, y = ORIGIN
    transform = from_origin(x + offset[1], y - offset[0], ratio, ratio)
    pan = truth.mean(0, keepdims=True)
    fine = write_raster(folder / "pan.tif", pan)
    return open_scene(fine, write_raster(folder / "ms.tif", ms.numpy(), transform=transform)), truth


def reading(image: np.ndarray, valid: np.ndarray | None = None) -> Read:
    """Reads a (band, row, col) image that begins at pixel (0, 0) and may be left, as a reader does."""

    def read(rect: Rect) -> tuple[np.ndarray, np.ndarray | None]:
        rows, cols = np.arange(rect.row, rect.stop_row), np.arange(rect.col, rect.stop_col)
        at = np.clip(rows, 0, image.shape[1] - 1)[:, None], np.clip(cols, 0, image.shape[2] - 1)[None]
        inside = (rows[:, None] == at[0]) & (cols[None] == at[1])
        seen = inside if valid is None else valid[at] & inside
        return image[:, *at], np.repeat(seen[None], len(image), 0)

    return read


def score_full(
    scene: Scene, image: np.ndarray, *parts: Rect, valid: np.ndarray | None = None
) -> dict[str, float]:
    scoring = FullScoring(scene, HOW)
    with SceneReader(scene) as reader:
        for part in parts or (scene.area,):
            scoring.add(reader, reading(image, valid), part)
    return scoring.results()


@pytest.mark.parametrize(("ratio", "offset"), [(4.0, (0.5, -1.25)), (2.0, (0.0, 0.0)), (3.3, (-0.7, 2.0))])
def test_a_result_whose_degradation_is_the_ms_is_perfect(
    tmp_path: Path, ratio: float, offset: tuple[float, float]
) -> None:
    scene, truth = perfect_scene(tmp_path, ratio, offset)
    scores = score_full(scene, truth)
    assert scores["d_lambda"] == pytest.approx(0, abs=1e-6)
    assert scores["reprojection_ergas"] == pytest.approx(0, abs=1e-4)
    assert scores["reprojection_sam"] == pytest.approx(0, abs=1e-4)
    assert scores["hqnr"] == pytest.approx((1 - scores["d_lambda"]) * (1 - scores["d_s"]))
    moved = score_full(scene, np.roll(truth, 1, 2))
    assert moved["d_lambda"] > 0.001
    assert moved["reprojection_ergas"] > 0.2
    assert moved["d_rho"] > scores["d_rho"]


def test_windows_do_not_show_in_the_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, truth = perfect_scene(tmp_path)
    image = truth + np.random.default_rng(0).normal(0, 20, truth.shape)
    coarse = np.round(image[:, :80, :80])
    whole = score_full(scene, image)
    at_once = score_reduced(scene, coarse)
    monkeypatch.setattr(protocol, "_SIDE", 64)
    assert score_full(scene, image) == pytest.approx(whole, rel=1e-9)
    assert score_reduced(scene, coarse) == pytest.approx(at_once, rel=1e-9)


def test_parts_of_a_scene_are_scored_together(tmp_path: Path) -> None:
    scene, truth = perfect_scene(tmp_path)
    image = truth.copy()
    image[:, :, SIDE // 2 :] += np.random.default_rng(0).normal(0, 50, (3, SIDE, SIDE // 2))
    left, right = (Rect(0, col, SIDE, SIDE // 2) for col in (0, SIDE // 2))
    clean, dirty, both = (score_full(scene, image, *parts) for parts in ([left], [right], [left, right]))
    assert clean["d_lambda"] < 1e-6
    assert both["d_lambda"] == pytest.approx((clean["d_lambda"] + dirty["d_lambda"]) / 2, rel=0.1)


def score_reduced(scene: Scene, image: np.ndarray, valid: np.ndarray | None = None) -> dict[str, float]:
    area = scene.ms_grid.rect
    scoring = ReducedScoring(scene, find_peak(scene, area))
    with SceneReader(scene) as reader:
        scoring.add(reader, reading(image, valid), area)
    return scoring.results()


def test_the_ms_itself_is_perfect_at_reduced_resolution(tmp_path: Path) -> None:
    scene = open_scene(*make_pair(tmp_path))
    with SceneReader(scene) as reader:
        ms, _ = reader.read_ms(scene.ms_grid.rect)
    scores = score_reduced(scene, ms)
    assert math.isinf(scores.pop("psnr"))
    assert math.isinf(scores.pop("psnr_per_band"))
    assert scores == pytest.approx({"ssim": 1, "sam": 0, "ergas": 0, "scc": 1, "q2n": 1})
    worse = score_reduced(scene, ms + np.random.default_rng(0).normal(0, 30, ms.shape))
    assert worse["psnr"] < 40
    assert all(worse[name] < 1 for name in ("ssim", "scc", "q2n"))
    assert all(worse[name] > 0 for name in ("sam", "ergas"))


def test_invalid_pixels_never_count(tmp_path: Path) -> None:
    scene, truth = perfect_scene(tmp_path)
    valid = np.ones((SIDE, SIDE), bool)
    valid[100:150, 50:200] = False
    junk = np.where(valid, truth, 60000)
    assert score_full(scene, junk)["d_lambda"] > 0.01
    scores = score_full(scene, junk, valid=valid)
    # A hundredth of a kernel may lie in the hole.
    assert scores["d_lambda"] < 1e-5
    assert scores["reprojection_ergas"] < 0.01
    nothing = score_full(scene, junk, valid=np.zeros_like(valid))
    with pytest.raises(PairError, match="none that is valid"):
        check_counted(nothing)
    assert check_counted(scores) is scores


def test_a_part_too_small_for_the_kernel_is_refused(tmp_path: Path) -> None:
    scene, truth = perfect_scene(tmp_path)
    with pytest.raises(PairError, match="30 x 20 PAN pixels"):
        score_full(scene, truth, Rect(100, 100, 20, 30))
