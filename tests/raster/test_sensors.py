"""Laws of recognising sensors and bands: real tags and names tell, unrelated ones never do."""

from __future__ import annotations

from pathlib import Path

import pytest

from geosharp.errors import PairError, UsageError
from geosharp.raster.sensors import SENSORS, UNKNOWN, find_sensor, match_bands, recognise, unseen_by_pan
from tests.raster.made_sensor import write_sensor

EIGHT = ["coastal", "blue", "green", "yellow", "red", "rededge", "nir1", "nir2"]


def names_of(key: str, labels: list[str | None]) -> list[str]:
    return [band.name for band in match_bands(SENSORS[key], labels, len(labels))]


@pytest.mark.parametrize(
    ("tags", "key"),
    [
        ({"": {"SENSOR": "WorldView-2"}}, "worldview-2"),
        ({"": {"SENSOR": "Gaofen-2"}}, "gaofen-2"),
        ({"": {"SENSOR": "Landsat-8 OLI"}}, "landsat-8"),
        ({"": {"SENSOR": "SPOT-6"}}, "spot-6"),
        ({"": {"SENSOR": "GeoEye-1"}}, "geoeye-1"),
        ({"": {"SENSOR": "IKONOS"}}, "ikonos"),
        ({"IMD": {"satId": '"WV03"', "cloudCover": "0.1"}}, "worldview-3"),
        ({"IMD": {"IMAGE_1.satId": "QB02"}}, "quickbird"),
        ({"IMAGERY": {"SATELLITEID": "GE01"}}, "geoeye-1"),
        ({"IMAGERY": {"SATELLITEID": "PHR 1A"}}, "pleiades"),
        ({"": {"MISSION": "PHR", "MISSION_INDEX": "1B"}}, "pleiades"),
        ({"": {"MISSION": "SPOT", "MISSION_INDEX": "7"}}, "spot-7"),
        ({"": {"MISSION": "PNEO", "MISSION_INDEX": "3"}}, "pleiades-neo"),
        ({"": {"SPACECRAFT_ID": "LANDSAT_9", "SENSOR_ID": "OLI_TIRS"}}, "landsat-9"),
        ({"": {"L1_METADATA_FILE.SPACECRAFT_ID": "LANDSAT_7"}}, "landsat-7"),
        ({"": {"SATELLITE": "KOMPSAT-3A"}}, "kompsat-3a"),
        ({"": {"SATELLITE": "KOMPSAT-3"}}, "kompsat-3"),
        ({"": {"SATELLITE": "Pléiades Neo"}}, "pleiades-neo"),
        ({"": {"PLATFORM": "Airbus Pleiades Neo 4 satellite"}}, "pleiades-neo"),
        ({"": {"SENSOR": "WV03 VNIR"}}, "worldview-3"),
        ({"": {"TIFFTAG_IMAGEDESCRIPTION": "Ortho of WorldView-2, 11 bit"}}, "worldview-2"),
        # The tag that identifies outweighs prose.
        ({"": {"SENSOR": "WV02", "TIFFTAG_IMAGEDESCRIPTION": "compared with IKONOS"}}, "worldview-2"),
    ],
)
def test_metadata_tell_the_sensor(tags: dict[str, dict[str, str]], key: str) -> None:
    sensor, reason = recognise(tags, ["b"], ["IMG_SPOT6_P.tif"], 4)
    assert sensor.key == key
    assert reason.startswith("metadata ")


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("LC08_L1TP_195025_20200801_B8.TIF", "landsat-8"),
        ("/archive/2021/LC09_L1TP_195025_20220801_B8.TIF", "landsat-9"),
        ("LC81950252014001LGN00_B8.TIF", "landsat-8"),
        ("LE07_L1TP_195025_20000801_B8.TIF", "landsat-7"),
        ("IMG_PHR1A_P_201205221024_ORT_001_R1C1.TIF", "pleiades"),
        ("IMG_PNEO3_202201_PAN_ORT_R1C1.TIF", "pleiades-neo"),
        ("IMG_SPOT6_P_201301_R1C1.TIF", "spot-6"),
        ("C:\\scenes\\IMG_SPOT7_P_201501.TIF", "spot-7"),
        ("GF2_PMS1_E113.9_N34.4_20150101_L1A000-PAN1.tiff", "gaofen-2"),
        ("GF1C_PMS_E113.9_N34.4_20190101-PAN.tiff", "gaofen-1"),
        ("WV02_20100101_P1BS.tif", "worldview-2"),
        ("paris_worldview-3_pan.tif", "worldview-3"),
        ("ikonos_urban.tif", "ikonos"),
        ("K3A_20200101123456_01234_L1G_P.tif", "kompsat-3a"),
        ("DE2_PAN_L1C_000000_20150101.tif", "deimos-2"),
    ],
)
def test_file_names_tell_the_sensor(file: str, key: str) -> None:
    sensor, reason = recognise({}, [], ["ms.tif", file], 4)
    assert sensor.key == key
    assert reason.startswith("file name ")


@pytest.mark.parametrize(
    "file",
    [
        "pan.tif",
        "spot_6_trees.tif",
        "parking_spot6b.tif",
        "qualcomm_gf2.tif",
        "wv20_base.tif",
        "XLC08_not.tif",
        "LC080_tile.tif",
        "oli_mosaic.tif",
        "k3_mesh.tif",
        "l8_ms.tif",
        "bike_ge1_qb_ik.tif",
        "GF1_WFV1_E113.tif",
        "worldview-20.tif",
        "ikonostasis.tif",
        # Only the last part of a path counts.
        "worldview-2/mosaic_2019.tif",
    ],
)
def test_unrelated_names_never_match(file: str) -> None:
    sensor, reason = recognise({"": {"AREA_OR_POINT": "Area", "NOTE": "spot 6"}}, ["red"], [file], 1)
    assert sensor is UNKNOWN
    assert "neither metadata nor file names" in reason


def test_a_maxar_name_tells_the_vendor_but_not_the_satellite() -> None:
    sensor, reason = recognise({}, [], ["10JAN01102030-M2AS-052500000010_01_P001.TIF"], 8)
    assert sensor is UNKNOWN
    assert "does not say of which satellite" in reason


def test_clues_that_contradict_each_other_tell_nothing() -> None:
    sensor, reason = recognise({}, [], ["WV02_pan.tif", "WV03_ms.tif"], 8)
    assert sensor is UNKNOWN
    assert "worldview-2" in reason
    assert "worldview-3" in reason


def test_bands_that_only_landsat_has_beside_a_pan_tell_it() -> None:
    labels = ["red", "green", "blue", "coastal", "nir", "swir1", "swir2"]
    sensor, reason = recognise({}, labels, ["pan.tif", "ms.tif"], 7)
    assert sensor.key == "landsat-8"
    assert "swir1" in reason
    assert recognise({}, EIGHT, ["pan.tif"], 8)[0] is UNKNOWN


@pytest.mark.parametrize("key", SENSORS)
def test_each_sensor_is_found_by_key_title_and_alias_in_any_spelling(key: str) -> None:
    sensor = SENSORS[key]
    for name in (
        key,
        key.upper(),
        key.replace("-", ""),
        key.replace("-", " "),
        sensor.title,
        *sensor.aliases,
    ):
        assert find_sensor(f" {name} ") is sensor


@pytest.mark.parametrize(
    ("name", "key"),
    [("WV2", "worldview-2"), ("wv02", "worldview-2"), ("L8", "landsat-8"), ("Pléiades", "pleiades")],
)
def test_usual_short_names(name: str, key: str) -> None:
    assert find_sensor(name).key == key


def test_an_unknown_name_lists_the_keys_and_the_nearest() -> None:
    with pytest.raises(UsageError, match="nearest is worldview-2") as told:
        find_sensor("wordview2")
    assert all(key in told.value.needed for key in SENSORS)
    with pytest.raises(UsageError, match="unknown"):
        find_sensor("@@")


def test_bands_are_matched_by_name_in_any_order_and_spelling() -> None:
    labels = ["NIR 1", "Red Edge", "Coastal Blue", "RED", "near_infrared_2", "Band 4 (yellow)", "g", "Blue"]
    expected = ["nir1", "rededge", "coastal", "red", "nir2", "yellow", "green", "blue"]
    assert names_of("worldview-2", [*labels]) == expected
    assert names_of("worldview-2", ["red", "green", "blue", "nir"]) == ["red", "green", "blue", "nir1"]
    assert names_of("quickbird", ["nir1", "red"]) == ["nir", "red"]
    assert names_of("unknown", ["nir", "red", "swir2"]) == ["nir", "red", "swir2"]


def test_landsat_bands_are_matched_by_number() -> None:
    assert names_of("landsat-8", ["B2", "B3", "B4", "B5"]) == ["blue", "green", "red", "nir"]
    assert names_of("landsat-9", ["SR_B6", "band 07", "Band1"]) == ["swir1", "swir2", "coastal"]
    assert names_of("landsat-7", ["B1", "B5", "B7", "B6_VCID_1"]) == ["blue", "swir1", "swir2", "thermal"]
    # A colour outweighs a number that only counts the file's bands.
    assert names_of("landsat-8", ["Band 1 red", "Band 2 green"]) == ["red", "green"]


def test_bands_without_names_are_matched_by_their_number() -> None:
    assert names_of("worldview-2", [None] * 8) == EIGHT
    assert names_of("worldview-2", ["band1", "band2", "band3", "band4"]) == ["blue", "green", "red", "nir1"]
    assert names_of("spot-6", ["band1", "band2", "band3", "band4"]) == ["blue", "green", "red", "nir"]


def test_unmatched_bands_take_the_commonest_gain_and_no_wavelength() -> None:
    for band in match_bands(SENSORS["worldview-2"], [None] * 5, 5):
        assert band.gain == 0.35
        assert band.wavelength_nm is None
    assert names_of("unknown", [None] * 4) == ["band1", "band2", "band3", "band4"]
    assert names_of("ikonos", ["mask", "red"]) == ["band1", "red"]
    assert names_of("ikonos", ["red", "red", "nir"]) == ["band1", "band2", "nir"]
    assert len(match_bands(SENSORS["ikonos"], ["red"], 2)) == 2


@pytest.mark.parametrize(
    ("key", "unseen"),
    [
        ("landsat-8", {"coastal", "blue", "nir", "swir1", "swir2", "cirrus", "thermal1", "thermal2"}),
        ("worldview-2", {"coastal", "nir1", "nir2"}),
        ("quickbird", set()),
        ("spot-6", {"nir"}),
        ("unknown", {"swir1", "swir2", "thermal"}),
    ],
)
def test_bands_that_pan_hardly_sees(key: str, unseen: set[str]) -> None:
    sensor = SENSORS[key]
    assert {sensor.bands[i].name for i in unseen_by_pan(sensor, sensor.bands)} == unseen
    assert unseen_by_pan(sensor, match_bands(UNKNOWN, [None] * 3, 3)) == ()


def test_a_path_that_ends_as_a_sensor_file_is_one(tmp_path: Path) -> None:
    file = write_sensor(tmp_path, "blue", "Red Edge")
    sensor = find_sensor(str(file))
    assert (sensor.key, [band.name for band in sensor.bands]) == ("newsat", ["blue", "Red Edge"])
    with pytest.raises(UsageError, match=r"^NAME: 'mine\.txt'; needed: a sensor file, which ends in \.toml"):
        find_sensor("mine.txt", "NAME")


def test_bands_of_a_sensor_file_are_matched_as_others_are(tmp_path: Path) -> None:
    sensor = find_sensor(str(write_sensor(tmp_path, "blue", "Red Edge", "NIR")))

    def names(*labels: str | None) -> list[str]:
        return [band.name for band in match_bands(sensor, labels, len(labels))]

    assert names("near infrared", "red_edge", "B") == ["NIR", "Red Edge", "blue"]
    assert names(None, None, None) == names("band1", "band2", "band3") == ["blue", "Red Edge", "NIR"]
    assert names("nir") == ["NIR"]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([None] * 3, "MS has 3 bands, without names"),
        (["blue", "red", "mask"], "MS has 3 bands, mask among them"),
        (["blue", "blue", "red"], "MS has 3 bands, blue, blue among them"),
    ],
)
def test_bands_that_a_sensor_file_does_not_know_are_refused(
    tmp_path: Path, labels: list[str | None], found: str
) -> None:
    sensor = find_sensor(str(write_sensor(tmp_path, "blue", "red")))
    with pytest.raises(PairError) as told:
        match_bands(sensor, labels, len(labels))
    assert (told.value.subject, told.value.found) == ("newsat.toml", found)
    assert told.value.needed == "2 bands without names, or bands that are named blue, red"


def test_a_short_name_of_two_bands_always_means_the_same() -> None:
    # The unknown sensor has a nir and a nir1, both of which are called n.
    assert names_of("unknown", ["n", "red"]) == ["nir", "red"]
