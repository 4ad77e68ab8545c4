"""How far a fused image lies from its reference: arrays in, one float out.

Images are (band, row, col), of any real dtype, computed on as float64. `valid` is a (row, col) mask: a
pixel outside it never counts, nor does a window or block that touches one. Where nothing is left that
counts the result is nan. The conventions are those of the tables that results are held against, and
where these differ among themselves the docstring says which was taken.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.errors import PairError

Image = NDArray[Any]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

BLOCK = 32
_SSIM_RADIUS, _SSIM_SIGMA = 5, 1.5
_SSIM_K1, _SSIM_K2 = 0.01, 0.03
# Rows of an SSIM strip: few enough that its intermediate images stay in the processor's cache.
_STRIP = 32
# Variance below this share of the squared mean is rounding, not texture.
_FLAT = 1e-24


def psnr(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB, pooled: one MSE over all bands, peak = the reference's maximum."""
    return _decibels(*_errors(reference, fused, valid), pooled=True)


def psnr_per_band(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Mean over bands of each band's PSNR in dB, against the one peak that `psnr` takes.

    Never below `psnr`, and up to 1.5 dB above where bands are unequally hard.
    """
    return _decibels(*_errors(reference, fused, valid), pooled=False)


def ergas(reference: Image, fused: Image, ratio: float, valid: Mask | None = None) -> float:
    """Relative global error, 100 / ratio * sqrt(mean_b(MSE_b / mean_b^2)), means of the reference.

    ratio: MS pixel size over PAN pixel size, such as 4. Wald (2000).
    """
    first, second, counts = _pair(reference, fused, valid)
    x, y = _pixels(first, counts), _pixels(second, counts)
    if not x.size:
        return math.nan
    mse, square = np.mean((x - y) ** 2, axis=1), np.mean(x, axis=1) ** 2
    if np.any((square == 0) & (mse > 0)):
        return math.inf
    shares = np.divide(mse, square, out=np.zeros_like(mse), where=square > 0)
    return float(100 / ratio * np.sqrt(shares.mean()))


def sam(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Mean angle in degrees between the spectra of a pixel, over pixels where neither is all zero."""
    first, second, counts = _pair(reference, fused, valid)
    x, y = _pixels(first, counts), _pixels(second, counts)
    norm_x, norm_y = (np.sqrt(np.einsum("bp,bp->p", image, image)) for image in (x, y))
    lit = (norm_x > 0) & (norm_y > 0)
    if not lit.any():
        return math.nan
    if not lit.all():
        x, y, norm_x, norm_y = x[:, lit], y[:, lit], norm_x[lit], norm_y[lit]
    u, v = x / norm_x, y / norm_y
    # The arc cosine of a number near 1 loses half of its digits; half angles keep them.
    apart, together = u - v, u + v
    opposite, adjacent = (np.sqrt(np.einsum("bp,bp->p", side, side)) for side in (apart, together))
    return float(np.degrees(2 * np.arctan2(opposite, adjacent)).mean())


def scc(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Spatial correlation: one cosine, over all bands at once, of the Sobel magnitudes.

    The images are continued by zeros, so that their frame counts as an edge.
    """
    first, second, counts = _pair(reference, fused, valid)
    if counts is not None:
        seen = _sides(np.pad(counts, 1, constant_values=True), counts.shape)
        kept = np.logical_and.reduce([seen(row, col) for row in range(3) for col in range(3)])
    products = np.zeros(3)
    for x, y in zip(first, second, strict=True):
        edges_x, edges_y = _sobel(x), _sobel(y)
        if counts is not None:
            edges_x, edges_y = edges_x[kept], edges_y[kept]
        else:
            edges_x, edges_y = edges_x.ravel(), edges_y.ravel()
        products += edges_x @ edges_y, edges_x @ edges_x, edges_y @ edges_y
    both, only_x, only_y = products
    if only_x == only_y == 0:
        return math.nan if counts is not None and not kept.any() else 1.0
    return float(both / np.sqrt(only_x * only_y)) if only_x and only_y else 0.0


def ssim(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Structural similarity, Gaussian window of 11 x 11 and sigma 1.5, mean over whole windows and bands.

    The dynamic range is the reference's maximum, as in `psnr`. Wang et al. (2004).
    """
    first, second, counts = _pair(reference, fused, valid)
    size = 2 * _SSIM_RADIUS + 1
    rows, cols = first.shape[1] - size + 1, first.shape[2] - size + 1
    if rows < 1 or cols < 1:
        return math.nan
    whole = np.ones((rows, cols), bool) if counts is None else _whole_windows(counts, size)
    if not whole.any():
        return math.nan
    peak = float(_pixels(first, counts).max())
    if peak <= 0:
        return math.nan
    total = 0.0
    for x, y in zip(first / peak, second / peak, strict=True):
        for row in range(0, rows, _STRIP):
            strip = slice(row, min(row + _STRIP, rows) + size - 1)
            total += float(_similarity(x[strip], y[strip])[whole[row : row + _STRIP]].sum())
    return total / (int(whole.sum()) * len(first))


def uqi(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Universal quality index: mean over bands and blocks of 32 x 32. Wang & Bovik (2002)."""
    x, y = _block_pair(reference, fused, valid)
    if not x.size:
        return math.nan
    mean_x, mean_y, x, y = _centre(x, y)
    covariance = np.einsum("nbp,nbp->nb", x, y)
    spread = np.einsum("nbp,nbp->nb", x, x) + np.einsum("nbp,nbp->nb", y, y)
    power = mean_x**2 + mean_y**2
    return float((_share(2 * covariance, spread) * _share(2 * mean_x * mean_y, power)).mean())


def q2n(reference: Image, fused: Image, valid: Mask | None = None, *, normalise: bool = True) -> float:
    """Quality of a pixel's bands as one hypercomplex number: mean over blocks of 32 x 32 of |Q|.

    Q = cov(x, y*) / ((var x + var y) / 2) * 2 |mean x| |mean y| / (|mean x|^2 + |mean y|^2), bands padded
    by zeros to a power of two. Garzelli & Nencini (2009). normalise: in each block each band of both images
    is first brought to the reference's mean 1 and standard deviation 1 (ddof 1), as their published code
    does and every table of Q4 and Q8 is made; without it, one band gives |uqi|.
    """
    x, y = _block_pair(reference, fused, valid)
    if not x.size:
        return math.nan
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
    return float((likeness * _share(2 * np.sqrt(powers[0] * powers[1]), powers[0] + powers[1])).mean())


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


def _times_conjugate(products: Floats) -> Floats:
    """Components of x y* from the products of each component of x with each of y, (n, i, j) -> (n, k)."""
    components = products.shape[-1]
    conjugate = np.where(np.arange(components) == 0, 1.0, -1.0)
    signed = products * (product_signs(components) * conjugate)
    i = np.arange(components)[:, None]
    by_unit: Floats = signed[:, i, i ^ i.T].sum(axis=1)
    return by_unit


def _pair(reference: Image, fused: Image, valid: Mask | None) -> tuple[Floats, Floats, Mask | None]:
    """Both images as float64, and the mask unless it excludes nothing; excluded pixels are zero."""
    if reference.ndim != 3 or reference.shape != fused.shape:
        raise PairError(
            "reference and fused image",
            f"shapes {reference.shape} and {fused.shape}",
            "one shape (band, row, col) of both",
            "bring both onto one grid and to the same bands before comparing them",
        )
    if valid is not None and valid.shape != reference.shape[1:]:
        raise PairError(
            "mask of valid pixels",
            f"shape {valid.shape}",
            f"{reference.shape[1:]}, the rows and columns of the images",
            "reduce the mask to one (row, col) plane of the images' grid",
        )
    first, second = (image.astype(np.float64, copy=False) for image in (reference, fused))
    if valid is None or valid.all():
        return first, second, None
    return np.where(valid, first, 0.0), np.where(valid, second, 0.0), valid.astype(bool, copy=False)


def _pixels(image: Floats, counts: Mask | None) -> Floats:
    """(band, pixel) of the pixels that count."""
    return image.reshape(len(image), -1) if counts is None else image[:, counts]


def _errors(reference: Image, fused: Image, valid: Mask | None) -> tuple[Floats, float]:
    """Mean squared error of each band, and the reference's maximum; nan where nothing counts."""
    first, second, counts = _pair(reference, fused, valid)
    x, y = _pixels(first, counts), _pixels(second, counts)
    if not x.size:
        return np.full(1, math.nan), math.nan
    return np.mean((x - y) ** 2, axis=1), float(x.max())


def _decibels(mse: Floats, peak: float, *, pooled: bool) -> float:
    if not peak > 0:
        return math.nan
    levels = [mse.mean()] if pooled else mse
    return float(np.mean([10 * math.log10(peak**2 / level) if level else math.inf for level in levels]))


def _sides(padded: NDArray[Any], shape: tuple[int, ...]) -> Any:
    """A function (row, col) -> the view of `padded` that starts there, of the given shape."""
    return lambda row, col: padded[row : row + shape[0], col : col + shape[1]]


def _sobel(image: Floats) -> Floats:
    """Gradient magnitude of one band (row, col), continued by zeros."""
    padded = np.pad(image, 1)
    across = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    down = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    magnitude: Floats = np.hypot(across[:, 2:] - across[:, :-2], down[2:] - down[:-2])
    return magnitude


def _whole_windows(counts: Mask, size: int) -> Mask:
    """Which windows of `size` x `size`, by their upper-left corner, hold valid pixels alone."""
    view = np.lib.stride_tricks.sliding_window_view
    columns = np.logical_and.reduce(view(counts, size, 0), axis=-1)
    whole: Mask = np.logical_and.reduce(view(columns, size, 1), axis=-1)
    return whole


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


def _block_pair(reference: Image, fused: Image, valid: Mask | None) -> tuple[Floats, Floats]:
    """Both images as (block, band, pixel), without blocks that hold an invalid pixel.

    Images whose size is no multiple of a block are mirrored at the far edges to the next one.
    """
    first, second, counts = _pair(reference, fused, valid)
    x, y = _blocks(first), _blocks(second)
    if counts is None:
        return x, y
    whole = _blocks(counts[None])[:, 0].all(axis=-1)
    return x[whole], y[whole]


def _blocks(image: NDArray[Any]) -> NDArray[Any]:
    """(band, row, col) -> (block, band, pixel)."""
    bands, rows, cols = image.shape
    if rows % BLOCK or cols % BLOCK:
        image = np.pad(image, ((0, 0), (0, -rows % BLOCK), (0, -cols % BLOCK)), mode="symmetric")
    parts = image.reshape(bands, image.shape[1] // BLOCK, BLOCK, image.shape[2] // BLOCK, BLOCK)
    return parts.transpose(1, 3, 0, 2, 4).reshape(-1, bands, BLOCK * BLOCK)


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
