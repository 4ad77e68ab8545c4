"""How well a fused image agrees with the MS and the PAN it was made from, where there is no reference.

Arrays as in `metrics`: images (band, row, col), PAN (1, row, col), masks (row, col), nan where nothing
counts. What is degraded was degraded by the kernel and shift measured for the scene: with any other these
scores punish the right answer. `fused_lr` is the fused image and `pan_lr` PAN on the MS grid.

Reprojection SAM and ERGAS need no function of their own: they are `metrics.sam(ms, fused_lr)` and
`metrics.ergas(ms, fused_lr, ratio)`, the ratio being MS pixel size over PAN pixel size as at reduced
resolution, although both images lie on the MS grid. As in `metrics`, a function is its score over one
window; d_lambda streams as 1 - `Q2n`, and d_s as `q_distance` of two `Uqi`, each walked on its own grid.
"""

from __future__ import annotations

import math

import numpy as np

from geosharp.errors import PairError
from geosharp.quality.blocks import Q2n, Uqi
from geosharp.quality.neighbourhood import LocalCorrelation
from geosharp.quality.windows import BLOCK, Image, Mask, Window, cut_pan_window, cut_window, score_once


def d_lambda(ms: Image, fused_lr: Image, valid: Mask | None = None) -> float:
    """Spectral distortion, 1 - Q2n(MS, degraded fused), on the MS grid. Khan et al. (2009).

    0 where degrading the result gives back the MS.
    """
    return 1 - score_once(Q2n(), cut_window(ms, fused_lr, valid))


def d_lambda_toolbox(ms_up: Image, fused_low: Image, valid: Mask | None = None) -> float:
    """The same formula on PAN's grid, as in the code behind published tables (Vivone et al. 2021).

    ms_up: the MS interpolated; fused_low: the fused image blurred but not decimated. Not 0 for a perfect
    result, since an interpolated MS is not a blurred fused image: for comparison with tables alone.
    """
    return d_lambda(ms_up, fused_low, valid)


def d_s(
    fused: Image,
    pan: Image,
    ms: Image,
    pan_lr: Image,
    ratio: float,
    valid: Mask | None = None,
    valid_lr: Mask | None = None,
) -> float:
    """Spatial distortion, mean_b |Q(fused_b, PAN) - Q(MS_b, degraded PAN)|. Alparone et al. (2008), q = 1.

    Q is `metrics.uqi` of one band, over blocks of 32 PAN pixels and of `coarse_block(ratio)` MS pixels, the
    same ground. With MS and degraded PAN interpolated to PAN's grid and ratio 1 it has the form of the code
    behind published tables (Vivone et al. 2021); on real scenes the two differ by less than 0.01.
    """
    if len(fused) != len(ms):
        raise PairError(
            "MS and fused image",
            f"{len(ms)} and {len(fused)} bands",
            "the same bands in both",
            "leave out the bands that only one of them has",
        )
    fine, coarse = Uqi(), Uqi(coarse_block(ratio))
    fine.add(cut_pan_window(pan, fused, valid))
    coarse.add(cut_pan_window(pan_lr, ms, valid_lr))
    return q_distance(fine, coarse)


def coarse_block(ratio: float) -> int:
    """Side in MS pixels of the block that d_s holds against one of 32 PAN pixels."""
    return max(round(BLOCK / ratio), 2)


def q_distance(fine: Uqi, coarse: Uqi) -> float:
    """D_S from the streamed indices of (PAN, fused) and of (degraded PAN, MS)."""
    return float(np.abs(fine.per_band() - coarse.per_band()).mean())


def d_s_regression(fused: Image, pan: Image, valid: Mask | None = None) -> float:
    """Share of PAN's variance that no weighted sum of the fused bands explains, 1 - R^2.

    One regression for the scene, without offset, as in the code behind published tables of RQNR. Alparone
    et al. (2018).
    """
    return score_once(Unexplained(), cut_pan_window(pan, fused, valid))


def hqnr(d_lambda: float, d_s: float) -> float:
    """Hybrid quality with no reference, (1 - D_lambda) (1 - D_S); 1 is best. Aiazzi et al. (2014)."""
    return (1 - d_lambda) * (1 - d_s)


def d_rho(fused: Image, pan: Image, ratio: float, valid: Mask | None = None) -> float:
    """1 - mean over bands of the local correlation with PAN. Scarpa & Ciotola (2022).

    The window is an MS pixel's ground, `correlation_side(ratio)` PAN pixels a side. Unlike in their code
    negative correlations count as such, windows that reach beyond the image are left out, and so are those
    in which PAN is flat.
    """
    return 1 - score_once(LocalCorrelation(correlation_side(ratio)), cut_pan_window(pan, fused, valid))


def correlation_side(ratio: float) -> int:
    """Side of the window in PAN pixels: the ratio, rounded up to an even number as in the authors' code."""
    return 2 * math.ceil(ratio / 2)


class Unexplained:
    """The streamed score of `d_s_regression`: windows of PAN, one band for all, and the fused image."""

    def __init__(self) -> None:
        self._products = np.zeros((1, 1))
        self._sums = np.zeros(1)
        self._count = 0

    def add(self, window: Window) -> None:
        pan, fused, count = window.pixels()
        variables = np.concatenate((fused, pan[:1]))
        with np.errstate(over="ignore", invalid="ignore"):
            self._products = self._products + variables @ variables.T
        self._sums = self._sums + variables.sum(axis=1)
        self._count += count

    def result(self) -> float:
        if not self._count:
            return math.nan
        squares, means = self._products / self._count, self._sums / self._count
        with np.errstate(over="ignore", invalid="ignore"):
            cov = squares - np.outer(means, means)
        # float64 does not hold the squares of values beyond 1e150.
        if not (np.isfinite(cov).all() and cov[-1, -1] > 0):
            return math.nan
        weights = np.linalg.lstsq(squares[:-1, :-1], squares[:-1, -1])[0]
        residual = np.append(-weights, 1)
        return max(float(residual @ cov @ residual / cov[-1, -1]), 0.0)
