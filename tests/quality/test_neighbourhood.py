"""Laws of scores of neighbourhoods: each is its formula, computed here the slow way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geosharp.quality import metrics
from geosharp.quality.neighbourhood import LocalCorrelation, Ssim
from geosharp.quality.windows import cut_window, score_once
from tests.quality.images import made_image, noisy


def test_scc_is_one_cosine_of_zero_padded_sobel_magnitudes() -> None:
    image, fused = made_image(bands=2, shape=(9, 7)), noisy(made_image(bands=2, shape=(9, 7)), 60)
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])

    def edges(stack: np.ndarray) -> np.ndarray:
        padded = np.pad(stack.astype(float), ((0, 0), (1, 1), (1, 1)))
        found = np.zeros(stack.shape)
        for band, row, col in np.ndindex(stack.shape):
            window = padded[band, row : row + 3, col : col + 3]
            found[band, row, col] = math.hypot((window * kernel).sum(), (window * kernel.T).sum())
        return found

    def cosine(x: np.ndarray, y: np.ndarray) -> float:
        return float((x * y).sum() / math.sqrt((x * x).sum() * (y * y).sum()))

    x, y = edges(image), edges(fused)
    assert metrics.scc(image, fused) == pytest.approx(cosine(x, y), abs=1e-12)
    valid, touched = np.ones((9, 7), bool), np.zeros((9, 7), bool)
    valid[2, 6], touched[1:4, 5:] = False, True
    expected = cosine(x[:, ~touched], y[:, ~touched])
    assert metrics.scc(image, fused, valid) == pytest.approx(expected, abs=1e-12)


def test_ssim_of_one_window_is_the_formula() -> None:
    image, fused = made_image(bands=1, shape=(11, 11)), noisy(made_image(bands=1, shape=(11, 11)), 60)
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    x, y, peak = image[0].astype(float), fused[0], float(image.max())
    mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
    var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
    covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    expected = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    expected /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    assert metrics.ssim(image, fused) == pytest.approx(expected, abs=1e-12)


def test_ssim_in_strips_is_the_mean_over_all_windows() -> None:
    image, fused = made_image(bands=1, shape=(75, 40)), noisy(made_image(bands=1, shape=(75, 40)), 60)
    fused[0, 0, 0], image[0, :, :] = 1, image[0] // 2
    peak = image.max()
    windows = []
    for row in range(75 - 10):
        rows = slice(row, row + 11)
        # A strip of one window's height, given the whole image's peak through a second band that is perfect.
        pair = [np.stack([band[0, rows], np.full((11, 40), peak)]) for band in (image, fused)]
        windows.append(2 * metrics.ssim(*pair) - 1)
    assert metrics.ssim(image, fused) == pytest.approx(np.mean(windows), abs=1e-9)


def test_ssim_of_a_black_reference_is_nan_without_a_warning() -> None:
    image = made_image()
    assert math.isnan(metrics.ssim(0 * image, image))
    assert math.isnan(score_once(Ssim(0.0), cut_window(image, image)))


@pytest.mark.parametrize("side", [2, 4, 5])
def test_local_correlation_is_the_mean_over_whole_valid_windows(side: int) -> None:
    image, fused = made_image(bands=2, shape=(45, 21)), noisy(made_image(bands=2, shape=(45, 21)), 60)
    valid = np.ones((45, 21), bool)
    valid[40, 3] = valid[0, 0] = False
    found = []
    for band, row, col in np.ndindex(2, 45 - side + 1, 21 - side + 1):
        window = np.s_[row : row + side, col : col + side]
        if valid[window].all():
            found.append(np.corrcoef(image[band][window].ravel(), fused[band][window].ravel())[0, 1])
    score = score_once(LocalCorrelation(side), cut_window(image, fused, valid))
    assert score == pytest.approx(np.mean(found), abs=1e-9)


@pytest.mark.parametrize(("level", "side"), [(60_000, 4), (0.7, 5), (1234.567, 6)])
def test_flat_windows_of_the_reference_say_nothing_and_flat_ones_of_the_image_correlate_not(
    level: float, side: int
) -> None:
    image = np.full((1, 8, 16), float(level))
    image[:, :, :8] = made_image(bands=1, shape=(8, 8))
    mirrored, flat = -image, np.full_like(image, level)
    assert score_once(LocalCorrelation(side), cut_window(image, mirrored)) == pytest.approx(-1, abs=1e-9)
    assert score_once(LocalCorrelation(side), cut_window(image, flat)) == 0
    assert math.isnan(score_once(LocalCorrelation(side), cut_window(flat, image)))
