"""What single bands add to the scene's operator: their own sharpness, and how they go with PAN's detail."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from geosharp.padm.align import Floats
from geosharp.padm.iterate import GAINS, Operator
from geosharp.padm.sample import Sample

# Standard deviation in MS pixels of the high-pass under which bands are held against PAN: the tighter, the
# less it matters that a band goes with PAN differently at different scales.
_TIGHT = 1.2
# By how much, in log gain, bands of one sensor differ in sharpness.
_DIFFERENCE = 0.12
_OFFSETS = np.linspace(-0.8, 0.8, 9)
_SHARPEST = 0.9


@dataclass(frozen=True)
class BandFit:
    """gains: at MS Nyquist (rows, cols); slope: of the standardised band on standardised D_b(PAN), both
    high-passed; explained: the share of the band that this makes, R2."""

    gains: tuple[float, float]
    slope: float
    explained: float


def fit_bands(sample: Sample, operator: Operator) -> tuple[BandFit, ...]:
    """Every band against PAN degraded by the operator, made sharper or blurrier step by step.

    What PAN does not show of a band may go with what it does show at some scales and not at others, which
    looks like blur: by as much as is unexplained, a band's own sharpness yields to the scene's.
    """
    offsets = [
        offset
        for offset in _OFFSETS.tolist()
        if max(operator.gains) * math.exp(offset) < _SHARPEST or offset <= 0
    ]
    tight = sample.high_pass(sample.ms, _TIGHT)
    explained = np.array([_hold(sample, _sharpen(operator, offset), tight, _TIGHT)[1] for offset in offsets])
    factors = []
    for curve in explained.T:
        at, height = _peak(offsets, curve)
        factors.append(at * _DIFFERENCE**2 / (_DIFFERENCE**2 + (1 - height) ** 2))
    fits = []
    slopes, heights = _hold(sample, operator, sample.ms, None)
    for factor, slope, height in zip(factors, slopes, heights, strict=True):
        rows, cols = np.clip(np.array(operator.gains) * math.exp(factor), *GAINS).tolist()
        fits.append(BandFit((rows, cols), float(slope), float(height)))
    return tuple(fits)


def _sharpen(operator: Operator, offset: float) -> Operator:
    rows, cols = (gain * math.exp(offset) for gain in operator.gains)
    return Operator((rows, cols), operator.shift)


def _hold(sample: Sample, operator: Operator, ms: Tensor, low_pass: float | None) -> tuple[Floats, Floats]:
    """Per band of high-passed `ms`, its slope on PAN so degraded and the share that this explains."""
    with torch.no_grad():
        low = sample.high_pass(operator.net(sample.ratio)(sample)[:, None])
    if low_pass is not None:
        low = sample.high_pass(low, low_pass)
    values = torch.cat([low, ms], 1).transpose(0, 1).flatten(1).double()
    cross, power = (values @ values[0]).numpy(), values.square().sum(1).numpy()
    slopes = cross[1:] / power[0] if power[0] > 0 else np.zeros(len(cross) - 1)
    shares = np.divide(slopes * cross[1:], power[1:], out=np.zeros_like(slopes), where=power[1:] > 0)
    return slopes, shares


def _peak(at: list[float], values: Floats) -> tuple[float, float]:
    """Where the parabola through the largest of evenly spaced values and its neighbours peaks; that value."""
    top = int(values.argmax())
    if top in (0, len(at) - 1):
        return at[top], float(values[top])
    before, here, after = values[top - 1 : top + 2].tolist()
    bend = before - 2 * here + after
    if bend >= 0:
        return at[top], here
    step = 0.5 * (before - after) / bend
    return at[top] + step * (at[1] - at[0]), here
