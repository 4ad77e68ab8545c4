"""Creation options replace ours, or are refused before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile

from geosharp.errors import UsageError
from geosharp.raster.output import OutputFormat
from geosharp.raster.output.creation import parse_creation
from tests.raster.output.test_writer import list_names, make_content, save


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
        ({"COMPRESS": "JPEG"}, False, "go together"),
        ({"COMPRESS": "JPEG"}, True, "go together"),
    ],
)
def test_bad_creation_options_are_refused(
    tmp_path: Path, creation: dict[str, str], cog: bool, told: str
) -> None:
    content = make_content((60, 60), dtype="float32")
    with pytest.raises(UsageError, match="--co") as caught:
        save(tmp_path / "out.tif", content, OutputFormat(cog=cog, creation=creation))
    assert told in str(caught.value)
    assert next(iter(creation)) in str(caught.value)
    assert list_names(tmp_path) == []


@pytest.mark.parametrize("item", ["COMPRESS", "=LZW", "COMPRESS="])
def test_creation_options_are_key_and_value(item: str) -> None:
    with pytest.raises(UsageError, match="KEY=VALUE"):
        parse_creation([item])


def test_a_fourth_band_is_never_opacity(tmp_path: Path) -> None:
    form = OutputFormat(creation={"PHOTOMETRIC": "RGB"})
    save(tmp_path / "out.tif", make_content((60, 60), 4, "uint8"), form)
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.colorinterp[3].name != "alpha"
