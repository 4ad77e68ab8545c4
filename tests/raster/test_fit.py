"""MS is brought onto PAN's ground to a fiftieth of a pixel, or refused with the reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin
from rasterio.warp import calculate_default_transform, transform

from geosharp.errors import GeosharpError, PairError
from geosharp.raster.fit import check_alike, find_relation, put_onto_pan
from geosharp.raster.grid import Rect
from geosharp.raster.source import Source, SourceReader, describe
from tests.made import ORIGIN, write_raster
from tests.raster.test_carry import rpc

PLACE = from_origin(*ORIGIN, 1, 1)


def raster(path: Path, shape: tuple[int, int] = (64, 64), role: str = "PAN", **profile: Any) -> Source:
    profile.setdefault("dtype", "uint8")
    return describe(write_raster(path, np.ones((1, *shape), profile["dtype"]), **profile), role)


def coordinates(
    path: Path, crs: str, size: int, ratio: float, *, reach: int, up: bool = False, step: int = 1
) -> Source:
    """An MS in `crs` whose two bands hold the PAN row and column that lie under each pixel's centre.

    It reaches `reach` PAN pixels beyond a PAN of `size` pixels of `step` metres on each side.
    """
    left, top = ORIGIN[0] - reach * step, ORIGIN[1] + reach * step
    side = (size + 2 * reach) * step
    place, width, height = calculate_default_transform(
        "EPSG:32633", crs, side // step, side // step, left, top - side, left + side, top
    )
    place = place @ Affine.scale(ratio)
    width, height = int(width / ratio), int(height / ratio)
    if up:
        place = place @ Affine.translation(0, height) @ Affine.scale(1, -1)
    rows, cols = np.mgrid[:height, :width] + 0.5
    there = place @ (cols.ravel(), rows.ravel())
    xs, ys = transform(crs, "EPSG:32633", *there)[:2]
    on_pan = ~(PLACE @ Affine.scale(step)) @ (np.array(xs), np.array(ys))
    data = np.stack([on_pan[1].reshape(height, width), on_pan[0].reshape(height, width)])
    return describe(write_raster(path, data, crs=crs, transform=place, dtype="float64"), "MS")


@pytest.mark.parametrize(("up", "step"), [(False, 1), (True, 1), (False, 100)])
@pytest.mark.parametrize(
    ("crs", "ratio", "nested"),
    [
        ("EPSG:32632", 4, (4, 4)),
        ("EPSG:4326", 4, (5, 4)),
        ("EPSG:3857", 2, (2, 2)),
        ("EPSG:3035", 8, (8, 8)),
        ("EPSG:3413", 3.7, (4, 4)),
    ],
)
def test_coordinates_survive_another_crs(
    tmp_path: Path, crs: str, ratio: float, nested: tuple[int, int], up: bool, step: int
) -> None:
    pan = raster(tmp_path / "pan.tif", (300, 300), transform=PLACE @ Affine.scale(step))
    notes: list[str] = []
    ms = coordinates(tmp_path / "ms.tif", crs, 300, ratio, reach=50, up=up, step=step)
    found = put_onto_pan(pan, (ms,), notes)
    relation = find_relation(pan, found[0], notes)
    assert relation.nested()
    assert relation.ratio == nested
    assert len(notes) == 1
    assert crs in notes[0]
    assert "EPSG:32633" in notes[0]
    reader = SourceReader(found[0])
    on_pan = relation.ms_rect(pan.grid.rect)
    data, valid = reader.read(on_pan)
    reader.close()
    assert valid is None
    rows, cols = np.mgrid[on_pan.row : on_pan.stop_row, on_pan.col : on_pan.stop_col] + 0.5
    error_row = data[0] - (relation.offset[0] + relation.ratio[0] * rows)
    error_col = data[1] - (relation.offset[1] + relation.ratio[1] * cols)
    assert max(np.abs(error_row).max(), np.abs(error_col).max()) < 0.02


def test_a_warped_grid_reaches_no_further_than_needed(tmp_path: Path) -> None:
    pan = raster(tmp_path / "pan.tif", (100, 100))
    for reach in (-20, 1000):
        ms = coordinates(tmp_path / "ms.tif", "EPSG:32632", 100, 4, reach=reach)
        (found,) = put_onto_pan(pan, (ms,), [])
        height, width = found.grid.shape
        assert max(height, width) <= (25 + 2 * 32 if reach > 0 else 60 / 4 + 8)


def test_a_global_ms_meets_a_small_pan(tmp_path: Path) -> None:
    pan = raster(tmp_path / "pan.tif", (100, 100), transform=from_origin(*ORIGIN, 5000, 5000))
    degrees = from_origin(-180, 90, 0.18, 0.18)
    ms = raster(tmp_path / "ms.tif", (1000, 2000), "MS", crs="EPSG:4326", transform=degrees)
    (found,) = put_onto_pan(pan, (ms,), [])
    relation = find_relation(pan, found, [])
    assert relation.ratio == (4, 3)
    assert relation.footprint(found.grid.shape).intersect(pan.grid.rect) == pan.grid.rect


def test_two_names_of_one_crs_need_no_warp(tmp_path: Path) -> None:
    pan = raster(tmp_path / "pan.tif")
    ms = raster(tmp_path / "ms.tif", (16, 16), "MS", crs="EPSG:25833", transform=from_origin(*ORIGIN, 4, 4))
    notes: list[str] = []
    assert put_onto_pan(pan, (ms,), notes) == (ms,)
    assert notes == []


def test_a_crs_on_one_file_only_is_taken_for_both_and_said(tmp_path: Path) -> None:
    pan = raster(tmp_path / "pan.tif")
    ms = raster(tmp_path / "ms.tif", (16, 16), "MS", crs=None, transform=from_origin(*ORIGIN, 4, 4))
    for first, second in ((pan, ms), (ms, pan)):
        notes: list[str] = []
        assert put_onto_pan(first, (second,), notes) == (second,)
        assert len(notes) == 1
        assert f"{ms.name}: no CRS" in notes[0]


@pytest.mark.parametrize("pan_up", [False, True])
@pytest.mark.parametrize("ms_up", [False, True])
def test_rows_run_as_pans_do(tmp_path: Path, pan_up: bool, ms_up: bool) -> None:
    def place(size: int, step: int, up: bool) -> Affine:
        x, y = ORIGIN
        return Affine(step, 0, x, 0, step, y - size * step) if up else Affine(step, 0, x, 0, -step, y)

    pan = raster(tmp_path / "pan.tif", transform=place(64, 1, pan_up))
    rows = np.arange(16, dtype="uint8")[:, None].repeat(16, 1)[None]
    path = write_raster(tmp_path / "ms.tif", rows[:, ::-1] if ms_up else rows, transform=place(16, 4, ms_up))
    (ms,) = put_onto_pan(pan, (describe(path, "MS"),), [])
    reader = SourceReader(ms)
    data, _ = reader.read(Rect(0, 0, 16, 16))
    reader.close()
    assert find_relation(pan, ms, []).nested()
    assert (data == (rows[:, ::-1] if pan_up else rows)).all()


def gcps(size: int, lon: float = 15.0) -> dict[str, Any]:
    corners = [(0, 0), (0, size), (size, 0), (size, size)]
    points = [
        GroundControlPoint(row=r, col=c, x=lon + c / size / 99, y=41 - r / size / 99) for r, c in corners
    ]
    return {"transform": None, "crs": "EPSG:4326", "gcps": points}


@pytest.mark.parametrize(
    ("pan", "ms", "word"),
    [
        ({"transform": None, "crs": None}, {"transform": None, "crs": None}, "geotransform"),
        (gcps(64), gcps(16), "GCPs"),
        (
            {"transform": None, "crs": None, "rpcs": rpc()},
            {"transform": None, "crs": None, "rpcs": rpc()},
            "RPCs",
        ),
        ({"transform": None, "crs": None, "rpcs": rpc()}, {"transform": None, "crs": None}, "RPCs"),
    ],
)
def test_without_geotransforms_the_footprint_is_shared_and_said(
    tmp_path: Path, pan: dict[str, Any], ms: dict[str, Any], word: str
) -> None:
    fine, coarse = raster(tmp_path / "pan.tif", **pan), raster(tmp_path / "ms.tif", (16, 16), "MS", **ms)
    notes: list[str] = []
    assert find_relation(fine, *put_onto_pan(fine, (coarse,), notes), notes).ratio == (4, 4)
    assert len(notes) == 1
    assert word in notes[0]
    assert "4 x 4" in notes[0]


MS = {"transform": from_origin(*ORIGIN, 4, 4)}
MERCATOR = [axis[0] for axis in transform("EPSG:32633", "EPSG:3857", [ORIGIN[0]], [ORIGIN[1]])]
BARE: dict[str, Any] = {"transform": None, "crs": None}


@pytest.mark.parametrize(
    ("pan", "ms", "subject", "words"),
    [
        ({"transform": PLACE @ Affine.scale(16)}, MS, "both", "4 times coarser"),
        ({"transform": PLACE @ Affine.scale(4)}, MS, "both", "only 1 times finer"),
        ({}, {"transform": PLACE @ Affine.scale(20)}, "both", "20 times finer"),
        ({}, {"transform": MS["transform"] @ Affine.translation(50, 0)}, "both", "do not overlap"),
        ({}, {"transform": PLACE @ Affine.translation(62.5, 0) @ Affine.scale(4)}, "both", "by 1.5 x 64 PAN"),
        ({}, {**MS, "crs": "EPSG:32618"}, "both", "do not overlap"),
        ({}, {"crs": "EPSG:3857", "transform": from_origin(*MERCATOR, 1.4, 1.4)}, "both", "MS pixels of 1"),
        (BARE, MS, "both", "MS is georeferenced and PAN is not"),
        ({}, BARE, "both", "PAN is georeferenced and MS is not"),
        ({"transform": PLACE @ Affine.rotation(10)}, MS, "pan.tif", "rotated"),
        ({}, {"transform": MS["transform"] @ Affine.rotation(90)}, "ms.tif", "rotated"),
        (BARE, {"transform": MS["transform"] @ Affine.rotation(30)}, "ms.tif", "rotated"),
        ({"transform": PLACE @ Affine.translation(64, 0) @ Affine.scale(-1, 1)}, MS, "pan.tif", "mirrored"),
        (gcps(64), gcps(16, lon=30.0), "both", "apart"),
        ({**BARE, "rpcs": rpc()}, {**BARE, "rpcs": rpc(lat_off=10.0)}, "both", "apart"),
        ({**BARE, "rpcs": rpc()}, gcps(16, lon=30.0), "both", "apart"),
        ({}, {**MS, "crs": 'LOCAL_CS["site",UNIT["metre",1]]'}, "both", "cannot be transformed"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason_and_the_file(
    tmp_path: Path, pan: dict[str, Any], ms: dict[str, Any], subject: str, words: str
) -> None:
    fine, coarse = raster(tmp_path / "pan.tif", **pan), raster(tmp_path / "ms.tif", (16, 16), "MS", **ms)
    with pytest.raises(GeosharpError) as caught:
        find_relation(fine, *put_onto_pan(fine, (coarse,), []), [])
    error = caught.value
    assert isinstance(error, PairError)
    assert words in error.found
    assert error.subject == (
        f"{fine.name} and {coarse.name}" if subject == "both" else str(tmp_path / subject)
    )
    assert error.needed
    assert error.remedy


@pytest.mark.parametrize(
    ("odd", "what"),
    [
        ({"shape": (16, 17)}, "size 16 x 16 and 17 x 16"),
        ({"dtype": "uint16"}, "pixel type uint8 and uint16"),
        ({"crs": "EPSG:32634"}, "CRS EPSG:32633 and EPSG:32634"),
        ({"crs": None}, "CRS EPSG:32633 and no CRS"),
        ({"transform": from_origin(*ORIGIN, 8, 8)}, "geotransforms 4, 0, 500000, 0, -4, 4.6e+06 and 8, 0, 5"),
        ({"transform": None}, "and none"),
    ],
)
def test_band_files_that_differ_are_refused_with_both_values(
    tmp_path: Path, odd: dict[str, Any], what: str
) -> None:
    first = raster(tmp_path / "a.tif", (16, 16), "MS", **MS)
    other = raster(tmp_path / "b.tif", odd.pop("shape", (16, 16)), "MS", **{**MS, **odd})
    check_alike((first, first))
    with pytest.raises(PairError, match="gdalwarp") as caught:
        check_alike((first, first, other))
    assert what in caught.value.found
    assert caught.value.subject == f"{first.name} and {other.name}"


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
@pytest.mark.parametrize(
    ("change", "fits"),
    [
        (Affine.translation(1e-9, 0), True),
        (Affine.translation(0, -0.009), True),
        (Affine.scale(1 + 1e-7), True),
        (Affine.translation(0, 0.02), False),
        (Affine.translation(-0.1, 0), False),
        (Affine.scale(1.002), False),
        (Affine.rotation(0.1), False),
        (Affine.translation(0, 16) @ Affine.scale(1, -1), False),
    ],
)
def test_band_files_fit_if_their_corners_do_within_a_hundredth_of_a_pixel(
    tmp_path: Path, crs: str, change: Affine, fits: bool
) -> None:
    # Degrees with many digits: a tenth of such a pixel is a difference in the tenth digit only.
    step = 4.0 if crs == "EPSG:32633" else 4e-7
    place = from_origin(113.123456, 41.654321, step, step)
    first = raster(tmp_path / "a.tif", (16, 16), "MS", crs=crs, transform=place)
    other = raster(tmp_path / "b.tif", (16, 16), "MS", crs=crs, transform=place @ change)
    if fits:
        check_alike((first, other))
        return
    with pytest.raises(PairError, match="pixels apart") as caught:
        check_alike((first, other))
    mine, theirs = re.fullmatch(r"geotransforms (.+) and (.+) \(up to .*\)", caught.value.found).groups()
    assert mine != theirs


def test_a_ratio_beyond_eight_is_accepted_and_said(tmp_path: Path) -> None:
    pan = raster(tmp_path / "pan.tif")
    ms = raster(tmp_path / "ms.tif", (5, 5), "MS", transform=from_origin(*ORIGIN, 12, 12))
    notes: list[str] = []
    assert find_relation(pan, ms, notes).ratio == (12, 12)
    assert "12" in notes[0]
