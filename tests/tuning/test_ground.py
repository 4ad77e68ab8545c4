"""A scene is made ready with its own degradation, or refused with what it lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp.errors import PairError
from geosharp.imaging.degradation import Degradation
from geosharp.raster.scene import open_scene
from geosharp.tuning.ground import Ground, prepare
from tests.made import make_pair
from tests.tuning.made_ground import BLUR, SHAPE

PLAIN = Degradation.alike([0.3] * 3, 0.15)


def place(folder: Path) -> Path:
    made = folder / "coarse"
    made.mkdir()
    return made


def test_coarse_pan_lies_on_the_ms_and_both_keep_their_relation(ground: Ground) -> None:
    assert ground.coarse.grid.shape == ground.scene.ms_grid.shape
    assert ground.coarse.registration == ground.scene.registration == BLUR.shift
    for one, other in zip(ground.optics.axes, ground.coarse_optics.axes, strict=True):
        assert one.ratio == other.ratio
        # As far off by the same part of a coarse pixel.
        assert (one.offset - other.offset) % one.ratio == pytest.approx(0, abs=1e-6)


def test_the_guard_is_wider_than_any_kernel(ground: Ground) -> None:
    reach = max(BLUR.reach(ground.optics.axes))
    assert 4 * ground.places.guard > reach


def test_a_scene_too_small_is_refused_by_what_it_needs(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(256, 256), bands=3)
    with pytest.raises(PairError) as caught:
        prepare(open_scene(pan, ms), PLAIN, place(tmp_path))
    assert "64 x 64 MS pixels" in caught.value.found
    assert "80 x 80 valid MS pixels" in caught.value.needed


def test_a_scene_without_a_valid_block_is_refused(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=SHAPE, bands=3, ms_profile={"nodata": 0})
    with rasterio.open(ms, "r+") as raster:
        data = raster.read()
        data[:, ::7] = 0
        raster.write(data.astype(np.uint16))
    with pytest.raises(PairError, match="0 of 4 blocks"):
        prepare(open_scene(pan, ms), PLAIN, place(tmp_path))
