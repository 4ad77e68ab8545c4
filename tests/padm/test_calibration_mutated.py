"""A spoilt calibration is refused or means a calibration; it is never anything else."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geosharp.errors import InputError
from geosharp.padm.calibration import Calibration, parse_calibration
from tests.mutated import DEEP, LONG, few, near_text


@few(100)
@given(data=st.data())
def test_it_is_refused_or_a_calibration(calibration: Calibration, data: st.DataObject) -> None:
    text = data.draw(near_text(json.loads(calibration.as_json())))
    with suppress(InputError):
        found = parse_calibration(text, "c.json")
        assert parse_calibration(found.as_json(), "c.json") == found


@pytest.mark.parametrize(
    "text", [DEEP, '{"schema": ' + DEEP, '{"schema": ' + LONG + "}", '{"schema": 1' + LONG]
)
def test_nesting_and_numbers_without_end_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="not JSON"):
        parse_calibration(text, "c.json")


@pytest.mark.parametrize("field", ["explained", "offset"])
def test_a_number_beyond_all_floats_is_refused(calibration: Calibration, field: str) -> None:
    told = json.loads(calibration.as_json()) | {field: 10**400}
    with pytest.raises(InputError, match=field):
        parse_calibration(json.dumps(told), "c.json")
