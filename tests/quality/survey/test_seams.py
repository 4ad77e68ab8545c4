from __future__ import annotations

import math

import numpy as np
import pytest

from geosharp.quality.survey.seams import RUN, Seams, Steps
from geosharp.raster.grid import Rect

TILE, SIDE = 128, 512
RATIO = (4.0, 4.0)


def make_ground(seed: int, power: float = 1.5) -> np.ndarray:
    """(2, SIDE, SIDE) with the spectrum of real scenes: neighbouring steps go together. Deviation 100."""
    rng = np.random.default_rng(seed)
    rows, cols = np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE)
    frequency = np.hypot(rows[:, None], cols[None])
    frequency[0, 0] = 1
    noise = np.fft.rfft2(rng.normal(size=(2, SIDE, SIDE)))
    image = np.fft.irfft2(noise / frequency**power, s=(SIDE, SIDE))
    return (500 + 100 * image / image.std((1, 2), keepdims=True)).astype(np.float32)


def make_seams(height: float) -> np.ndarray:
    """Tiles of a chessboard, the dark ones `height` DN lower."""
    rows, cols = np.arange(SIDE) // TILE, np.arange(SIDE) // TILE
    return (height * ((rows[:, None] + cols[None]) % 2)).astype(np.float32)


def measure(
    image: np.ndarray, tile: int = TILE, valid: np.ndarray | None = None, corner: tuple[int, int] = (0, 0)
) -> Seams:
    rect = Rect(*corner, *image.shape[1:])
    steps = Steps(rect)
    steps.add(image, valid, rect, rect)
    return steps.measure(tile, RATIO)


def test_without_seams_z_is_what_chance_makes_it() -> None:
    scores = np.array([measure(make_ground(seed)).z for seed in range(100)])
    assert np.mean(np.abs(scores) > 3) <= 0.03
    assert 0.7 < scores.std() < 1.4
    assert abs(scores.mean()) < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_a_seam_of_two_percent_of_the_contrast_is_no_chance(seed: int) -> None:
    ground = make_ground(seed)
    low, high = np.percentile(ground, (1, 99))
    seams = measure(ground + make_seams(0.02 * float(high - low)))
    assert seams.z > 3
    assert seams.at_borders > seams.elsewhere
    assert max(seams.profile) == seams.profile[len(seams.profile) // 2] == seams.at_borders


def test_what_interpolation_leaves_in_every_ms_pixel_is_no_seam() -> None:
    blocky = np.kron(make_ground(0)[:, ::4, ::4], np.ones((4, 4), np.float32))
    assert abs(measure(blocky).z) < 3


def test_borders_are_counted_from_pan_pixel_0_0() -> None:
    whole = make_ground(1) + make_seams(12.0)
    part = whole[:, 50:, 30:]
    assert measure(part, corner=(50, 30)).z > 3
    assert measure(part, corner=(0, 0)).z < 3


def test_blocks_add_up_to_the_whole() -> None:
    image, rect = make_ground(2), Rect(0, 0, SIDE, SIDE)
    steps = Steps(rect)
    for row in range(0, SIDE, 4 * RUN):
        for col in range(0, SIDE, 4 * RUN):
            core = Rect(row, col, 4 * RUN, 4 * RUN)
            outer = Rect(row - 1, col - 1, core.height + 1, core.width + 1).intersect(rect)
            steps.add(image[:, *outer.within(rect)], None, outer, core)
    parts, whole = steps.measure(TILE, RATIO), measure(image)
    assert parts.at_borders == pytest.approx(whole.at_borders, rel=1e-5)
    assert parts.z == pytest.approx(whole.z, rel=1e-3)


def test_invalid_pixels_make_no_step() -> None:
    image, valid = make_ground(3), np.ones((SIDE, SIDE), bool)
    valid[200:300, 100:400] = False
    holed = np.where(valid, image, np.float32(0))
    assert measure(holed, valid=valid).elsewhere == pytest.approx(measure(image).elsewhere, rel=0.1)
    assert measure(holed).elsewhere > 1.2 * measure(image).elsewhere


def test_without_a_border_inside_nothing_is_measured() -> None:
    seams = measure(make_ground(4), tile=SIDE)
    assert math.isnan(seams.z)
    assert math.isnan(seams.at_borders)
    assert seams.elsewhere > 0
    assert seams.profile == ()


@pytest.mark.parametrize("level", [0.0, 400.0])
def test_where_nothing_varies_any_step_at_borders_is_no_chance(level: float) -> None:
    flat = np.full((2, SIDE, SIDE), level, np.float32)
    assert measure(flat).z == 0
    for height in (0.5, 20.0):
        seams = measure(flat + make_seams(height))
        assert seams.z == math.inf
        assert (seams.at_borders, seams.elsewhere) == (height, 0)


@pytest.mark.parametrize("collar", [-3.4e38, -5e36])
def test_sums_beyond_float32_break_nothing(collar: float) -> None:
    image = make_ground(0)
    image[:, :, 200:] = collar
    seams = measure(image)
    assert math.isfinite(seams.z)
    assert math.isfinite(seams.elsewhere)
