"""Vendors' names for the files of a scene, and whether two of them are one scene's."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from geosharp.errors import InputError
from geosharp.raster.pairing import list_scenes, name_pairs
from geosharp.raster.vendors import read_name
from tests.raster.test_pairing import touch

MAXAR_PAN = "055_01_P001_PAN/13AUG02162041-P2AS_R1C1-055_01_P001.TIF"
MAXAR_MS = "055_01_P001_MUL/13AUG02162042-M2AS_R1C1-055_01_P001.TIF"
LANDSAT = "LC08_L1TP_034032_20200101_20200823_02_T1"


@pytest.mark.parametrize(
    ("pan", "ms"),
    [
        (MAXAR_PAN, MAXAR_MS),
        (
            "IMG_PHR1A_P_001/IMG_PHR1A_P_201308271041123_SEN_1146873101-001_R1C1.JP2",
            "IMG_PHR1A_MS_002/IMG_PHR1A_MS_201308271041124_SEN_1146873101-002_R1C1.JP2",
        ),
        (
            "IMG_SPOT6_P_001_A/IMG_SPOT6_P_201212051021598_ORT_100_R1C1.TIF",
            "IMG_SPOT6_MS_001_B/IMG_SPOT6_MS_201212051021598_ORT_101_R1C1.TIF",
        ),
        ("20190304_101112_ssc4_u0001_panchromatic.tif", "20190304_101112_ssc4_u0001_analytic.tif"),
        ("GF2_PMS1_E1_N2_20190304_L1A01-PAN1.tiff", "GF2_PMS1_E1_N2_20190304_L1A01-MSS1.tiff"),
    ],
    ids=["Maxar", "Pleiades", "SPOT", "SkySat", "Gaofen"],
)
def test_pan_and_ms_of_one_pass_are_a_pair(tmp_path: Path, pan: str, ms: str) -> None:
    touch(tmp_path, pan, ms)
    assert name_pairs(tmp_path) == ([(str(tmp_path / pan), (str(tmp_path / ms),))], [])


def test_passes_and_parts_are_kept_apart(tmp_path: Path) -> None:
    names = []
    for second, part in ((41, "R1C1"), (41, "R1C2"), (55, "R1C1")):
        pan = f"a_PAN/13AUG021620{second}-P2AS_{part}-055.TIF"
        ms = f"a_MUL/13AUG021620{second + 1}-M2AS_{part}-055.TIF"
        names.append((str(tmp_path / pan), (str(tmp_path / ms),)))
        touch(tmp_path, pan, ms)
    assert name_pairs(tmp_path) == (sorted(names), [])


def test_where_either_of_two_could_be_meant_neither_is(tmp_path: Path) -> None:
    touch(tmp_path, MAXAR_PAN, MAXAR_MS, "again/13AUG02162043-M2AS_R1C1-056.TIF", "x_pan.tif", "x_ms.tif")
    pairs, (note,) = name_pairs(tmp_path)
    assert [Path(pan).name for pan, _ in pairs] == ["x_pan.tif"]
    assert "13AUG02162041-P2AS" in note


def test_minutes_apart_is_another_pass(tmp_path: Path) -> None:
    touch(tmp_path, MAXAR_PAN, MAXAR_MS.replace("162042", "162141"))
    with pytest.raises(InputError, match="no two whose names differ"):
        name_pairs(tmp_path)


def test_landsats_bands_are_one_scene_without_thermal_ones(tmp_path: Path) -> None:
    touch(tmp_path, *(f"scene/{LANDSAT}_B{band}.TIF" for band in range(1, 12)), f"scene/{LANDSAT}_QA.TIF")
    ((pan, ms),), (note,) = name_pairs(tmp_path)
    assert Path(pan).name == f"{LANDSAT}_B8.TIF"
    assert [Path(name).stem[-2:] for name in ms] == [f"B{band}" for band in range(1, 8)]
    assert f"{LANDSAT}_QA.TIF" in note
    assert "B10" not in note


def test_landsat_without_pan_is_no_pair(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{LANDSAT}_B{band}.TIF" for band in (2, 3, 4)))
    with pytest.raises(InputError):
        name_pairs(tmp_path)


@pytest.mark.parametrize(
    ("pan", "ms"),
    [
        (
            "po_37836_pan_0000000.tif",
            [f"po_37836_{band}_0000000.tif" for band in ("blu", "grn", "red", "nir")],
        ),
        (
            "red_river_P.TIF",
            [f"red_river_{band}.TIF" for band in ("coastal", "green", "red", "NIR1", "nir2")],
        ),
        ("scene/pan.jp2", ["scene/blue.jp2", "scene/nir.jp2"]),
    ],
    ids=["IKONOS", "a colour in all names", "two"],
)
def test_pan_and_a_file_for_each_band_are_a_scene_in_the_order_of_sensors(
    tmp_path: Path, pan: str, ms: list[str]
) -> None:
    touch(tmp_path, pan, *ms)
    listing = list_scenes(tmp_path)
    assert [(scene.pan, scene.ms, scene.rule) for scene in listing.scenes] == [
        (str(tmp_path / pan), tuple(str(tmp_path / each) for each in ms), "by bands' names")
    ]
    assert listing.strays == ()


@pytest.mark.parametrize(
    "names",
    [
        ("a_pan.tif", "a_red.tif"),
        ("a_red.tif", "a_grn.tif"),
        ("a_pan.tif", "a_red.tif", "a_grn.tif", "a_green.tif"),
        ("a_pan.tif", "a_p.tif", "a_red.tif", "a_grn.tif"),
        ("a_pan.tif", "b_red.tif", "b_grn.tif"),
        ("x/a_pan.tif", "y/a_red.tif", "y/a_grn.tif"),
    ],
    ids=["one band", "no PAN", "two of a band", "two PANs", "another scene", "other folders"],
)
def test_bands_without_their_pan_or_with_another_are_no_scene(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *names)
    with pytest.raises(InputError, match="files of single MS bands with ; between"):
        list_scenes(tmp_path)


def test_an_ms_of_all_bands_goes_before_files_of_each(tmp_path: Path) -> None:
    touch(tmp_path, "a_pan.tif", "a_ms.tif", "a_red.tif", "a_grn.tif", "a_blu.tif")
    assert name_pairs(tmp_path)[0] == [(str(tmp_path / "a_pan.tif"), (str(tmp_path / "a_ms.tif"),))]


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("13AUG02162041-P2AS.tif", datetime(2013, 8, 2, 16, 20, 41, tzinfo=UTC)),
        ("IMG_PHR1A_P_201308271041123_SEN.tif", datetime(2013, 8, 27, 10, 41, 12, tzinfo=UTC)),
        ("20190304_101112_ssc4_panchromatic.tif", datetime(2019, 3, 4, 10, 11, 12, tzinfo=UTC)),
        ("20190304t101112_pan.tif", datetime(2019, 3, 4, 10, 11, 12, tzinfo=UTC)),
        ("13XYZ02162041-P2AS.tif", None),
        ("20191399_101112_pan.tif", None),
        ("scene_20190304_pan.tif", None),
        ("1234567890123456789_pan.tif", None),
    ],
)
def test_times_are_read_and_what_is_none_is_not(name: str, time: datetime | None) -> None:
    assert read_name(Path(name)).time == time
