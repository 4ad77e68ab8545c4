"""Laws of windows: walked in any pieces a scene scores as it does at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from geosharp.quality import metrics
from geosharp.quality.blocks import Q2n, Uqi
from geosharp.quality.consistency import Unexplained
from geosharp.quality.neighbourhood import LocalCorrelation, Scc, Ssim
from geosharp.quality.pixelwise import Ergas, Psnr, Sam
from geosharp.quality.windows import HALO, Score, cut_pan_window, cut_window, score_once, walk
from tests.quality.images import made_image, noisy

SCORES: dict[str, Callable[[], Score]] = {
    "psnr": Psnr,
    "psnr_per_band": lambda: Psnr(pooled=False),
    "ergas": lambda: Ergas(4),
    "sam": Sam,
    "scc": Scc,
    "ssim": lambda: Ssim(1000.0),
    "uqi": Uqi,
    "uqi in blocks of 8": lambda: Uqi(8),
    "q2n": Q2n,
    "local correlation": lambda: LocalCorrelation(4),
    "unexplained": Unexplained,
}


def holes(shape: tuple[int, int]) -> np.ndarray:
    """Invalid pixels on both sides of the seams between windows of 32 and of 64."""
    valid = np.ones(shape, bool)
    valid[31, 40] = valid[64, 63] = valid[5, 32] = False
    valid[shape[0] - 1, :3] = False
    return valid


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "holes"])
@pytest.mark.parametrize("shape", [(128, 96), (133, 101), (70, 257), (20, 50)])
@pytest.mark.parametrize("name", SCORES)
def test_streamed_is_whole(name: str, shape: tuple[int, int], masked: bool) -> None:
    image = made_image(bands=3, shape=shape)
    fused, pan = noisy(image, 60), image.mean(0, keepdims=True)
    valid = holes(shape) if masked and min(shape) > 64 else np.ones(shape, bool)
    cut, first = (
        (cut_pan_window, pan) if name in ("local correlation", "unexplained") else (cut_window, image)
    )
    whole = score_once(SCORES[name](), cut(first, fused, valid))
    assert np.isfinite(whole)
    for size in (32, 64):
        score = SCORES[name]()
        for outer, core in walk(shape, size):
            part = (..., slice(outer.row, outer.stop_row), slice(outer.col, outer.stop_col))
            score.add(cut(first[part], fused[part], valid[part], core))
        assert score.result() == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("size", [32, 40, 100, 1000])
def test_a_walk_covers_each_pixel_once_with_context_on_all_sides(size: int) -> None:
    shape, seen = (133, 101), np.zeros((133, 101), int)
    for outer, core in walk(shape, size):
        scene = core.move(outer.row, outer.col)
        assert scene.row % 32 == scene.col % 32 == 0
        assert max(core.shape) <= max(size, 32)
        assert outer.row == max(scene.row - HALO, 0)
        assert outer.col == max(scene.col - HALO, 0)
        assert outer.stop_row == min(scene.stop_row + HALO, shape[0])
        assert outer.stop_col == min(scene.stop_col + HALO, shape[1])
        seen[scene.row : scene.stop_row, scene.col : scene.stop_col] += 1
    assert (seen == 1).all()


def test_cores_start_on_multiples_of_the_block_that_is_asked_for() -> None:
    assert {core.move(outer.row, outer.col).col for outer, core in walk((11, 60), 25, block=11)} == {
        0,
        22,
        44,
    }


def test_ssim_told_the_scenes_peak_is_the_metric() -> None:
    image, fused = made_image(), noisy(made_image(), 20)
    score = score_once(Ssim(float(image.max())), cut_window(image, fused))
    assert score == metrics.ssim(image, fused)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_not_finite_in_one_image_counts_as_invalid(value: float, which: int) -> None:
    images = [made_image().astype(float), noisy(made_image(), 20).astype(float)]
    valid = np.ones(images[0].shape[1:], bool)
    valid[40, 50] = False
    expected = metrics.psnr(*images, valid)
    images[which][1, 40, 50] = value
    assert metrics.psnr(*images) == expected
