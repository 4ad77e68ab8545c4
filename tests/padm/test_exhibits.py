from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geosharp.padm.calibration import Calibration
from geosharp.padm.exhibits import (
    Detail,
    Kernel,
    hold_detail,
    place_free_form,
    place_kernel,
    place_table,
    read_thumbnail,
)
from geosharp.padm.iterate import Operator
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene
from tests.padm.planted import plant


def find_middle(kernel: Kernel) -> tuple[float, float]:
    """(row, col) of the weights' centroid, in PAN pixels as the extent counts them."""
    left, right, bottom, top = kernel.extent
    (rows, cols), weights = kernel.weights.shape, kernel.weights / kernel.weights.sum()
    at_rows = top + (bottom - top) * (np.arange(rows) + 0.5) / rows
    at_cols = left + (right - left) * (np.arange(cols) + 0.5) / cols
    return float(weights.sum(1) @ at_rows), float(weights.sum(0) @ at_cols)


@pytest.mark.parametrize("ratio", [2.0, 2.5, 4.0])
def test_a_kernel_lies_where_the_content_does_on_whole_pan_pixels(tmp_path: Path, ratio: float) -> None:
    scene = plant(tmp_path, ratio=ratio, offset=(0.5, 0.25), size=64)
    kernel = place_kernel(Operator((0.2, 0.3), (1.2, -2.3)), scene)
    assert kernel.weights.sum() == pytest.approx(1)
    assert find_middle(kernel) == pytest.approx((1.2, -2.3), abs=0.01)
    left, right, bottom, top = kernel.extent
    assert kernel.weights.shape == pytest.approx((bottom - top, right - left))


def test_the_table_is_not_shifted(scene: Scene) -> None:
    assert find_middle(place_table(scene)) == pytest.approx((0, 0), abs=0.01)


def test_a_free_form_has_the_weight_of_a_kernel_about_the_same_place(
    calibration: Calibration, scene: Scene
) -> None:
    free = place_free_form(calibration)
    assert free is not None
    left, right, bottom, top = free.extent
    area = (right - left) * (bottom - top) / free.weights.size
    assert free.weights.sum() * area == pytest.approx(1, abs=0.01)
    assert find_middle(free) == pytest.approx(calibration.operator.shift, abs=0.1)
    assert place_free_form(replace(calibration, free_form=None)) is None


def test_what_is_held_together_agrees_as_the_calibration_says(calibration: Calibration, scene: Scene) -> None:
    detail = hold_detail(calibration, scene)
    assert detail is not None
    assert detail.explained == pytest.approx(calibration.explained, abs=1e-3)
    assert int(detail.counted.sum()) == calibration.count
    assert len(detail.rects) == len(detail.degraded) == len(detail.aligned)


def test_nothing_is_held_without_an_operator_or_a_pixel(
    calibration: Calibration, scene: Scene, tmp_path: Path
) -> None:
    nothing = plant(tmp_path, ground=np.zeros((4, 64, 64)), nodata=1000.0)
    assert hold_detail(calibration, nothing) is None
    assert hold_detail(replace(calibration, verdict="unidentifiable"), scene) is None


def test_the_busiest_window_has_most_detail() -> None:
    degraded = np.zeros((3, 4, 4))
    degraded[1, 2, 2], degraded[2, 0, :3] = -5, 2
    rects = tuple(Rect(0, col, 4, 4) for col in (0, 4, 8))
    assert Detail(rects, degraded, degraded, np.ones((3, 4, 4), bool)).busiest == 1


def test_a_small_pan_is_its_own_thumbnail_with_holes(tmp_path: Path) -> None:
    ground = np.arange(4 * 48 * 64, dtype=float).reshape(4, 48, 64)[:, :, :48]
    ground[:, 10:20, 30:] = 0
    scene = plant(tmp_path, ground=ground, level=0.0, weights=(0.0, 0.0, 0.0, 1.0), nodata=0.0)
    small, rect = read_thumbnail(scene)
    assert rect == scene.area
    hole = np.isnan(small)
    assert hole[10:20, 30:].all()
    assert hole.sum() == 10 * 18
    np.testing.assert_allclose(small[~hole], 100 * ground[3][~hole], rtol=1e-6)


def test_a_large_pan_is_averaged(tmp_path: Path) -> None:
    ground = np.zeros((4, 1420, 1420))
    ground += np.arange(1420)
    ground[:, :, 3] = 1e4
    scene = plant(tmp_path, ground=ground, level=0.0, nodata=1e6)
    small, rect = read_thumbnail(scene)
    assert rect == Rect(0, 0, 1419, 1419)
    assert small.shape == (473, 473)
    # Of columns 3, 4 and 5 the first counts for nothing.
    np.testing.assert_allclose(small[7, :3], 100 * np.array([1, 4.5, 7]))
