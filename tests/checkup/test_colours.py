"""Bands in another order than they are taken for, and clouds, are seen; towns are no clouds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from geosharp.checkup.colours import check_cloud, check_order
from geosharp.checkup.look import take_look
from geosharp.finding import Finding
from geosharp.raster.scene import open_scene
from tests.checkup.conftest import Pair, Town

NAMES = ("blue", "green", "red", "nir")


def order_of(pair: Pair) -> Finding:
    scene = open_scene(*pair)
    return check_order(scene, take_look(scene))


def cloud_of(pair: Pair) -> Finding:
    scene = open_scene(*pair)
    return check_cloud(scene, take_look(scene))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 1, 0, 3), (3, 2, 1, 0), (0, 1, 2)])
def test_names_that_are_right_are_left_alone(town: Town, order: Sequence[int]) -> None:
    found = order_of(town([NAMES[band] for band in order], order))
    assert found.level == "ok"
    assert found.text.startswith("nothing speaks against")


@pytest.mark.parametrize("names", [NAMES, ("blue", "green", "red")])
def test_blue_and_red_in_the_others_place_are_seen(town: Town, names: Sequence[str]) -> None:
    found = order_of(town(names, (2, 1, 0, 3)[: len(names)]))
    assert (found.level, "blue and red look swapped" in found.text) == ("warning", True)


def test_infrared_in_anothers_place_is_seen(town: Town) -> None:
    found = order_of(town(NAMES, (3, 1, 2, 0)))
    assert (found.level, "blue behaves like near infrared, and nir does not" in found.text) == (
        "warning",
        True,
    )


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 1, 0, 3), (2, 1, 0)])
def test_bands_without_names_are_guessed(town: Town, order: Sequence[int]) -> None:
    found = order_of(town(None, order))
    assert (found.level, found.facts["looks_like"]) == ("note", [NAMES[band] for band in order])


def test_what_cannot_be_guessed_is_not(town: Town) -> None:
    found = order_of(town(None, (0, 2)))
    assert found.level == "note"
    assert found.text == "nothing tells what band1, band2 are"
    assert "--sensor-file" in found.advice


def test_without_a_zero_or_texture_nothing_is_claimed(
    town: Town, recorded: tuple[np.ndarray, np.ndarray]
) -> None:
    # Dark ground lies below zero, ordinary ground above.
    below = (recorded[1] - np.percentile(recorded[1], 10, axis=(1, 2), keepdims=True)).astype(np.int16)
    assert np.median(below, axis=(1, 2)).min() > 0
    assert order_of(town(NAMES, (2, 1, 0, 3), ms=below)).text == "cannot be told from these pixels"
    flat = np.full_like(recorded[1], 300)
    assert order_of(town(NAMES, ms=flat)).level == "ok"


def clouded(ms: np.ndarray, side: int, colour: Sequence[float] = (1, 1, 1, 1)) -> np.ndarray:
    """With a bright square of that side, whose contrast to dark ground is `colour`'s."""
    covered = ms.astype(float)
    dark = np.percentile(covered, 2, axis=(1, 2))
    covered[:, 20 : 20 + side, 20 : 20 + side] = (dark + 1500 * np.array(colour))[:, None, None]
    return np.minimum(covered, 65535).astype(np.uint16)


@pytest.mark.parametrize(
    ("names", "side", "level"),
    [(NAMES, 0, "ok"), (NAMES, 20, "note"), (NAMES, 40, "warning"), (None, 0, "ok"), (None, 20, "note")],
)
def test_clouds_are_told_by_their_share(
    town: Town,
    recorded: tuple[np.ndarray, np.ndarray],
    names: Sequence[str] | None,
    side: int,
    level: str,
) -> None:
    found = cloud_of(town(names, ms=clouded(recorded[1], side), pixel=5.0))
    assert found.level == level, found.told
    assert found.facts["share"] == pytest.approx(side**2 / 64**2, abs=0.01)


def test_a_roof_and_a_field_of_rape_are_no_cloud(town: Town, recorded: tuple[np.ndarray, np.ndarray]) -> None:
    # 10 pixels of 4 m are no cloud, of 20 m they may be one.
    roof = clouded(recorded[1], 10)
    assert cloud_of(town(NAMES, ms=roof, pixel=1.0)).level == "ok"
    assert cloud_of(town(NAMES, ms=roof, pixel=5.0)).level == "note"
    for colour in ((0.15, 1, 1, 1), (1, 1, 8, 1)):
        painted = clouded(recorded[1], 30, colour)
        assert cloud_of(town(NAMES, ms=painted, pixel=5.0)).level == "ok"
