"""Laws of coarsening: what it makes lies on the MS grid, and says where it cannot be told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geosharp.imaging.degradation import Degradation
from geosharp.quality.coarsening import Coarsening
from geosharp.raster.grid import Rect
from geosharp.raster.scene import SceneReader, open_scene
from geosharp.raster.source import Array, Mask

MIDDLE = Rect(20, 24, 16, 12)  # MS pixels


def column_numbers(rect: Rect) -> tuple[Array, Mask | None]:
    cols = np.arange(rect.col, rect.stop_col) + 0.5
    return np.broadcast_to(cols, (4, *rect.shape)).astype(np.float32), None


@pytest.mark.parametrize("right", [0.0, 1.5])
def test_bands_come_to_lie_where_the_content_of_the_ms_is(made_pair: tuple[Path, Path], right: float) -> None:
    how = Degradation.alike([0.3] * 4, 0.15, (0.0, right))
    low, seen = Coarsening(open_scene(*made_pair), how).bands(column_numbers, MIDDLE)
    assert seen is None
    centres = 4 * (np.arange(MIDDLE.col, MIDDLE.stop_col) + 0.5) + right
    np.testing.assert_allclose(low, np.broadcast_to(centres, low.shape), atol=1e-3)


def test_pan_is_made_as_coarse_as_the_bands_on_the_whole(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    gains = [0.1, 0.2, 0.3, 0.4]
    with SceneReader(scene) as reader:

        def pan_twice(rect: Rect) -> tuple[Array, Mask | None]:
            pan, valid = reader.read_pan(rect)
            return np.repeat(pan, 2, 0), valid

        pan, _ = Coarsening(scene, Degradation.alike(gains, 0.15)).pan(reader, MIDDLE)
        alike, _ = Coarsening(scene, Degradation.alike([0.25, 0.4], 0.15)).bands(pan_twice, MIDDLE)
    np.testing.assert_allclose(pan[0], alike[0], rtol=1e-5)
    assert np.abs(pan[0] - alike[1]).max() > 1


def test_what_the_kernel_does_not_see_as_a_whole_cannot_be_told(made_pair: tuple[Path, Path]) -> None:
    hole = Rect(112, 120, 4, 4)

    def holed(rect: Rect) -> tuple[Array, Mask | None]:
        data, _ = column_numbers(rect)
        valid = np.ones(rect.shape, bool)
        if not hole.intersect(rect).empty:
            valid[hole.intersect(rect).within(rect)] = False
        return data, np.broadcast_to(valid, data.shape)

    coarsening = Coarsening(open_scene(*made_pair), Degradation.alike([0.3] * 4, 0.15))
    _, seen = coarsening.bands(holed, MIDDLE)
    assert seen is not None
    assert not seen[:, 28 - MIDDLE.row, 30 - MIDDLE.col].any()
    assert seen[:, 0].all()
