"""A plan's area is cut into bands of whole rows of tiles, each pixel once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geosharp.engine import parts
from geosharp.engine.parts import Folder, cut
from geosharp.engine.preparation import prepare
from geosharp.raster.area import Area
from geosharp.raster.grid import Rect


@pytest.mark.parametrize("least", [1, 64 * 200, 3 * 64 * 200, 10**9])
@pytest.mark.parametrize("rect", [Rect(0, 0, 256, 200), Rect(70, 9, 150, 200), Rect(63, 0, 2, 200)])
def test_the_bands_hold_all_tiles_once(
    made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, rect: Rect, least: int
) -> None:
    monkeypatch.setattr(parts, "_LEAST", least)
    plan = replace(prepare(*made_pair, method="glp", tile=64).plan, area=Area(rect))
    bands = cut(plan)
    seen = np.zeros((300, 300), int)
    for band in bands:
        seen[band.row : band.stop_row, band.col : band.stop_col] += 1
    assert seen[rect.row : rect.stop_row, rect.col : rect.stop_col].min() == 1
    assert seen.sum() == rect.area
    for tile in plan.tiles():
        assert sum(band.intersect(tile) == tile for band in bands) == 1
    assert all(band.area >= min(least, rect.area) or band in (bands[0], bands[-1]) for band in bands)


def test_a_band_counts_as_finished_once_it_is_told(tmp_path: Path) -> None:
    folder, other = (Folder(tmp_path, (0, 0), {"seed": seed}) for seed in "12")
    bands = [Rect(0, 0, 64, 9), Rect(64, 0, 64, 9), Rect(128, 0, 1, 9)]
    for band in bands:
        folder.name(band).touch()
    folder.finish(bands[0], 3)
    folder.finish(bands[1], 5)
    folder.name(bands[1]).with_suffix(".json").write_text("{")
    assert folder.finished(bands) == {bands[0]: 3}
    # What is told, and is no longer there, is none.
    folder.finish(bands[2], 4)
    folder.name(bands[2]).unlink()
    assert folder.finished(bands) == {bands[0]: 3}
    folder.name(bands[2]).touch()
    folder.name_spread(bands[2]).touch()
    folder.finish(bands[2], 4)
    assert folder.finished(bands) == {bands[0]: 3, bands[2]: 4}
    folder.name_spread(bands[2]).unlink()
    assert folder.finished(bands) == {bands[0]: 3}
    # What a worker goes on to make for a run that has ended is none of the next one's.
    assert other.finished(bands) == {}
