"""Points and polynomials of PAN name the same ground in a part of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC

from geosharp.raster.carry import carry_band_tags, carry_tags, move_gcps, move_rpcs
from geosharp.raster.grid import Rect
from geosharp.raster.source import Source, describe
from tests.made import write_raster

PART = Rect(10, 20, 30, 40)


def rpc(**changes: float) -> RPC:
    """A plain RPC: longitude follows samples and latitude lines."""
    line_num, samp_num, den = [0.0] * 20, [0.0] * 20, [1.0] + [0.0] * 19
    line_num[2], samp_num[1] = -1.0, 1.0
    values = {
        "height_off": 0.0,
        "height_scale": 100.0,
        "lat_off": 41.5,
        "lat_scale": 0.01,
        "line_den_coeff": den,
        "line_num_coeff": line_num,
        "line_off": 32.0,
        "line_scale": 32.0,
        "long_off": 15.0,
        "long_scale": 0.01,
        "samp_den_coeff": den,
        "samp_num_coeff": samp_num,
        "samp_off": 32.0,
        "samp_scale": 32.0,
        "err_bias": None,
        "err_rand": None,
    }
    return RPC(**{**values, **changes})


def tagged(path: Path, **spaces: dict[str, str]) -> Source:
    """A raster with tags by domain, `default` being the one without a name."""
    return replace(
        describe(write_raster(path, np.ones((1, 8, 8), "uint8")), "PAN"),
        tags={"" if space == "default" else space: items for space, items in spaces.items()},
    )


def test_pan_tells_of_the_scene_only_what_ms_does_not(tmp_path: Path) -> None:
    pan = tagged(
        tmp_path / "pan.tif",
        default={"TIFFTAG_DATETIME": "p", "TIFFTAG_COPYRIGHT": "p", "AREA_OR_POINT": "Point", "gain": "p"},
        IMAGERY={"SATELLITEID": "p", "CLOUDCOVER": "p", "other": "p"},
        IMD={"bandId": "P"},
    )
    ms = tagged(tmp_path / "ms.tif", default={"tifftag_datetime": "m", "x": "m"}, OWN={"y": "m"})
    assert carry_tags(pan, ms) == {
        "": {"tifftag_datetime": "m", "x": "m", "TIFFTAG_COPYRIGHT": "p"},
        "OWN": {"y": "m"},
        "IMAGERY": {"SATELLITEID": "p", "CLOUDCOVER": "p"},
    }
    assert carry_tags(tagged(tmp_path / "bare.tif"), tagged(tmp_path / "other.tif")) == {"": {}}


def test_what_is_about_the_file_stays_with_it(tmp_path: Path) -> None:
    items = {"AREA_OR_POINT": "Point", "STATISTICS_MEAN": "1", "TIFFTAG_XRESOLUTION": "72", "kept": "yes"}
    source = tagged(tmp_path / "a.tif", default=items)
    assert carry_tags(source, source) == {"": {"kept": "yes"}}
    assert carry_band_tags(items | {"NBITS": "11"}) == {"kept": "yes"}


def test_gcps_keep_their_ground_and_count_from_the_part(tmp_path: Path) -> None:
    corners = [(0.0, 0.0), (0.0, 64.0), (64.0, 0.0), (33.5, 21.25)]
    points = [GroundControlPoint(row=r, col=c, x=15 + c / 1e4, y=41 - r / 1e4, z=7) for r, c in corners]
    pixels = np.ones((1, 64, 64), "uint8")
    path = write_raster(tmp_path / "pan.tif", pixels, transform=None, crs="EPSG:4326", gcps=points)
    moved = move_gcps(describe(path, "PAN"), PART)
    assert moved is not None
    assert moved[1].to_epsg() == 4326
    assert [(p.row, p.col) for p in moved[0]] == [(r - 10, c - 20) for r, c in corners]
    assert [(p.x, p.y, p.z) for p in moved[0]] == [(p.x, p.y, p.z) for p in points]


def test_rpcs_send_the_same_place_to_the_moved_pixel(tmp_path: Path) -> None:
    path = write_raster(
        tmp_path / "pan.tif", np.ones((1, 64, 64), "uint8"), transform=None, crs=None, rpcs=rpc()
    )
    source = describe(path, "PAN")
    before = source.rpcs.line_off
    moved = move_rpcs(source, PART)
    assert moved is not None
    assert (moved.line_off, moved.samp_off) == (32 - 10, 32 - 20)
    assert source.rpcs.line_off == before
    whole, part = rasterio.transform.RPCTransformer(source.rpcs), rasterio.transform.RPCTransformer(moved)
    with whole, part:
        there = np.array(whole.rowcol(15.003, 41.498, zs=0, op=float))
        here = np.array(part.rowcol(15.003, 41.498, zs=0, op=float))
    assert there - here == pytest.approx([10, 20], abs=1e-6)


def test_what_is_not_there_is_not_carried(made_pair: tuple[Path, Path]) -> None:
    source = describe(made_pair[0], "PAN")
    assert move_gcps(source, PART) is None
    assert move_rpcs(source, PART) is None
