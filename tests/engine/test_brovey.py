"""Brovey as a job: GDAL's pixels, our masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from geosharp.engine.brovey import BroveyJob
from geosharp.raster.area import Area
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import open_scene
from tests.made import make_pair

UINT16 = Pixels("uint16", (0.0, 65535.0), 0.0)


def test_an_invalid_tile_is_not_computed(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    with rasterio.open(pan, "r+") as raster:
        raster.nodata = 0
        data = raster.read()
        data[:, :128] = 0
        raster.write(data)
    scene = open_scene(pan, ms)
    job = BroveyJob(scene, None, Area(scene.area), UINT16, 1)
    reader = job.open_reader()
    assert reader.read(Rect(0, 0, 128, 128)) is None
    patch = reader.read(Rect(100, 0, 64, 64))
    reader.close()
    assert patch is not None
    fused = job.compute(Rect(100, 0, 64, 64), patch)
    assert fused is not None
    assert fused.valid is not None
    assert not fused.valid[:28].any()
    assert fused.valid[28:].all()
    assert (fused.data[:, :28] == 0).all()
    assert (fused.data[:, 28:] > 0).all()


def test_weights_change_the_result(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    results = []
    for weights in (None, [0.7, 0.1, 0.1, 0.1]):
        job = BroveyJob(scene, weights, Area(scene.area), UINT16, 1)
        reader = job.open_reader()
        patch = reader.read(scene.area)
        reader.close()
        assert patch is not None
        fused = job.compute(scene.area, patch)
        assert fused is not None
        results.append(fused.data)
    assert (results[0] != results[1]).mean() > 0.5


def test_a_wider_type_holds_the_same_values(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    stored = []
    for pixels in (UINT16, Pixels("float32", None, None), Pixels("uint8", (0.0, 255.0), None)):
        job = BroveyJob(scene, None, Area(scene.area), pixels, 1)
        reader = job.open_reader()
        patch = reader.read(scene.area)
        reader.close()
        assert patch is not None
        fused = job.compute(scene.area, patch)
        assert fused is not None
        stored.append(fused.data)
    np.testing.assert_array_equal(stored[0], stored[1])
    np.testing.assert_array_equal(np.minimum(stored[0], 255), stored[2])
