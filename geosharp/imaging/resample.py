"""Between MS pixels and PAN pixels, at any ratio and sub-pixel offset.

Both directions are separable, so each is a pair of banded matrices whose entries depend on
absolute pixel numbers alone. They are applied in blocks that start at fixed pixel numbers: a pixel
comes out with the same bits whichever tile it is computed in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geosharp.imaging.transfer import upload

Floats = NDArray[np.float32]

# Half-width of the interpolation kernel, in MS pixels.
UP_RADIUS = 3
_UP_BLOCK = 128
_DOWN_BLOCK = 16
# A Gaussian holds its mass within this many standard deviations.
_GAUSS_RADIUS = 4.0

# A kernel's response at MS Nyquist along (rows, cols), which is all there is to a Gaussian.
Gain = tuple[float, float]


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


Spans = tuple[Span, Span]  # along (rows, cols)


class Box(Protocol):
    """Rows [row, stop_row) and columns [col, stop_col): a Rect, which this room does not know."""

    @property
    def row(self) -> int: ...
    @property
    def col(self) -> int: ...
    @property
    def stop_row(self) -> int: ...
    @property
    def stop_col(self) -> int: ...


def spans(box: Box) -> Spans:
    return Span(box.row, box.stop_row), Span(box.col, box.stop_col)


def grow(spans: Spans, margins: tuple[int, int]) -> Spans:
    """`spans` and so many pixels more on each side, (rows, cols)."""
    (top, left), (rows, cols) = spans, margins
    return Span(top.start - rows, top.stop + rows), Span(left.start - cols, left.stop + cols)


def middle(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The middle of (..., row, col) `x`, as large as a (..., row, col) shape; no copy."""
    (height, width), (rows, cols) = x.shape[-2:], shape[-2:]
    top, left = (height - rows) // 2, (width - cols) // 2
    return x[..., top : top + rows, left : left + cols]


def nyquist_sigma(gain: float, ratio: float) -> float:
    """Standard deviation in PAN pixels of the Gaussian whose response at MS Nyquist is `gain`."""
    return ratio / math.pi * math.sqrt(-2.0 * math.log(gain))


def down_radius(gain: float, ratio: float) -> int:
    """How many PAN pixels around an MS pixel's centre the degradation kernel of that gain reaches."""
    return math.ceil(_GAUSS_RADIUS * nyquist_sigma(gain, ratio)) + 1


def upsample(
    x: Tensor, source: tuple[Span, Span], target: tuple[Span, Span], axes: tuple[Axis, Axis]
) -> Tensor:
    """MS grid -> PAN grid: (band, row, col) `x` holds MS pixels `source`, the result PAN pixels `target`.

    Keys' six-point cubic (1981), exact for cubic polynomials. `source` must reach UP_RADIUS MS
    pixels beyond `target`.
    """
    cols = _along_cols(x, source[1], target[1], _UP_BLOCK, axes[1], None)
    rows = _along_rows(cols, source[0], target[0], _UP_BLOCK, axes[0], None)
    return _cut_blocks(rows, target, _UP_BLOCK)


def degrade(
    x: Tensor, source: tuple[Span, Span], target: tuple[Span, Span], axes: tuple[Axis, Axis], gain: Gain
) -> Tensor:
    """PAN grid -> MS grid: blur with a Gaussian of Nyquist gain `gain`, take MS pixels `target`.

    (band, row, col) `x` holds PAN pixels `source`, which must reach down_radius PAN pixels beyond
    the centres of `target`; the weights are non-negative and sum to one.
    """
    rows = _along_rows(x, source[0], target[0], _DOWN_BLOCK, axes[0], gain[0])
    cols = _along_cols(rows, source[1], target[1], _DOWN_BLOCK, axes[1], gain[1])
    return _cut_blocks(cols, target, _DOWN_BLOCK)


def degrade_valid(
    x: Tensor,
    valid: Tensor | None,
    source: tuple[Span, Span],
    target: tuple[Span, Span],
    axes: tuple[Axis, Axis],
    gain: Gain,
    least: float,
) -> tuple[Tensor, Tensor | None]:
    """As `degrade`, from the valid pixels alone; and where they are at least that share of the kernel.

    `valid` holds 1 where `x`, which is 0 elsewhere, is valid; it has the bands of `x`, or one for all.
    """
    low = degrade(x, source, target, axes, gain)
    if valid is None:
        return low, None
    # Exactly zero where the kernel meets no invalid pixel: those keep their bits.
    lost = degrade(1.0 - valid, source, target, axes, gain)
    kept = (1.0 - lost).clamp_(min=1e-6)
    return torch.where(lost == 0, low, low / kept), (kept >= least).float()


def _along_rows(x: Tensor, source: Span, target: Span, block: int, axis: Axis, gain: float | None) -> Tensor:
    """Resample (band, row, col) `x` from rows `source` to the whole blocks around rows `target`."""
    starts = _block_starts(target, block)
    if x.device.type != "cpu" and _whole_step(block, axis, gain) is not None:
        return _at_once(x, source, target, block, axis, gain, 1).transpose(2, 3).flatten(1, 2)
    result = x.new_empty(len(x), len(starts) * block, x.shape[2])
    for index, start in enumerate(starts):
        need, weights = _block_weights(start, block, source, target, axis, gain, x.device)
        taken = _take(x, need, source, 1)
        torch.matmul(weights.T, taken, out=result[:, index * block : (index + 1) * block])
    return result


def _along_cols(x: Tensor, source: Span, target: Span, block: int, axis: Axis, gain: float | None) -> Tensor:
    """Resample (band, row, col) `x` from columns `source` to the whole blocks around columns `target`."""
    starts = _block_starts(target, block)
    if x.device.type != "cpu" and _whole_step(block, axis, gain) is not None:
        return _at_once(x, source, target, block, axis, gain, 2).flatten(2)
    result = x.new_empty(*x.shape[:2], len(starts) * block)
    for index, start in enumerate(starts):
        need, weights = _block_weights(start, block, source, target, axis, gain, x.device)
        taken = _take(x, need, source, 2)
        result[:, :, index * block : (index + 1) * block] = taken @ weights
    return result


def _at_once(
    x: Tensor, source: Span, target: Span, block: int, axis: Axis, gain: float | None, dim: int
) -> Tensor:
    """All blocks of outputs in one product, (band, ..., block, ..., output): where every call costs.

    For blocks that are so many whole inputs apart, and so have the same weights.
    """
    starts, step = _block_starts(target, block), _whole_step(block, axis, gain)
    assert step is not None
    needs = [
        _block_weights(start, block, source, target, axis, gain, x.device)
        for start in (starts[0], starts[-1])
    ]
    (first, weights), (last, _) = needs
    taken = _take(x, Span(first.start, last.stop), source, dim)
    return taken.unfold(dim, first.stop - first.start, step) @ weights


def _block_starts(target: Span, block: int) -> range:
    return range(target.start // block * block, target.stop, block)


def _block_weights(
    start: int,
    block: int,
    source: Span,
    target: Span,
    axis: Axis,
    gain: float | None,
    device: torch.device,
) -> tuple[Span, Tensor]:
    """Which inputs a block of outputs spans, and its (input, output) weights.

    Raises ValueError where an output of `target` needs an input beyond `source`.
    """
    need, host = _weights_of(start, block, axis, gain)
    low, high = max(need.start, source.start), min(need.stop, source.stop)
    if (low, high) != (need.start, need.stop):
        kept = host[:, max(target.start - start, 0) : target.stop - start]
        if kept[: max(low - need.start, 0)].any() or kept[max(high - need.start, 0) :].any():
            raise ValueError(f"output pixels {target} need inputs beyond {source}")
    if device.type == "cpu":
        return need, torch.from_numpy(host)
    if _whole_step(block, axis, gain) is not None:
        return need, _shared_weights(block, axis, gain, device)
    return need, upload(host, device)


def _whole_step(block: int, axis: Axis, gain: float | None) -> int | None:
    """How many inputs blocks of outputs are apart, None where that is no whole number."""
    step = block / axis.ratio if gain is None else block * axis.ratio
    return int(step) if step == int(step) else None


def _weights_of(start: int, block: int, axis: Axis, gain: float | None) -> tuple[Span, Floats]:
    """As `_weights`; those of the first block, moved, where all have the same."""
    step = _whole_step(block, axis, gain)
    if step is None:
        return _weights(start, start + block, axis, gain)
    need, weights = _weights(0, block, axis, gain)
    moved = start // block * step
    return Span(need.start + moved, need.stop + moved), weights


@lru_cache(maxsize=256)
def _shared_weights(block: int, axis: Axis, gain: float | None, device: torch.device) -> Tensor:
    """On a device, once for all tiles and streams: whoever comes first waits until it is there."""
    weights = upload(_weights(0, block, axis, gain)[1], device)
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
    return weights


def _take(x: Tensor, need: Span, source: Span, dim: int) -> Tensor:
    """Inputs `need` of `x`, zero beyond `source`: those weigh nothing in the outputs that are kept.

    A block is never cut short: BLAS adds in another order in products of another shape.
    """
    low, high = max(need.start, source.start), min(need.stop, source.stop)
    if high <= low:
        shape = list(x.shape)
        shape[dim] = need.stop - need.start
        return x.new_zeros(shape)
    taken = x.narrow(dim, low - source.start, high - low)
    if (low, high) == (need.start, need.stop):
        return taken
    pad = (low - need.start, need.stop - high)
    return torch.nn.functional.pad(taken, (*(0, 0) * (2 - dim), *pad))


def _cut_blocks(x: Tensor, target: tuple[Span, Span], block: int) -> Tensor:
    """`target` out of the whole blocks around it."""
    (rows, cols), (top, left) = target, (span.start % block for span in target)
    return x[:, top : top + rows.stop - rows.start, left : left + cols.stop - cols.start].contiguous()


@lru_cache(maxsize=1024)
def _weights(start: int, stop: int, axis: Axis, gain: float | None) -> tuple[Span, Floats]:
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
        weights = np.exp(-0.5 * (distance / sigma) ** 2) * (np.abs(distance) <= _GAUSS_RADIUS * sigma)
        weights /= weights.sum(0)
    return need, weights.astype(np.float32)


def _keys6(s: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel of support 3, fourth order (IEEE ASSP 29, 1981)."""
    near = (4 / 3 * s - 7 / 3) * s**2 + 1
    middle = ((-7 / 12 * s + 3) * s - 59 / 12) * s + 2.5
    far = ((1 / 12 * s - 2 / 3) * s + 1.75) * s - 1.5
    return np.where(s <= 1, near, np.where(s <= 2, middle, np.where(s <= 3, far, 0.0)))
