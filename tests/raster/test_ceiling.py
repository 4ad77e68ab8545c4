"""Where MS is cut off, told by its own pixels, and nothing told of pixels that do not show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geosharp.raster.ceiling import find_ceiling, read_ceiling
from geosharp.raster.scene import open_scene
from tests.made import ORIGIN, make_pair, write_raster
from tests.raster.made_saturated import saturate
from tests.raster.made_sensor import write_sensor


def draw(top: int, dtype: str, step: int = 1) -> np.ndarray:
    """Values of which a hundredth would be beyond `top`, cut off there, all multiples of `step`."""
    values = np.random.default_rng(0).gamma(4.0, 1.0, 50_000)
    values *= top / np.quantile(values, 0.99)
    return (np.minimum(values, top) // step * step).astype(dtype)


@pytest.mark.parametrize(
    ("top", "dtype"), [(127, "uint8"), (255, "uint16"), (2047, "uint16"), (4095, "int16"), (2047, "uint32")]
)
def test_values_that_pile_up_at_the_top_of_fewer_bits_than_the_type_has_end_there(
    top: int, dtype: str
) -> None:
    assert read_ceiling(draw(top, dtype)) == top


def test_where_low_bits_were_dropped_the_last_step_is_the_top() -> None:
    assert read_ceiling(draw(2047, "uint16", step=8)) == 2040


@pytest.mark.parametrize(
    "values",
    [
        draw(255, "uint8"),
        draw(2046, "uint16"),
        draw(2000, "uint16"),
        np.append(draw(2047, "uint16"), np.uint16(2048)),
        np.minimum(np.arange(3000) // 2, 2047).astype(np.uint16),
        # As many at the top as at each value beneath: an even spread, which ends there by chance.
        np.repeat(np.arange(2048, dtype=np.uint16), 20),
        # Few pixels, as of any scene's brightest roof.
        np.append(np.arange(1900, dtype=np.uint16), np.full(15, 2047, np.uint16)),
        np.repeat(np.array([0, 1], np.uint16), 500),
        np.empty(0, np.uint16),
    ],
    ids=["type's end", "below", "no top", "beyond", "no pile", "even", "few", "labels", "none"],
)
def test_other_values_end_nowhere(values: np.ndarray) -> None:
    assert read_ceiling(values) is None


def test_a_scene_s_bands_are_looked_at_together(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    assert find_ceiling(open_scene(pan, ms)) is None
    saturate(ms)
    assert find_ceiling(open_scene(pan, ms)) == 2047
    with rasterio.open(ms, "r+") as raster:
        data = raster.read()
        data[0, 5, 5] = 2048
        raster.write(data)
    assert find_ceiling(open_scene(pan, ms)) is None
    assert find_ceiling(open_scene(pan, ms, bands=[2, 3])) == 2047


def test_invalid_pixels_tell_nothing(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, ms_profile={"nodata": 65535})
    saturate(ms)
    with rasterio.open(ms, "r+") as raster:
        data = raster.read()
        data[:, :9] = 65535
        raster.write(data)
    assert find_ceiling(open_scene(pan, ms)) == 2047


def test_what_is_declared_goes_before(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    saturate(ms)
    for bits in (12, 16):
        file = write_sensor(tmp_path, "blue", "green", "red", "nir", head=f"bits = {bits}")
        assert find_ceiling(open_scene(pan, ms, sensor=file)) is None
    with rasterio.open(ms) as raster:
        data = raster.read()
    transform = from_origin(*ORIGIN, 4.0, 4.0)
    twelve = write_raster(tmp_path / "m12.tif", data, transform=transform, nbits=12, photometric="MINISBLACK")
    assert find_ceiling(open_scene(pan, twelve)) is None


def test_floats_have_no_bits(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, dtype="float32")
    saturate(ms)
    assert find_ceiling(open_scene(pan, ms)) is None


def test_it_is_the_same_wherever_calibration_has_put_ms(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(2800, 320))
    saturate(ms, share=0.001)
    scene = open_scene(pan, ms)
    assert find_ceiling(scene.aligned((3.0, -4.0))) == find_ceiling(scene) == 2047
