"""Scores of single pixels: sums over a scene, one result. Their conventions stand in `metrics`.

Invalid pixels are zero in both images of a window and so add nothing to a sum; only counts need the mask.
"""

from __future__ import annotations

import math

import numpy as np

from geosharp.quality.windows import Floats, Window


class _Errors:
    """Squared errors and the reference's sum, per band, and the reference's maximum."""

    def __init__(self) -> None:
        self._squares = self._sums = np.zeros(1)
        self._peak = 0.0
        self._count = 0

    def add(self, window: Window) -> None:
        x, y, count = window.pixels()
        error = x - y
        self._squares = self._squares + np.einsum("bp,bp->b", error, error)
        self._sums = self._sums + x.sum(axis=1)
        self._peak = max(self._peak, float(x.max(initial=0.0)))
        self._count += count

    def _mean(self, total: Floats) -> Floats:
        return total / self._count if self._count else np.full(1, math.nan)


class Psnr(_Errors):
    def __init__(self, *, pooled: bool = True) -> None:
        super().__init__()
        self._pooled = pooled

    def result(self) -> float:
        mse = self._mean(self._squares)
        if not self._peak > 0:
            return math.nan
        levels = [mse.mean()] if self._pooled else mse
        return float(np.mean([10 * math.log10(self._peak**2 / e) if e else math.inf for e in levels]))


class Ergas(_Errors):
    def __init__(self, ratio: float) -> None:
        super().__init__()
        self._ratio = ratio

    def result(self) -> float:
        mse, square = self._mean(self._squares), self._mean(self._sums) ** 2
        if np.any((square == 0) & (mse > 0)):
            return math.inf
        shares = np.divide(mse, square, out=np.zeros_like(mse), where=square != 0)
        return float(100 / self._ratio * np.sqrt(shares.mean()))


class Sam:
    def __init__(self) -> None:
        self._total = 0.0
        self._count = 0

    def add(self, window: Window) -> None:
        x, y, _ = window.pixels()
        norm_x, norm_y = (np.sqrt(np.einsum("bp,bp->p", image, image)) for image in (x, y))
        lit = (norm_x != 0) & (norm_y != 0)
        if not lit.all():
            x, y, norm_x, norm_y = x[:, lit], y[:, lit], norm_x[lit], norm_y[lit]
        u, v = x / norm_x, y / norm_y
        # The arc cosine of a number near 1 loses half of its digits; half angles keep them.
        apart, together = u - v, u + v
        opposite, adjacent = (np.sqrt(np.einsum("bp,bp->p", side, side)) for side in (apart, together))
        self._total += float(np.degrees(2 * np.arctan2(opposite, adjacent)).sum())
        self._count += len(norm_x)

    def result(self) -> float:
        return self._total / self._count if self._count else math.nan
