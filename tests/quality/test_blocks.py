"""Laws of the Q indices: hypercomplex arithmetic by hand, and which blocks count."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from geosharp.quality import metrics
from geosharp.quality.blocks import Uqi, product_signs
from geosharp.quality.windows import cut_window
from tests.quality.images import made_image, noisy

Hyper = tuple[float, ...]


def product(x: Hyper, y: Hyper) -> Hyper:
    """Complex, Hamilton's quaternion and octonion product, by hand."""
    if len(x) == 2:
        (a, b), (c, d) = x, y
        return (a * c - b * d, a * d + b * c)
    if len(x) == 4:
        (a, b, c, d), (e, f, g, h) = x, y
        return (
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        )
    p, q, r, s = x[:4], x[4:], y[:4], y[4:]
    low = zip(product(p, r), product(conjugate(s), q), strict=True)
    high = zip(product(s, p), product(q, conjugate(r)), strict=True)
    return (*(left - right for left, right in low), *(left + right for left, right in high))


def conjugate(x: Hyper) -> Hyper:
    return (x[0], *(-part for part in x[1:]))


def pixels(block: np.ndarray, components: int) -> Iterator[Hyper]:
    missing = (0.0,) * (components - len(block))
    for spectrum in block.reshape(len(block), -1).T.tolist():
        yield (*spectrum, *missing)


def q_by_hand(x: list[Hyper], y: list[Hyper]) -> float:
    def mean(values: list[Hyper]) -> Hyper:
        return tuple(np.mean(values, axis=0).tolist())

    def square(value: Hyper) -> float:
        return sum(part**2 for part in value)

    unbiased = len(x) / (len(x) - 1)
    mean_x, mean_y = mean(x), mean(y)
    together = mean([product(a, conjugate(b)) for a, b in zip(x, y, strict=True)])
    apart = product(mean_x, conjugate(mean_y))
    covariance = [unbiased * (a - b) for a, b in zip(together, apart, strict=True)]
    variances = [unbiased * (np.mean([square(a) for a in v]) - square(mean(v))) for v in (x, y)]
    bias = 2 * math.sqrt(square(mean_x) * square(mean_y)) / (square(mean_x) + square(mean_y))
    return float(bias * 2 * math.sqrt(square(tuple(covariance))) / sum(variances))


@pytest.mark.parametrize(("bands", "components"), [(2, 2), (3, 4), (4, 4), (7, 8), (8, 8)])
@pytest.mark.parametrize("normalise", [False, True])
def test_q2n_is_the_hypercomplex_quality_by_hand(bands: int, components: int, normalise: bool) -> None:
    image = made_image(bands, (32, 32)).astype(float)
    # The bands trade places in part, so that the imaginary parts do not vanish.
    fused = 0.7 * image + 0.3 * np.roll(image, 1, axis=0) + noisy(np.zeros_like(image), 30) + 40
    x, y = list(pixels(image, components)), list(pixels(fused, components))
    if normalise:
        mean, scale = image.mean((1, 2)), image.std((1, 2), ddof=1)
        mean = np.append(mean, np.zeros(components - bands))
        scale = np.append(scale, np.ones(components - bands))
        x, y = ([tuple((np.array(p) - mean) / scale + 1) for p in v] for v in (x, y))
    expected = q_by_hand(x, y)
    assert expected < 0.95
    assert metrics.q2n(image, fused, normalise=normalise) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("components", [2, 4, 8])
def test_product_signs_are_those_of_the_product_by_hand(components: int) -> None:
    signs = product_signs(components)
    units = [tuple(row) for row in np.eye(components).tolist()]
    for i, j in np.ndindex(components, components):
        expected = np.zeros(components)
        expected[i ^ j] = signs[i, j]
        assert product(units[i], units[j]) == tuple(expected)


def test_q2n_of_one_band_is_block_uqi_and_normalised_that_of_normalised_blocks() -> None:
    image, fused = (
        made_image(bands=1, shape=(64, 32)).astype(float),
        noisy(made_image(bands=1, shape=(64, 32)), 40),
    )
    assert metrics.q2n(image, fused, normalise=False) == pytest.approx(metrics.uqi(image, fused), abs=1e-12)
    scores = []
    for rows in (slice(0, 32), slice(32, 64)):
        mean, scale = image[:, rows].mean(), image[:, rows].std(ddof=1)
        x, y = ((a[:, rows] - mean) / scale + 1 for a in (image, fused))
        scores.append(metrics.uqi(x, y))
    assert metrics.q2n(image, fused) == pytest.approx(np.mean(scores), abs=1e-12)


def test_normalised_q2n_does_not_depend_on_gain_and_offset_of_a_band() -> None:
    image, fused = made_image(), noisy(made_image(), 40)
    gain, offset = np.array([1, 2, 0.5, 3])[:, None, None], np.array([0, 100, -50, 7])[:, None, None]
    moved = metrics.q2n(gain * image + offset, gain * fused + offset)
    assert moved == pytest.approx(metrics.q2n(image, fused), abs=1e-9)


def test_block_metrics_mirror_a_partial_block() -> None:
    image, fused = (
        made_image(shape=(96, 128))[:, :80, :70],
        noisy(made_image(shape=(96, 128)), 40)[:, :80, :70],
    )
    whole = [np.pad(a, ((0, 0), (0, 16), (0, 26)), mode="symmetric") for a in (image, fused)]
    for metric in (metrics.q2n, metrics.uqi):
        assert metric(image, fused) == metric(*whole)
        assert 0 < metric(image[:, :5, :7], fused[:, :5, :7]) < 1


def test_a_block_with_one_invalid_pixel_is_left_out() -> None:
    image, fused = made_image(shape=(32, 96)), noisy(made_image(shape=(32, 96)), 40)
    valid = np.ones((32, 96), bool)
    valid[31, 40] = False
    for metric in (metrics.q2n, metrics.uqi):
        kept = metric(image[:, :, :32], fused[:, :, :32]), metric(image[:, :, 64:], fused[:, :, 64:])
        assert metric(image, fused, valid) == pytest.approx(sum(kept) / 2, abs=1e-12)


def test_flat_blocks_score_by_their_means() -> None:
    flat = np.full((1, 32, 32), 0.1)
    for metric in (metrics.q2n, metrics.uqi):
        assert metric(flat, flat) == 1
    assert metrics.uqi(flat, 3 * flat) == pytest.approx(2 * 3 / (1 + 9))
    assert metrics.uqi(0 * flat, 0 * flat) == 1


def test_uqi_per_band_is_that_of_each_band_alone() -> None:
    image, fused = made_image(bands=3), noisy(made_image(bands=3), 40)
    score = Uqi()
    score.add(cut_window(image, fused))
    alone = [metrics.uqi(image[band : band + 1], fused[band : band + 1]) for band in range(3)]
    assert score.per_band() == pytest.approx(alone, abs=1e-12)
    assert len(set(alone)) == 3


def test_uqi_of_smaller_blocks_is_the_mean_over_them() -> None:
    image, fused = made_image(bands=1, shape=(16, 24)), noisy(made_image(bands=1, shape=(16, 24)), 40)
    score = Uqi(8)
    score.add(cut_window(image, fused))
    expected = []
    for row, col in np.ndindex(2, 3):
        block = np.s_[0, row * 8 : row * 8 + 8, col * 8 : col * 8 + 8]
        x, y = image[block].astype(float), fused[block]
        covariance = np.mean((x - x.mean()) * (y - y.mean()))
        quality = 4 * covariance * x.mean() * y.mean()
        expected.append(quality / ((x.var() + y.var()) * (x.mean() ** 2 + y.mean() ** 2)))
    assert score.result() == pytest.approx(np.mean(expected), abs=1e-12)
