from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from geosharp.quality.survey.cells import cut_by_ms, cut_evenly, ms_index, read_ms_on_pan, sum_runs
from geosharp.raster.grid import Rect, Relation
from geosharp.raster.scene import SceneReader, open_scene
from tests.made import make_pair

RECT = Rect(3, 5, 37, 50)
IMAGE = np.random.default_rng(0).normal(size=(2, *RECT.shape)).astype(np.float32)


@pytest.mark.parametrize("side", [1, 4, 7, 60])
def test_cells_cut_a_rectangle_without_gap_into_equal_parts(side: int) -> None:
    cells = cut_evenly(RECT, side)
    assert cells.rect == RECT
    for edges in (cells.rows, cells.cols):
        sizes = np.diff(edges)
        assert sizes.max() <= side
        assert sizes.max() - sizes.min() <= 1
    np.testing.assert_allclose(cells.sums(IMAGE).sum((1, 2)), IMAGE.sum((1, 2)), rtol=1e-4)
    assert cells.areas().sum() == RECT.area


def test_a_mean_is_over_the_valid_pixels_of_its_cell() -> None:
    cells = cut_evenly(RECT, 8)
    valid = np.random.default_rng(1).random(RECT.shape) > 0.5
    valid[: cells.rows[1] - RECT.row, : cells.cols[1] - RECT.col] = False
    means = cells.means(np.where(valid, IMAGE, 1e6), valid)
    assert np.isnan(means[:, 0, 0]).all()
    row, col = (slice(edges[1] - edges[0], edges[2] - edges[0]) for edges in (cells.rows, cells.cols))
    expected = IMAGE[:, row, col][:, valid[row, col]].mean(1)
    np.testing.assert_allclose(means[:, 1, 1], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(cells.means(IMAGE, np.ones(RECT.shape, bool)), cells.means(IMAGE, None))


def test_merged_cells_hold_what_theirs_held() -> None:
    fine = cut_evenly(RECT, 2)
    coarse = fine.merge(3)
    assert coarse.rect == RECT
    assert coarse.shape == (-(-fine.shape[0] // 3), -(-fine.shape[1] // 3))
    part = coarse.part(slice(1, 3), slice(0, 2))
    whole = coarse.sums(IMAGE)[:, 1:3, :2]
    inside = IMAGE[:, *part.rect.within(RECT)]
    np.testing.assert_allclose(part.sums(inside), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_runs_add_up_along_any_axis(axis: int) -> None:
    edges = np.array([0, 1, IMAGE.shape[axis]])
    first, rest = np.split(IMAGE, [1], axis)
    expected = np.concatenate([first, rest.sum(axis, keepdims=True)], axis)
    np.testing.assert_allclose(sum_runs(IMAGE, edges, axis), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "relation",
    [Relation((4, 4), (0, 0)), Relation((2, 2), (0.5, -0.5)), Relation((4.003, 3.997), (1.2, 0.7))],
)
def test_cells_of_ms_pixels_hold_the_pan_pixels_whose_centres_lie_in_one(relation: Relation) -> None:
    rect = Rect(8, 12, 64, 72)
    cells = cut_by_ms(rect, relation, 100)
    assert cells.rect == rect
    for edges, ratio, offset in zip((cells.rows, cells.cols), relation.ratio, relation.offset, strict=True):
        for start, stop in pairwise(edges):
            assert len(np.unique(ms_index(np.arange(start, stop), ratio, offset))) == 1
    assert max(cut_by_ms(rect, relation, 5).shape) <= 5


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.5, 1.75)])
def test_ms_is_seen_from_each_pan_pixels_centre(tmp_path: Path, offset: tuple[float, float]) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(64, 80), offset=offset))
    rect = Rect(9, 14, 20, 30)
    with SceneReader(scene) as reader:
        seen, valid = read_ms_on_pan(reader, rect)
        ms, _ = reader.read_ms(scene.ms_grid.rect)
    assert valid is None
    assert seen.shape == (4, *rect.shape)
    for row, col in ((0, 0), (7, 11), (19, 29)):
        at = [
            int((place + 0.5 - start) // 4)
            for place, start in zip((rect.row + row, rect.col + col), offset, strict=True)
        ]
        np.testing.assert_array_equal(seen[:, row, col], ms[:, at[0], at[1]])
