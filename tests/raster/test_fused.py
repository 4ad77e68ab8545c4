from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
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


def write_named(path: Path, names: list[str | None]) -> Path:
    """A result whose band i holds i, with these names."""
    image = np.repeat(np.arange(len(names), dtype=np.uint16), 40 * 50).reshape(-1, 40, 50)
    written = write_raster(path, image, photometric="MINISBLACK", nodata=7)
    with rasterio.open(written, "r+") as raster:
        for number, name in enumerate(names, 1):
            if name is not None:
                raster.set_band_description(number, name)
    return written


@pytest.mark.parametrize(
    ("bands", "names", "order"),
    [
        (None, ["nir", "Red", " green", "blue"], [3, 2, 1, 0]),
        (None, ["blue", "green", "red", "nir"], [0, 1, 2, 3]),
        (None, [None, None, None, None], [0, 1, 2, 3]),
        (None, ["B0", "B1", "B2", "B3"], [0, 1, 2, 3]),
        ([3, 1], ["blue", "green", "red", "nir"], [2, 0]),
        ([3, 1], ["red", "blue"], [0, 1]),
    ],
)
def test_bands_are_taken_by_their_names_where_all_are_named(
    tmp_path: Path, made_pair: tuple[Path, Path], bands: list[int] | None, names: list[str], order: list[int]
) -> None:
    scene = open_scene(*made_pair, bands=bands, sensor="ikonos")
    with FusedReader(open_fused(write_named(tmp_path / "fused.tif", names), scene)) as reader:
        data, valid = reader.read(Rect(30, 0, 20, 20))
    assert data[:, 0, 0].tolist() == order
    assert valid is not None
    assert valid.shape == data.shape


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nir", "red", "green", None], "nir as band 1 of the result"),
        (["blue", "red", None, None], "red as band 2 of the result"),
        (["nir"], "1 band in the result and 4 in MS"),
        ([None] * 5, "5 bands in the result and 4 in MS"),
    ],
)
def test_names_that_contradict_the_order_are_refused(
    tmp_path: Path, made_pair: tuple[Path, Path], names: list[str | None], message: str
) -> None:
    scene = open_scene(*made_pair, sensor="ikonos")
    with pytest.raises(PairError, match=message) as refusal:
        open_fused(write_named(tmp_path / "fused.tif", names), scene)
    assert "--bands" in refusal.value.remedy
