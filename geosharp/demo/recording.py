"""What a satellite records of a ground: blurred, mixed, noisy and coarse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.errors import UsageError

Floats = NDArray[np.float32]
Counts = NDArray[np.uint16]

MAX_DN = 2047
# Share of what PAN sees that the four bands do not: red edge, estimated between red and near infrared.
_BETWEEN = 0.2


def observe(
    truth: NDArray[Any],
    *,
    ratio: int = 4,
    ms_gains: Sequence[float] = (0.34, 0.32, 0.30, 0.22),
    pan_gain: float = 0.15,
    spectral_weights: Sequence[float] = (0.12, 0.28, 0.32, 0.28),
    snr: float = 120.0,
    seed: int = 0,
) -> tuple[Counts, Counts]:
    """Record `truth` (4, row, col) as PAN (1, row, col) and MS (4, row / ratio, col / ratio), 11 bit.

    ms_gains, pan_gain: MTF at each instrument's Nyquist frequency, a Gaussian as `degrade` takes it;
    spectral_weights: of blue, green, red and near infrared in PAN, which also sees light that no linear mix
    of them gives; snr: mean signal over the standard deviation of the noise, infinite for none.
    """
    if ratio < 1 or any(size % ratio for size in truth.shape[1:]):
        raise UsageError(
            "shape of the made scene",
            f"{truth.shape[1]} x {truth.shape[2]} at ratio {ratio}",
            "rows and columns that are multiples of the ratio",
            f"choose multiples of {ratio}" if ratio > 0 else "choose a positive ratio",
        )
    rng = np.random.default_rng(seed)
    mixed = np.tensordot(np.asarray(spectral_weights, np.float32), truth, 1) / sum(spectral_weights)
    seen = (1 - _BETWEEN) * mixed + _BETWEEN * np.sqrt(truth[2] * truth[3])
    pan = degrade(seen, pan_gain, 1)[None]
    ms = np.stack([degrade(band, gain, ratio) for band, gain in zip(truth, ms_gains, strict=True)])
    return _count(pan, snr, rng), _count(ms, snr, rng)


def degrade(band: NDArray[Any], gain: float, ratio: int) -> Floats:
    """Blur a band (row, col) by a Gaussian and take the value at the centre of each ratio x ratio block.

    gain: of the blur at the Nyquist frequency of the coarse grid, in (0, 1]. The edge repeats outwards.
    """
    sigma = ratio / math.pi * math.sqrt(-2 * math.log(gain))
    reach = max(math.ceil(4 * sigma), 1)
    offsets = np.arange(-reach, ratio + reach)
    weights = np.exp(-0.5 * ((offsets - (ratio - 1) / 2) / max(sigma, 0.05)) ** 2)
    weights /= weights.sum()
    image = np.asarray(band, np.float32)
    for _ in range(2):
        padded = np.pad(image, ((reach, reach), (0, 0)), mode="edge")
        stop = len(image) // ratio * ratio
        coarse = np.zeros((stop // ratio, image.shape[1]), np.float32)
        for start, weight in enumerate(weights):
            coarse += np.float32(weight) * padded[start : start + stop : ratio]
        image = np.ascontiguousarray(coarse.T)
    return image


def _count(radiance: Floats, snr: float, rng: np.random.Generator) -> Counts:
    """Radiance (band, row, col) as DN, with white noise of each band's mean over `snr`."""
    sigma = radiance.mean((1, 2), keepdims=True) / np.float32(snr)
    noisy = radiance + sigma * rng.standard_normal(radiance.shape, dtype=np.float32)
    counts: Counts = np.clip(np.rint(noisy), 0, MAX_DN).astype(np.uint16)
    return counts
