"""Sensor files: any sensor reads back as it was written, and what is wrong is told by file and key."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from geosharp.errors import InputError
from geosharp.raster.sensor_file import describe_sensor, format_sensor, read_sensor
from geosharp.raster.sensor_table import SENSORS, UNKNOWN, Band, Origin, Sensor
from tests.raster.made_sensor import write_sensor

BANDS = '\n[[bands]]\nname = "blue"\n[[bands]]\nname = "red"\n'


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)
def test_every_known_sensor_reads_back_as_it_is(sensor: Sensor, tmp_path: Path) -> None:
    found = read_sensor(write(tmp_path, format_sensor(sensor)))
    # How it is recognised is no business of a file that is named.
    assert replace(found, origin=None) == replace(sensor, aliases=(), files="")


def test_what_is_written_of_a_file_reads_back_as_it(tmp_path: Path) -> None:
    text = 'name = "new-sat 1"\ntitle = "Nürnberg \\"II\\""\nbits = 12\ndeliveries = [["red"]]\n' + BANDS
    first = read_sensor(write(tmp_path, text))
    assert (first.title, first.bits, first.bundles) == ('Nürnberg "II"', 12, {1: ("red",)})
    assert replace(read_sensor(write(tmp_path, format_sensor(first))), origin=first.origin) == first


def test_all_keys_are_taken(tmp_path: Path) -> None:
    band = 'name = "nir"\nwavelength_nm = [770.5, 900]\nnyquist_gain = 0.21\nnumber = 4'
    pan = "[pan]\nwavelength_nm = [450, 700]\nnyquist_gain = 0.12"
    path = write(tmp_path, f'name = "mine"\nbits = 11\n{pan}\n[[bands]]\n{band}\n')
    assert read_sensor(path) == Sensor(
        key="mine",
        title="mine",
        bands=(Band("nir", (770.5, 900), 0.21),),
        pan_gain=0.12,
        pan_nm=(450, 700),
        bundles={1: ("nir",)},
        numbers={"b4": "nir"},
        bits=11,
        origin=Origin("mine.toml", hashlib.sha256(path.read_bytes()).hexdigest()),
    )


def test_what_is_left_out_is_the_unknown_sensors(tmp_path: Path) -> None:
    found = read_sensor(write_sensor(tmp_path, "Red Edge", "haze"))
    assert (found.pan_gain, found.pan_nm, found.bits) == (UNKNOWN.pan_gain, UNKNOWN.pan_nm, None)
    assert found.bands == (
        Band("Red Edge", (705, 745), 0.3, assumed=True),
        Band("haze", None, 0.3, assumed=True),
    )
    assert found.pan_assumed
    assert found.bundles == {2: ("Red Edge", "haze")}


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert read_sensor(write(tmp_path, b"\xef\xbb\xbfname = 'a'" + BANDS.encode())).key == "a"


def test_the_description_is_that_of_the_file() -> None:
    sensor = SENSORS["spot-6"]
    told, written = describe_sensor(sensor), tomllib.loads(format_sensor(sensor))
    assert json.loads(json.dumps(told)) == told
    assert told["bands"][2] == {
        "name": "red",
        "wavelength_nm": [625, 695],
        "nyquist_gain": 0.33,
        "number": 2,
    }
    assert {key: value for key, value in told.items() if value is not None} == written


def test_gains_that_nobody_told_are_shown_as_assumed_and_not_as_given(tmp_path: Path) -> None:
    file = write_sensor(tmp_path, "blue", "haze", head="[pan]\nnyquist_gain = 0.15")
    file.write_text(file.read_text() + "nyquist_gain = 0.3\n")
    told = format_sensor(read_sensor(file))
    assert told.count("\nnyquist_gain = ") == 2
    assert told.count("\n# nyquist_gain = 0.3  # assumed\n") == 1
    assert told.index("# assumed") < told.index('name = "haze"')
    assert "# assumed" not in format_sensor(SENSORS["worldview-2"])
    assert format_sensor(SENSORS["gaofen-2"]).count("# assumed") == 1 + len(SENSORS["gaofen-2"].bands)


BAD = {
    "unknown key": ('nmae = "a"\n' + BANDS, "an unknown key 'nmae'"),
    "unknown key of pan": ('name = "a"\n[pan]\ngain = 0.1\n' + BANDS, "an unknown key 'gain' of pan"),
    "unknown key of a band": ('name = "a"' + BANDS + "gain = 0.3\n", "an unknown key 'gain' of band 2"),
    "no name": (BANDS, "no name"),
    "no bands": ('name = "a"\n', "no bands"),
    "empty bands": ('name = "a"\nbands = []\n', "[] as bands"),
    "bands in a table": ('name = "a"\n[bands]\nname = "b"\n', "{'name': 'b'} as bands"),
    "a number as name": ("name = 5" + BANDS, "5 as name"),
    "a band of digits": ('name = "a"\n[[bands]]\nname = "4"\n', "'4' as name of band 1"),
    "a comma": ('name = "a"\n[[bands]]\nname = "a,b"\n', "'a,b' as name of band 1"),
    "escapes": ('name = "a"\ntitle = "\\u001b[31m"' + BANDS, r"'\x1b[31m' as title"),
    "pan is a text": ('name = "a"\npan = "b"' + BANDS, "'b' as pan"),
    "gain 1": ('name = "a"' + BANDS + "nyquist_gain = 1\n", "1 as nyquist_gain of band 2"),
    "gain 0": ('name = "a"\n[pan]\nnyquist_gain = 0.0' + BANDS, "0.0 as nyquist_gain of pan"),
    "gain nan": ('name = "a"' + BANDS + "nyquist_gain = nan\n", "nan as nyquist_gain of band 2"),
    "gain text": ('name = "a"' + BANDS + 'nyquist_gain = "0.3"\n', "'0.3' as nyquist_gain of band 2"),
    "gain true": ('name = "a"' + BANDS + "nyquist_gain = true\n", "True as nyquist_gain of band 2"),
    "edges": ('name = "a"' + BANDS + "wavelength_nm = [700, 600]\n", "[700, 600] as wavelength_nm of band 2"),
    "micrometres": (
        'name = "a"' + BANDS + "wavelength_nm = [0.6, 0.7]\n",
        "[0.6, 0.7] as wavelength_nm of band 2",
    ),
    "one edge": ('name = "a"' + BANDS + "wavelength_nm = [700]\n", "[700] as wavelength_nm of band 2"),
    "bits": ('name = "a"\nbits = 11.0' + BANDS, "11.0 as bits"),
    "no bits": ('name = "a"\nbits = 0' + BANDS, "0 as bits"),
    "a date": ('name = "a"\nbits = 2020-01-01' + BANDS, "datetime.date(2020, 1, 1) as bits"),
    "delivery": ('name = "a"\ndeliveries = [["nir"]]' + BANDS, "[['nir']] as deliveries"),
    "delivery twice": (
        'name = "a"\ndeliveries = [["red"], ["blue"]]' + BANDS,
        "1 as number of bands in deliveries more than once",
    ),
    "band twice in a delivery": (
        'name = "a"\ndeliveries = [["red", "red"]]' + BANDS,
        "red as name in one of deliveries more than once",
    ),
    "two bands of a name": (
        'name = "a"\n[[bands]]\nname = "Red Edge"\n[[bands]]\nname = "rededge"\n',
        "Red Edge and rededge as name more than once",
    ),
    "two bands of a number": (
        'name = "a"\n[[bands]]\nname = "b"\nnumber = 1\n[[bands]]\nname = "c"\nnumber = 1\n',
        "1 as number more than once",
    ),
    "no TOML": ("name = ", "not TOML (Invalid value (at end of document))"),
    "no text": (b"name = '\xff'", "not TOML in UTF-8"),
    "a long number": ("x = " + "9" * 9000, "not TOML in UTF-8"),
    "a deep list": ("x = " + "[" * 30_000, "not TOML in UTF-8"),
    "too large": ("#" * 70_000, "more than 64 kB"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_told_by_file_and_key(case: str, tmp_path: Path) -> None:
    text, found = BAD[case]
    path = write(tmp_path, text)
    with pytest.raises(InputError) as told:
        read_sensor(path)
    assert (told.value.subject, told.value.found) == (str(path), found)
    assert told.value.needed
    assert told.value.remedy[0].islower()


def test_the_nearest_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The nearest is nyquist_gain\.$") as told:
        read_sensor(write(tmp_path, f'name = "a"{BANDS}nyquist_gian = 0.3\n'))
    assert told.value.needed == "one of name, wavelength_nm, nyquist_gain, number"


@pytest.mark.parametrize(
    ("name", "found"), [("no.toml", "No such file"), ("x\0.toml", "null"), ("x" * 5000 + ".toml", "too long")]
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, found: str) -> None:
    with pytest.raises(InputError, match=f"cannot be read .*{found}"):
        read_sensor(tmp_path / name)


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_sensor(tmp_path)
