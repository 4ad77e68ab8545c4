"""What is read and set right in a TIFF agrees with what GDAL finds there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile

from geosharp.raster.output import OutputFormat
from geosharp.raster.output.tiff import (
    declare_no_alpha,
    find_damage,
    overwrite_metadata,
    read_metadata,
    unwrap_xmp,
)
from tests.made import write_raster
from tests.raster.output.test_writer import TRANSFORM, make_content, save


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    save(path, make_content((700, 600)))
    assert find_damage(path, 4) is None
    assert "4 images of 5" in str(find_damage(path, 5))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert find_damage(path) is not None
    path.write_bytes(b"")
    assert find_damage(path) is not None


@pytest.mark.parametrize("bigtiff", ["YES", "NO"])
@pytest.mark.parametrize("endianness", ["LITTLE", "BIG"])
def test_metadata_is_replaced_in_place(tmp_path: Path, bigtiff: str, endianness: str) -> None:
    path = tmp_path / "out.tif"
    form = OutputFormat(creation={"BIGTIFF": bigtiff, "ENDIANNESS": endianness})
    data, _ = save(path, make_content((700, 600), tags={"": {"KEY": "a long value"}}), form)
    size = path.stat().st_size
    overwrite_metadata(path, read_metadata(path).replace(b"a long value", b"short"))
    assert path.stat().st_size == size
    assert find_damage(path, 4) is None
    with rasterio.open(path) as raster:
        assert raster.tags()["KEY"] == "short"
        np.testing.assert_array_equal(raster.read(), data)
    overwrite_metadata(path, b"")  # so short that it goes into the directory itself
    assert read_metadata(path) == b""
    with rasterio.open(path) as raster:
        assert "KEY" not in raster.tags()
    with pytest.raises(ValueError, match="do not fit"):
        overwrite_metadata(path, bytes(size))


@pytest.mark.parametrize("bigtiff", ["YES", "NO"])
@pytest.mark.parametrize("packet", ["<x/>", "<a>é &amp; \n</a>"])
def test_an_xmp_packet_is_stored_bare(tmp_path: Path, bigtiff: str, packet: str) -> None:
    path = tmp_path / "out.tif"
    pixels = np.ones((1, 9, 9), "uint8")
    write_raster(path, pixels, bigtiff=bigtiff)
    before = path.read_bytes()
    unwrap_xmp(path, b"KEY")
    assert path.read_bytes() == before
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(ns="xml:XMP", KEY=packet)
    for _ in range(2):
        unwrap_xmp(path, b"KEY")
        with tifffile.TiffFile(path) as file:
            assert file.pages[0].tags["XMP"].value == packet.encode()
        with rasterio.open(path) as raster:
            assert raster.tags(ns="xml:XMP") == {"xml:XMP": packet}
            np.testing.assert_array_equal(raster.read(), pixels)


def test_opacity_becomes_a_plain_band(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    options = {"count": 4, "height": 9, "width": 9, "dtype": "uint8", "photometric": "RGB", "alpha": "YES"}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=TRANSFORM, **options) as raster:
        raster.write(np.ones((4, 9, 9), "uint8"))
    declare_no_alpha(path)
    with rasterio.open(path) as raster:
        assert raster.colorinterp[3].name == "undefined"
        assert raster.read().all()
