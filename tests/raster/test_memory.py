"""Images in no file read like files: by GDAL, through other virtual rasters, and by several threads."""

from __future__ import annotations

import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from geosharp.errors import InputError, UsageError
from geosharp.raster.grid import Grid, Rect
from geosharp.raster.memory import ArrayPixels, Image, PartialPixels, place, plain, shown
from geosharp.raster.pixel_function import PROVIDERS
from geosharp.raster.scene import open_scene
from geosharp.raster.source import describe
from geosharp.raster.vrt import band_xml, dataset_xml, source_xml

PLACE = Affine(2, 0, 500_000, 0, -2, 4_600_000)


def make(data: np.ndarray, **known: Any) -> Image:
    grid = known.pop("grid", Grid(data.shape[1:], PLACE, CRS.from_epsg(32633)))
    pixels = known.pop("pixels", ArrayPixels(data))
    return Image("made.tif", pixels, len(data), data.dtype.name, grid, **known)


@pytest.fixture
def data() -> np.ndarray:
    return np.random.default_rng(1).integers(1, 4000, (3, 70, 90)).astype("uint16")


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
)
def test_pixels_of_every_type_are_the_array_s(dtype: str) -> None:
    info = np.finfo(dtype) if "float" in dtype else np.iinfo(dtype)
    data = np.array([[[info.min, 0, 1], [2, 3, info.max]]], dtype)
    with shown(make(data)) as name, rasterio.open(name) as raster:
        assert raster.dtypes == (dtype,)
        assert np.array_equal(raster.read(), data)
        assert raster.read(1, window=Window(2, 1, 1, 1)).item() == data[0, 1, 2]


def test_the_other_byte_order_is_read_as_well(data: np.ndarray) -> None:
    with shown(make(data, pixels=ArrayPixels(data.astype(">u2")))) as name, rasterio.open(name) as raster:
        assert np.array_equal(raster.read(), data)


def test_what_a_file_would_say_is_said(data: np.ndarray) -> None:
    names, tags = ["red", None, 'n"<ir>&'], {"SATELLITEID": "WV02", "NBITS": "12", "odd": '<"&>'}
    image = make(data, nodata=7.0, names=names, tags=tags, scale=0.5, offset=-3.0)
    with shown(image) as name:
        source = describe(name, "MS")
    assert source.name.endswith("/made.tif")
    assert source.grid == image.grid
    assert (source.dtype, source.nodata, source.masking, source.bits) == ("uint16", (7.0,) * 3, "values", 12)
    assert source.labels == tuple(names)
    assert (source.scales, source.offsets) == ((0.5,) * 3, (-3.0,) * 3)
    assert source.tags[""] == tags


def test_without_a_place_or_no_data_there_is_none(data: np.ndarray) -> None:
    with shown(make(data, grid=Grid(data.shape[1:], None, None), nodata=-9999.0)) as name:
        source = describe(name, "MS")
    assert (source.grid.transform, source.grid.crs) == (None, None)
    assert (source.nodata, source.masking) == ((None,) * 3, "none")


def test_a_part_of_another_virtual_raster_spares_its_other_parts(data: np.ndarray) -> None:
    # GDAL fills the part's bytes with zeros as if its lines were one piece, see memory._pixels_xml.
    with shown(make(data)) as name:
        parts = [
            source_xml(name, 1, (0, 70, 0, 70), (0, 90, 10, 90)),
            source_xml(name, 1, (0, 70, 0, 70), (0, 10, 0, 10)),
        ]
        bands = band_xml(1, "uint16", None, parts)
        with rasterio.open(dataset_xml((70, 100), bands, PLACE.to_gdal())) as raster:
            found = raster.read(1)
    assert np.array_equal(found, np.concatenate([data[0, :, :10], data[0]], 1))


def test_many_threads_read_one_image(data: np.ndarray) -> None:
    with shown(make(data)) as name:

        def read(at: int) -> bool:
            with rasterio.open(name) as raster:
                found = raster.read(window=Window(at, at, 30, 20))
            return np.array_equal(found, data[:, at : at + 20, at : at + 30])

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(read, [*range(40)] * 2))


def test_names_end_with_the_context_and_are_told_by_their_label(data: np.ndarray) -> None:
    before = dict(PROVIDERS)
    two, one = make(data, grid=Grid((70, 90), None, None)), make(data[:1])
    with pytest.raises(InputError) as told, shown(two) as pan, shown(one) as ms:
        open_scene(pan, ms)
    assert told.value.subject == "made.tif"
    assert plain(f"{pan} and {ms}") == "made.tif and made.tif"
    assert before == PROVIDERS
    with pytest.raises(rasterio.RasterioIOError):
        rasterio.open(pan)


@pytest.mark.parametrize("dtype", ["float16", "complex64", "bool", "uint64"])
def test_types_that_no_raster_has_are_refused(dtype: str) -> None:
    with pytest.raises(InputError, match=f"pixels of type {dtype}"):
        make(np.zeros((1, 2, 2), dtype))


class Fetching:
    """Parts of an array, and a record of which were fetched."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.rects = data, list[Rect]()

    def __call__(self, rect: Rect) -> np.ndarray:
        self.rects.append(rect)
        return self.data[:, *rect.within(Rect(0, 0, *self.data.shape[1:]))]


def test_what_is_not_at_hand_is_fetched_once_for_all_bands(data: np.ndarray) -> None:
    fetch = Fetching(data)
    pixels = PartialPixels(fetch)
    with shown(make(data, pixels=pixels)) as name, rasterio.open(name) as raster:
        assert np.array_equal(raster.read(window=Window(3, 5, 20, 10)), data[:, 5:15, 3:23])
        assert fetch.rects == [Rect(5, 3, 10, 20)]
        with pixels.having(Rect(30, 0, 40, 90), data[:, 30:]):
            assert np.array_equal(raster.read(window=Window(8, 40, 60, 20)), data[:, 40:60, 8:68])
            assert len(fetch.rects) == 1
        raster.read(window=Window(8, 40, 60, 20))
        assert len(fetch.rects) == 2


def test_in_another_process_nothing_is_at_hand(data: np.ndarray) -> None:
    pixels = PartialPixels(Fetching(data))
    with pixels.having(Rect(0, 0, 70, 90), data):
        other = pickle.loads(pickle.dumps(pixels))  # noqa: S301
    assert np.array_equal(other.read(2, 1, 2, 3, 4), data[2, 1:4, 2:6])


def test_a_failure_to_fetch_is_kept_as_it_was(data: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    def fetch(rect: Rect) -> np.ndarray:
        raise OSError("the disk is gone")

    pixels = PartialPixels(fetch)
    showing = shown(make(data, pixels=pixels))
    with showing as name, rasterio.open(name) as raster, pytest.raises(rasterio.RasterioIOError):
        raster.read(1)
    assert isinstance(pixels.failure, OSError)
    assert capfd.readouterr().err == ""


def test_threads_that_wait_for_one_fetch_make_no_second(data: np.ndarray) -> None:
    waiting, fetch = threading.Event(), Fetching(data)

    def slow(rect: Rect) -> np.ndarray:
        waiting.wait(5)
        return fetch(rect)

    pixels = PartialPixels(slow)
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(pixels.read, band, 0, 0, 8, 8) for band in (0, 1)]
        waiting.set()
        assert [each.result()[0, 0] for each in found] == data[:2, 0, 0].tolist()
    assert len(fetch.rects) == 1


def test_a_place_is_six_numbers_and_a_crs() -> None:
    assert place((4, 5), (2, 0, 1, 0, -2, 3), "EPSG:32633", "pan_transform") == Grid(
        (4, 5), Affine(2, 0, 1, 0, -2, 3), CRS.from_epsg(32633)
    )
    assert place((4, 5), None, None, "pan_transform") == Grid((4, 5), None, None)


@pytest.mark.parametrize(
    ("transform", "crs", "flag"),
    [
        ((1, 2), None, "ms_transform"),
        (("a",) * 6, None, "ms_transform"),
        (None, "EPSG:0", "crs"),
        (None, 1.5, "crs"),
    ],
)
def test_what_is_no_place_is_refused(transform: Any, crs: Any, flag: str) -> None:
    with pytest.raises(UsageError) as told:
        place((4, 5), transform, crs, "ms_transform")
    assert told.value.subject == flag


def test_what_gdal_trusts_already_stays_trusted(data: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GDAL_VRT_PYTHON_TRUSTED_MODULES", "theirs")
    with shown(make(data)) as name, rasterio.open(name) as raster:
        raster.read(1)
        told = os.environ["GDAL_VRT_PYTHON_TRUSTED_MODULES"]
    assert told == "theirs,geosharp.raster.pixel_function"
