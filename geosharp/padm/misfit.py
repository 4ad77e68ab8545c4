"""How far off MS is where that is too far for the iteration: to an MS pixel or so, for a warning."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from geosharp.padm.iterate import Operator
from geosharp.padm.sample import Sample

_GAIN = 0.3
# Correlation that a match must have, and by how much any other place must be worse.
_LEAST = 0.5
_DISTINCT = 0.1
# MS pixels around the best place that count as the same one.
_SAME = 2
# Share of a window's pixels that must meet, or few pixels match by chance.
_OVERLAP = 0.25


def find_misfit(sample: Sample) -> tuple[float, float] | None:
    """Where the content of MS lies, (down, right) in PAN pixels from where the geotransforms put it.

    By cross-correlation of MS's bands with degraded PAN over whole MS pixels, up to half a window; None where
    no place stands out.
    """
    with torch.no_grad():
        low = sample.high_pass(Operator((_GAIN, _GAIN), (0.0, 0.0)).net(sample.ratio)(sample)[:, None])
    match = _correlate(low, sample.ms, sample.counted[:, None])
    row, col = np.unravel_index(int(np.argmax(match)), match.shape)
    best = float(match[row, col])
    rest = match.copy()
    rest[max(row - _SAME, 0) : row + _SAME + 1, max(col - _SAME, 0) : col + _SAME + 1] = -1
    if best < _LEAST or rest.max() > best - _DISTINCT:
        return None
    down = row - match.shape[0] // 2 + _lean(match[row - 1 : row + 2, col])
    right = col - match.shape[1] // 2 + _lean(match[row, col - 1 : col + 2])
    return float(sample.ratio[0] * down), float(sample.ratio[1] * right)


def _lean(values: np.ndarray) -> float:
    """Where the parabola through three values peaks, from the middle one, which is the largest."""
    if len(values) < 3 or (bend := values[0] - 2 * values[1] + values[2]) >= 0:
        return 0.0
    return float(0.5 * (values[0] - values[2]) / bend)


def _correlate(low: Tensor, ms: Tensor, counted: Tensor) -> np.ndarray:
    """Correlation of `ms` at a pixel with `low` (down, right) of it, over all windows and bands.

    (row, col) with no displacement in the middle; -1 where too few pixels meet.
    """
    shape = [2 * size for size in low.shape[2:]]

    def spectrum(x: Tensor) -> Tensor:
        return Tensor(torch.fft.rfft2(x.double(), s=shape))

    def sums(here: Tensor, there: Tensor) -> np.ndarray:
        """Of here(i) * there(i + d), by d."""
        both = (spectrum(here).conj() * spectrum(there)).sum((0, 1))
        return np.asarray(torch.fft.fftshift(torch.fft.irfft2(both, s=shape)).numpy())

    total = ms.sum(1, keepdim=True)
    meet = sums(counted, counted)
    power = sums(total**2, counted) * sums(counted, low**2)
    enough = meet > _OVERLAP * meet.max()
    match = np.full(meet.shape, -1.0)
    match[enough] = sums(total, low)[enough] / np.sqrt(np.maximum(power[enough], 1e-12))
    return match
