"""Laws of the made ground: the same for the same seed, 11 bit, spectra that tell the materials apart."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from geosharp.demo.ground import make_scene, paint_ground
from geosharp.demo.surface import CODE, FINE, render

SHAPE = (320, 384)
BLUE, GREEN, RED, NIR = range(4)


@cache
def scene_and_materials() -> tuple[np.ndarray, np.ndarray]:
    """A scene, and the material of each pixel that holds only one (255 elsewhere)."""
    rng = np.random.default_rng(5)
    surface = paint_ground(SHAPE, rng)
    blocks = surface.material.reshape(SHAPE[0], FINE, SHAPE[1], FINE)
    pure = (blocks == blocks[:, :1, :, :1]).all((1, 3))
    return render(surface, rng), np.where(pure, blocks[:, 0, :, 0], 255)


def spectrum(*names: str) -> np.ndarray:
    """Median DN of the pixels of some materials (band,)."""
    scene, materials = scene_and_materials()
    chosen = np.isin(materials, [CODE[name] for name in names])
    assert chosen.sum() > 20, f"hardly any {names}"
    return np.asarray(np.median(scene[:, chosen], axis=1))


def test_the_same_seed_gives_the_same_scene_and_another_another() -> None:
    first, again, other = make_scene((96, 128), 3), make_scene((96, 128), 3), make_scene((96, 128), 4)
    np.testing.assert_array_equal(first, again)
    assert np.corrcoef(first[RED].ravel(), other[RED].ravel())[0, 1] < 0.7


@pytest.mark.parametrize("shape", [(64, 64), (65, 203), (300, 100)])
def test_any_shape_is_11_bit_and_finite(shape: tuple[int, int]) -> None:
    scene = make_scene(shape, 0)
    assert scene.shape == (4, *shape)
    assert scene.dtype == np.float32
    assert np.isfinite(scene).all()
    assert scene.min() >= 0
    assert scene.max() <= 2047


def test_little_is_saturated_and_no_band_is_flat() -> None:
    scene, _ = scene_and_materials()
    assert (scene >= 2047).mean() < 0.01
    assert (scene.std((1, 2)) > 50).all()


def test_water_is_dark_in_near_infrared_and_vegetation_bright() -> None:
    water, plants = spectrum("water"), spectrum("grass", "leaves", "needles")
    assert water[NIR] < 0.25 * plants[NIR]
    assert water[NIR] < water[GREEN]
    assert plants[NIR] > 2 * plants[RED]


def test_ndvi_tells_vegetation_from_soil_from_roofs() -> None:
    def ndvi(*names: str) -> float:
        dn = spectrum(*names)
        return float((dn[NIR] - dn[RED]) / (dn[NIR] + dn[RED]))

    assert ndvi("leaves") > 0.4
    assert 0 < ndvi("soil", "dry soil") < 0.35
    assert ndvi("asphalt", "old asphalt", "concrete") < 0.15
    assert ndvi("water") < 0


def test_water_is_smooth_and_a_wood_is_rough() -> None:
    scene, materials = scene_and_materials()

    def roughness(name: str) -> float:
        both = (materials[:, 1:] == CODE[name]) & (materials[:, :-1] == CODE[name])
        step = np.abs(np.diff(scene[GREEN], axis=1))[both]
        return float(step.mean() / scene[GREEN][materials == CODE[name]].mean())

    assert roughness("water") < 0.03
    assert roughness("leaves") > 4 * roughness("water")


def test_every_kind_of_place_is_there() -> None:
    surface = paint_ground((400, 400), np.random.default_rng(3))
    present = np.bincount(surface.material.ravel(), minlength=len(CODE)) / surface.material.size
    least = {
        "water": 0.01,
        "leaves": 0.03,
        "asphalt": 0.01,
        "old asphalt": 0.01,
        "tiles": 0.002,
        "paint": 0.0005,
    }
    for name, share in least.items():
        assert present[CODE[name]] > share, name
    assert sum(present[CODE[name]] for name in CODE if name.endswith("car")) > 0.0005
    assert surface.height.max() > 10
