"""What is said of a scene reads back, however the file is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC

from geosharp.raster.grid import Grid
from geosharp.raster.output import BandInfo, OutputFormat
from tests.raster.output.test_writer import TRANSFORM, UTM, list_names, make_content, save

COLORS = ("blue", "green", "red", "nir")
PACKET = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><a b="é">1 &amp; 2</a>\n</x:xmpmeta>'
FORMS = {
    "plain": OutputFormat(),
    "cog": OutputFormat(cog=True),
    "packed": OutputFormat(creation={"NBITS": "7"}),
}


@pytest.mark.parametrize("kind", FORMS)
def test_everything_said_of_the_scene_reads_back(tmp_path: Path, kind: str) -> None:
    bands = tuple(
        BandInfo(name.upper(), name, scale=0.5 + n, offset=float(n), unit="W", tags={"centre": f"<{n}>"})
        for n, name in enumerate(COLORS)
    )
    tags = {
        "": {"LINEAGE": "made", "ns": "dropped"},
        "IMD": {"satId": "X1"},
        "OWN": {"key": "value"},
        "xml:XMP": {"xml:XMP": PACKET},
    }
    rpcs = make_rpcs()
    content = make_content((700, 600), 4, "uint8", bands=bands, tags=tags, rpcs=rpcs)
    save(tmp_path / "out.tif", content, FORMS[kind])
    assert list_names(tmp_path) == ["out.tif"]
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert (raster.crs, raster.transform) == (UTM, TRANSFORM)
        assert (raster.dtypes, raster.nodata) == (("uint8",) * 4, 0)
        assert raster.descriptions == ("BLUE", "GREEN", "RED", "NIR")
        assert tuple(color.name for color in raster.colorinterp) == COLORS
        assert (raster.scales, raster.offsets) == ((0.5, 1.5, 2.5, 3.5), (0.0, 1.0, 2.0, 3.0))
        assert raster.units == ("W",) * 4
        assert raster.tags()["LINEAGE"] == "made"
        assert "METADATATYPE" not in raster.tags()
        assert raster.tags(ns="IMD") == {"satId": "X1"}
        assert raster.tags(ns="OWN") == {"key": "value"}
        assert raster.tags(ns="xml:XMP") == {"xml:XMP": PACKET}
        assert raster.tags(3) == {"centre": "<2>"}
        assert "PADDING" not in raster.tags()
        assert raster.rpcs.to_dict() == rpcs.to_dict()


def make_rpcs() -> RPC:
    ramp = [float(n) for n in range(20)]
    return RPC(1.0, 2.0, 3.0, 4.0, ramp, ramp, 5.0, 6.0, 7.0, 8.0, ramp, ramp, 9.0, 10.0, 0.5, 0.25)


@pytest.mark.parametrize("kind", FORMS)
def test_control_points_stand_in_for_a_transform(tmp_path: Path, kind: str) -> None:
    points = [GroundControlPoint(r, c, 10.0 + c, 50.0 - r, 0.0) for r, c in ((0, 0), (0, 60), (60, 0))]
    grid, crs = Grid((60, 60), None, None), CRS.from_epsg(4326)
    save(tmp_path / "out.tif", make_content((60, 60), 2, "uint8", grid=grid, gcps=(points, crs)), FORMS[kind])
    with rasterio.open(tmp_path / "out.tif") as raster:
        found, crs = raster.gcps
    assert crs == CRS.from_epsg(4326)
    assert [(p.row, p.col, p.x, p.y) for p in found] == [(p.row, p.col, p.x, p.y) for p in points]


def test_control_points_of_no_crs_are_kept(tmp_path: Path) -> None:
    points = [GroundControlPoint(r, c, 10.0 + c, 50.0 - r, 0.0) for r, c in ((0, 0), (0, 60), (60, 0))]
    content = make_content((60, 60), grid=Grid((60, 60), None, None), gcps=(points, None))
    save(tmp_path / "out.tif", content)
    with rasterio.open(tmp_path / "out.tif") as raster:
        found, crs = raster.gcps
    assert crs is None
    assert [(p.row, p.col, p.x, p.y) for p in found] == [(p.row, p.col, p.x, p.y) for p in points]


@pytest.mark.parametrize("cog", [False, True])
def test_fewer_bits_are_told_of_each_band_and_any_reader_reads_them(tmp_path: Path, cog: bool) -> None:
    bands = (BandInfo("a", tags={"k": "v"}), BandInfo("b"))
    content = make_content((60, 60), bands=bands, bits=11)
    form = OutputFormat(cog=cog, creation={"COMPRESS": "DEFLATE"})  # tifffile alone cannot undo ZSTD
    data, _ = save(tmp_path / "out.tif", content, form)
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert (raster.tags(1), raster.tags(2)) == ({"k": "v", "NBITS": "11"}, {"NBITS": "11"})
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].tags["BitsPerSample"].value == (16, 16)
        assert file.pages[0].tags["Predictor"].value == 2
    pixels = tifffile.imread(tmp_path / "out.tif", series=0)
    np.testing.assert_array_equal(pixels if pixels.shape[0] == 2 else np.moveaxis(pixels, -1, 0), data)
