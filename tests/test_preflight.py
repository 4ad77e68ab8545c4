"""What `info` tells is what is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio

from geosharp.preflight import inspect
from tests.made import make_pair


def test_a_pair_is_seen_as_it_is(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(260, 244), ratio=2, bands=3, offset=(-0.5, 0.5))
    with rasterio.open(ms, "r+") as raster:
        raster.nodata = 0
        raster.descriptions = ("blue", "green", "red")
    seen = inspect(pan, ms, bands=["red", "green"])
    assert seen["ratio"] == [2.0, 2.0]
    assert seen["shift_pan_px"] == [-0.5, 0.5]
    assert [band["name"] for band in seen["bands"]] == ["red", "green"]
    assert seen["ms"][0]["nodata"] == [0.0, 0.0]
    assert seen["plan"]["output_shape"][0] == 2
    assert seen["common_area"]["share_of_pan"] > 0.98
    json.dumps(seen)


def test_used_bits_are_those_of_the_largest_value(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    with rasterio.open(pan, "r+") as raster:
        data = raster.read()
        data[0, 100, 100] = 2047
        raster.write(np.minimum(data, 2047))
    assert inspect(pan, ms)["pan"]["bits_used"] == 11
    with rasterio.open(pan, "r+") as raster:
        data[0, 100, 100] = 2048
        raster.write(data)
    assert inspect(pan, ms)["pan"]["bits_used"] == 12


def test_floats_have_no_bits(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, dtype="float32")
    assert inspect(pan, ms)["pan"]["bits_used"] is None


def test_the_plan_of_brovey_needs_no_halo(made_pair: tuple[Path, Path]) -> None:
    assert inspect(*made_pair, method="brovey")["plan"]["halo"] == [0, 0]
    assert min(inspect(*made_pair)["plan"]["halo"]) > 12
