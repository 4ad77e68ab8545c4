"""A spoilt sensor file is refused or describes a sensor."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geosharp.errors import InputError
from geosharp.raster.sensor_file import format_sensor, read_sensor
from geosharp.raster.sensor_table import SENSORS
from tests.mutated import DEEP, LONG, few, near

GOOD = format_sensor(SENSORS["worldview-2"])
VALUES = (
    "1e999",
    "nan",
    "-inf",
    "1" + "0" * 400,
    LONG,
    '""',
    '"\\u0000"',
    "[]",
    "[[]]",
    "{}",
    "true",
    DEEP,
    "1979-05-27",
)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """The file with some of its values replaced by others."""
    lines = GOOD.splitlines()
    for at in draw(
        st.sets(st.sampled_from([i for i, line in enumerate(lines) if " = " in line]), min_size=1, max_size=3)
    ):
        lines[at] = f"{lines[at].partition(' = ')[0]} = {draw(st.sampled_from(VALUES))}"
    return "\n".join(lines).encode()


@few(100)
@given(content=spoilt() | near(GOOD.encode()))
def test_it_is_refused_or_a_sensor(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with suppress(InputError):
        sensor = read_sensor(path)
        path.write_text(format_sensor(sensor), encoding="utf-8")
        assert read_sensor(path).bands == sensor.bands


@pytest.mark.parametrize("key", ["nyquist_gain", "wavelength_nm"])
def test_a_number_beyond_all_floats_is_refused(tmp_path: Path, key: str) -> None:
    path, number = tmp_path / "mine.toml", "1" + "0" * 400
    value = f"[400, {number}]" if key == "wavelength_nm" else number
    path.write_text(f'name = "mine"\n[[bands]]\nname = "blue"\n{key} = {value}\n', encoding="utf-8")
    with pytest.raises(InputError, match=key):
        read_sensor(path)
