"""Findings come with advice where there is something to do, and tell themselves whole."""

from __future__ import annotations

from typing import get_args

import pytest

from geosharp.document import to_json
from geosharp.errors import PairError
from geosharp.finding import LEVELS, Finding, Level, find_worst, refuse


@pytest.mark.parametrize(
    ("level", "advice"), [("ok", "do this"), ("note", ""), ("warning", ""), ("stop", "")]
)
def test_advice_is_for_what_is_not_ok_and_for_all_of_that(level: Level, advice: str) -> None:
    with pytest.raises(ValueError, match="advice"):
        Finding("disk", level, "full", advice)


def test_the_worst_is_the_worst_in_any_order() -> None:
    found = [Finding("a", level, "b", "" if level == "ok" else "c") for level in get_args(Level)]
    assert [find_worst(found[: stop + 1]) for stop in range(4)] == [*LEVELS]
    assert find_worst(reversed(found)) == "stop"
    assert find_worst([]) == "ok"


def test_an_error_loses_nothing_as_a_finding() -> None:
    found = refuse("pair", PairError("a and b", "no overlap", "some", "check both"))
    assert found.level == "stop"
    assert found.told == "pair: a and b: no overlap; needed: some: check both"
    assert set(to_json(found)) == {"subject", "level", "text", "advice", "facts"}
