from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geosharp.padm.table import table_degradation
from geosharp.quality.survey.cells import read_ms_on_pan
from geosharp.quality.survey.maps import map_difference, map_dissent
from geosharp.quality.survey.survey import survey
from geosharp.raster.grid import Rect
from geosharp.raster.scene import SceneReader, open_scene
from geosharp.raster.source import Array, Mask


@pytest.mark.parametrize("exact", [True, False])
def test_a_patch_that_is_too_bright_is_seen_where_it_is(made_pair: tuple[Path, Path], exact: bool) -> None:
    scene = open_scene(*made_pair)
    with SceneReader(scene) as reader:

        def read(rect: Rect) -> tuple[Array, Mask | None]:
            data, valid = read_ms_on_pan(reader, rect)
            data = data.astype(np.float32)
            bright = Rect(128, 64, 64, 64).intersect(rect)
            if not bright.empty:
                data[1, *bright.within(rect)] += 200
            return data, valid

        seen = survey(reader, read, scene.area, lambda _: None)
        maps = map_difference(reader, read, table_degradation(scene), seen, exact=exact)
    assert list(maps.maps) == [band.name for band in scene.bands]
    assert maps.signed
    values = maps.maps[scene.bands[1].name]
    assert values.shape == ((64, 64) if exact else seen.coarse.shape)
    rows, cols = (np.array(values.shape) * place // 256 for place in (160, 96))
    assert values[rows[0], cols[1]] == pytest.approx(200, abs=40)
    elsewhere = np.nan_to_num(values[: values.shape[0] // 2 - 3])
    assert np.sqrt(np.mean(elsewhere**2)) < 30
    # A kernel that reaches over the scene's edge sees too little to tell.
    assert np.isnan(values[0]).all() == exact
    assert ("blurred and decimated" in maps.note) == exact


def test_invalid_pixels_have_no_difference(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    with SceneReader(scene) as reader:

        def read(rect: Rect) -> tuple[Array, Mask | None]:
            data, _ = read_ms_on_pan(reader, rect)
            rows = np.arange(rect.row, rect.stop_row)[:, None] < 128
            return data, np.broadcast_to(rows, data.shape)

        seen = survey(reader, read, scene.area, lambda _: None)
        maps = map_difference(reader, read, table_degradation(scene), seen, exact=True)
    values = next(iter(maps.maps.values()))
    assert np.isnan(values[32:]).all()
    assert np.isfinite(values[5:25, 5:-5]).all()


def test_dissent_is_none_where_a_band_goes_with_pan(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    with SceneReader(scene) as reader:

        def read(rect: Rect) -> tuple[Array, Mask | None]:
            pan = reader.read_pan(rect)[0].astype(np.float32)
            return np.concatenate([pan, -pan, pan, pan]), None

        maps = map_dissent(reader, survey(reader, read, scene.area, lambda _: None))
    with_pan, against = list(maps.maps.values())[:2]
    np.testing.assert_allclose(with_pan, 0, atol=1e-3)
    np.testing.assert_allclose(against, 2, atol=1e-3)
    assert not maps.signed
