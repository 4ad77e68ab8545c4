"""What `info` tells is what is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp.hfreqdiff.checkpoint import load
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.preflight import inspect
from tests.hfreqdiff.made_model import make_model
from tests.made import ORIGIN, make_pair


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


@pytest.mark.parametrize(
    ("low", "high", "bits"), [(-1000, 300, 11), (-1024, 0, 11), (-5, 1024, 12), (-2000, -1500, 12), (0, 0, 1)]
)
def test_used_bits_count_the_sign(tmp_path: Path, low: int, high: int, bits: int) -> None:
    image = np.full((1, 64, 64), high, np.int16)
    image[0, :10] = low
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64), dtype="int16")
    with rasterio.open(pan, "r+") as raster:
        raster.write(image)
    assert inspect(pan, ms)["pan"]["bits_used"] == bits


@pytest.mark.parametrize(("nodata", "told"), [("nan", "nan"), ("-inf", "-inf"), (None, None), (-1.0, -1.0)])
def test_no_data_is_json_whatever_it_is(tmp_path: Path, nodata: float | str | None, told: object) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64), dtype="float32")
    with rasterio.open(ms, "r+") as raster:
        raster.nodata = None if nodata is None else float(nodata)
    seen = json.loads(json.dumps(inspect(pan, ms), allow_nan=False))
    assert seen["ms"][0]["nodata"] == [told] * 4


def test_the_plan_is_of_what_is_asked_for(made_pair: tuple[Path, Path]) -> None:
    x, y = ORIGIN
    area = f"{x + 10},{y - 150},{x + 150},{y - 10}"
    plan = inspect(*made_pair, area=area, dtype="float32", tile=64, threads=1, method="exp")["plan"]
    assert (plan["method"], plan["tile"], plan["tiles"], plan["threads"]) == ("exp", 64, 9, 1)
    assert plan["output_shape"] == [4, 140, 140]
    assert plan["output_dtype"] == "float32"
    assert plan["pan_pixels"]["row"] == plan["pan_pixels"]["col"] == 10


def test_the_plan_of_brovey_needs_no_halo(made_pair: tuple[Path, Path]) -> None:
    assert inspect(*made_pair, method="brovey")["plan"]["halo"] == [0, 0]
    assert min(inspect(*made_pair)["plan"]["halo"]) > 12


def test_the_plan_of_a_model_names_it_and_what_it_runs_on(
    tmp_path: Path, made_pair: tuple[Path, Path]
) -> None:
    model = make_model(tmp_path)
    plan = inspect(*made_pair, diffusion=Diffusion(model=model, device="cpu"))["plan"]
    assert plan["method"] == "hfreqdiff"
    told = {"model": str(model), "model_sha256": load(model).digest, "device": "cpu", "steps": 1}
    assert plan.items() >= told.items()
    assert not {"model", "device"} & set(inspect(*made_pair, method="glp")["plan"])
