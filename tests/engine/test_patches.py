"""A tile is read with its halo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from geosharp.engine.patches import PatchReader
from geosharp.raster.grid import Rect
from geosharp.raster.scene import open_scene


def test_the_halo_is_around_the_tile(made_pair: tuple[Path, Path]) -> None:
    reader = PatchReader(open_scene(*made_pair), (8, 12))
    patch = reader.read(Rect(100, 60, 20, 30))
    reader.close()
    assert patch is not None
    assert patch.pan_rect == Rect(92, 48, 36, 54)
    with rasterio.open(made_pair[0]) as pan, rasterio.open(made_pair[1]) as ms:
        np.testing.assert_array_equal(patch.pan, pan.read()[:, 92:128, 48:102])
        rows, cols = patch.ms_rect.within(Rect(0, 0, 64, 64))
        np.testing.assert_array_equal(patch.ms, ms.read()[:, rows, cols])
    assert (patch.ms_rect.row, patch.ms_rect.stop_row) == (23, 32)
