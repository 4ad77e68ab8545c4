"""Pixels of one grid are found on another by the ground they lie on."""

from __future__ import annotations

import pytest
from rasterio.crs import CRS

from geosharp.raster.grid import Grid, Rect, north_up
from geosharp.raster.overlap import locate

COARSE = north_up((100, 80), (500_000, 4_000_000), 2.0, 32633)
FINE = north_up((400, 320), (500_010, 3_999_990), 0.5, 32633)
RECT = Rect(20, 10, 30, 25)


def test_pixels_of_one_crs_are_found_by_arithmetic() -> None:
    assert locate(RECT, COARSE, COARSE) == RECT
    assert locate(RECT, COARSE, FINE) == Rect(60, 20, 120, 100)
    assert locate(Rect(61, 21, 10, 10), FINE, COARSE) == Rect(20, 10, 3, 3)


def test_in_another_crs_what_is_found_covers_the_ground_and_little_more() -> None:
    other = north_up((400, 400), (15.0, 36.15), 2e-5, 4326)
    there = locate(RECT, COARSE, other)
    assert there is not None
    back = locate(there, other, COARSE)
    assert back is not None
    assert back.intersect(RECT) == RECT
    assert back.area < 1.5 * RECT.area


@pytest.mark.parametrize(
    "other",
    [
        Grid((100, 80), None, None),
        Grid((100, 80), COARSE.transform, None),
        Grid((9, 9), None, CRS.from_epsg(32633)),
    ],
    ids=["nothing", "no CRS", "no transform"],
)
def test_grids_without_georeference_cannot_be_compared(other: Grid) -> None:
    assert locate(RECT, COARSE, other) is None
    assert locate(RECT, other, COARSE) is None


def test_ground_out_of_a_crs_reach_is_nowhere() -> None:
    far = north_up((10, 10), (5e9, 4_000_000), 1.0, 32633)
    assert locate(far.rect, far, north_up((10, 10), (0, 80), 1.0, 4326)) is None
