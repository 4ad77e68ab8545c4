"""How sure a calibration is: what its windows say one by one, and without one another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geosharp.padm.align import Floats
from geosharp.padm.iterate import Fit, fit_align, fit_degrade
from geosharp.padm.sample import Sample

_GROUPS = 10
_LEAST_GROUPS = 3
# Residuals of neighbours are alike: so many of them say as much as one that is on its own.
_ALIKE = 4.0
# PAN pixels: a local shift that is less sure does not count.
_SURE = 0.25
# PAN pixels from where most of the scene lies, for a window to lie elsewhere.
_ASIDE = 1.0


@dataclass(frozen=True)
class LocalShift:
    """Where a window's content lies.

    centre: of its MS pixels in PAN pixels (row, col); shift: (down, right) in PAN pixels as Operator counts
    it; error: standard error of that.
    """

    centre: tuple[float, float]
    shift: tuple[float, float]
    error: float


def estimate_errors(sample: Sample, fit: Fit) -> Floats:
    """Standard errors of the two gains and the two shifts, (4,): the jackknife over groups of windows.

    Infinite where there are too few windows to tell.
    """
    windows = len(fit.products)
    groups = min(windows, _GROUPS)
    if groups < _LEAST_GROUPS:
        return np.full(4, math.inf)
    moves = []
    for group in range(groups):
        rest = fit.products[np.arange(windows) % groups != group]
        moves.append(fit_degrade(rest, fit_align(rest)[0], fit.operator, sample.ratio, 0.0, fit.moving))
    errors: Floats = np.sqrt((groups - 1) * np.var(moves, axis=0))
    # From variances to gains.
    slopes = 0.5 * np.array(fit.operator.gains) * (math.pi / np.array(sample.ratio)) ** 2
    return np.asarray(errors * np.array([*slopes, 1.0, 1.0]))


def map_shifts(sample: Sample, fit: Fit, offset: tuple[float, float]) -> tuple[LocalShift, ...]:
    """The shift window by window, blur and spectral weights being the scene's.

    offset: of MS on PAN, see Relation.
    """
    found = []
    counts = sample.counted.sum((1, 2)).tolist()
    for rect, products, count in zip(sample.rects, fit.products, counts, strict=True):
        at = [
            start + ratio * (first + size / 2)
            for start, ratio, first, size in zip(
                offset, sample.ratio, (rect.row, rect.col), rect.shape, strict=True
            )
        ]
        local = _local_move(products, fit.weights, count)
        if local is not None:
            (down, right), error = local
            shift = fit.operator.shift[0] + down, fit.operator.shift[1] + right
            found.append(LocalShift((at[0], at[1]), shift, error))
    return tuple(found)


def spread_of(shifts: tuple[LocalShift, ...]) -> tuple[float, float]:
    """Median deviation (down, right) of the local shifts that are sure, as a normal spread's deviation is."""
    down, right = 1.4826 * np.median(np.abs(_deviations(shifts)), 0)
    return float(down), float(right)


def find_strays(shifts: tuple[LocalShift, ...]) -> tuple[float, float]:
    """What a median deviation does not see: which share of sure windows lies aside of the rest, and how far.

    Their median distance in PAN pixels; 0, 0 where none does.
    """
    distances = np.hypot(*_deviations(shifts).T)
    strays = distances[distances > _ASIDE]
    return len(strays) / len(distances), float(np.median(strays)) if len(strays) else 0.0


def _deviations(shifts: tuple[LocalShift, ...]) -> Floats:
    """(window, 2) of the local shifts that are sure, from their median; 0, 0 alone where they are few."""
    sure = np.array([local.shift for local in shifts if local.error < _SURE])
    if len(sure) < _LEAST_GROUPS:
        return np.zeros((1, 2))
    return np.asarray(sure - np.median(sure, 0))


def _local_move(products: Floats, weights: Floats, count: float) -> tuple[tuple[float, float], float] | None:
    """How much further a window's content lies, least squares of A(MS) = g D(PAN), and how sure that is."""
    parts = products[np.ix_((0, 3, 4), (0, 3, 4))]
    toward = weights @ products[5:, (0, 3, 4)]
    try:
        inverse = np.linalg.inv(parts)
    except np.linalg.LinAlgError:
        return None
    found = inverse @ toward
    if found[0] <= 0:
        return None
    left = weights @ products[5:, 5:] @ weights - found @ toward
    variance = float(left) / max(count - 3, 1.0) * _ALIKE * float(np.trace(inverse[1:, 1:])) / 2
    gain, down, right = found.tolist()
    return (down / gain, right / gain), math.sqrt(max(variance, 0.0)) / gain
