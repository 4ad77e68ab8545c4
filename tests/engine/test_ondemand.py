from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geosharp.engine.methods import METHODS
from geosharp.engine.ondemand import MethodReader
from geosharp.engine.plan import Limits
from geosharp.engine.preparation import plan_fusion
from geosharp.raster.area import Area
from geosharp.raster.fused import FusedReader, open_fused
from geosharp.raster.grid import Rect
from geosharp.raster.scene import open_scene
from tests.made import make_pair
from tests.quick import fuse


@pytest.mark.parametrize("method", ["exp", "glp", "brovey"])
def test_what_is_asked_for_is_what_the_file_would_hold(tmp_path: Path, method: str) -> None:
    pair = make_pair(tmp_path, pan_shape=(300, 340), ms_profile={"nodata": 0}, offset=(8.5, 4.0))
    scene = open_scene(*pair)
    image = open_fused(fuse(*pair, tmp_path / "out.tif", method=method, extent="pan").path, scene)
    setup = plan_fusion(scene, Area(scene.grid.rect), method, limits=Limits(tile=128))
    job = METHODS[method].make_job(setup, lambda _: None)
    with FusedReader(image) as file, MethodReader(setup, job) as reader:
        for rect in (Rect(130, 70, 90, 200), Rect(-5, 0, 40, 300), Rect(260, 320, 60, 40)):
            data, valid = reader.read(rect)
            expected, there = file.read(rect)
            assert data.dtype == expected.dtype
            mask = np.ones(expected.shape, bool) if there is None else there
            np.testing.assert_array_equal(np.ones(data.shape, bool) if valid is None else valid, mask)
            np.testing.assert_array_equal(data[mask], expected[mask])
