"""Which score sees which distortion: a table of claims, each of them checked."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from geosharp.quality import consistency, metrics
from tests.made import texture

RATIO, SIZE, MARGIN = 4, 160, 16
DISTORTIONS = ("blur", "noise", "shift", "offset", "gain", "cast")

# worse: the score of the perfect image and those of the three strengths get worse, one after the other.
# blind: none of the strengths changes the score.
# late: only the strongest must score worse than the perfect image. D_S is not 0 there, since Q changes from
#       one scale to the other even in the truth, and a small distortion can hide in that.
CLAIMS = """
                    blur   noise  shift  offset gain   cast
psnr                worse  worse  worse  worse  worse  worse
psnr_per_band       worse  worse  worse  worse  worse  worse
ergas               worse  worse  worse  worse  worse  worse
sam                 worse  worse  worse  worse  blind  worse
scc                 worse  worse  worse  worse  blind  worse
ssim                worse  worse  worse  worse  worse  worse
uqi                 worse  worse  worse  worse  worse  worse
q2n                 worse  worse  worse  worse  worse  worse
d_lambda            worse  worse  worse  worse  worse  worse
d_s                 late   late   late   late   late   late
hqnr                late   late   late   late   late   late
d_s_regression      worse  worse  worse  worse  blind  blind
d_rho               worse  worse  worse  blind  blind  blind
reprojection_sam    worse  worse  worse  worse  blind  worse
reprojection_ergas  worse  worse  worse  worse  worse  worse
"""
HIGHER_IS_BETTER = {"psnr", "psnr_per_band", "scc", "ssim", "uqi", "q2n", "hqnr"}


def claims() -> list[tuple[str, str, str]]:
    heading, *rows = (line.split() for line in CLAIMS.strip().splitlines())
    assert tuple(heading) == DISTORTIONS
    return [(name, *pair) for name, *cells in rows for pair in zip(heading, cells, strict=True)]


def make_truth() -> np.ndarray:
    shared = texture((SIZE, SIZE), 100)
    bands = [0.4 * texture((SIZE, SIZE), band) + 0.6 * shared for band in range(4)]
    return 100 + 900 * np.stack(bands).astype(float)


def filtered(image: np.ndarray, response: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """response: of frequencies in cycles per pixel (row, col)."""
    rows, cols = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None]
    return np.fft.irfft2(np.fft.rfft2(image) * response(rows, cols), s=(SIZE, SIZE))


def distort(image: np.ndarray, distortion: str, strength: int) -> np.ndarray:
    """strength: 0, 1 or 2."""
    if distortion == "blur":
        sigma = (0.5, 1, 2)[strength]
        return filtered(image, lambda fy, fx: np.exp(-2 * (np.pi * sigma) ** 2 * (fy**2 + fx**2)))
    if distortion == "noise":
        return image + (5, 20, 80)[strength] * np.random.default_rng(9).standard_normal(image.shape)
    if distortion == "shift":
        pixels = (0.25, 0.5, 1)[strength]
        return filtered(image, lambda fy, fx: np.exp(-2j * np.pi * pixels * (fy + fx)))
    if distortion == "offset":
        return image + (10, 40, 160)[strength]
    if distortion == "gain":
        return image * (1.05, 1.2, 1.8)[strength]
    return image * (1 + (0.02, 0.1, 0.4)[strength] * np.array([1, -1, 0.5, -0.5])[:, None, None])


def degrade(image: np.ndarray) -> np.ndarray:
    bands, rows, cols = image.shape
    return image.reshape(bands, rows // RATIO, RATIO, cols // RATIO, RATIO).mean((2, 4))


def score(name: str, truth: np.ndarray, fused: np.ndarray) -> float:
    """Both are cut to what no wrapped filter has reached."""
    truth, fused = (image[:, MARGIN:-MARGIN, MARGIN:-MARGIN] for image in (truth, fused))
    pan = truth.mean(0, keepdims=True)
    ms, fused_lr = degrade(truth), degrade(fused)
    d_lambda = consistency.d_lambda(ms, fused_lr)
    without_reference: dict[str, Callable[[], float]] = {
        "d_lambda": lambda: d_lambda,
        "d_s": lambda: consistency.d_s(fused, pan, ms, degrade(pan), RATIO),
        "hqnr": lambda: consistency.hqnr(d_lambda, consistency.d_s(fused, pan, ms, degrade(pan), RATIO)),
        "d_s_regression": lambda: consistency.d_s_regression(fused, pan),
        "d_rho": lambda: consistency.d_rho(fused, pan, RATIO),
        "reprojection_sam": lambda: metrics.sam(ms, fused_lr),
        "reprojection_ergas": lambda: metrics.ergas(ms, fused_lr, RATIO),
        "ergas": lambda: metrics.ergas(truth, fused, RATIO),
    }
    if name in without_reference:
        return without_reference[name]()
    return float(getattr(metrics, name)(truth, fused))


@pytest.mark.parametrize(("name", "distortion", "claim"), claims())
def test_a_score_sees_what_it_claims_to_see(name: str, distortion: str, claim: str) -> None:
    truth = make_truth()
    perfect = score(name, truth, truth)
    scores = [score(name, truth, distort(truth, distortion, strength)) for strength in range(3)]
    sign = -1 if name in HIGHER_IS_BETTER else 1
    if claim == "blind":
        assert scores == pytest.approx([perfect] * 3, abs=1e-9)
    elif claim == "late":
        assert sign * scores[2] > sign * perfect + 0.01
    else:
        levels = [sign * value for value in (perfect, *scores)]
        assert all(less < more for less, more in pairwise(levels))
        assert levels[3] > levels[0] + 1e-3
