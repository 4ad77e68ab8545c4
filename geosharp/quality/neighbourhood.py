"""Scores of small neighbourhoods: edges, structure, local correlation.

Their conventions stand in `metrics` and `consistency`. A neighbourhood that holds an invalid pixel never
counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from geosharp.quality.windows import Floats, Mask, Window
from geosharp.raster.grid import Rect

_SSIM_RADIUS, _SSIM_SIGMA = 5, 1.5
_SSIM_K1, _SSIM_K2 = 0.01, 0.03
# Rows of a strip: few enough that its intermediate images stay in the processor's cache.
_STRIP = 32
# Variance below this share of the mean square is rounding, not texture.
_FLAT = 1e-14


class Scc:
    def __init__(self) -> None:
        self._products = np.zeros(3)
        self._seen = False

    def add(self, window: Window) -> None:
        near = window.near(1, 1)
        core = near.core.within(Rect(0, 0, *near.reference.shape[1:]))
        counts = None if near.valid is None else _all_around(near.valid)[core]
        self._seen |= counts is None or bool(counts.any())
        for x, y in zip(near.reference, near.fused, strict=True):
            edges_x, edges_y = _sobel(x)[core], _sobel(y)[core]
            if counts is None:
                edges_x, edges_y = edges_x.ravel(), edges_y.ravel()
            else:
                edges_x, edges_y = edges_x[counts], edges_y[counts]
            self._products += edges_x @ edges_y, edges_x @ edges_x, edges_y @ edges_y

    def result(self) -> float:
        both, only_x, only_y = self._products
        if only_x == only_y == 0:
            return 1.0 if self._seen else math.nan
        return float(both / np.sqrt(only_x * only_y)) if only_x and only_y else 0.0


class Ssim:
    """peak: the dynamic range, one constant of the scene; without a positive one there is no score."""

    def __init__(self, peak: float) -> None:
        self._peak = peak
        self._total = 0.0
        self._count = 0

    def add(self, window: Window) -> None:
        if not self._peak > 0:
            return
        near = window.near(0, 2 * _SSIM_RADIUS)
        for rows, whole in _strips(near, 2 * _SSIM_RADIUS + 1):
            for x, y in zip(near.reference[:, rows], near.fused[:, rows], strict=True):
                self._total += float(_similarity(x / self._peak, y / self._peak)[whole].sum())
            self._count += int(whole.sum()) * len(near.reference)

    def result(self) -> float:
        return self._total / self._count if self._count else math.nan


class LocalCorrelation:
    """Mean Pearson correlation over windows of `side` x `side` and bands.

    A window in which the reference is flat says nothing and does not count; where only the other image is
    flat, the correlation is zero.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._total = 0.0
        self._count = 0

    def add(self, window: Window) -> None:
        near = window.near(0, self._side - 1)
        for rows, whole in _strips(near, self._side):
            for x, y in zip(near.reference[:, rows], near.fused[:, rows], strict=True):
                correlation, counts = self._correlate(x, y)
                self._total += float(correlation[whole].sum())
                self._count += int((whole & counts).sum())

    def result(self) -> float:
        return self._total / self._count if self._count else math.nan

    def _correlate(self, x: Floats, y: Floats) -> tuple[Floats, Mask]:
        """Of each whole window, 0 where either is flat, and where x is not."""
        pixels = self._side**2
        sum_x, sum_y = _box_sums(x, self._side), _box_sums(y, self._side)
        variances = []
        for image, total in ((x, sum_x), (y, sum_y)):
            squares = pixels * _box_sums(image * image, self._side)
            variance = squares - total * total
            variance[variance <= _FLAT * squares] = 0
            variances.append(variance)
        covariance = pixels * _box_sums(x * y, self._side) - sum_x * sum_y
        spread = np.sqrt(variances[0] * variances[1])
        return np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0), variances[0] > 0


def _strips(window: Window, size: int) -> Iterator[tuple[slice, Mask]]:
    """Rows of strips, and which neighbourhoods of `size` x `size` in them hold valid pixels alone.

    A neighbourhood is addressed by its upper-left corner; all whole ones of the window occur once.
    """
    height, width = (length - size + 1 for length in window.reference.shape[1:])
    for row in range(0, height if width > 0 else 0, _STRIP):
        rows = slice(row, min(row + _STRIP, height) + size - 1)
        if window.valid is None:
            yield rows, np.ones((rows.stop - row - size + 1, width), bool)
        else:
            yield rows, _whole(window.valid[rows], size)


def _whole(valid: Mask, size: int) -> Mask:
    view = np.lib.stride_tricks.sliding_window_view
    columns = np.logical_and.reduce(view(valid, size, 0), axis=-1)
    whole: Mask = np.logical_and.reduce(view(columns, size, 1), axis=-1)
    return whole


def _all_around(valid: Mask) -> Mask:
    """Pixels whose neighbours are all valid, those beyond the image included."""
    return _whole(np.pad(valid, 1, constant_values=True), 3)


def _sobel(image: Floats) -> Floats:
    """Gradient magnitude of one band (row, col), continued by zeros."""
    padded = np.pad(image, 1)
    across = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    down = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    magnitude: Floats = np.hypot(across[:, 2:] - across[:, :-2], down[2:] - down[:-2])
    return magnitude


def _similarity(x: Floats, y: Floats) -> Floats:
    """SSIM of each whole window of two images whose dynamic range is 1."""
    mean_x, mean_y, square, product = (_smooth(image) for image in (x, y, x * x + y * y, x * y))
    means, powers = mean_x * mean_y, mean_x**2 + mean_y**2
    c1, c2 = _SSIM_K1**2, _SSIM_K2**2
    return (2 * means + c1) * (2 * (product - means) + c2) / ((powers + c1) * (square - powers + c2))


def _smooth(image: Floats) -> Floats:
    """Means under the SSIM window, for the windows that lie wholly inside."""
    radius = _SSIM_RADIUS
    weights = np.exp(-0.5 * (np.arange(radius + 1) / _SSIM_SIGMA) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    for _ in range(2):
        stop = len(image) - radius
        smooth = image[radius:stop] * weights[0]
        for away in range(1, radius + 1):
            both = image[radius - away : stop - away] + image[radius + away : stop + away]
            both *= weights[away]
            smooth += both
        image = smooth.T
    return image


def _box_sums(image: Floats, side: int) -> Floats:
    """Sums over `side` x `side` pixels, for the windows that lie wholly inside; exact for integers."""
    for _ in range(2):
        count = len(image) - side + 1
        total = image[:count].copy()
        for away in range(1, side):
            total += image[away : away + count]
        image = total.T
    return image
