"""The table is sound: every entry is physical, complete and reachable by one name only."""

from __future__ import annotations

import re

import pytest

from geosharp.raster.sensor_table import SENSORS, UNKNOWN, Sensor

every_sensor = pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)


@every_sensor
def test_gains_and_wavelengths_are_physical(sensor: Sensor) -> None:
    assert 0.02 <= sensor.pan_gain <= 0.7
    assert 390 <= sensor.pan_nm[0] < sensor.pan_nm[1] <= 1100
    for band in sensor.bands:
        assert 0.02 <= band.gain <= 0.7
        assert band.wavelength_nm is not None
        assert 390 <= band.wavelength_nm[0] < band.wavelength_nm[1] <= 13_000


@every_sensor
def test_colours_lie_where_their_names_say(sensor: Sensor) -> None:
    centre = {band.name: sum(band.wavelength_nm or (0, 0)) / 2 for band in sensor.bands}
    for name, (low, high) in {
        "coastal": (400, 450),
        "blue": (450, 495),
        "green": (530, 570),
        "yellow": (585, 625),
        "red": (630, 690),
        "rededge": (700, 745),
        "nir": (760, 900),
        "nir1": (760, 900),
    }.items():
        assert low <= centre.get(name, low) <= high, name
    ordered = [
        name for name in ("coastal", "blue", "green", "red", "nir", "swir1", "swir2") if name in centre
    ]
    assert [centre[name] for name in ordered] == sorted(centre[name] for name in ordered)


@every_sensor
def test_bundles_and_numbers_name_bands_of_the_sensor(sensor: Sensor) -> None:
    names = [band.name for band in sensor.bands]
    assert len({*names}) == len(names)
    for count, bundle in sensor.bundles.items():
        assert len(bundle) == len({*bundle}) == count
        assert {*bundle} <= {*names}
    assert {*sensor.numbers.values()} <= {*names}
    assert sensor is UNKNOWN or {3, 4} <= {*sensor.bundles}


def test_no_two_sensors_share_a_name() -> None:
    names = [
        re.sub("[^0-9a-z]", "", name.casefold())
        for sensor in SENSORS.values()
        for name in {sensor.key.replace("-", ""), *sensor.aliases}
    ]
    assert len({*names}) == len(names)
    for sensor in SENSORS.values():
        assert all(re.fullmatch("[0-9a-z]+", alias) for alias in sensor.aliases)
        re.compile(sensor.files)


def test_published_gains() -> None:
    def gains(key: str) -> list[float]:
        return [band.gain for band in SENSORS[key].bands]

    assert gains("quickbird") == [0.34, 0.32, 0.30, 0.22]
    assert gains("ikonos") == [0.26, 0.28, 0.29, 0.28]
    assert gains("geoeye-1") == gains("worldview-4") == [0.23] * 4
    assert gains("worldview-2") == [0.35] * 7 + [0.27]
    assert gains("worldview-3") == [0.325, 0.355, 0.360, 0.350, 0.365, 0.360, 0.335, 0.315]
    assert gains("pleiades") == [0.28, 0.28, 0.29, 0.28]
    assert gains("spot-6") == gains("spot-7") == [0.33] * 4
    pan = {key: sensor.pan_gain for key, sensor in SENSORS.items() if sensor.pan_gain != UNKNOWN.pan_gain}
    assert pan == {
        "ikonos": 0.17,
        "geoeye-1": 0.16,
        "worldview-2": 0.11,
        "worldview-3": 0.14,
        "worldview-4": 0.16,
    }
    silent = {"unknown", "gaofen-1", "gaofen-2", "landsat-7", "landsat-8", "landsat-9", "skysat"}
    assert all({*gains(key)} == {0.30} for key in silent)
