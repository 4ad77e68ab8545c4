"""What is asked of a run is refused by its flag, or is part of what it is told apart by."""

from __future__ import annotations

from typing import Any

import pytest

from geosharp.errors import UsageError
from geosharp.tuning.recipe import Recipe, from_nothing


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"steps": 0}, "--steps"),
        ({"steps": True}, "--steps"),
        ({"steps": 3, "hours": 1.0}, "--steps and --hours"),
        ({"hours": 0.0}, "--hours"),
        ({"hours": float("nan")}, "--hours"),
        ({"hours": float("inf")}, "--hours"),
        ({"seed": -1}, "--seed"),
    ],
    ids=str,
)
def test_nonsense_is_refused(settings: dict[str, Any], flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        Recipe(**settings)
    assert caught.value.subject == flag


def test_six_minutes_is_the_length_that_nobody_asks_for() -> None:
    assert Recipe().hours == 0.1
    assert Recipe(steps=5).hours is None


def test_whatever_decides_weights_is_part_of_the_identity() -> None:
    others = [Recipe(steps=5), Recipe(hours=0.2), Recipe(seed=1), Recipe(batch=2), from_nothing(Recipe())]
    assert all(other.identity != Recipe().identity for other in others)
    assert Recipe(hours=0.1).identity == Recipe().identity
