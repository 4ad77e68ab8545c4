"""What is invalid reads as no-data, and what is valid never does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from shapely.geometry import box

from geosharp.raster.area import Area
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import Pixels, valid_pixels
from geosharp.raster.scene import SceneReader, open_scene
from tests.made import make_pair, write_raster


@pytest.mark.parametrize(
    ("dtype", "limits", "nodata"),
    [
        ("uint8", (0, 255), 0),
        ("uint8", (0, 255), 255),
        ("uint16", (0, 2047), 2047),
        ("uint16", (0, 65535), 7),
        ("int16", (-32768, 32767), -32768),
        ("float32", None, 0),
        ("float32", None, -9999),
        ("float32", None, 65535),
        ("float32", None, float(np.finfo("float32").max)),
        ("float32", None, float("inf")),
        ("float64", None, 0),
        ("float64", None, -9999),
    ],
)
def test_valid_pixels_are_read_back_as_valid_and_invalid_ones_as_not(
    tmp_path: Path, dtype: str, limits: tuple[float, float] | None, nodata: float
) -> None:
    data = np.full((2, 8, 8), nodata, dtype)
    data[:, 4:] = 100
    if limits is None and np.isfinite(nodata) and nodata < 1e38:
        data[0, 0, :4] += np.arange(4, dtype=dtype) * np.spacing(np.abs(data[0, 0, :4]))
    before = data.copy()
    valid = np.ones((2, 8, 8), bool)
    valid[:, :, 6:] = False
    Pixels(dtype, limits, nodata).hide_invalid(data, valid)
    assert ((data == nodata) == ~valid).all()
    assert (data[:, 4:, :6] == 100).all()
    if limits is not None:
        assert limits[0] <= data.min() <= data.max() <= limits[1]
        assert np.abs(data[:, :, :6].astype(int) - before[:, :, :6]).max() == 1
    elif np.isfinite(nodata):
        assert data[valid] == pytest.approx(before[valid], rel=1e-4)
    if np.isfinite(nodata) and nodata < 1e38:
        with rasterio.open(write_raster(tmp_path / "a.tif", data, nodata=nodata)) as raster:
            assert ((raster.read_masks() > 0) == valid).all()
    again = data.copy()
    Pixels(dtype, limits, nodata).hide_invalid(again, valid)
    assert (again == data).all()


@pytest.mark.parametrize(
    ("dtype", "top", "bits"),
    [
        *(("uint16", 2047, 11), ("uint16", 65535, None), ("uint8", 255, None), ("uint8", 127, 7)),
        *(("uint16", 255, 8), ("int16", 2047, None), ("float32", None, None)),
    ],
)
def test_bits_are_what_the_limits_leave_of_the_type(dtype: str, top: float | None, bits: int | None) -> None:
    assert Pixels(dtype, None if top is None else (0.0, float(top)), None).bits == bits


def test_no_data_beyond_the_limits_needs_its_bits_too() -> None:
    assert Pixels("uint16", (0.0, 2047.0), 0.0).bits == 11
    assert Pixels("uint16", (0.0, 2047.0), 4000.0).bits == 12
    assert Pixels("uint16", (0.0, 2047.0), 65535.0).bits is None


def test_nan_hides_and_nothing_else_is_touched() -> None:
    data = np.array([[[0.0, 1.0], [-1.0, 2.0]]], "float32")
    valid = np.array([[[True, False], [True, True]]])
    Pixels("float32", None, float("nan")).hide_invalid(data, valid)
    assert np.isnan(data).tolist() == (~valid).tolist()
    assert data[valid].tolist() == [0.0, -1.0, 2.0]


def test_without_no_data_or_invalid_pixels_data_stay() -> None:
    data = np.arange(8, dtype="uint8").reshape(2, 2, 2)
    Pixels("uint8", (0, 255), None).hide_invalid(data, np.zeros((2, 2, 2), bool))
    Pixels("uint8", (0, 255), 200).hide_invalid(data, None)
    assert data.ravel().tolist() == list(range(8))


def test_a_pixel_counts_where_scene_and_area_both_do(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64), pan_profile={"nodata": 0})
    with rasterio.open(pan, "r+") as raster:
        pixels = raster.read()
        pixels[:, :10] = 0
        raster.write(pixels)
    scene, tile = open_scene(pan, ms), Rect(0, 0, 64, 64)
    with SceneReader(scene) as reader:
        patch = reader.read(tile, (2, 2))
    assert patch is not None
    valid = valid_pixels(scene, Area(tile, box(5, 0, 40, 64)), patch, tile)
    expected = np.zeros((4, 64, 64), bool)
    expected[:, 10:, 5:40] = True
    assert (valid == expected).all()
    inner = Rect(20, 6, 9, 9)
    assert valid_pixels(scene, Area(inner, box(5, 0, 40, 64)), patch, inner) is None
