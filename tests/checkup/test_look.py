"""A look is of one size however large the scene, and sees all of a small one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geosharp.checkup.look import take_look
from geosharp.raster.scene import open_scene
from tests.made import ORIGIN, make_pair, write_raster


@pytest.mark.parametrize(("shape", "ratio"), [((256, 256), 4), ((200, 312), 4), ((128, 256), 2)])
def test_a_small_scene_is_seen_whole_and_in_order(tmp_path: Path, shape: tuple[int, int], ratio: int) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=shape, ratio=ratio)
    look = take_look(open_scene(pan, ms))
    with rasterio.open(ms) as coarse, rasterio.open(pan) as fine:
        rows, cols = look.ms.shape[1:]
        assert (look.ms == coarse.read()[:, :rows, :cols]).all()
        assert (look.pan == fine.read(1)[: rows * ratio, : cols * ratio]).all()
    assert look.share > 0.95
    assert look.pan.shape == (rows * ratio, cols * ratio)
    assert look.valid.all()


def test_a_large_scene_is_sampled_all_over(tmp_path: Path) -> None:
    """Coordinates as values: windows come from one end to the other."""
    size = 1200
    image = np.arange(size, dtype=np.uint16)[:, None].repeat(size, 1)
    ms = write_raster(tmp_path / "ms.tif", image[None], transform=from_origin(*ORIGIN, 2, 2))
    pan = write_raster(tmp_path / "pan.tif", np.zeros((1, 2 * size, 2 * size), np.uint8))
    look = take_look(open_scene(pan, ms))
    assert look.windows == (8, 8)
    assert look.ms.shape == (1, 512, 512)
    seen = look.ms[0, :, 0]
    assert (seen[0], seen[-1]) == (0, size - 1)
    assert (np.diff(seen.astype(int)) > 0).all()
    assert look.share == pytest.approx(512**2 / size**2)


def test_what_is_invalid_stays_so_and_is_no_value(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, ms_profile={"nodata": 0})
    with rasterio.open(ms, "r+") as raster:
        data = raster.read()
        data[1, :16, :16] = 0
        raster.write(data)
    look = take_look(open_scene(pan, ms))
    assert (~look.valid).sum() == 256
    assert len(look.values(1)) == look.valid.size - 256
    assert len(look.values(0)) == look.valid.size
    assert look.pan_values.size == look.pan.size


def test_cut_gives_the_windows_back(tmp_path: Path) -> None:
    look = take_look(open_scene(*make_pair(tmp_path, pan_shape=(512, 300), ratio=2)))
    parts = look.cut(look.ms[0])
    assert len(parts) == look.windows[0] * look.windows[1]
    height, width = parts.shape[1:]
    assert (parts[1] == look.ms[0, :height, width : 2 * width]).all()
