"""The classical methods: detail injection, additive or multiplicative.

All of them compute, per band b,

    fused_b = up(MS_b) + g_b (PAN - up(low_b))           exp, gsa, glp
    fused_b = up(MS_b) * PAN_b / up(low_b)               glp-hpm

and differ in what PAN is taken to look like at MS resolution (low_b) and in the gains, which are
constants of the scene. See Vivone et al., "A critical comparison among pansharpening algorithms",
IEEE TGRS 53(5), 2015, and its 2021 sequel in IEEE GRSM.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geosharp.imaging.holes import FILL_REACH, fill_holes
from geosharp.imaging.resample import UP_RADIUS, Axis, Gain, Span, Spans, degrade_valid, down_radius, upsample
from geosharp.imaging.rules import SizeRules

Floats = NDArray[np.float64]

# Share of a kernel from which what it meets of PAN stands for all of it; less is filled from the rim.
_LEAST = 0.1
# Modulation by more than this is PAN noise over a dark background; below this share of the band's mean, PAN's
# low resolution is.
MAX_MODULATION, DARKEST = 8.0, 0.05
# Correlation of details above which a band is modulated rather than added to.
MODULATED_ABOVE = 0.3


@dataclass(frozen=True)
class Optics:
    """How PAN pixels become MS pixels: axes (row, col), and Nyquist gains of the relative kernel.

    gains: per band; mean_gain: of the one that makes PAN as coarse as MS on the whole.
    """

    axes: tuple[Axis, Axis]
    gains: tuple[Gain, ...]
    mean_gain: Gain

    @property
    def reach(self) -> tuple[int, int]:
        """PAN pixels around an MS pixel's centre, (rows, cols), that any of the kernels needs."""
        rows, cols = (
            max(down_radius(gain, axis.ratio) for gain in along)
            for along, axis in zip(zip(*self.gains, self.mean_gain, strict=True), self.axes, strict=True)
        )
        return rows, cols


@dataclass(frozen=True)
class Moments:
    """First and second moments of a scene at MS resolution, in DN, over valid unsaturated pixels.

    Variables: the B bands of MS, then D_b(PAN) for each band's kernel, then D(PAN) with mean_gain.
    means (2B+1,), cov (2B+1, 2B+1); detail_cov: the same of differences between neighbours.
    """

    count: int
    means: Floats
    cov: Floats
    detail_cov: Floats

    @property
    def bands(self) -> int:
        return (len(self.means) - 1) // 2

    @property
    def centres(self) -> tuple[Floats, float]:
        """Mean of each MS band, and of PAN."""
        return self.means[: self.bands], float(self.means[-1])

    def detail_correlation(self) -> Floats:
        """Per band, how far its detail goes with that of PAN degraded: -1 to 1."""
        b = self.bands
        variance = np.diag(self.detail_cov)
        own = np.sqrt(variance[:b] * variance[b : 2 * b])
        cross = np.diag(self.detail_cov[:b, b : 2 * b])
        return np.divide(cross, own, out=np.zeros(b), where=own > 0)


@dataclass(frozen=True)
class Injection:
    """A method with its scene-wide constants.

    gains: g_b per band. spectral: weights w_b with low = sum_b w_b MS_b for every band; None where
    low_b = D_b(PAN). levels: the mean DN a modulated band is about; NaN where a band is not modulated.
    """

    gains: Floats
    spectral: Floats | None = None
    levels: Floats | None = None


@dataclass(frozen=True)
class Pair:
    """Centred float32 tensors around a tile, see radiometry.to_float, and where they lie.

    pan (1, row, col) over pan_spans, ms (band, row, col) over ms_spans; masks hold 1 where valid,
    None where all is valid; ms_valid may have one band for all.
    """

    pan: Tensor
    ms: Tensor
    pan_spans: Spans
    ms_spans: Spans
    pan_valid: Tensor | None
    ms_valid: Tensor | None


def exp(moments: Moments) -> Injection:
    """Interpolated MS, no detail: what every other method has to beat."""
    return Injection(np.zeros(moments.bands))


def gsa(moments: Moments) -> Injection:
    """Adaptive Gram-Schmidt: PAN's low resolution is the mix of bands that explains it best.

    Aiazzi, Baronti, Selva, IEEE TGRS 45(10), 2007.
    """
    b = moments.bands
    cov = moments.cov[:b, :b]
    weights = np.linalg.lstsq(cov, moments.cov[:b, -1], rcond=1e-9)[0]
    variance = float(weights @ cov @ weights)
    gains = cov @ weights / variance if variance > 0 else np.zeros(b)
    return Injection(gains, spectral=np.asarray(weights, np.float64))


def glp(moments: Moments) -> Injection:
    """MTF-GLP with regression gains over the scene (GLP-CBD with one context).

    Aiazzi et al., Photogramm. Eng. Remote Sens. 72(5), 2006.
    """
    return Injection(_regression_gains(moments))


def glp_hpm(moments: Moments) -> Injection:
    """MTF-GLP with high-pass modulation: PAN, matched to each band, over its own low resolution.

    Bands that share no detail with PAN, or whose mean is not positive, get regression gains
    instead: modulation would copy PAN's detail into them whatever they show.
    """
    b = moments.bands
    spread = np.sqrt(np.maximum(np.diag(moments.cov), 0))
    gains = np.divide(spread[:b], spread[b : 2 * b], out=np.zeros(b), where=spread[b : 2 * b] > 0)
    means = moments.means[:b]
    modulated = (means > 0) & (moments.detail_correlation() > MODULATED_ABOVE)
    gains = np.where(modulated, gains, _regression_gains(moments))
    return Injection(gains, levels=np.where(modulated, means, np.nan))


METHODS: dict[str, Callable[[Moments], Injection]] = {
    "exp": exp,
    "gsa": gsa,
    "glp": glp,
    "glp-hpm": glp_hpm,
}


def size_rules(optics: Optics) -> SizeRules:
    """What `inject` needs around a tile."""
    halo = [
        math.ceil(axis.ratio * (UP_RADIUS + FILL_REACH + 2)) + reach
        for axis, reach in zip(optics.axes, optics.reach, strict=True)
    ]
    return SizeRules(1, (halo[0], halo[1]))


def inject(pair: Pair, injection: Injection, optics: Optics, target: Spans) -> Tensor:
    """Fuse PAN pixels `target`; (band, row, col) centred float32, undefined where PAN or MS is invalid."""
    low_spans = ms_spans_around(target, optics.axes)
    ms, ms_valid = cut(pair.ms, pair.ms_spans, low_spans), None
    if pair.ms_valid is not None:
        ms_valid = cut(pair.ms_valid, pair.ms_spans, low_spans)
    if injection.levels is not None:
        return _modulate(pair, ms, ms_valid, injection, optics, low_spans, target)
    gains = torch.from_numpy(injection.gains).float()[:, None, None]
    if not injection.gains.any():
        return upsample(fill_holes(ms, ms_valid), low_spans, target, optics.axes)
    if injection.spectral is not None:
        weights = torch.from_numpy(injection.spectral).float()
        low = _weighted_sum(ms, weights)
        valid = None if ms_valid is None else ms_valid * ms_valid.amin(0, keepdim=True)
    else:
        low, low_valid = degraded_pan(pair, optics, low_spans)
        valid = _both(ms_valid, low_valid)
    fused = upsample(fill_holes(ms - gains * low, valid), low_spans, target, optics.axes)
    return fused.addcmul_(cut(pair.pan, pair.pan_spans, target), gains)


def degraded_pan(
    pair: Pair, optics: Optics, target: Spans, least: float = _LEAST
) -> tuple[Tensor, Tensor | None]:
    """D_b(PAN) for each band on MS pixels `target`, and where `least` of its kernel met valid PAN.

    (band, row, col), one band for all where their kernels are the same.
    """
    by_gain = {
        gain: _degrade_pan(pair, target, optics.axes, gain, least) for gain in dict.fromkeys(optics.gains)
    }
    if len(by_gain) == 1:
        return by_gain[optics.gains[0]]
    low = torch.cat([by_gain[gain][0] for gain in optics.gains])
    valids = [by_gain[gain][1] for gain in optics.gains]
    if all(valid is None for valid in valids):
        return low, None
    return low, torch.cat([valid for valid in valids if valid is not None])


def _degrade_pan(
    pair: Pair, target: Spans, axes: tuple[Axis, Axis], gain: Gain, least: float = _LEAST
) -> tuple[Tensor, Tensor | None]:
    return degrade_valid(pair.pan, pair.pan_valid, pair.pan_spans, target, axes, gain, least)


def _modulate(
    pair: Pair,
    ms: Tensor,
    ms_valid: Tensor | None,
    injection: Injection,
    optics: Optics,
    low_spans: Spans,
    target: Spans,
) -> Tensor:
    """High-pass modulation, band by band: what a band needs stays in the processor's cache."""
    assert injection.levels is not None
    pan = cut(pair.pan, pair.pan_spans, target)[0]
    coarse: dict[Gain, Tensor] = {}
    result = upsample(fill_holes(ms, ms_valid), low_spans, target, optics.axes)
    for fused, gain, level, kernel in zip(
        result, injection.gains.tolist(), injection.levels.tolist(), optics.gains, strict=True
    ):
        if gain == 0:
            continue
        if kernel not in coarse:
            low, low_valid = _degrade_pan(pair, low_spans, optics.axes, kernel)
            coarse[kernel] = upsample(fill_holes(low, low_valid), low_spans, target, optics.axes)[0]
        if math.isnan(level):
            fused.add_(pan - coarse[kernel], alpha=gain)
            continue
        dark = level / gain
        # PAN over its low resolution.
        floor = (coarse[kernel] + dark).clamp_(min=DARKEST * dark)
        quotient = (pan - coarse[kernel]).div_(floor).add_(1.0)
        fused.add_(level).mul_(quotient.clamp_(0.0, MAX_MODULATION)).sub_(level)
    return result


def _regression_gains(moments: Moments) -> Floats:
    b = moments.bands
    variance = np.diag(moments.cov)[b : 2 * b]
    cross = np.diag(moments.cov[:b, b : 2 * b])
    return np.divide(cross, variance, out=np.zeros(b), where=variance > 0)


def _weighted_sum(x: Tensor, weights: Tensor) -> Tensor:
    """sum_b weights_b x_b as (1, row, col), added in the order of the bands."""
    total = x[:1] * weights[0]
    for band in range(1, len(x)):
        total.add_(x[band : band + 1] * weights[band])
    return total


def ms_spans_around(target: Spans, axes: tuple[Axis, Axis]) -> Spans:
    """MS pixels that interpolating PAN pixels `target` needs, and FILL_REACH more."""
    spans = []
    for span, axis in zip(target, axes, strict=True):
        first = (span.start + 0.5 - axis.offset) / axis.ratio - 0.5
        last = (span.stop - 0.5 - axis.offset) / axis.ratio - 0.5
        spans.append(
            Span(math.floor(first) - UP_RADIUS - FILL_REACH, math.ceil(last) + UP_RADIUS + FILL_REACH + 1)
        )
    return spans[0], spans[1]


def cut(x: Tensor, spans: Spans, part: Spans) -> Tensor:
    """Pixels `part` of (band, row, col) `x`, which holds `spans`."""
    (rows, cols), (top, left) = part, (spans[0].start, spans[1].start)
    return x[:, rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]


def _both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return one if other is None else other
    return one * other
