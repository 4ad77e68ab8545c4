"""What a fused file says is what MS said, on PAN's grid."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import rasterio

from geosharp.raster.area import Area
from geosharp.raster.content import fused_content, fused_pixels, spread_content
from geosharp.raster.grid import Rect
from geosharp.raster.output.tiff import unwrap_xmp
from geosharp.raster.scene import Scene, open_scene
from tests.made import make_pair
from tests.raster.made_sensor import write_sensor


def declared(folder: Path, pan: float | None, ms: float | None, dtype: str = "uint16") -> Scene:
    pair = make_pair(folder, pan_shape=(64, 64), dtype=dtype)
    for path, nodata in zip(pair, (pan, ms), strict=True):
        if nodata is not None:
            with rasterio.open(path, "r+") as raster:
                raster.nodata = nodata
    return open_scene(*pair)


@pytest.mark.parametrize(
    ("pan", "ms", "dtype", "expected"),
    [
        (None, None, None, None),
        (None, 7, None, 7),
        (9, 7, None, 7),
        (9, None, None, 9),
        (9, 4000, "uint8", 9),
        (4000, 4000, "uint8", 0),
        (4000, 4000, "int16", 4000),
        (None, 65535, "float32", 65535),
    ],
)
def test_no_data_is_ms_then_pans_then_chosen_and_always_held_by_the_type(
    tmp_path: Path, pan: float | None, ms: float | None, dtype: str | None, expected: float | None
) -> None:
    scene = declared(tmp_path, pan, ms)
    assert fused_pixels(scene, Area(scene.area), dtype).nodata == expected


def test_floats_without_no_data_get_nan(tmp_path: Path) -> None:
    scene = declared(tmp_path, None, None, "float32")
    nodata = fused_pixels(scene, Area(scene.area), None).nodata
    assert nodata is not None
    assert nodata != nodata


def test_limits_are_those_of_nbits_only_in_ms_own_type(tmp_path: Path) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(64, 64), ms_profile={"nbits": 12}))
    assert fused_pixels(scene, Area(scene.area), None).limits == (0, 4095)
    assert fused_pixels(scene, Area(scene.area), "int16").limits == (-32768, 32767)
    assert fused_pixels(scene, Area(scene.area), "float32").limits is None


@pytest.mark.parametrize(
    ("declared", "asked", "dtype", "top"),
    [
        ((12, 12), None, None, 4095),
        ((11, 12), None, None, 4095),
        ((12, None), None, None, 65535),
        ((12, 12), 11, None, 2047),
        ((12, 12), 14, None, 4095),
        ((12, 12), 14, "uint16", 4095),
        ((None, None), 7, "uint8", 127),
        ((None, None), 20, "uint8", 255),
    ],
)
def test_limits_hold_for_all_files_of_ms_and_for_what_is_asked(
    tmp_path: Path, declared: tuple[int | None, int | None], asked: int | None, dtype: str | None, top: int
) -> None:
    names = []
    for bits in declared:
        pan, ms = make_pair(tmp_path, pan_shape=(64, 64), bands=1, ms_profile={"nbits": bits} if bits else {})
        names.append(ms.rename(tmp_path / f"b{len(names)}.tif"))
    scene = open_scene(pan, names)
    assert fused_pixels(scene, Area(scene.area), dtype, asked).limits == (0, top)


def test_fewer_bits_are_told_where_values_are_held_to_them_and_nowhere_else(tmp_path: Path) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(64, 64), ms_profile={"nbits": 12}))
    area = Area(scene.area)
    told = [fused_content(scene, area, fused_pixels(scene, area, t), {}).bits for t in (None, "uint32")]
    assert told == [12, None]


def test_tags_are_ms_and_of_pan_what_is_of_the_scene(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64))
    packet = "<x:xmpmeta>é &amp;</x:xmpmeta>"
    with rasterio.open(pan, "r+") as raster:
        raster.update_tags(TIFFTAG_DATETIME="2020:01:02 03:04:05", METADATATYPE="DG", BAND_NAME="pan")
        raster.update_tags(ns="IMAGERY", SATELLITEID="WV02", CLOUDCOVER="3")
        raster.update_tags(ns="IMD", bandId="P")
    with rasterio.open(ms, "r+") as raster:
        raster.update_tags(
            TIFFTAG_DATETIME="2020:01:02 03:04:06", STATISTICS_MEAN="5", TIFFTAG_XRESOLUTION="72"
        )
        raster.update_tags(1, STATISTICS_MEAN="5", NBITS="3", gain="2")
        raster.update_tags(ns="IMAGERY", CLOUDCOVER="0")
        raster.update_tags(ns="xml:XMP", **{"xml:XMP": packet})
        raster.update_tags(ns="xml:OWN", **{"xml:OWN": "<own/>"})
    unwrap_xmp(ms, b"xml:XMP")
    scene = open_scene(pan, ms)
    area = Area(scene.area)
    content = fused_content(scene, area, fused_pixels(scene, area, None), {"GEOSHARP_X": "y"})
    default = {"TIFFTAG_DATETIME": "2020:01:02 03:04:06", "METADATATYPE": "DG", "GEOSHARP_X": "y"}
    assert content.tags == {
        "": default,
        "IMAGERY": {"CLOUDCOVER": "0", "SATELLITEID": "WV02"},
        "xml:XMP": {"xml:XMP": packet},
    }
    assert content.bands[0].tags == {"gain": "2"}
    assert content.bits is None


def test_a_part_beyond_ms_is_masked_and_lies_where_pan_does(tmp_path: Path) -> None:
    scene = declared(tmp_path, None, None)
    inner, outer = Area(Rect(8, 4, 20, 30)), Area(scene.area.grow(1, 0))
    content = fused_content(scene, inner, fused_pixels(scene, inner, None), {"GEOSHARP_X": "y"})
    assert not content.masked
    assert content.grid == scene.grid.crop(Rect(8, 4, 20, 30))
    assert content.tags[""]["GEOSHARP_X"] == "y"
    assert "AREA_OR_POINT" not in content.tags[""]
    pixels = fused_pixels(scene, outer, None)
    assert pixels.nodata == 0
    assert fused_content(scene, outer, pixels, {}).masked


def test_a_name_outweighs_the_colour_a_band_is_marked_with(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64), dtype="uint8", ms_profile={"photometric": "RGB"})
    with rasterio.open(ms, "r+") as raster:
        raster.descriptions = ("blue", "green", "red", "nir")
    scene = open_scene(pan, ms, sensor="ikonos")
    content = fused_content(scene, Area(scene.area), fused_pixels(scene, Area(scene.area), None), {})
    assert [band.colorinterp for band in content.bands] == ["blue", "green", "red", "undefined"]
    assert [band.name for band in content.bands] == ["blue", "green", "red", "nir"]


def test_bands_are_named_as_a_sensor_file_names_them_and_their_spread_by_what_it_is(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64), bands=3)
    plain = open_scene(pan, ms)
    named = open_scene(pan, ms, sensor=write_sensor(tmp_path, "moss", "lichen", "bark"))
    told = []
    for scene in (plain, named):
        part = Area(scene.area)
        content = spread_content(scene, part, {"GEOSHARP_METHOD": "hfreqdiff"})
        assert (content.dtype, content.tags[""]["GEOSHARP_METHOD"]) == ("float32", "hfreqdiff")
        assert content.nodata is not None
        assert math.isnan(content.nodata)
        assert all(band.offset == 0 for band in content.bands)
        fused = fused_content(scene, part, fused_pixels(scene, part, None), {})
        told.append([[band.name for band in each.bands] for each in (fused, content)])
    unnamed, spread = told[0]
    assert unnamed == [None] * 3
    assert spread == [f"band {number}, standard deviation" for number in (1, 2, 3)]
    assert told[1][0] == ["moss", "lichen", "bark"]
    assert told[1][1] == [
        "moss, standard deviation",
        "lichen, standard deviation",
        "bark, standard deviation",
    ]
