from __future__ import annotations

import numpy as np
import pytest

from geosharp.quality.report.pictures import Stretch, center, choose_renderings, find_stretch
from geosharp.raster.identity import SceneBand
from geosharp.raster.sensors import SENSORS, Band, match_bands


def bands_of(sensor: str, names: list[str | None]) -> list[SceneBand]:
    optics = match_bands(SENSORS[sensor], names, len(names))
    return [SceneBand(0, number, band.name, band) for number, band in enumerate(optics, 1)]


@pytest.mark.parametrize(
    ("sensor", "names", "expected"),
    [
        ("ikonos", [None] * 4, {"True colour": (2, 1, 0), "False colour": (3, 2, 1)}),
        ("worldview-2", [None] * 8, {"True colour": (4, 2, 1), "False colour": (6, 4, 2)}),
        ("unknown", ["red", "green", "blue"], {"True colour": (0, 1, 2)}),
        ("unknown", ["nir", "green", "red"], {"False colour": (0, 2, 1)}),
        ("unknown", [None] * 5, {"band1, band2, band3": (0, 1, 2)}),
        ("unknown", [None, None], {"band1": (0,)}),
        ("unknown", ["red", "nir"], {"red": (0,)}),
    ],
)
def test_colours_are_found_by_wavelength_else_the_first_bands_are_shown(
    sensor: str, names: list[str | None], expected: dict[str, tuple[int, ...]]
) -> None:
    assert choose_renderings(bands_of(sensor, names)) == expected


def test_a_bands_centre_is_in_the_middle_of_its_wavelengths() -> None:
    assert center(SceneBand(0, 1, "red", Band("red", (630.0, 690.0), 0.3))) == 660
    assert center(SceneBand(0, 1, "x", Band("x", None, 0.3))) is None


def test_black_and_white_are_percentiles_of_each_band() -> None:
    values = np.stack([np.arange(1001), 5 * np.arange(1001)])
    stretch = find_stretch(values)
    np.testing.assert_allclose(stretch.low, [20, 100])
    np.testing.assert_allclose(stretch.high, [980, 4900])
    picture = stretch.draw(np.array([[[0.0, 20, 500, 980, 5000]], [[0, 100, 2500, 4900, 9999]]]), (1, 0, 1))
    np.testing.assert_array_equal(picture[:, 0], [[0, 0, 128, 255, 255]] * 3)
    assert picture.dtype == np.uint8


def test_invalid_pixels_are_transparent() -> None:
    stretch = Stretch(np.zeros(2), np.full(2, 10.0))
    image = np.array([[[5.0, np.nan]], [[10.0, 3.0]]])
    grey = stretch.draw(image, (0,))
    assert grey.shape == (4, 1, 2)
    np.testing.assert_array_equal(grey[:, 0, 0], [128, 128, 128, 255])
    assert grey[3, 0, 1] == 0
    assert stretch.draw(image, (1,)).shape == (1, 1, 2)
    assert stretch.draw(image, (1, 0, 1))[3].tolist() == [[255, 0]]


def test_a_flat_band_and_no_values_at_all_are_drawn() -> None:
    assert find_stretch(np.full((1, 9), 7.0)).draw(np.full((1, 2, 2), 7.0), (0,)).max() == 0
    empty = find_stretch(np.zeros((1, 0)))
    assert empty.draw(np.full((1, 2, 2), np.nan), (0,))[3].max() == 0


@pytest.mark.parametrize("factor", [1e-35, 1.0, 1e35])
def test_values_of_any_size_are_stretched_alike(factor: float) -> None:
    values = factor * np.array([[0.0, 1.0, 2.0, 3.0]])
    drawn = Stretch(values.min(1), values.max(1)).draw(values[:, None].astype(np.float32), [0])
    assert drawn.tolist() == [[[0, 85, 170, 255]]]


def test_what_lies_far_beyond_the_stretch_is_black_or_white() -> None:
    far = np.array([[[-3.4e38, 3.4e38]]], np.float32)
    assert Stretch(np.array([-1e38]), np.array([2e38])).draw(far, [0]).tolist() == [[[0, 255]]]
