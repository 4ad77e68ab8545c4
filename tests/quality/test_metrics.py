"""Laws of the metrics: perfect is perfect, worse is worse, invalid pixels are silent, oracles agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from geosharp.errors import PairError
from geosharp.quality import metrics
from tests.made import texture

METRICS: dict[str, Callable[..., float]] = {
    "psnr": metrics.psnr,
    "psnr_per_band": metrics.psnr_per_band,
    "ergas": lambda reference, fused, valid=None: metrics.ergas(reference, fused, 4, valid),
    "sam": metrics.sam,
    "scc": metrics.scc,
    "ssim": metrics.ssim,
    "uqi": metrics.uqi,
    "q2n": metrics.q2n,
}
PERFECT = {"psnr": math.inf, "psnr_per_band": math.inf, "ergas": 0.0, "sam": 0.0}
SMALLER_IS_BETTER = {"ergas", "sam"}

every_metric = pytest.mark.parametrize("name", METRICS)


def made_image(bands: int = 4, shape: tuple[int, int] = (96, 128), seed: int = 0) -> np.ndarray:
    return np.stack([100 + 900 * texture(shape, seed + band) for band in range(bands)]).astype(np.uint16)


def noisy(image: np.ndarray, sigma: float, seed: int = 9) -> np.ndarray:
    return image + sigma * np.random.default_rng(seed).standard_normal(image.shape)


@every_metric
def test_an_image_equals_itself(name: str) -> None:
    image = made_image(bands=5)
    assert METRICS[name](image, image.copy()) == pytest.approx(PERFECT.get(name, 1.0), abs=1e-12)


@every_metric
def test_more_noise_is_worse(name: str) -> None:
    image = made_image()
    scores = [METRICS[name](image, noisy(image, sigma)) for sigma in (5, 20, 80)]
    assert scores == sorted(scores, reverse=name not in SMALLER_IS_BETTER)
    assert len(set(scores)) == 3


@every_metric
def test_what_stands_in_invalid_pixels_changes_nothing(name: str) -> None:
    image, valid = made_image(), np.ones((96, 128), bool)
    valid[20:40, 30:50] = False
    valid[90:, 5] = False
    clean, soiled = noisy(image, 20), noisy(image, 20)
    reference = image.astype(float)
    soiled[:, ~valid], reference[:, ~valid] = np.inf, 60_000
    soiled[0, ~valid] = np.nan
    assert METRICS[name](reference, soiled, valid) == METRICS[name](image, clean, valid)
    assert METRICS[name](image, clean, valid) != METRICS[name](image, clean)


@every_metric
def test_a_full_mask_is_no_mask(name: str) -> None:
    image = made_image()
    assert METRICS[name](image, noisy(image, 20), np.ones((96, 128), bool)) == METRICS[name](
        image, noisy(image, 20)
    )


@every_metric
def test_nothing_valid_is_nan(name: str) -> None:
    image = made_image()
    assert math.isnan(METRICS[name](image, noisy(image, 20), np.zeros((96, 128), bool)))


@every_metric
def test_integers_and_floats_score_alike(name: str) -> None:
    image, fused = made_image(), noisy(made_image(), 20).clip(0).astype(np.uint16)
    assert METRICS[name](image, fused) == METRICS[name](image.astype(np.float32), fused.astype(np.float64))


@every_metric
def test_shapes_that_differ_are_told(name: str) -> None:
    image = made_image()
    with pytest.raises(PairError, match=r"\(4, 96, 128\) and \(4, 96, 127\)"):
        METRICS[name](image, image[:, :, 1:])
    with pytest.raises(PairError, match="mask"):
        METRICS[name](image, image, np.ones((128, 96), bool))


def test_pooled_psnr_is_10_log10_of_peak_over_mse_and_per_band_is_never_less() -> None:
    image = made_image()
    fused = image + np.array([3.0, 6.0, 12.0, 24.0])[:, None, None]
    mse = (9 + 36 + 144 + 576) / 4
    peak = float(image.max())
    assert metrics.psnr(image, fused) == pytest.approx(10 * math.log10(peak**2 / mse), abs=1e-9)
    mean = np.mean([20 * math.log10(peak / error) for error in (3, 6, 12, 24)])
    assert metrics.psnr_per_band(image, fused) == pytest.approx(mean, abs=1e-9)
    assert mean > metrics.psnr(image, fused)


def test_sam_is_blind_to_brightness_and_to_black_pixels() -> None:
    image = made_image().astype(float)
    assert metrics.sam(image, 1.7 * image) == pytest.approx(0, abs=1e-7)
    x, y = np.zeros((2, 1, 3)), np.zeros((2, 1, 3))
    x[:, 0, 0], y[:, 0, 0] = (1, 0), (0, 2)
    x[:, 0, 1], y[:, 0, 1] = (1, 0), (1, 1)
    x[:, 0, 2] = (5, 1)
    assert metrics.sam(x, y) == pytest.approx((90 + 45) / 2)


def test_ergas_scales_with_the_ratio_and_is_infinite_on_a_black_reference_band() -> None:
    image, fused = made_image(), noisy(made_image(), 20)
    assert metrics.ergas(image, fused, 2) == pytest.approx(2 * metrics.ergas(image, fused, 4))
    black = image.copy()
    black[1] = 0
    assert metrics.ergas(black, fused, 4) == math.inf
    assert metrics.ergas(black, black, 4) == 0


@pytest.mark.parametrize("name", ["sam", "ergas"])
def test_torchmetrics_agrees(name: str) -> None:
    functional = pytest.importorskip(
        "torchmetrics.functional.image", reason="the oracle, torchmetrics, is not installed"
    )
    torch = pytest.importorskip("torch", reason="torchmetrics needs torch")
    image, fused = made_image(bands=8).astype(float), noisy(made_image(bands=8), 30)
    theirs, ours = (torch.from_numpy(np.ascontiguousarray(a))[None] for a in (image, fused))
    if name == "sam":
        expected = math.degrees(functional.spectral_angle_mapper(ours, theirs))
        assert metrics.sam(image, fused) == pytest.approx(expected, rel=1e-6)
    else:
        expected = float(functional.error_relative_global_dimensionless_synthesis(ours, theirs, ratio=4))
        assert metrics.ergas(image, fused, 4) == pytest.approx(expected, rel=1e-6)


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
    signs = metrics.product_signs(components)
    units = [tuple(row) for row in np.eye(components).tolist()]
    for i, j in np.ndindex(components, components):
        expected = np.zeros(components)
        expected[i ^ j] = signs[i, j]
        assert product(units[i], units[j]) == tuple(expected)


def test_q2n_of_one_band_is_block_uqi() -> None:
    image, fused = made_image(bands=1), noisy(made_image(bands=1), 40)
    assert metrics.q2n(image, fused, normalise=False) == pytest.approx(metrics.uqi(image, fused), abs=1e-12)


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
