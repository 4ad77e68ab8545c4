"""Laws of scores of single pixels: their formulas, and torchmetrics as an oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geosharp.quality import metrics
from tests.quality.images import made_image, noisy


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
