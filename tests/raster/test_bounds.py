"""What a raster declares is refused where finding out would take hours or all memory."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy as copy_raster

from geosharp.errors import InputError
from geosharp.raster.bounds import MOST_BANDS, MOST_PACKED
from geosharp.raster.source import describe
from tests.made import ORIGIN, write_raster

SPARSE = {"driver": "GTiff", "tiled": True, "sparse_ok": True, "bigtiff": "yes", "compress": "deflate"}


def declare(path: Path, side: int, count: int = 1, block: int = 512, interleave: str = "pixel") -> Path:
    """A file that stores not one pixel."""
    options = SPARSE | {"blockxsize": block, "blockysize": block, "interleave": interleave}
    crs, place = "EPSG:32633", rasterio.transform.from_origin(*ORIGIN, 1, 1)
    with rasterio.open(
        path, "w", width=side, height=side, count=count, dtype="uint16", crs=crs, transform=place, **options
    ):
        pass
    return path


@pytest.mark.parametrize(
    ("side", "count", "block", "found"),
    [
        (100_000, 1, 512, "100000 x 100000 pixels"),
        (64, MOST_BANDS + 1, 64, f"{MOST_BANDS + 1} bands"),
        (64, 1, 16_384, "blocks of 16384 x 16384 pixels"),
        (64, 8, 8192, "blocks of 8192 x 8192 pixels"),
    ],
)
def test_what_no_scene_declares_is_refused_at_once(
    tmp_path: Path, side: int, count: int, block: int, found: str
) -> None:
    path, start = declare(tmp_path / "a.tif", side, count, block), time.process_time()
    with pytest.raises(InputError, match=found):
        describe(path, "MS")
    assert time.process_time() - start < 5


def test_blocks_of_single_bands_are_read_one_by_one(tmp_path: Path) -> None:
    assert len(describe(declare(tmp_path / "a.tif", 64, 8, 8192, "band"), "MS").bands) == 8


def test_files_behind_a_vrt_count(tmp_path: Path) -> None:
    good = write_raster(tmp_path / "a.tif", np.ones((1, 2000, 2000), np.uint16), compress="deflate")
    copy_raster(good, tmp_path / "a.vrt", driver="VRT")
    assert describe(tmp_path / "a.vrt", "PAN").grid.shape == (2000, 2000)
    text = (tmp_path / "a.vrt").read_text().replace('rasterXSize="2000"', 'rasterXSize="2000000000"')
    (tmp_path / "a.vrt").write_text(text)
    with pytest.raises(InputError, match="2000000000 x 2000 pixels"):
        describe(tmp_path / "a.vrt", "PAN")


@pytest.mark.parametrize("compress", ["deflate", "lzw", "zstd"])
def test_one_value_all_over_compresses_to_more_than_the_bound(tmp_path: Path, compress: str) -> None:
    data = np.zeros((1, 4096, 4096), np.uint16)
    path = write_raster(
        tmp_path / "a.tif", data, compress=compress, tiled=True, blockxsize=256, blockysize=256, predictor=2
    )
    assert data.nbytes < MOST_PACKED * path.stat().st_size
    describe(path, "PAN")


def test_what_lies_on_no_disk_is_not_judged(tmp_path: Path) -> None:
    path = declare(tmp_path / "a.tif", 100_000)
    with rasterio.MemoryFile(path.read_bytes()) as memory:
        assert describe(memory.name, "PAN").grid.shape == (100_000, 100_000)
