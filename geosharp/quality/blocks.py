"""Scores of blocks of pixels: the Q indices of Wang & Bovik and of Garzelli & Nencini.

Their conventions stand in `metrics`. A block that holds an invalid pixel never counts; images whose size is
no multiple of a block are mirrored at the far edges to the next one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.quality.windows import BLOCK, Floats, Window

# Variance below this share of the squared mean is rounding, not texture.
_FLAT = 1e-24


class Uqi:
    """block: pixels a side, 32 in every table; `per_band` gives the means over blocks alone."""

    def __init__(self, block: int = BLOCK) -> None:
        self._block = block
        self._totals = np.zeros(1)
        self._count = 0

    def add(self, window: Window) -> None:
        x, y = _block_pair(window, self._block)
        mean_x, mean_y, x, y = _centre(x, y)
        covariance = np.einsum("nbp,nbp->nb", x, y)
        spread = np.einsum("nbp,nbp->nb", x, x) + np.einsum("nbp,nbp->nb", y, y)
        power = mean_x**2 + mean_y**2
        quality = _share(2 * covariance, spread) * _share(2 * mean_x * mean_y, power)
        self._totals = self._totals + quality.sum(axis=0)
        self._count += len(quality)

    def per_band(self) -> Floats:
        return self._totals / self._count if self._count else np.full_like(self._totals, math.nan)

    def result(self) -> float:
        return float(self.per_band().mean())


class Q2n:
    def __init__(self, *, normalise: bool = True) -> None:
        self._normalise = normalise
        self._total = 0.0
        self._count = 0

    def add(self, window: Window) -> None:
        quality = _hypercomplex(*_block_pair(window, BLOCK), normalise=self._normalise)
        self._total += float(quality.sum())
        self._count += len(quality)

    def result(self) -> float:
        return self._total / self._count if self._count else math.nan


def product_signs(components: int) -> Floats:
    """s[i, j] of the Cayley-Dickson units, e_i e_j = s[i, j] e_(i xor j), for a power of two of them.

    (a, b)(c, d) = (a c - d* b, d a + b c*). The mirrored rule, in which factors change places, is an algebra
    just as well but gives another |Q| from four bands on.
    """
    signs = np.ones((1, 1))
    while len(signs) < components:
        conjugate = np.where(np.arange(len(signs)) == 0, 1.0, -1.0)
        signs = np.block([[signs, signs.T], [signs * conjugate, -signs.T * conjugate]])
    return signs


def _hypercomplex(x: Floats, y: Floats, *, normalise: bool) -> Floats:
    """|Q| of each block of two images (block, band, pixel)."""
    mean_x, mean_y, x, y = _centre(x, y)
    bands, pixels = x.shape[1:]
    if normalise:
        scale = np.sqrt(np.einsum("nbp,nbp->nb", x, x) / (pixels - 1))
        scale[scale == 0] = 1
        mean_x, mean_y = np.ones_like(mean_x), (mean_y - mean_x) / scale + 1
        x, y = x / scale[..., None], y / scale[..., None]
    components = 1 << (bands - 1).bit_length()
    filled = ((0, 0), (0, components - bands))
    # A padded band is zero, which normalising makes one like any other flat band.
    mean_x, mean_y = (np.pad(mean, filled, constant_values=float(normalise)) for mean in (mean_x, mean_y))
    covariance = np.pad(x @ y.transpose(0, 2, 1), (*filled, filled[1]))
    spread = np.einsum("nbp,nbp->n", x, x) + np.einsum("nbp,nbp->n", y, y)
    powers = np.einsum("nb,nb->n", mean_x, mean_x), np.einsum("nb,nb->n", mean_y, mean_y)
    likeness = _share(2 * np.linalg.norm(_times_conjugate(covariance), axis=1), spread)
    return likeness * _share(2 * np.sqrt(powers[0] * powers[1]), powers[0] + powers[1])


def _times_conjugate(products: Floats) -> Floats:
    """Components of x y* from the products of each component of x with each of y, (n, i, j) -> (n, k)."""
    components = products.shape[-1]
    conjugate = np.where(np.arange(components) == 0, 1.0, -1.0)
    signed = products * (product_signs(components) * conjugate)
    i = np.arange(components)[:, None]
    by_unit: Floats = signed[:, i, i ^ i.T].sum(axis=1)
    return by_unit


def _block_pair(window: Window, block: int) -> tuple[Floats, Floats]:
    """Both images as (block, band, pixel), without blocks that hold an invalid pixel."""
    near = window.near(block, 0)
    start = near.core.row, near.core.col
    x, y = (_blocks(image, start, block) for image in (near.reference, near.fused))
    if near.valid is None:
        return x, y
    whole = _blocks(near.valid[None], start, block)[:, 0].all(axis=-1)
    return x[whole], y[whole]


def _blocks(image: NDArray[Any], start: tuple[int, int], block: int) -> NDArray[Any]:
    """(band, row, col) from pixel `start` on -> (block, band, pixel); what lies before may be mirrored."""
    bands = len(image)
    lack = [-(size - first) % block for size, first in zip(image.shape[1:], start, strict=True)]
    if any(lack):
        image = np.pad(image, ((0, 0), (0, lack[0]), (0, lack[1])), mode="symmetric")
    image = image[:, start[0] :, start[1] :]
    rows, cols = (size // block for size in image.shape[1:])
    parts = image.reshape(bands, rows, block, cols, block)
    return parts.transpose(1, 3, 0, 2, 4).reshape(rows * cols, bands, block * block)


def _centre(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Means (block, band) of both, and both without them; a flat block's deviations are exactly zero."""
    means, rests = [], []
    for image in (x, y):
        mean = image.mean(axis=-1)
        rest = image - mean[..., None]
        rest[np.einsum("nbp,nbp->nb", rest, rest) <= _FLAT * image.shape[-1] * mean**2] = 0
        means.append(mean)
        rests.append(rest)
    return means[0], means[1], rests[0], rests[1]


def _share(part: Floats, whole: Floats) -> Floats:
    """part / whole, and 1 where both images lack what is compared."""
    return np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)
