"""A calibration as a file and as what methods ask of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geosharp.errors import InputError, OutputError
from geosharp.padm.calibration import Calibration, load_calibration, parse_calibration
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
        ({"verdict": "fine"}, "'fine' as verdict"),
        ({"explained": "much"}, "'much' as explained"),
        ({"explained": True}, "True as explained"),
        ({"explained": float("nan")}, "nan as explained"),
        ({"count": 1.5}, "1.5 as count"),
        ({"ratio": [4.0]}, "ratio"),
        ({"operator": {"gains": [0.3, 0.3]}}, "operator"),
        ({"bands": {}}, "bands"),
        ({"spare": 1}, "other fields"),
    ],
)
def test_what_is_no_calibration_is_refused(
    calibration: Calibration, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_calibration(spoil(calibration, **changes), "c.json")
    assert told in caught.value.found
    assert caught.value.subject == "c.json"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3"])
def test_what_is_no_calibration_at_all_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_calibration(text, "c.json")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "binary.json"):
        with pytest.raises(InputError, match="cannot be read"):
            load_calibration(path)


@pytest.mark.parametrize("band", [None, 0, 3])
def test_kernels_are_blurs(calibration: Calibration, band: int | None) -> None:
    kernel = calibration.kernel(band)
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1)
    gains = calibration.operator.gains if band is None else calibration.bands[band].gains
    for axis, gain in enumerate(gains):
        side = kernel.sum(1 - axis)
        at = np.arange(len(side)) - len(side) // 2
        assert (side * at).sum() == pytest.approx(0, abs=1e-12)
        assert (side * np.cos(np.pi / calibration.ratio[axis] * at)).sum() == pytest.approx(gain, abs=0.01)


def test_methods_get_gains_and_shift(calibration: Calibration) -> None:
    degradation = calibration.degradation
    assert degradation.gains == tuple(band.gains for band in calibration.bands)
    assert degradation.pan_gain == calibration.operator.gains
    assert degradation.shift == calibration.operator.shift


def test_users_hear_of_what_is_off(calibration: Calibration) -> None:
    still = replace(calibration, operator=Operator((0.3, 0.3), (0.2, 0.1)), shift_spread=(0.1, 0.1))
    assert still.notes == ()
    moved = replace(still, operator=Operator((0.3, 0.3), (-1.5, 0.25)))
    assert "1.50 PAN pixels up and 0.25 right" in moved.notes[0]
    bent = replace(still, shift_spread=(0.1, 0.8))
    assert "by 0.8 PAN pixels" in bent.notes[0]
    assert replace(still, reasons=("dark",)).notes == ("dark",)
