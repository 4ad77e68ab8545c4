from __future__ import annotations

import numpy as np
import pytest

from geosharp.quality.survey.cells import cut_evenly
from geosharp.quality.survey.places import choose_windows, spread_windows
from geosharp.raster.grid import Rect, Relation

SCENE = Rect(8, 16, 1024, 1536)
CELLS = cut_evenly(SCENE, 16)
NESTED = Relation((4.0, 4.0), (0.0, 0.0))
ALL = np.ones(CELLS.shape, np.float32)


def overlap(one: Rect, other: Rect) -> bool:
    return not one.intersect(other).empty


@pytest.mark.parametrize("shape", [(100, 100), (1000, 3000), (50, 40_000), (9000, 100), (20_000, 20_000)])
def test_windows_spread_over_a_large_scene_and_are_all_of_a_small_one(shape: tuple[int, int]) -> None:
    scene = Rect(7, 9, *shape)
    windows = spread_windows(scene, 256, 16)
    if scene.area <= 16 * 256**2:
        assert windows == (scene,)
        return
    assert 8 <= len(windows) <= 16
    assert all(window.intersect(scene) == window for window in windows)
    assert not any(overlap(a, b) for i, a in enumerate(windows) for b in windows[:i])
    assert {windows[0].row, windows[0].col} == {7, 9}
    assert (windows[-1].stop_row, windows[-1].stop_col) == (scene.stop_row, scene.stop_col)


def test_detail_is_what_windows_are_chosen_for() -> None:
    detail = np.ones(CELLS.shape, np.float32)
    detail[40:56, 70:90] = 20
    first, *others = choose_windows(detail, ALL, CELLS, NESTED, 256, 5)
    assert len(others) == 4
    busy = Rect(SCENE.row + 40 * 16, SCENE.col + 70 * 16, 256, 320)
    assert first.intersect(busy).area > 0.6 * first.area
    windows = [first, *others]
    assert not any(overlap(a, b) for i, a in enumerate(windows) for b in windows[:i])
    assert max(window.col for window in windows) - min(window.col for window in windows) > 600


def test_windows_avoid_what_is_invalid() -> None:
    share = ALL.copy()
    share[:, :48] = 0
    windows = choose_windows(ALL * np.where(share > 0, 1, 9), share, CELLS, NESTED, 256, 4)
    assert len(windows) == 4
    assert all(window.col >= SCENE.col + 40 * 16 for window in windows)
    assert choose_windows(ALL, 0 * ALL, CELLS, NESTED, 256, 4) == ()


@pytest.mark.parametrize(
    "relation", [NESTED, Relation((2.0, 2.0), (0.5, 1.0)), Relation((4.01, 4.0), (3, 0))]
)
def test_windows_lie_inside_and_are_as_large_as_asked(relation: Relation) -> None:
    for window in choose_windows(ALL, ALL, CELLS, relation, 256, 6):
        assert window.intersect(SCENE) == window
        assert 256 <= min(window.shape) <= max(window.shape) <= 256 + 2 * max(relation.ratio)


def test_windows_lie_on_whole_ms_pixels() -> None:
    shifted = Relation((4.0, 4.0), (3.0, 1.0))
    for window in choose_windows(ALL, ALL, CELLS, shifted, 256, 6):
        inside = SCENE.grow(-4, -4)
        assert window.row % 4 == 3 or window.row < inside.row
        assert window.col % 4 == 1 or window.col < inside.col


def test_a_scene_of_hardly_more_than_a_window_gets_none() -> None:
    small = cut_evenly(Rect(0, 0, 300, 280), 8)
    assert choose_windows(np.ones(small.shape), np.ones(small.shape), small, NESTED, 256, 6) == ()
