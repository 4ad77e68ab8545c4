"""Files that show one ground at one time are a pair, and only those."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geosharp.raster.footprints import Header, find_ground, find_time, pair_by_footprint, read_headers
from geosharp.raster.grid import Grid, north_up
from tests.made import ORIGIN, write_raster

NOON = "2020:06:01 12:00:00"


def write(folder: Path, name: str, bands: int, pixel: float, size: int = 16, **given: Any) -> Path:
    """A raster of `pixel` metres; time: TIFFTAG_DATETIME; corner: moved east by so many metres."""
    time, corner = given.pop("time", None), given.pop("corner", 0.0)
    place = from_origin(ORIGIN[0] + corner, ORIGIN[1], pixel, pixel)
    path = write_raster(
        folder / name, np.ones((bands, size, size), np.uint16), **{"transform": place, **given}
    )
    if time is not None:
        with rasterio.open(path, "r+") as raster:
            raster.update_tags(TIFFTAG_DATETIME=time)
    return path


def judge(files: list[Path]) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    headers = read_headers(dict.fromkeys(files))
    pairs, why = pair_by_footprint([each for each in headers.values() if isinstance(each, Header)])
    found = {path.name: text for path, text in headers.items() if isinstance(text, str)}
    return [(pan.name, ms.name, rule) for pan, ms, rule in pairs], {
        p.name: text for p, text in why.items()
    } | found


def test_one_ground_is_a_pair_and_one_time_says_so(tmp_path: Path) -> None:
    files = [write(tmp_path, "1.tif", 1, 1, 64), write(tmp_path, "2.tif", 4, 4)]
    assert judge(files)[0] == [("1.tif", "2.tif", "by footprint")]
    timed = [
        write(tmp_path, "3.tif", 1, 1, 64, time=NOON),
        write(tmp_path, "4.tif", 4, 4, time="2020:06:01 12:00:40"),
    ]
    assert judge(timed)[0] == [("3.tif", "4.tif", "by footprint and time")]


def test_passes_over_one_ground_are_told_by_their_times(tmp_path: Path) -> None:
    files = []
    for day in (1, 2):
        files.append(write(tmp_path, f"{day}p.tif", 1, 1, 64, time=f"2020:06:0{day} 12:00:00"))
        files.append(write(tmp_path, f"{day}m.tif", 4, 4, time=f"2020:06:0{day} 12:00:03"))
    assert [pair[:2] for pair in judge(files)[0]] == [("1p.tif", "1m.tif"), ("2p.tif", "2m.tif")]


def test_where_either_of_two_could_be_meant_neither_is(tmp_path: Path) -> None:
    pan = write(tmp_path, "p.tif", 1, 1, 64)
    pairs, why = judge([pan, write(tmp_path, "a.tif", 4, 4), write(tmp_path, "b.tif", 4, 4)])
    assert pairs == []
    assert why["p.tif"] == "2 files of the same ground could be its MS: a.tif, b.tif"
    assert "to which others could be MS" in why["a.tif"]


@pytest.mark.parametrize(
    ("ms", "why"),
    [
        ({"time": "2020:06:01 12:10:00"}, "was seen 0:10:00 before or after"),
        ({"time": None, "corner": 16.0}, "only 60% of it, and nothing tells when"),
        ({"corner": 40.0}, "no MS of its ground is there"),
        ({"pixel": 1.0, "size": 64}, "no MS of its ground is there"),
        ({"bands": 1}, "no MS of its ground is there"),
    ],
    ids=["another pass", "partly and no time", "beside", "as fine", "one band"],
)
def test_what_is_no_pair_says_why(tmp_path: Path, ms: dict[str, Any], why: str) -> None:
    pan = write(tmp_path, "p.tif", 1, 1, 64, time=NOON)
    given = {"bands": 4, "pixel": 4.0, "time": NOON, **ms}
    pairs, reasons = judge([pan, write(tmp_path, "m.tif", **given)])
    assert pairs == []
    assert why in reasons["p.tif"]


def test_files_of_single_bands_are_told_how_they_may_be_listed(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "p.tif", 1, 1, 64),
        write(tmp_path, "1.tif", 1, 4),
        write(tmp_path, "m.tif", 4, 1),
    ]
    pairs, why = judge(files)
    assert pairs == []
    for name in ("p.tif", "1.tif"):
        assert "if it is a band of an MS, list all of them in a CSV" in why[name]
        assert "with ; between" in why[name]
    assert why["m.tif"] == "no PAN of its ground is there"


def test_what_partly_overlaps_is_a_pair_by_its_time(tmp_path: Path) -> None:
    pan = write(tmp_path, "p.tif", 1, 1, 64, time=NOON)
    assert len(judge([pan, write(tmp_path, "m.tif", 4, 4, time=NOON, corner=16.0)])[0]) == 1


def test_another_crs_is_the_same_ground(tmp_path: Path) -> None:
    pan = write(tmp_path, "p.tif", 1, 1, 64)
    ground = find_ground(north_up((64, 64), ORIGIN, 1.0, 32633))
    assert ground is not None
    west, south, east, north = ground.bounds
    place = rasterio.transform.from_bounds(west, south, east, north, 16, 16)
    ms = write(tmp_path, "m.tif", 4, 4, transform=place, crs="EPSG:4326")
    assert judge([pan, ms])[0] == [("p.tif", "m.tif", "by footprint")]


def test_what_has_no_place_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_text("no raster")
    bare = write(tmp_path, "bare.tif", 1, 1, transform=None)
    _, why = judge([tmp_path / "x.tif", bare])
    assert "GDAL cannot read it" in why["x.tif"]
    assert "neither its name nor a georeference" in why["bare.tif"]


def test_ground_is_in_degrees_counter_clockwise_and_cut_at_the_date_line() -> None:
    ground = find_ground(north_up((100, 100), ORIGIN, 1.0, 32633))
    assert ground is not None
    assert ground.exterior.is_ccw
    np.testing.assert_allclose(ground.bounds, (15.0, 41.5508, 15.0012, 41.5517), atol=1e-4)
    across = find_ground(north_up((1000, 1000), (100_000.0, 100_000.0), 300.0, 32601))
    assert across is not None
    assert across.geom_type == "MultiPolygon"
    assert across.bounds[::2] == (-180.0, 180.0)
    assert find_ground(Grid((4, 4), None, None)) is None


@pytest.mark.parametrize(
    ("tags", "time"),
    [
        (
            {"IMAGERY": {"ACQUISITIONDATETIME": "2013-08-16 16:20:41"}},
            datetime(2013, 8, 16, 16, 20, 41, tzinfo=UTC),
        ),
        ({"": {"TIFFTAG_DATETIME": NOON}}, datetime(2020, 6, 1, 12, tzinfo=UTC)),
        ({"": {"NITF_IDATIM": "20200601120000"}}, datetime(2020, 6, 1, 12, tzinfo=UTC)),
        ({"": {"TIFFTAG_DATETIME": "2020:13:01 12:00:00"}}, None),
        ({"": {"TIFFTAG_DATETIME": "some day"}}, None),
        ({}, None),
    ],
)
def test_times_of_metadata_are_read_and_what_is_none_is_not(tags: Any, time: datetime | None) -> None:
    assert find_time(tags, None) == time


def test_a_name_tells_more_than_the_files_own_time_and_less_than_the_vendor() -> None:
    named = datetime(2019, 1, 1, tzinfo=UTC)
    assert find_time({"": {"TIFFTAG_DATETIME": NOON}}, named) == named
    vendor = {"IMAGERY": {"ACQUISITIONDATETIME": "2013-08-16 16:20:41"}}
    assert find_time(vendor, named) == datetime(2013, 8, 16, 16, 20, 41, tzinfo=UTC)
