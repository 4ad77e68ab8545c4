"""A preview shows the right bands, stretched, transparent where the scene has no pixels."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from geosharp.errors import InputError, OutputError, UsageError
from geosharp.raster.output.preview import check_preview, write_png, write_preview
from tests.made import write_raster


def list_names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def read_png(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as raster:
            assert raster.driver == "PNG"
            return raster.read()


def make_scene(path: Path, count: int = 4, shape: tuple[int, int] = (100, 80)) -> np.ndarray:
    """Band n rises along another direction, so that each is known again after stretching."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    ramps = [rows, cols, rows[::-1], cols[:, ::-1]]
    data = np.stack(ramps[:count]).astype("uint16") * 10 + 100
    write_raster(path, data, photometric="MINISBLACK")
    return data


def follows(picture: np.ndarray, band: np.ndarray) -> bool:
    return bool(np.corrcoef(picture.ravel(), band.ravel())[0, 1] > 0.99)


@pytest.mark.parametrize("how", ["colours", "names", "order"])
def test_bands_are_chosen_by_what_is_known_of_them(tmp_path: Path, how: str) -> None:
    data = make_scene(tmp_path / "in.tif")
    with rasterio.open(tmp_path / "in.tif", "r+") as raster:
        if how == "colours":
            names = (ColorInterp.green, ColorInterp.red, ColorInterp.undefined, ColorInterp.blue)
            raster.colorinterp = names
        if how == "names":
            raster.descriptions = ("Green", "RED", "x", "blue")
    before = list_names(tmp_path)
    write_preview(tmp_path / "in.tif", tmp_path / "out.png")
    picture = read_png(tmp_path / "out.png")
    expected = [2, 1, 0] if how == "order" else [1, 0, 3]
    assert len(picture) == 3
    assert all(follows(layer, data[band]) for layer, band in zip(picture, expected, strict=True))
    assert list_names(tmp_path) == sorted([*before, "out.png"])


def test_bands_can_be_asked_for(tmp_path: Path) -> None:
    data = make_scene(tmp_path / "in.tif")
    write_preview(tmp_path / "in.tif", tmp_path / "out.png", bands=(4, 1, 2))
    picture = read_png(tmp_path / "out.png")
    assert all(follows(layer, data[band]) for layer, band in zip(picture, (3, 0, 1), strict=True))
    with pytest.raises(UsageError, match="from 1 to 4"):
        write_preview(tmp_path / "in.tif", tmp_path / "other.png", bands=(5, 1, 2))


@pytest.mark.parametrize("count", [1, 2])
def test_few_bands_give_grey(tmp_path: Path, count: int) -> None:
    data = make_scene(tmp_path / "in.tif", count)
    write_preview(tmp_path / "in.tif", tmp_path / "out.png")
    picture = read_png(tmp_path / "out.png")
    assert picture.shape == (1, 100, 80)
    assert follows(picture[0], data[0])


def test_the_stretch_spans_the_valid_pixels_only(tmp_path: Path) -> None:
    data = np.linspace(1000, 2000, 10_000).reshape(1, 100, 100).astype("float32")
    data[0, :10] = -9999
    data[0, 10, 0] = np.nan
    data[0, 99, 99] = 1e9
    write_raster(tmp_path / "in.tif", data, nodata=-9999)
    write_preview(tmp_path / "in.tif", tmp_path / "out.png")
    picture = read_png(tmp_path / "out.png")
    np.testing.assert_array_equal(picture[0], picture[2])
    assert not picture[3, :10].any()
    assert picture[3, 10, 0] == 0
    assert (picture[3, 11:] == 255).all()
    seen = picture[0, 11:]
    assert 0.005 < (seen == 0).mean() < 0.04
    assert 0.005 < (seen == 255).mean() < 0.04
    assert 100 < np.median(seen) < 155


def test_a_scene_without_valid_pixels_is_all_transparent(tmp_path: Path) -> None:
    write_raster(tmp_path / "in.tif", np.zeros((3, 20, 20), "uint16"), nodata=0)
    write_preview(tmp_path / "in.tif", tmp_path / "out.png")
    assert not read_png(tmp_path / "out.png").any()


@pytest.mark.parametrize(
    ("shape", "expected"), [((100, 80), (40, 32)), ((3, 300), (1, 40)), ((30, 30), (30, 30))]
)
def test_size_bounds_the_longer_side(
    tmp_path: Path, shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    make_scene(tmp_path / "in.tif", shape=shape)
    write_preview(tmp_path / "in.tif", tmp_path / "out.png", size=40)
    assert read_png(tmp_path / "out.png").shape == (3, *expected)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_png_reads_back(tmp_path: Path, count: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (count, 13, 21)).astype("uint8")
    (tmp_path / "out.png.aux.xml").write_text("stale")
    write_png(tmp_path / "out.png", image)
    np.testing.assert_array_equal(read_png(tmp_path / "out.png"), image)
    assert list_names(tmp_path) == ["out.png"]
    with pytest.raises(ValueError, match="not a uint8 picture"):
        write_png(tmp_path / "other.png", image.astype("uint16"))


def test_targets_are_refused_as_for_scenes(tmp_path: Path) -> None:
    make_scene(tmp_path / "in.tif")
    (tmp_path / "old.png").write_bytes(b"old")
    with pytest.raises(OutputError, match="--overwrite"):
        write_preview(tmp_path / "in.tif", tmp_path / "old.png")
    with pytest.raises(UsageError, match="same file"):
        check_preview(tmp_path / "old.png", overwrite=True, inputs=[tmp_path / "old.png"])
    with pytest.raises(UsageError, match=r"\.png"):
        write_preview(tmp_path / "in.tif", tmp_path / "out.jpg")
    with pytest.raises(InputError, match="cannot be read"):
        write_preview(tmp_path / "old.png", tmp_path / "new.png")
    with pytest.raises(OutputError, match=r"exists already .*in.tif is complete, only its preview failed"):
        write_preview(tmp_path / "in.tif", tmp_path / "old.png")
    write_preview(tmp_path / "in.tif", tmp_path / "old.png", overwrite=True)
    assert len(read_png(tmp_path / "old.png")) == 3
