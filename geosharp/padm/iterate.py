"""The mutual iteration: PAlignNet with PDegradeNet fixed, PDegradeNet with PAlignNet fixed, until both stay.

Both maximise one number, the share R2 of D(PAN)'s variance that A(MS) explains, both high-passed. Both need
nothing but inner products of D(PAN), its four derivatives and the bands: one pass over the sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from geosharp.imaging.resample import nyquist_sigma
from geosharp.padm.align import Floats, fit_response
from geosharp.padm.degrade import PDegradeNet, gain_of
from geosharp.padm.sample import Sample

# Nyquist gains that a kernel may have: what is steeper or flatter is no blur of a sensor.
GAINS = (0.02, 0.70)
# PAN pixels that MS may be off.
MOST_SHIFT = 4.5
_STEPS = 15
# Gain and PAN pixels: who moves less has arrived.
_STILL = (0.001, 0.005)
# Of the curvature, the first step's proximal term; a tenth of it with each step that succeeds.
_PROXIMAL = 1e-2
# What sums of single precision may lose of R2.
_ROUNDING = 1e-7
# A step that raises R2 by less is the last.
_LITTLE = 1e-6
_SLOPES = slice(1, 5)
_BANDS = slice(5, None)


@dataclass(frozen=True)
class Operator:
    """gains: at MS Nyquist along (rows, cols); shift: (down, right) in PAN pixels, see PDegradeNet."""

    gains: tuple[float, float]
    shift: tuple[float, float]

    def apart(self, other: Operator) -> tuple[float, float]:
        """By how much gains differ at most, and shifts."""
        gains, shift = np.subtract(self.gains, other.gains), np.subtract(self.shift, other.shift)
        return float(np.abs(gains).max()), float(np.abs(shift).max())

    def net(self, ratio: tuple[float, float]) -> PDegradeNet:
        rows, cols = (nyquist_sigma(gain, each) ** 2 for gain, each in zip(self.gains, ratio, strict=True))
        return PDegradeNet((rows, cols), self.shift)


@dataclass(frozen=True)
class Step:
    """One round: what A leaves of D(PAN) once fitted to D, and what is left once D followed it (1 - R2)."""

    align: float
    degrade: float
    operator: Operator


@dataclass(frozen=True, eq=False)
class Fit:
    """Where an iteration from one start ended.

    weights: per band, of standardised bands for standardised PAN; explained: R2; products: see take_products;
    moving: whether the shift was free.
    """

    operator: Operator
    weights: Floats
    explained: float
    history: tuple[Step, ...]
    converged: bool
    products: Floats
    moving: bool


def take_products(sample: Sample, net: PDegradeNet) -> Floats:
    """Per window, inner products of high-passed D(PAN), its four derivatives and the bands.

    (window, 5 + band, 5 + band); slopes by the variances and shifts of `net`, rows before columns.
    """
    with torch.no_grad():
        slopes = sample.high_pass(net.linearise(sample))
    values = torch.cat([slopes, sample.ms], 1).flatten(2).double()
    return np.asarray((values @ values.mT).numpy())


def iterate(sample: Sample, start: Operator, steps: int = _STEPS, *, moving: bool = True) -> Fit:
    """From `start` uphill: every step explains at least as much as the one before.

    moving: whether the shift may leave the start's.
    """
    operator, history, converged = start, list[Step](), False
    products = take_products(sample, operator.net(sample.ratio))
    weights, explained = fit_align(products)
    proximal, last = _PROXIMAL, np.zeros(4)
    while len(history) < steps and not converged:
        move = fit_degrade(products, weights, operator, sample.ratio, proximal, moving)
        # Where moves swing to and fro, the curvature is more than products tell.
        move = np.where(move * last < 0, 0.5 * move, move)
        for _ in range(4):
            there = _moved(operator, move, sample.ratio)
            products_there = take_products(sample, there.net(sample.ratio))
            weights_there, explained_there = fit_align(products_there)
            if explained_there >= explained - _ROUNDING:
                break
            move, proximal = 0.3 * move, 10 * proximal
        else:
            # Uphill there is nothing but rounding.
            converged = True
            break
        history.append(Step(1 - explained, 1 - _agreement(products_there, weights), there))
        converged = _is_still(operator, there) or explained_there < explained + _LITTLE
        operator, products, last = there, products_there, move
        weights, explained = weights_there, explained_there
        proximal *= 0.1
    return Fit(operator, weights, explained, tuple(history), converged, products, moving)


def fit_align(products: Floats) -> tuple[Floats, float]:
    """The half-step of PAlignNet: weights of the bands, and what share of D(PAN) they explain."""
    total = products.sum(0)
    return explain_by(total[0, 0], total[_BANDS, 0], total[_BANDS, _BANDS])


def explain(sample: Sample, operator: Operator) -> float:
    """What share of D(PAN) so degraded the bands explain, R2: the quick way, without slopes."""
    with torch.no_grad():
        low = sample.high_pass(operator.net(sample.ratio)(sample)[:, None])
    values = torch.cat([low, sample.ms], 1).flatten(2).double()
    total = (values @ values.mT).sum(0).numpy()
    return explain_by(total[0, 0], total[1:, 0], total[1:, 1:])[1]


def fit_degrade(
    products: Floats,
    weights: Floats,
    operator: Operator,
    ratio: tuple[float, float],
    proximal: float,
    moving: bool,
) -> Floats:
    """The half-step of PDegradeNet: how to move variances and shifts, (4,), towards A(MS) of `weights`.

    Gauss and Newton's step of A(MS) = g D(PAN), g free, within half an MS pixel; what is at its bound and
    would leave stays. `proximal`: share of the curvature that is added to it, which holds the step back;
    `moving`: whether shifts are free.
    """
    total = products.sum(0)
    power, slopes = total[0, 0], total[0, _SLOPES]
    toward = weights @ total[_BANDS]
    if power <= 0 or toward[0] <= 0:
        return np.zeros(4)
    # Gain and level of D(PAN) do not count: what is parallel to it is taken out.
    curvature = total[_SLOPES, _SLOPES] - np.outer(slopes, slopes) / power
    curvature += np.diag(proximal * np.diag(curvature) + 1e-12 * power)
    uphill = toward[_SLOPES] - slopes * toward[0] / power
    free = np.array([True, True, moving, moving])
    for _ in range(4):
        move = np.zeros(4)
        move[free] = np.linalg.solve(curvature[np.ix_(free, free)], uphill[free])
        move *= power / max(toward[0] - slopes @ move, 0.1 * toward[0])
        blocked = free & (_leaves(operator, ratio) * move > 0)
        if not blocked.any():
            break
        free &= ~blocked
    most = 0.5 * np.array([*ratio, *ratio])
    return np.clip(move, -most, most)


def explain_by(power: float, cross: Floats, cov: Floats) -> tuple[Floats, float]:
    """Weights of bands of those inner products `cov`, and the share of `power` that they explain.

    cross: inner products of the bands with what is explained.
    """
    weights = fit_response(cov, cross)
    return weights, float(weights @ (2 * cross - cov @ weights) / power) if power > 0 else 0.0


def _moved(operator: Operator, move: Floats, ratio: tuple[float, float]) -> Operator:
    gains = [
        gain_of(nyquist_sigma(gain, each) ** 2 + step, each)
        for gain, each, step in zip(operator.gains, ratio, move[:2], strict=True)
    ]
    rows, cols = np.clip(gains, *GAINS).tolist()
    down, right = np.clip(np.array(operator.shift) + move[2:], -MOST_SHIFT, MOST_SHIFT).tolist()
    return Operator((rows, cols), (down, right))


def _leaves(operator: Operator, ratio: tuple[float, float]) -> Floats:
    """Per parameter, the sign of a move that would leave its bounds; 0 inside. More variance is less gain."""
    gains, shift = np.array(operator.gains), np.array(operator.shift)
    out = np.where(gains <= GAINS[0], 1.0, np.where(gains >= GAINS[1], -1.0, 0.0))
    return np.concatenate([out, np.where(np.abs(shift) >= MOST_SHIFT, np.sign(shift), 0.0)])


def _agreement(products: Floats, weights: Floats) -> float:
    """Squared correlation of A(MS) and D(PAN)."""
    total = products.sum(0)
    cross = float(weights @ total[_BANDS, 0])
    power = float(weights @ total[_BANDS, _BANDS] @ weights) * float(total[0, 0])
    return cross**2 / power if power > 0 else 0.0


def _is_still(before: Operator, after: Operator) -> bool:
    gains, shift = after.apart(before)
    return gains < _STILL[0] and shift < _STILL[1]
