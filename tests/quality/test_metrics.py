"""Laws of the metrics: perfect is perfect, worse is worse, invalid pixels are silent."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from geosharp.errors import PairError
from geosharp.quality import metrics
from tests.quality.images import made_image, noisy

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
