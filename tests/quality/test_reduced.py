from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin

from geosharp.errors import PairError
from geosharp.imaging.degradation import Degradation
from geosharp.padm.table import table_degradation
from geosharp.quality.reduced import reduce_scene
from geosharp.raster.scene import Scene, SceneReader, open_scene
from tests.made import ORIGIN, make_pair, write_raster

HOW = Degradation.alike([0.3], 0.15)


def coordinate_scene(folder: Path, ratio: float, offset: tuple[float, float], side: int = 160) -> Scene:
    """A scene whose pixels, in PAN and MS alike, say where on PAN their centres lie: row + 7 col."""
    x, y = ORIGIN
    coarse = int(side / ratio)
    fine = np.arange(side) + 0.5
    rows, cols = (o + ratio * (np.arange(coarse) + 0.5) for o in offset)
    pan = (fine[:, None] + 7 * fine[None])[None].astype(np.float32)
    ms = (rows[:, None] + 7 * cols[None])[None].astype(np.float32)
    transform = from_origin(x + offset[1], y - offset[0], ratio, ratio)
    return open_scene(
        write_raster(folder / "fine.tif", pan), write_raster(folder / "coarse.tif", ms, transform=transform)
    )


def read(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    with SceneReader(scene) as reader:
        return reader.read_pan(scene.grid.rect)[0][0], reader.read_ms(scene.ms_grid.rect)[0][0]


@pytest.mark.parametrize(
    ("ratio", "offset"),
    [(4, (0, 0)), (2, (-0.5, -0.5)), (4.000245, (1.25, -2.5)), (2, (0.5, 7.0)), (3, (-4.0, 0.0))],
)
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, -0.75)])
def test_the_coarse_pair_keeps_its_relation_and_its_place(
    tmp_path: Path, ratio: float, offset: tuple[float, float], shift: tuple[float, float]
) -> None:
    scene = coordinate_scene(tmp_path, ratio, offset)
    coarse = reduce_scene(scene, replace(HOW, shift=shift), tmp_path)
    assert coarse.grid.shape == scene.ms_grid.shape
    assert coarse.relation.ratio == pytest.approx(scene.relation.ratio)
    at = [(have - want) / ratio for have, want in zip(coarse.relation.offset, offset, strict=True)]
    assert at == pytest.approx([round(value) for value in at], abs=1e-3)
    pan, ms = read(coarse)
    # Both hold PAN coordinates of the scene, as far as their kernels did not meet a rim.
    inner = slice(6, -6)
    start = [o + r / 2 + s for o, r, s in zip(offset, (ratio, ratio), shift, strict=True)]
    rows, cols = (start[axis] + ratio * np.arange(pan.shape[axis]) for axis in (0, 1))
    np.testing.assert_allclose(pan[inner, inner], (rows[:, None] + 7 * cols[None])[inner, inner], atol=0.004)
    inner = slice(3, -3)
    centres = [
        o + ratio * (c + r * (np.arange(n) + 0.5) + s)
        for o, c, r, n, s in zip(
            offset, coarse.relation.offset, coarse.relation.ratio, ms.shape, shift, strict=True
        )
    ]
    expected = centres[0][:, None] + 7 * centres[1][None]
    np.testing.assert_allclose(ms[inner, inner], expected[inner, inner], atol=0.02)


def test_holes_stay_holes_and_do_not_bleed(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("pair", "whole", "holed")]
    for folder in folders:
        folder.mkdir()
    scene = open_scene(*make_pair(folders[0]))
    whole = read(reduce_scene(scene, Degradation.alike([0.3] * 4, 0.15), folders[1]))
    with SceneReader(scene) as reader:
        fine, coarse = reader.read_pan(scene.grid.rect)[0], reader.read_ms(scene.ms_grid.rect)[0]
    fine, coarse = fine.copy(), coarse.copy()
    fine[:, :80, :80] = 60000
    coarse[:, 40:, 40:] = 60000
    holed = open_scene(
        write_raster(tmp_path / "pan_holes.tif", fine, nodata=60000),
        write_raster(
            tmp_path / "ms_holes.tif",
            coarse,
            nodata=60000,
            transform=from_origin(*ORIGIN, 4, 4),
            photometric="MINISBLACK",
        ),
    )
    reduced = read(reduce_scene(holed, Degradation.alike([0.3] * 4, 0.15), folders[2]))
    for image, reference, hole in zip(reduced, whole, [np.s_[:19, :19], np.s_[11:, 11:]], strict=True):
        assert np.isnan(image[hole]).all()
        assert np.isfinite(image).mean() > 0.5
        assert np.nanmax(image) < 3000
        far = np.s_[30:, 30:] if len(image) == 64 else np.s_[:6, :6]
        np.testing.assert_array_equal(image[far], reference[far])


def test_what_is_known_of_the_bands_stays_known(tmp_path: Path) -> None:
    scene = open_scene(*make_pair(tmp_path), sensor="ikonos")
    (tmp_path / "coarse").mkdir()
    coarse = reduce_scene(scene, table_degradation(scene), tmp_path / "coarse")
    assert coarse.sensor == scene.sensor
    assert [(band.name, band.optics) for band in coarse.bands] == [
        (band.name, band.optics) for band in scene.bands
    ]


def test_a_scene_too_small_to_be_coarsened_is_refused(tmp_path: Path) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(12, 64)))
    with pytest.raises(PairError, match="16 x 3 pixels"):
        reduce_scene(scene, Degradation.alike([0.3] * 4, 0.15), tmp_path)
