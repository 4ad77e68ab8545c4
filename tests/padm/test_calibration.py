"""A calibration as a file and as what methods ask of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from geosharp.errors import InputError, OutputError
from geosharp.padm.calibration import Calibration, load_calibration, parse_calibration
from geosharp.padm.confidence import LocalShift
from geosharp.padm.iterate import Operator


def test_a_file_gives_the_same_bits(calibration: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    calibration.save(path)
    assert load_calibration(path) == calibration
    assert load_calibration(path).as_json() == calibration.as_json()
    with pytest.raises(OutputError):
        calibration.save(path)


def spoil(calibration: Calibration, **changes: object) -> str:
    return json.dumps({**json.loads(calibration.as_json()), **changes})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema": 99}, "another version"),
        ({"schema": True}, "another version"),
        ({"verdict": "fine"}, "'fine' as verdict"),
        ({"explained": "much"}, "'much' as explained"),
        ({"explained": True}, "True as explained"),
        ({"explained": float("nan")}, "nan as explained"),
        ({"count": 1.5}, "1.5 as count"),
        ({"ratio": [4.0]}, "ratio"),
        ({"operator": {"gains": [0.3, 0.3]}}, "operator"),
        ({"bands": {}}, "bands"),
        ({"spare": 1}, "other fields"),
        ({"operator": {"gains": [0.3, 1.0], "shift": [0, 0]}}, "1.0 as gains"),
        ({"operator": {"gains": [0.0, 0.3], "shift": [0, 0]}}, "0.0 as gains"),
        ({"operator": {"gains": [0.3, 0.3], "shift": [0, -50]}}, "-50.0 as shift, which must be from -4.5"),
        ({"ratio": [4, 0]}, "0.0 as ratio"),
        ({"explained": 1.5}, "1.5 as explained, which must be from 0 to 1"),
        ({"table_explained": -0.1}, "-0.1 as table_explained"),
        ({"errors": [0.1, -0.1, None, None]}, "-0.1 as errors, which must be of 0 or more"),
        ({"count": -1}, "-1 as count"),
    ],
)
def test_what_is_no_calibration_is_refused(
    calibration: Calibration, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_calibration(spoil(calibration, **changes), "c.json")
    assert told in caught.value.found
    assert caught.value.subject == "c.json"


def test_bands_of_no_blur_are_refused(calibration: Calibration) -> None:
    bands = json.loads(calibration.as_json())["bands"]
    bands[1]["gains"] = [1.2, 0.3]
    with pytest.raises(InputError, match=r"1\.2 as gains"):
        parse_calibration(spoil(calibration, bands=bands), "c.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3"])
def test_what_is_no_calibration_at_all_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_calibration(text, "c.json")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "binary.json"):
        with pytest.raises(InputError, match="cannot be read"):
            load_calibration(path)


def test_methods_get_gains_and_shift(calibration: Calibration) -> None:
    degradation = calibration.degradation
    assert degradation.gains == tuple(band.gains for band in calibration.bands)
    assert degradation.pan_gain == calibration.operator.gains
    assert degradation.shift == calibration.operator.shift


def torn(aside: int, together: int) -> tuple[LocalShift, ...]:
    places = [(4.0, 0.0)] * aside + [(0.0, 0.0)] * together
    return tuple(LocalShift((0.0, 0.0), shift, 0.1) for shift in places)


def test_users_hear_of_what_is_off(calibration: Calibration) -> None:
    still = replace(calibration, operator=Operator((0.3, 0.3), (0.2, 0.1)), shift_spread=(0.1, 0.1))
    assert still.notes == ()
    moved = replace(still, operator=Operator((0.3, 0.3), (-1.5, 0.25)))
    assert "1.50 PAN pixels up and 0.25 right" in moved.notes[0]
    bent = replace(still, shift_spread=(0.1, 0.8))
    assert "by about 0.8 PAN pixels" in bent.notes[0]
    assert "off the rest" in replace(still, local_shifts=torn(1, 19)).notes[0]
    assert replace(still, local_shifts=torn(1, 24)).notes == ()
    left = replace(still, misfit=(2.0, -3.0)).notes[0]
    assert "about 2.0 PAN pixels down and 3.0 left" in left
    assert "--no-align" in left
    assert replace(still, reasons=("dark",)).notes == ("dark",)
