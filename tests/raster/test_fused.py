from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.transform import from_origin

from geosharp.errors import PairError
from geosharp.raster.fused import FusedReader, open_fused
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, open_scene
from tests.made import ORIGIN, make_pair, write_raster

IMAGE = np.arange(4 * 40 * 50, dtype=np.uint16).reshape(4, 40, 50)
X, Y = ORIGIN


@pytest.fixture(scope="module")
def scene(made_pair: tuple[Path, Path]) -> Scene:
    return open_scene(*made_pair)


def test_a_part_of_a_result_is_read_on_pans_pixels(tmp_path: Path, scene: Scene) -> None:
    part = write_raster(
        tmp_path / "part.tif", IMAGE, transform=from_origin(X + 30, Y - 20, 1, 1), photometric="MINISBLACK"
    )
    image = open_fused(part, scene)
    assert image.rect == Rect(20, 30, 40, 50)
    with FusedReader(image) as reader:
        data, valid = reader.read(Rect(25, 37, 5, 6))
        np.testing.assert_array_equal(data, IMAGE[:, 5:10, 7:13])
        assert valid is None
        _, valid = reader.read(Rect(15, 30, 10, 10))
    assert valid is not None
    assert not valid[:, :5].any()
    assert valid[:, 5:].all()


def test_without_georeference_a_result_covers_pan(tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    bare = {"transform": None, "crs": None}
    scene = open_scene(*make_pair(folder, pan_profile=bare, ms_profile=bare))
    image = np.zeros((4, 256, 256), np.uint16)
    fused = write_raster(tmp_path / "fused.tif", image, photometric="MINISBLACK", **bare)
    assert open_fused(fused, scene).rect == scene.grid.rect
    other = write_raster(tmp_path / "other.tif", image[:, :-1], photometric="MINISBLACK", **bare)
    with pytest.raises(PairError, match="256 x 255 pixels where PAN has 256 x 256"):
        open_fused(other, scene)
    placed = write_raster(tmp_path / "placed.tif", image, photometric="MINISBLACK")
    with pytest.raises(PairError, match="the result is georeferenced and PAN is not"):
        open_fused(placed, scene)


@pytest.mark.parametrize(
    ("bands", "profile", "message"),
    [
        (3, {}, "3 bands in the result and 4 in MS"),
        (4, {"transform": from_origin(X + 0.5, Y, 1, 1)}, "lie 0.5 PAN pixels beside"),
        (4, {"transform": from_origin(X, Y, 2, 2)}, "pixels of 2 where PAN's are 1"),
        (4, {"transform": from_origin(X + 5000, Y, 1, 1)}, "does not meet the common area"),
        (4, {"transform": Affine(1, 0, X, 0, 1, Y - 40)}, "beside PAN's"),
        (4, {"crs": "EPSG:32634"}, "CRS EPSG:32634 where PAN is in EPSG:32633"),
        (4, {"crs": None, "transform": None}, "PAN is georeferenced and the result is not"),
    ],
)
def test_what_is_no_result_of_the_scene_is_refused_by_the_reason(
    tmp_path: Path, scene: Scene, bands: int, profile: dict[str, object], message: str
) -> None:
    path = write_raster(tmp_path / "fused.tif", IMAGE[:bands], photometric="MINISBLACK", **profile)
    with pytest.raises(PairError, match=message) as refusal:
        open_fused(path, scene)
    assert str(path) in refusal.value.subject
