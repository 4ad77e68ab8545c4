"""A DataArray says of itself what its file says, and a result says what a file of it would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from rasterio.transform import from_origin

from geosharp.errors import InputError, ResourceError
from geosharp.raster.area import Area
from geosharp.raster.content import fused_content, fused_pixels
from geosharp.raster.dataarray import build_dataarray, describe_dataarray, is_dataarray, put_bands_first
from geosharp.raster.memory import ArrayPixels, shown
from geosharp.raster.scene import open_scene
from geosharp.raster.source import describe
from tests.made import ORIGIN, make_pair, write_raster

rioxarray = pytest.importorskip("rioxarray", reason="the extra 'xarray' is not installed")
xarray = pytest.importorskip("xarray")


def read(path: Path, **options: Any) -> Any:
    return rioxarray.open_rasterio(path, **options)


def test_it_says_what_its_file_says(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 900, (2, 30, 40)).astype("int16")
    path = write_raster(tmp_path / "WV02_ms.tif", data, nodata=-5, transform=from_origin(*ORIGIN, 2.5, 2.5))
    import rasterio

    with rasterio.open(path, "r+") as file:
        file.descriptions = ("red", "nir")
        file.scales, file.offsets = (0.5, 0.5), (2.0, 2.0)
        file.update_tags(SATELLITEID="WV02")
    array = put_bands_first(read(path), "ms")
    with shown(describe_dataarray(array, ArrayPixels(array.values), "ms")) as name:
        told = describe(name, "MS")
    wanted = describe(path, "MS")
    for what in ("grid", "dtype", "nodata", "masking", "labels", "scales", "offsets", "bands"):
        assert getattr(told, what) == getattr(wanted, what), what
    assert told.tags[""]["SATELLITEID"] == "WV02"
    assert told.name.endswith("/WV02_ms.tif")


def test_dimensions_may_be_called_and_ordered_otherwise() -> None:
    data = np.arange(24).reshape(2, 3, 4)
    array = xarray.DataArray(data, dims=("wave", "latitude", "longitude")).rio.write_crs("EPSG:4326")
    turned = put_bands_first(array.transpose("latitude", "longitude", "wave"), "ms")
    assert turned.dims == ("wave", "latitude", "longitude")
    assert np.array_equal(turned.values, data)
    assert put_bands_first(array[0], "pan").shape == (1, 3, 4)


@pytest.mark.parametrize(
    ("dims", "shape"),
    [(("a", "b"), (3, 4)), (("time", "band", "y", "x"), (1, 2, 3, 4))],
    ids=["none", "four"],
)
def test_dimensions_that_are_no_image_are_refused(dims: tuple[str, ...], shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=", ".join(dims)):
        put_bands_first(xarray.DataArray(np.zeros(shape), dims=dims), "ms")


def test_without_coordinates_there_is_no_place() -> None:
    array = put_bands_first(xarray.DataArray(np.zeros((3, 4)), dims=("y", "x")), "pan")
    with shown(describe_dataarray(array, ArrayPixels(array.values), "pan")) as name:
        assert describe(name, "PAN").grid.transform is None


def test_a_part_that_was_selected_lies_where_it_lay(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.zeros((1, 30, 40), "uint8"))
    part = put_bands_first(read(path).isel(y=slice(5, 20), x=slice(8, 30)), "pan")
    assert describe_dataarray(part, ArrayPixels(part.values), "pan").grid.transform == Affine(
        1, 0, ORIGIN[0] + 8, 0, -1, ORIGIN[1] - 5
    )


def test_a_result_has_pan_s_coordinates_and_ms_s_bands(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64), ms_profile={"nodata": 0}, offset=(4, 8))
    scene = open_scene(pan, ms, bands="3,1")
    area = Area(scene.area)
    content = fused_content(scene, area, fused_pixels(scene, area, None), {"MADE": "here"})
    data = np.ones((2, *area.rect.shape), "uint16")
    arrays = put_bands_first(read(pan), "pan"), put_bands_first(read(ms), "ms")
    result = build_dataarray(data, content, *arrays, area.rect, [2, 0])
    assert result.dims == ("band", "y", "x")
    assert result.band.values.tolist() == [3, 1]
    assert np.array_equal(result.x, arrays[0].x[8:])
    assert np.array_equal(result.y, arrays[0].y[4:])
    assert result.rio.transform() == content.grid.transform
    assert (result.rio.crs, result.rio.nodata) == (content.grid.crs, 0)
    assert result.attrs["MADE"] == "here"
    result.rio.to_raster(tmp_path / "out.tif")
    assert describe(tmp_path / "out.tif", "MS").grid == content.grid


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rioxarray", None)
    with pytest.raises(ResourceError, match=r"pip install 'geosharp\[xarray\]'"):
        put_bands_first(xarray.DataArray(np.zeros((3, 4)), dims=("y", "x")), "pan")


def test_arrays_are_told_from_others() -> None:
    assert is_dataarray(xarray.DataArray([1]))
    assert not is_dataarray(np.ones(1))
    assert not is_dataarray(xarray.Dataset())
