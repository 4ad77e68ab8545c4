"""Rectangles and relations hold against counting pixels one by one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from geosharp.raster.grid import Grid, Reason, Rect, Relation, relate, tiles

UTM = CRS.from_epsg(32633)
PAN = Grid((100, 120), Affine(1, 0, 500_000, 0, -1, 4_600_000), UTM)


def ms_grid(
    ratio: float, offset: tuple[float, float] = (0.0, 0.0), shape: tuple[int, int] = (25, 30)
) -> Grid:
    """A north-up MS whose corner lies at `offset` (row, col) in PAN pixels."""
    return Grid(shape, Affine(ratio, 0, 500_000 + offset[1], 0, -ratio, 4_600_000 - offset[0]), UTM)


def related(pan: Grid, ms: Grid) -> Relation:
    relation = relate(pan, ms)
    assert isinstance(relation, Relation), relation
    return relation


def refused(pan: Grid, ms: Grid) -> Reason:
    reason = relate(pan, ms)
    assert isinstance(reason, Reason), reason
    return reason


RELATIONS = [
    Relation((float(ry), float(rx)), offset)
    for (ry, rx), offset in itertools.product(
        [(4, 4), (2, 2), (3, 5), (4.000245, 4.000245), (2.5, 1.99979)],
        [(0.0, 0.0), (-0.5, 0.5), (0.25, -0.25), (3.3, -7.6), (-40.0, 12.0)],
    )
]


@pytest.mark.parametrize("relation", RELATIONS, ids=str)
def test_a_footprint_holds_exactly_the_pixels_whose_centres_ms_covers(relation: Relation) -> None:
    shape = (9, 7)
    found = relation.footprint(shape)
    for axis, (start, stop) in enumerate(((found.row, found.stop_row), (found.col, found.stop_col))):
        low = relation.offset[axis]
        high = low + relation.ratio[axis] * shape[axis]
        inside = [p for p in range(-80, 120) if low - 1e-6 <= p + 0.5 < high - 1e-6]
        assert [start, stop] == [inside[0], inside[-1] + 1]


@pytest.mark.parametrize("relation", RELATIONS, ids=str)
def test_covering_rectangles_cover_and_none_smaller_does(relation: Relation) -> None:
    pan = Rect(-3, 5, 11, 6)
    ms = relation.ms_rect(pan)
    edges = ((pan.row, pan.stop_row), (pan.col, pan.stop_col))
    spans = ((ms.row, ms.stop_row), (ms.col, ms.stop_col))
    for (low, high), (start, stop), offset, ratio in zip(
        edges, spans, relation.offset, relation.ratio, strict=True
    ):
        assert offset + ratio * start <= low + 1e-6 < offset + ratio * (start + 1) + 2e-6
        assert offset + ratio * (stop - 1) - 2e-6 < high - 1e-6 <= offset + ratio * stop
    back = relation.pan_rect(ms)
    assert back.intersect(pan) == pan
    assert relation.pan_rect(Rect(ms.row, ms.col, 1, 1)).intersect(pan).area > 0


@pytest.mark.parametrize("tile", [1, 7, 16, 1000])
def test_tiles_cover_an_area_once_and_lie_on_a_lattice_from_zero(tile: int) -> None:
    area = Rect(-5, 13, 40, 33)
    seen = np.zeros(area.shape, int)
    for part in tiles(area, tile):
        seen[part.within(area)] += 1
        assert not part.empty
        assert part.row // tile == (part.stop_row - 1) // tile
        assert part.col // tile == (part.stop_col - 1) // tile
    assert (seen == 1).all()


def test_rectangles_meet_where_both_are() -> None:
    box = Rect(2, 3, 5, 7)
    for row, col in itertools.product(range(-9, 12), repeat=2):
        other = Rect(row, col, 4, 3)
        both = {(r, c) for r in range(2, 7) for c in range(3, 10)} & {
            (r, c) for r in range(row, row + 4) for c in range(col, col + 3)
        }
        met = box.intersect(other)
        assert met.area == len(both)
        assert met.empty == (not both)
        if both:
            assert (met.row, met.col) == min(both)
    assert box.grow(1, 2).within(box.grow(1, 2)) == (slice(0, 7), slice(0, 11))
    assert box.grow(2, 1).move(2, 1) == Rect(2, 3, 9, 9)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 4.0, 6.0, 8.0, 4.000245, 1.99979])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (-0.5, 0.5), (0.25, -3.0)])
def test_a_relation_says_what_the_geotransforms_say(ratio: float, offset: tuple[float, float]) -> None:
    relation = related(PAN, ms_grid(ratio, offset, (12, 15)))
    assert relation.ratio == pytest.approx((ratio, ratio), abs=1e-9)
    assert relation.offset == pytest.approx(offset, abs=1e-4)
    assert relation.integer == (ratio == round(ratio) or abs(ratio - round(ratio)) * 15 < 1e-3)
    assert relation.nested() == (relation.integer and all(o == round(o) for o in offset))
    assert all(abs(part) <= 0.5 for part in relation.shift)
    assert [o - s for o, s in zip(offset, relation.shift, strict=True)] == pytest.approx(
        [round(o) for o in offset], abs=1e-4
    )


def test_noise_of_doubles_does_not_spoil_an_integer_ratio_and_a_true_drift_stays() -> None:
    third = Grid((300, 300), Affine(0.1 * 3, 0, 7.3, 0, -0.1 * 3, 8.1), UTM)
    tenth = Grid((900, 900), Affine(0.1, 0, 7.3, 0, -0.1, 8.1), UTM)
    assert related(tenth, third) == Relation((3.0, 3.0), (0.0, 0.0))
    drifting = related(PAN, ms_grid(4.001))
    assert not drifting.integer


def test_an_offset_is_where_ms_lies_also_when_rows_go_up() -> None:
    pan = Grid((100, 100), Affine(1, 0, 0, 0, 1, 0), UTM)
    ms = Grid((20, 20), Affine(4, 0, 3, 0, 4, 5), UTM)
    assert related(pan, ms).offset == (5.0, 3.0)
    assert pan.south_up
    assert not PAN.south_up


def test_without_georeference_both_cover_the_same_ground() -> None:
    assert related(Grid((128, 128), None, None), Grid((32, 32), None, None)) == Relation((4, 4), (0, 0))
    odd = related(Grid((201, 203), None, None), Grid((50, 51), None, None))
    assert odd.ratio == (201 / 50, 203 / 51)
    assert "differ in shape" in refused(Grid((128, 128), None, None), Grid((32, 64), None, None)).text


@pytest.mark.parametrize(
    ("pan", "ms", "kind", "words"),
    [
        (PAN, ms_grid(0.25), "ratio", "4 times coarser"),
        (PAN, ms_grid(1.0), "ratio", "only 1 times finer"),
        (PAN, ms_grid(1.4), "ratio", "only 1.4 times finer"),
        (PAN, ms_grid(17.0), "ratio", "17 times finer"),
        (PAN, ms_grid(4.0, (100.0, 0.0)), "overlap", "do not overlap"),
        (PAN, ms_grid(4.0, (0.0, -120.0)), "overlap", "do not overlap"),
        (PAN, Grid((25, 30), None, None), "georeference", "PAN is georeferenced and MS is not"),
        (Grid((100, 120), None, UTM), ms_grid(4.0), "georeference", "MS is georeferenced and PAN is not"),
        (
            PAN,
            Grid((25, 30), Affine(4, 1, 500_000, 1, -4, 4_600_000), UTM),
            "georeference",
            "MS has a rotated grid",
        ),
        (Grid((100, 120), Affine(0, 1, 0, 1, 0, 0), UTM), ms_grid(4.0), "georeference", "PAN has a rotated"),
        (PAN, Grid((25, 30), Affine(-4, 0, 500_120, 0, -4, 4_600_000), UTM), "georeference", "mirrored"),
        (
            PAN,
            Grid((25, 30), Affine(4, 0, 500_000, 0, 4, 4_599_900), UTM),
            "georeference",
            "north-up and the other south-up",
        ),
    ],
)
def test_what_cannot_be_related_is_refused_with_the_reason(
    pan: Grid, ms: Grid, kind: str, words: str
) -> None:
    reason = refused(pan, ms)
    assert reason.kind == kind
    assert words in reason.text


def test_a_ratio_of_one_and_a_half_is_enough() -> None:
    assert related(PAN, ms_grid(1.5)).ratio == (1.5, 1.5)


@pytest.mark.parametrize("ratio", [2.0, 2.5, 4.000245])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("before", [False, True])
def test_one_common_ms_pixel_in_height_and_width_is_enough_and_less_is_not(
    ratio: float, axis: int, before: bool
) -> None:
    for shared in (0.3, 1.0, ratio - 0.01, ratio, ratio + 0.4):
        offset = [0.0, 0.0]
        offset[axis] = shared - ratio * (25, 30)[axis] if before else PAN.shape[axis] - shared
        ms = ms_grid(ratio, (offset[0], offset[1]))
        if shared >= ratio:
            assert related(PAN, ms).footprint(ms.shape).intersect(PAN.rect).area > 0
            continue
        reason = refused(PAN, ms)
        assert reason.kind == "overlap"
        shares = [f"{min(ratio * (25, 30)[i], PAN.shape[i]):g}" for i in (0, 1)]
        shares[axis] = f"{round(shared, 2):g}"
        assert f"overlap by {shares[1]} x {shares[0]} PAN pixels" in reason.text
        assert f"less than an MS pixel of {ratio:.3g} x {ratio:.3g}" in reason.text


def test_a_crop_keeps_every_pixel_on_its_ground() -> None:
    rect = Rect(7, 11, 5, 3)
    cropped = PAN.crop(rect)
    assert cropped.shape == (5, 3)
    assert PAN.transform is not None
    assert cropped.transform is not None
    assert cropped.transform @ (2.5, 1.5) == PAN.transform @ (13.5, 8.5)
    assert Grid((9, 9), None, None).crop(rect) == Grid((5, 3), None, None)


def test_bounds_hold_all_corners_whichever_way_the_rows_run() -> None:
    assert PAN.bounds() == (500_000, 4_599_900, 500_120, 4_600_000)
    upside = Grid((100, 120), Affine(1, 0, 500_000, 0, 1, 4_599_900), UTM)
    assert upside.bounds() == PAN.bounds()
    assert Grid((3, 4), None, None).bounds() == (0, 0, 4, 3)


def test_a_turn_that_moves_no_pixel_is_none() -> None:
    barely = Grid((100, 120), Affine(1, 1e-6, 0, 1e-6, -1, 0), UTM)
    assert barely.rotation_reason() is None
    assert math.isclose(
        related(barely, Grid((25, 30), Affine(4, 0, 0, 0, -4, 0), UTM)).ratio[0], 4, rel_tol=1e-9
    )


def test_strips_hold_the_same_tiles_from_top_to_bottom() -> None:
    area = Rect(10, 130, 300, 500)
    strips = list(tiles(area, 64, 128))
    assert sorted(strips, key=lambda t: (t.row, t.col)) == list(tiles(area, 64))
    columns = [tile.col // 128 for tile in strips]
    assert columns == sorted(columns)
    first = [tile for tile in strips if tile.col < 256]
    assert [tile.row for tile in first] == sorted(tile.row for tile in first)
