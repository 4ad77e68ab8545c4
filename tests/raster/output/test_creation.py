"""Creation options replace ours, or are refused before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile

from geosharp.errors import UsageError
from geosharp.raster.grid import tiles
from geosharp.raster.output import OutputFormat, SceneWriter
from geosharp.raster.output.creation import parse_creation
from tests.raster.output.test_writer import list_names, make_content, make_image, save


@pytest.mark.parametrize(("dtype", "predictor"), [("int8", 2), ("int16", 2), ("float32", 3), ("float64", 3)])
def test_the_predictor_suits_the_dtype(tmp_path: Path, dtype: str, predictor: int) -> None:
    data, _ = save(tmp_path / "out.tif", make_content((60, 47), 1, dtype))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].tags["Predictor"].value == predictor
    with rasterio.open(tmp_path / "out.tif") as raster:
        np.testing.assert_array_equal(raster.read(), data)
        assert raster.colorinterp[0].name == "gray"


def test_creation_options_replace_ours_and_what_hangs_on_them(tmp_path: Path) -> None:
    creation = parse_creation(["compress=DEFLATE", "BLOCKXSIZE=256", "BLOCKYSIZE=128", "INTERLEAVE=PIXEL"])
    data, valid = save(tmp_path / "out.tif", make_content((700, 600)), OutputFormat(creation=creation), 300)
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.compression.name.lower() == "deflate"
        assert raster.interleaving.name == "pixel"
        assert raster.block_shapes[0] == (128, 256)
        np.testing.assert_array_equal(raster.read(), data)
        np.testing.assert_array_equal(raster.dataset_mask() > 0, valid)


@pytest.mark.parametrize(
    ("creation", "cog"),
    [
        ({"COMPRESS": "JPEG"}, False),
        ({"COMPRESS": "NONE", "TILED": "NO"}, False),
        ({"COMPRESS": "LZW", "BIGTIFF": "YES", "ENDIANNESS": "BIG"}, False),
        ({"COMPRESS": "DEFLATE", "LEVEL": "9", "BLOCKSIZE": "256"}, True),
        ({"COMPRESS": "JPEG", "QUALITY": "90"}, True),
    ],
)
def test_other_layouts_are_written_whole(tmp_path: Path, creation: dict[str, str], cog: bool) -> None:
    content = make_content((700, 600), 3, "uint8", nodata=None)
    data, valid = save(tmp_path / "out.tif", content, OutputFormat(cog=cog, creation=creation), 300)
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.compression is None or raster.compression.name.lower() == creation["COMPRESS"].lower()
        if creation["COMPRESS"] != "JPEG":
            np.testing.assert_array_equal(raster.read(), data)
        np.testing.assert_array_equal(raster.dataset_mask() > 0, valid)


@pytest.mark.parametrize(
    ("creation", "cog", "told"),
    [
        ({"COMPRES": "LZW"}, False, "COMPRESS"),
        ({"COMPRESS": "ZIP"}, False, "DEFLATE"),
        ({"ZSTD_LEVEL": "23"}, False, "from 1 to 22"),
        ({"ZSTD_LEVEL": "9"}, True, "LEVEL"),
        ({"BLOCKXSIZE": "500"}, False, "multiple of 16"),
        ({"NUM_THREADS": "many"}, False, "ALL_CPUS"),
        ({"TFW": "YES"}, False, "COMPRESS"),
        ({"PREDICTOR": "2", "NBITS": "11"}, False, "PREDICTOR=2 is only supported with 8/16/32/64 bit"),
        ({"COMPRESS": "JPEG"}, False, "2 uint16 bands; needed: uint8 bands"),
        ({"COMPRESS": "WEBP"}, False, "2 uint16 bands; needed: uint8 bands"),
        ({"COMPRESS": "JPEG", "NBITS": "12"}, False, "2 uint16 bands; needed: uint8 bands"),
        ({"COMPRESS": "JPEG"}, True, "2 uint16 bands; needed: uint8 bands"),
        ({"OVERVIEW_COMPRESS": "JPEG"}, True, "2 uint16 bands; needed: uint8 bands"),
        ({"NBITS": "7"}, False, "9 to 16 for uint16"),
        ({"NBITS": "17"}, True, "9 to 16 for uint16"),
        ({"INTERLEAVE": "BAND"}, True, "INTERLEAVE as PIXEL"),
    ],
)
def test_bad_creation_options_are_refused(
    tmp_path: Path, creation: dict[str, str], cog: bool, told: str
) -> None:
    content = make_content((60, 60))
    with pytest.raises(UsageError, match="--co") as caught:
        save(tmp_path / "out.tif", content, OutputFormat(cog=cog, creation=creation))
    assert told in str(caught.value)
    assert next(iter(creation)) in str(caught.value)
    assert list_names(tmp_path) == []


@pytest.mark.parametrize(
    ("creation", "cog", "count", "dtype", "told"),
    [
        ({"COMPRESS": "JPEG"}, True, 5, "uint8", "uint8 bands, 1 to 4 of them, for JPEG"),
        ({"COMPRESS": "JPEG", "INTERLEAVE": "PIXEL"}, False, 5, "uint8", "1 to 4 of them"),
        ({"COMPRESS": "WEBP"}, False, 2, "uint8", "3 to 4 of them, for WEBP"),
        ({"PREDICTOR": "3"}, False, 2, "uint16", "GDAL: PREDICTOR=3 is only supported"),
        ({"NBITS": "16"}, False, 2, "float32", "bands of uint8, uint16 or uint32"),
        ({"NBITS": "11"}, True, 2, "int16", "bands of uint8, uint16 or uint32"),
    ],
)
def test_options_that_do_not_suit_the_bands_are_refused(
    tmp_path: Path, creation: dict[str, str], cog: bool, count: int, dtype: str, told: str
) -> None:
    content = make_content((60, 60), count, dtype)
    with pytest.raises(UsageError, match="--co") as caught:
        SceneWriter(tmp_path / "out.tif", content, OutputFormat(cog=cog, creation=creation))
    assert told in str(caught.value)


@pytest.mark.parametrize("cog", [False, True])
@pytest.mark.parametrize(("shape", "masked"), [((700, 600), True), ((60, 47), True), ((1100, 600), False)])
@pytest.mark.parametrize("interleave", [{}, {"INTERLEAVE": "PIXEL"}])
def test_packed_samples_hold_what_fits_and_never_wrap(
    tmp_path: Path, cog: bool, shape: tuple[int, int], masked: bool, interleave: dict[str, str]
) -> None:
    content = make_content(shape, masked=masked)
    data, valid = make_image(content)
    data[:, -3:, -3:] = 65535
    form = OutputFormat(cog=cog, creation={"NBITS": "11", **interleave})
    with SceneWriter(tmp_path / "out.tif", content, form) as writer:
        for rect in tiles(content.grid.rect, 300):
            rows, cols = rect.within(content.grid.rect)
            writer.write(rect, data[:, rows, cols], valid[rows, cols])
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.tags(1, ns="IMAGE_STRUCTURE")["NBITS"] == "11"
        np.testing.assert_array_equal(raster.read(), np.minimum(data, 2047))
        if masked:
            np.testing.assert_array_equal(raster.dataset_mask() > 0, valid)
        assert raster.overviews(1) == ([2] if min(shape) > 512 else [])
    assert list_names(tmp_path) == ["out.tif"]


def test_as_many_bits_as_the_type_has_pack_nothing(tmp_path: Path) -> None:
    save(tmp_path / "out.tif", make_content((60, 47)), OutputFormat(creation={"nbits": "16"}))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].tags["BitsPerSample"].value == (16, 16)
        assert file.pages[0].tags["Predictor"].value == 2


def test_no_data_that_packed_samples_cannot_hold_is_refused(tmp_path: Path) -> None:
    form = OutputFormat(creation={"NBITS": "11"})
    SceneWriter(tmp_path / "out.tif", make_content((60, 60), nodata=2047.0), form)
    with pytest.raises(UsageError, match="no-data value 2048"):
        SceneWriter(tmp_path / "out.tif", make_content((60, 60), nodata=2048.0), form)


@pytest.mark.parametrize("cog", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_pixel_interleave_is_written_whole(
    tmp_path: Path, cog: bool, dtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    form = OutputFormat(cog=cog, creation={"INTERLEAVE": "PIXEL"})
    data, valid = save(tmp_path / "out.tif", make_content((1100, 700), 5, dtype), form, 300, (40, 9))
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.interleaving.name == "pixel"
        assert raster.overviews(1) == [2]
        assert not [record for record in caplog.records if record.levelname != "DEBUG"]
        np.testing.assert_array_equal(raster.read(), data)
        np.testing.assert_array_equal(raster.dataset_mask() > 0, valid)


@pytest.mark.parametrize("item", ["COMPRESS", "=LZW", "COMPRESS="])
def test_creation_options_are_key_and_value(item: str) -> None:
    with pytest.raises(UsageError, match="KEY=VALUE"):
        parse_creation([item])


def test_a_fourth_band_is_never_opacity(tmp_path: Path) -> None:
    form = OutputFormat(creation={"PHOTOMETRIC": "RGB"})
    save(tmp_path / "out.tif", make_content((60, 60), 4, "uint8"), form)
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.colorinterp[3].name != "alpha"
