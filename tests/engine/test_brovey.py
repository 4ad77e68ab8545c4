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
from tests.made import make_pair, write_raster

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


def test_a_pixel_is_valid_in_all_bands_or_in_none(tmp_path: Path) -> None:
    """GDAL has no value where one band is invalid: what stands there must not pass for the others'."""
    pan, ms = make_pair(tmp_path, pan_shape=(128, 128), bands=2)
    with rasterio.open(ms) as raster:
        pixels, place = raster.read(), raster.transform
    pixels[0, 10:14, 10:14] = 60_000
    files = [
        write_raster(tmp_path / f"{i}.tif", pixels[i : i + 1], nodata=nodata, transform=place)
        for i, nodata in enumerate((60_000, 60_001))
    ]
    scene = open_scene(pan, files)
    job = BroveyJob(scene, None, Area(scene.area), UINT16, 1)
    reader = job.open_reader()
    patch = reader.read(scene.area)
    reader.close()
    assert patch is not None
    fused = job.compute(scene.area, patch)
    assert fused is not None
    assert fused.valid is not None
    hole = np.zeros((128, 128), bool)
    hole[40:56, 40:56] = True
    np.testing.assert_array_equal(fused.valid, ~hole)
    assert (fused.data[:, hole] == 0).all()
    assert fused.data[:, ~hole].min() > 0
    assert fused.data[:, ~hole].max() < 4000


def test_valid_pixels_that_gdal_cannot_interpolate_are_told(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(128, 128), ms_profile={"nodata": 0})
    with rasterio.open(ms, "r+") as raster:
        pixels = raster.read()
        alone = pixels[:, 10, 10].copy()
        pixels[:, 5:16, 5:16] = 0
        pixels[:, 10, 10] = alone
        raster.write(pixels)
    scene = open_scene(pan, ms)
    job = BroveyJob(scene, None, Area(scene.area), UINT16, 1)
    reader = job.open_reader()
    patch = reader.read(scene.area)
    reader.close()
    assert patch is not None
    fused = job.compute(scene.area, patch)
    assert fused is not None
    assert fused.valid is not None
    np.testing.assert_array_equal(fused.valid, (fused.data > 0).all(0))
    assert not fused.valid[40:44, 40:44].any()
    assert fused.data[:, fused.valid].min() > 20


def test_values_end_at_the_limits_of_ms_s_own_type_too(made_pair: tuple[Path, Path]) -> None:
    """GDAL knows of no ceiling but declared bits."""
    scene = open_scene(*made_pair)
    made = []
    for limits in ((0.0, 65535.0), (0.0, 700.0)):
        job = BroveyJob(scene, None, Area(scene.area), Pixels("uint16", limits, 0.0), 1)
        reader = job.open_reader()
        patch = reader.read(scene.area)
        reader.close()
        assert patch is not None
        fused = job.compute(scene.area, patch)
        assert fused is not None
        made.append(fused.data)
    assert made[0].max() > 700
    assert np.array_equal(made[1], np.minimum(made[0], 700))
