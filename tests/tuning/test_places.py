"""What is kept aside is spread, whole, and never learnt from."""

from __future__ import annotations

import pytest

from geosharp.raster.grid import Rect
from geosharp.tuning.places import CORE, Places, choose_places
from geosharp.tuning.verdict import FEWEST

GUARD = 5
SIDE = CORE + 2 * GUARD


def whole(rect: Rect) -> float:
    return 1.0


def choose(rows: int, cols: int, **settings: int) -> Places | str:
    area = Rect(7, 3, rows * SIDE + 11, cols * SIDE + 2)
    return choose_places(area, GUARD, whole, **{"seed": 0, "most": 1000, **settings})


@pytest.mark.parametrize("seed", range(6))
def test_one_in_five_is_kept_aside_spread_over_rows_and_columns(seed: int) -> None:
    places = choose(20, 30, seed=seed)
    assert isinstance(places, Places)
    assert len(places.held) == 120
    assert len({rect.row for rect in places.held}) == 20
    assert len({rect.col for rect in places.held}) == 30


def test_places_are_apart_and_in_the_area() -> None:
    places = choose(4, 5)
    assert isinstance(places, Places)
    every = [*places.held, *places.taught]
    assert len(every) == 20
    area = Rect(7, 3, 4 * SIDE + 11, 5 * SIDE + 2)
    for at, rect in enumerate(every):
        assert rect.intersect(area) == rect
        assert all(rect.intersect(other).empty for other in every[at + 1 :])


def test_what_is_scored_lies_a_guard_inside_what_is_kept_aside() -> None:
    places = choose(3, 3)
    assert isinstance(places, Places)
    for held, core in zip(places.held, places.scored, strict=True):
        assert core == Rect(held.row + GUARD, held.col + GUARD, CORE, CORE)


def test_no_more_are_kept_aside_than_asked_for_and_the_rest_is_learnt_from() -> None:
    places = choose(20, 30, most=7)
    assert isinstance(places, Places)
    assert 4 <= len(places.held) <= 7
    assert len(places.held) + len(places.taught) == 600
    assert max(rect.row for rect in places.held) - min(rect.row for rect in places.held) > 10 * SIDE


def test_seeds_keep_other_places_aside() -> None:
    kept = {choose(6, 6, seed=seed) for seed in range(5)}
    assert len(kept) == 5


@pytest.mark.parametrize("seed", range(5))
def test_a_scene_that_can_tell_what_is_better_does_whatever_the_seed(seed: int) -> None:
    places = choose(3, 4, seed=seed)
    assert isinstance(places, Places)
    assert len(places.held) == FEWEST


def test_four_blocks_are_enough_whatever_the_seed_and_fewer_are_not() -> None:
    for seed in range(5):
        places = choose(2, 2, seed=seed)
        assert isinstance(places, Places)
        assert (len(places.held), len(places.taught)) == (1, 3)
    assert isinstance(choose(1, 3), str)


def test_blocks_with_holes_are_not_kept_aside_and_empty_ones_not_learnt_from() -> None:
    area = Rect(0, 0, 6 * SIDE, 6 * SIDE)

    def share(rect: Rect) -> float:
        return 0.0 if rect.row < SIDE else 0.5 if rect.row < 2 * SIDE else 1.0

    places = choose_places(area, GUARD, share, seed=0, most=1000)
    assert isinstance(places, Places)
    assert all(rect.row >= 2 * SIDE for rect in places.held)
    assert all(rect.row >= SIDE for rect in places.taught)
    assert sum(rect.row == SIDE for rect in places.taught) == 6


def test_a_scene_that_is_all_holes_is_refused() -> None:
    found = choose_places(Rect(0, 0, 6 * SIDE, 6 * SIDE), GUARD, lambda _: 0.0, seed=0, most=9)
    assert isinstance(found, str)
    assert "0 of 36 blocks" in found
