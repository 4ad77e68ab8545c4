"""Between MS pixels and PAN pixels, at any ratio and sub-pixel offset.

Both directions are separable, so each is a pair of banded matrices whose entries depend on
absolute pixel numbers alone. They are applied in blocks that start at fixed pixel numbers: a pixel
comes out with the same bits whichever tile it is computed in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

# Half-width of the interpolation kernel, in MS pixels.
UP_RADIUS = 3
_UP_BLOCK = 128
_DOWN_BLOCK = 32
# A Gaussian holds its mass within this many standard deviations.
_GAUSS_RADIUS = 4.0


@dataclass(frozen=True)
class Axis:
    """MS -> PAN along one axis: pan = offset + ratio * ms, continuous, 0 at a pixel's first edge."""

    ratio: float
    offset: float


@dataclass(frozen=True)
class Span:
    """Absolute pixel numbers [start, stop) along one axis."""

    start: int
    stop: int


def nyquist_sigma(gain: float, ratio: float) -> float:
    """Standard deviation in PAN pixels of the Gaussian whose response at MS Nyquist is `gain`."""
    return ratio / math.pi * math.sqrt(-2.0 * math.log(gain))


def down_radius(gain: float, ratio: float) -> int:
    """How many PAN pixels around an MS pixel's centre the degradation kernel of that gain reaches."""
    return math.ceil(_GAUSS_RADIUS * nyquist_sigma(gain, ratio)) + 1


def upsample(x: Tensor, source: tuple[Span, Span], target: tuple[Span, Span], axes: tuple[Axis, Axis]) -> Tensor:
    """MS grid -> PAN grid: (band, row, col) `x` holds MS pixels `source`, the result PAN pixels `target`.

    Keys' six-point cubic (1981), exact for cubic polynomials. `source` must reach UP_RADIUS MS
    pixels beyond `target`.
    """
    rows = _along_rows(x, source[0], target[0], _UP_BLOCK, axes[0], None)
    return _along_cols(rows, source[1], target[1], _UP_BLOCK, axes[1], None)


def degrade(
    x: Tensor, source: tuple[Span, Span], target: tuple[Span, Span], axes: tuple[Axis, Axis], gain: float
) -> Tensor:
    """PAN grid -> MS grid: blur with a Gaussian of Nyquist gain `gain`, take MS pixels `target`.

    (band, row, col) `x` holds PAN pixels `source`; the weights are non-negative and sum to one.
    """
    rows = _along_rows(x, source[0], target[0], _DOWN_BLOCK, axes[0], gain)
    return _along_cols(rows, source[1], target[1], _DOWN_BLOCK, axes[1], gain)


def _along_rows(x: Tensor, source: Span, target: Span, block: int, axis: Axis, gain: float | None) -> Tensor:
    """Resample (band, row, col) `x` from rows `source` to rows `target`."""
    result = x.new_empty(len(x), target.stop - target.start, x.shape[2])
    for taken, made, weights in _blocks(source, target, block, axis, gain):
        torch.matmul(weights.T.to(x.device), x[:, taken], out=result[:, made])
    return result


def _along_cols(x: Tensor, source: Span, target: Span, block: int, axis: Axis, gain: float | None) -> Tensor:
    """Resample (band, row, col) `x` from columns `source` to columns `target`."""
    result = x.new_empty(*x.shape[:2], target.stop - target.start)
    for taken, made, weights in _blocks(source, target, block, axis, gain):
        result[:, :, made] = x[:, :, taken] @ weights.to(x.device)
    return result


def _blocks(
    source: Span, target: Span, block: int, axis: Axis, gain: float | None
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Per block: which inputs it takes, which outputs it makes, and its (input, output) weights."""
    for start in range(target.start // block * block, target.stop, block):
        need, weights = _weights(start, start + block, axis, gain)
        first, last = max(start, target.start), min(start + block, target.stop)
        # At a patch's rim the block reaches past what was read; what is left out there weighs
        # nothing in the outputs that are kept.
        low, high = max(need.start, source.start), min(need.stop, source.stop)
        kept = weights[low - need.start : high - need.start, first - start : last - start]
        yield slice(low - source.start, high - source.start), slice(first - target.start, last - target.start), kept


@lru_cache(maxsize=1024)
def _weights(start: int, stop: int, axis: Axis, gain: float | None) -> tuple[Span, Tensor]:
    """Weights (input pixel, output pixel) of output pixels [start, stop), and which inputs they span."""
    outputs = np.arange(start, stop, dtype=np.float64)
    if gain is None:
        centre = (outputs + 0.5 - axis.offset) / axis.ratio - 0.5
        radius = float(UP_RADIUS)
    else:
        centre = axis.offset + axis.ratio * (outputs + 0.5) - 0.5
        radius = float(down_radius(gain, axis.ratio))
    need = Span(math.floor(centre[0] - radius), math.ceil(centre[-1] + radius) + 1)
    distance = np.arange(need.start, need.stop, dtype=np.float64)[:, None] - centre[None]
    if gain is None:
        weights = _keys6(np.abs(distance))
    else:
        sigma = nyquist_sigma(gain, axis.ratio)
        weights = np.where(np.abs(distance) <= _GAUSS_RADIUS * sigma, np.exp(-0.5 * (distance / sigma) ** 2), 0.0)
        weights /= weights.sum(0)
    return need, torch.from_numpy(weights.astype(np.float32))


def _keys6(s: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel of support 3, fourth order (IEEE ASSP 29, 1981)."""
    near = (4 / 3 * s - 7 / 3) * s**2 + 1
    middle = ((-7 / 12 * s + 3) * s - 59 / 12) * s + 2.5
    far = ((1 / 12 * s - 2 / 3) * s + 1.75) * s - 1.5
    return np.where(s <= 1, near, np.where(s <= 2, middle, np.where(s <= 3, far, 0.0)))
