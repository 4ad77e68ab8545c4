"""Laws of light on a painted surface: shadows away from the sun, slopes, materials, smooth noise."""

from __future__ import annotations

import numpy as np
import pytest

from geosharp.demo.surface import CODE, FINE, MATERIALS, Surface, noise, render


def plain(material: str, shape: tuple[int, int] = (64, 64)) -> Surface:
    painted = shape[0] * FINE, shape[1] * FINE
    return Surface(
        np.full(painted, CODE[material], np.uint8),
        np.zeros(painted, np.float32),
        np.zeros(painted, np.float32),
    )


def seen(surface: Surface) -> np.ndarray:
    return render(surface, np.random.default_rng(0))


def test_a_plain_shows_its_material_and_a_brighter_one_shows_brighter() -> None:
    reflectance = {name: np.array(row[:4]) for name, row in MATERIALS.items()}
    for darker, brighter in (("asphalt", "concrete"), ("concrete", "paint"), ("water", "grass")):
        low, high = seen(plain(darker)).mean((1, 2)), seen(plain(brighter)).mean((1, 2))
        brightens = reflectance[brighter] > reflectance[darker]
        assert ((high > low) == brightens).all()


def test_a_tower_throws_its_shadow_up_and_left_and_a_higher_one_a_longer_shadow() -> None:
    lengths = []
    for height in (6, 18):
        surface = plain("paint")
        surface.height[80:84, 80:84] = height
        red = seen(surface)[2]
        dark = red < 0.5 * np.median(red)
        rows, cols = np.nonzero(dark)
        assert rows.max() <= 42
        assert cols.max() <= 42
        lengths.append(np.hypot(41 - rows.min(), 41 - cols.min()))
    # The sun's elevation has tangent 1, so that a shadow is as long as its tower is high.
    assert lengths == pytest.approx([6, 18], abs=2)


def test_a_slope_towards_the_sun_is_brighter_than_one_away_from_it() -> None:
    surface = plain("grey car")
    across = np.abs(np.arange(64) - 31.5)[None, :]
    surface.height[30:90, 32:96] = 14 - 0.3 * across / FINE
    red = seen(surface)[2][20:40, 20:44]
    away, towards = red[:, :10].mean(), red[:, 14:].mean()
    assert towards > 1.15 * away


def test_shadow_is_bluer_than_sunlight() -> None:
    under = []
    for material in ("white car", "grey car"):
        surface = plain(material)
        surface.height[:, 100:] = 20
        under.append(seen(surface))
    # The haze, which is blue as well, is the same over both.
    light = under[0] - under[1]
    shaded, lit = light[:, 20:40, 42:46].mean((1, 2)), light[:, 20:40, 2:8].mean((1, 2))
    assert shaded[0] / shaded[3] > 1.3 * lit[0] / lit[3]


@pytest.mark.parametrize("cell", [2, 10])
def test_noise_has_unit_variance_and_its_grain(cell: int) -> None:
    image = noise((400, 300), cell, np.random.default_rng(1))
    assert image.shape == (400, 300)
    assert image.dtype == np.float32
    assert image.std() == pytest.approx(1, abs=0.25)
    near = np.corrcoef(image[:, 1:].ravel(), image[:, :-1].ravel())[0, 1]
    far = np.corrcoef(image[:, 4 * cell :].ravel(), image[:, : -4 * cell].ravel())[0, 1]
    assert near > 0.7
    assert abs(far) < 0.25


def test_the_turned_surface_is_the_same_surface() -> None:
    surface = plain("grass", (20, 30))
    surface.turned().material[5, 7] = CODE["water"]
    assert surface.material[7, 5] == CODE["water"]
    assert surface.size == (20, 30)
    assert surface.at((7 / FINE, 5 / FINE)) == CODE["water"]
    assert surface.at((-1, 5)) == CODE["water"]


def test_a_rectangle_covers_its_area_wherever_it_lies() -> None:
    surface = plain("grass")
    index, along, across, inside = surface.rectangle((30.3, 28.9), 0.7, (12, 5))
    assert surface.material[index].shape == along.shape == across.shape
    assert inside.sum() / FINE**2 == pytest.approx(24 * 10, rel=0.03)
    index, *_, inside = surface.rectangle((-50, 200), 0.7, (12, 5))
    assert surface.material[index].size == inside.size == 0
