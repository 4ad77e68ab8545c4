"""A kernel of any form: a blur about the same centre, that says whether a Gaussian is the right one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geosharp.padm.freeform import FreeForm, fit_free_form
from geosharp.padm.iterate import Operator, iterate
from geosharp.padm.sample import Sample, take_sample
from geosharp.raster.scene import Scene, open_scene
from tests.made import write_raster
from tests.padm.conftest import GAINS, SHIFT
from tests.padm.planted import make_ground, plant


def moments(free: FreeForm) -> tuple[np.ndarray, np.ndarray]:
    """Centroid and variances (rows, cols) in PAN pixels; knots are linear in between."""
    kernel = np.array(free.kernel)
    at = [np.arange(size) - (size - 1) / 2 for size in kernel.shape]
    sides = [kernel.sum(1) / kernel.sum(), kernel.sum(0) / kernel.sum()]
    means = [side @ place for side, place in zip(sides, at, strict=True)]
    squares = [side @ (place - mean) ** 2 for side, place, mean in zip(sides, at, means, strict=True)]
    spacing = np.array(free.spacing)
    return spacing * means, spacing**2 * (np.array(squares) + 1 / 6)


@pytest.fixture(scope="module")
def free(sample: Sample) -> FreeForm:
    return fit_free_form(sample, iterate(sample, Operator(GAINS, SHIFT)).operator)


def test_it_is_a_blur_about_the_shift(free: FreeForm) -> None:
    kernel = np.array(free.kernel)
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-3)
    assert moments(free)[0] == pytest.approx((0, 0), abs=0.02)


def test_it_takes_no_shift_over(sample: Sample) -> None:
    off = fit_free_form(sample, Operator(GAINS, (SHIFT[0] + 0.5, SHIFT[1] - 0.5)))
    assert moments(off)[0] == pytest.approx((0, 0), abs=0.05)


def test_a_gaussian_is_found_to_be_one(free: FreeForm) -> None:
    assert free.explained == pytest.approx(free.gaussian, abs=1e-3)
    wanted = -2 * (4 / np.pi) ** 2 * np.log(GAINS)
    np.testing.assert_allclose(moments(free)[1], wanted, rtol=0.1)


def plant_boxes(folder: Path, ratio: int) -> Scene:
    """MS whose pixels are means of all of PAN's in an MS pixel and half of one around."""
    ground = make_ground(64 * ratio, 3)
    reach = ratio // 2
    size = 2 * reach + ratio
    box = np.zeros(64 * ratio)
    box[:size] = 1 / size
    spectrum = np.outer(np.fft.fft(box), np.fft.fft(box))
    means = np.fft.ifft2(np.fft.fft2(ground) * spectrum.conj()).real
    ms = np.roll(means, (reach, reach), (1, 2))[:, ::ratio, ::ratio].astype(np.float32)
    like = plant(folder, ratio=ratio, ground=ground, weights=(0.3, 0.3, 0.4))
    placed = write_raster(folder / "boxes.tif", ms, transform=like.ms_grid.transform)
    return open_scene(folder / "pan.tif", placed)


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_a_box_is_found_to_be_none(tmp_path: Path, ratio: int) -> None:
    sample = take_sample(plant_boxes(tmp_path, ratio))
    assert sample is not None
    fit = iterate(sample, Operator((0.3, 0.3), (0.0, 0.0)))
    free = fit_free_form(sample, fit.operator)
    assert free.explained > free.gaussian
    assert 1 - free.explained < 0.8 * (1 - free.gaussian)
    # Its mass lies where the box does.
    kernel = np.array(free.kernel)
    at = free.spacing[0] * (np.arange(len(kernel)) - (len(kernel) - 1) / 2)
    assert kernel[np.abs(at) > ratio + free.spacing[0]].sum() < 0.02
