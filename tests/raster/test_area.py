"""An area holds exactly the pixels whose centres lie in it, wherever it is cut and whatever names it."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform
from shapely import contains_xy, make_valid
from shapely.geometry import Point, Polygon

from geosharp.errors import GeosharpError, InputError, PairError, UsageError
from geosharp.raster.area import Area, find_area
from geosharp.raster.grid import Grid, Rect, tiles

UTM = CRS.from_epsg(32633)
GRID = Grid((300, 400), Affine(2, 0, 500_000, 0, -2, 4_600_000), UTM)
WHOLE = GRID.rect
STAR = Polygon([(30.3, 20.7), (200.2, 90.1), (390.9, 10.6), (250.4, 160.3), (333.3, 290.8), (120.1, 170.9)])


def full_mask(area: Area, rect: Rect) -> np.ndarray:
    mask = area.mask(rect)
    return np.ones(rect.shape, bool) if mask is None else mask


def centres_inside(shape: Polygon, rect: Rect) -> np.ndarray:
    rows, cols = np.mgrid[rect.row : rect.stop_row, rect.col : rect.stop_col] + 0.5
    return np.asarray(contains_xy(shape, cols, rows))


def save(path: Path, document: Any) -> str:
    path.write_text(json.dumps(document))
    return str(path)


def polygon(points: list[tuple[float, float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


def lonlat(points: list[tuple[float, float]], crs: CRS = UTM) -> list[tuple[float, float]]:
    """PAN pixel coordinates (col, row) -> longitude, latitude."""
    assert GRID.transform is not None
    places = [GRID.transform @ point for point in points]
    xs, ys = transform(crs, "OGC:CRS84", [p[0] for p in places], [p[1] for p in places])[:2]
    return list(zip(xs, ys, strict=True))


@pytest.mark.parametrize("tile", [17, 64, 250])
def test_a_mask_is_the_same_whatever_the_tiling_and_follows_the_centres(tile: int) -> None:
    area = Area(WHOLE, STAR)
    whole = full_mask(area, WHOLE)
    pieced = np.zeros(WHOLE.shape, bool)
    for part in tiles(WHOLE, tile):
        pieced[part.within(WHOLE)] = full_mask(area, part)
    assert (pieced == whole).all()
    assert (whole == centres_inside(STAR, WHOLE)).all()


def test_where_all_is_inside_there_is_no_mask() -> None:
    assert Area(WHOLE, STAR).mask(Rect(100, 180, 20, 20)) is None
    assert Area(WHOLE).mask(WHOLE) is None
    outside = Area(WHOLE, STAR).mask(Rect(280, 0, 20, 20))
    assert outside is not None
    assert not outside.any()


def test_a_box_is_in_the_crs_and_takes_the_pixels_whose_centres_it_holds() -> None:
    area = find_area("500020,4599900,500061,4599961", GRID, WHOLE)
    assert area == Area(Rect(19, 10, 31, 20))
    assert find_area("500020 4599900 500061 4599961", GRID, WHOLE) == area
    numbers = (500020, 4599900.0, np.float32(500061), np.int64(4599961))
    assert find_area(numbers, GRID, WHOLE) == find_area(np.array(numbers), GRID, WHOLE) == area
    assert find_area("499000,0,9999999,9999999", GRID, WHOLE).rect == WHOLE
    assert find_area("499000,0,9999999,9999999", GRID, Rect(3, 4, 5, 6)).rect == Rect(3, 4, 5, 6)


def test_a_box_lands_on_its_ground_when_rows_go_up_and_on_pixels_without_georeference() -> None:
    upside = Grid((300, 400), Affine(2, 0, 500_000, 0, 2, 4_599_400), UTM)
    assert find_area("500020,4599900,500060,4599960", upside, WHOLE).rect == Rect(250, 10, 30, 20)
    assert find_area("10,20,30,50", Grid((300, 400), None, None), WHOLE).rect == Rect(20, 10, 30, 20)


@pytest.mark.parametrize("wrapped", ["geometry", "feature", "collection", "with points"])
def test_geojson_in_degrees_lands_on_the_right_pixels(tmp_path: Path, wrapped: str) -> None:
    geometry = polygon(lonlat(list(STAR.exterior.coords)[:-1]))
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    points = {"type": "Point", "coordinates": lonlat([(5.5, 290.5)])[0]}
    document = {
        "geometry": geometry,
        "feature": feature,
        "collection": {"type": "FeatureCollection", "features": [feature, {**feature, "geometry": None}]},
        "with points": {"type": "GeometryCollection", "geometries": [geometry, points]},
    }[wrapped]
    area = find_area(save(tmp_path / "a.geojson", document), GRID, WHOLE)
    assert find_area(tmp_path / "a.geojson", GRID, WHOLE) == area
    found = np.zeros(WHOLE.shape, bool)
    found[area.rect.within(WHOLE)] = full_mask(area, area.rect)
    near_edge = centres_inside(STAR.buffer(0.02), WHOLE) != centres_inside(STAR.buffer(-0.02), WHOLE)
    assert (found == centres_inside(STAR, WHOLE))[~near_edge].all()
    assert near_edge.mean() < 0.01


def test_edges_are_straight_in_the_crs_of_the_file(tmp_path: Path) -> None:
    large = Grid((60_000, 60_000), Affine(2, 0, 500_000, 0, -2, 6_700_000), UTM)
    assert large.transform is not None
    west, east, south, north = 15.2, 17.0, 59.5, 60.0
    corners = [(west, south), (east, south), (east, north), (west, north)]
    area = find_area(save(tmp_path / "a.geojson", polygon(corners)), large, large.rect)
    assert area.shape is not None
    for lon in np.linspace(west, east, 7)[1:-1]:
        for lat, inside in ((south, False), (north, True)):
            x, y = transform("OGC:CRS84", UTM, [lon], [lat])[:2]
            col, row = ~large.transform @ (x[0], y[0])
            assert area.shape.contains(Point(col, row + 2)) == inside
            assert area.shape.contains(Point(col, row - 2)) != inside


def test_a_named_crs_is_heeded(tmp_path: Path) -> None:
    corners = [(500_020, 4_599_900), (500_060, 4_599_900), (500_060, 4_599_960), (500_020, 4_599_960)]
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    area = find_area(save(tmp_path / "a.json", {**polygon(corners), "crs": named}), GRID, WHOLE)
    assert area.rect == Rect(20, 10, 30, 20)
    assert full_mask(area, area.rect).all()
    usual = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    pixels = lonlat([(10, 20), (30, 20), (30, 50), (10, 50)])
    area = find_area(save(tmp_path / "b.json", {**polygon(pixels), "crs": usual}), GRID, WHOLE)
    assert area.rect == Rect(20, 10, 30, 20)


def test_a_crossed_polygon_holds_its_two_halves(tmp_path: Path) -> None:
    bow = lonlat([(10, 10), (50, 50), (50, 10), (10, 50)])
    area = find_area(save(tmp_path / "a.json", polygon(bow)), GRID, WHOLE)
    expected = centres_inside(Polygon([(10, 10), (30, 30), (10, 50)]), area.rect)
    expected |= centres_inside(Polygon([(50, 10), (30, 30), (50, 50)]), area.rect)
    # Centres on the diagonals fall either way.
    assert (full_mask(area, area.rect) != expected).sum() <= 80


def refusal(text: Any, kind: type[GeosharpError], grid: Grid = GRID) -> GeosharpError:
    with pytest.raises(kind) as caught:
        find_area(text, grid, WHOLE)
    error = caught.value
    assert error.subject == "--area"
    assert all((error.found, error.needed, error.remedy))
    return error


@pytest.mark.parametrize("text", ["500020,1,500020,2", "3,1,2,9", "1,5,2,3"])
def test_an_empty_box_is_refused(text: str) -> None:
    assert "empty box" in refusal(text, UsageError).found


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "1,2,nan,4", "1,2,inf,4", ""])
def test_other_than_four_finite_numbers_are_refused(text: str) -> None:
    assert "numbers" in refusal(text, UsageError).found


@pytest.mark.parametrize("place", [(1, 2, 3), [1, 2, 3, 4, 5], (1, 2, math.nan, 4), ()])
def test_a_sequence_of_other_than_four_finite_numbers_is_refused(place: Any) -> None:
    assert f"{len(place)} numbers" in refusal(place, UsageError).found


@pytest.mark.parametrize(
    "place", [5, 2.5, True, (1, 2, None, 4), ("a", 1, 2, 3), {"type": "Polygon"}, [[1, 2]]]
)
def test_what_is_neither_a_box_nor_a_path_is_refused(place: Any) -> None:
    assert refusal(place, UsageError).found == repr(place)


@pytest.mark.parametrize("text", ["0,0,10,10", "500100.1,4599899.9,500100.2,4599900.9"])
def test_an_area_without_a_pixel_is_refused_with_what_the_scene_covers(text: str) -> None:
    assert "500000,4599400,500800,4600000" in refusal(text, PairError).found


def test_polygons_that_miss_the_scene_or_every_centre_are_refused(tmp_path: Path) -> None:
    sliver = polygon(lonlat([(10, 10.1), (60, 60.1), (60, 60.2), (10, 10.2)]))
    far = polygon([(1, 1), (2, 1), (2, 2)])
    for document in (sliver, far):
        assert "no pixel" in refusal(save(tmp_path / "a.json", document), PairError).found


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"type": "Polygon"}',
        '{"type": "Polygon", "coordinates": 5}',
        '{"type": "Polygon", "coordinates": [[["a", 1], [2, 3], [4, 5], ["a", 1]]]}',
        '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}',
        '{"type": "Nonsense", "coordinates": []}',
        '{"type": "FeatureCollection", "features": null}',
        '{"type": "FeatureCollection", "features": [3]}',
        '{"type": "Feature", "geometry": 3}',
        '{"type": "Point", "coordinates": [15, 41]}',
        '{"type": "FeatureCollection", "features": []}',
        '{"type": "LineString", "coordinates": [[15, 41], [16, 42]]}',
        '{"type": "Feature", "geometry": null}',
        '{"crs": "x", "type": "Polygon", "coordinates": [[[15, 41], [16, 41], [16, 42], [15, 41]]]}',
        '{"crs": {"properties":{"name":"No"}}, "type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2]]]}',
        '{"type": "Polygon", "coordinates": [[[1e300, 41], [16, 41], [16, 1e300], [1e300, 41]]]}',
        "[" * 100_000,
        "\u00e9\u00e9",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_what_is_no_geojson_of_polygons_is_refused(tmp_path: Path, content: str, encoding: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(content, encoding=encoding)
    assert str(path) in refusal(str(path), InputError).found


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(str(tmp_path / "none.geojson"), InputError).found
    refusal(str(tmp_path), InputError)
    refusal("a" * 5000, InputError)


def test_without_crs_geojson_is_in_pixels_or_coordinates_of_pan(tmp_path: Path) -> None:
    corners = [(10.0, 20.0), (30.0, 20.0), (30.0, 50.0), (10.0, 50.0)]
    text = save(tmp_path / "a.json", polygon(corners))
    assert find_area(text, Grid((300, 400), None, None), WHOLE).rect == Rect(20, 10, 30, 20)
    assert find_area(text, Grid((300, 400), Affine.scale(2), None), WHOLE).rect == Rect(10, 5, 15, 10)


def test_a_jagged_polygon_is_filled_as_shapely_says_by_many_threads_at_once() -> None:
    angles = np.linspace(0, 2 * np.pi, 3000, endpoint=False)
    reach = 300 + 90 * np.sin(17 * angles) + np.random.default_rng(0).uniform(-40, 40, len(angles))
    star = Polygon(np.stack([400 + reach * np.cos(angles), 410 + reach * np.sin(angles)], 1))
    ring = make_valid(star).difference(Point(400, 410).buffer(60))
    area = Area(Rect(0, 0, 800, 800), ring)
    cut = list(tiles(area.rect, 100))
    with ThreadPoolExecutor(4) as pool:
        masks = list(pool.map(area.mask, cut * 3))
        missed = list(pool.map(area.misses, cut))
    cols, rows = np.meshgrid(np.arange(800) + 0.5, np.arange(800) + 0.5)
    expected = contains_xy(ring, cols, rows)
    for tile, mask, miss in zip(cut * 3, masks, missed * 3, strict=True):
        part = expected[tile.row : tile.stop_row, tile.col : tile.stop_col]
        np.testing.assert_array_equal(np.ones(tile.shape, bool) if mask is None else mask, part)
        assert miss == (not part.any())
    assert sum(missed) >= 4
