"""What the network is shown of a tile: MS, PAN and what two classical methods make of them.

The arithmetic is that of imaging.classic, on tensors with any leading dimensions, so that training simulates
scenes in batches with the functions that inference uses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from geosharp.imaging.classic import (
    DARKEST,
    MAX_MODULATION,
    MODULATED_ABOVE,
    Moments,
    Optics,
    Pair,
    cut,
    degraded_pan,
    ms_spans_around,
)
from geosharp.imaging.holes import fill_holes
from geosharp.imaging.resample import Spans, nyquist_sigma, upsample

# Channels of the conditions, each (row, col) on PAN's grid.
UP, ADDITIVE, MODULATED, LOW, DETAIL = range(5)
CHANNELS = 5
# Numbers that describe a band of a scene, see `describe`.
DESCRIPTORS = 6


@dataclass(frozen=True)
class Constants:
    """A scene's constants, tensors (..., band).

    scale: the band's standard deviation in DN; level: its mean; low_scale: the standard deviation of
    D_b(PAN); correlation: of the band with D_b(PAN); detail_correlation: the same of neighbours' differences.
    """

    scale: Tensor
    level: Tensor
    low_scale: Tensor
    correlation: Tensor
    detail_correlation: Tensor

    def to(self, device: torch.device) -> Constants:
        return Constants(*(getattr(self, field.name).to(device) for field in fields(self)))


def constants_of(moments: Moments) -> Constants:
    """From a scene's moments; a band without contrast has a scale of 1 DN."""
    b = moments.bands
    deviation = np.sqrt(np.maximum(np.diag(moments.cov), 0))
    scale, low_scale = deviation[:b], deviation[b : 2 * b]
    own = scale * low_scale
    cross = np.diag(moments.cov[:b, b : 2 * b])
    correlation = np.divide(cross, own, out=np.zeros(b), where=own > 0)
    values = (
        np.where(scale > 0, scale, 1.0),
        moments.means[:b],
        np.where(low_scale > 0, low_scale, 1.0),
        correlation,
        moments.detail_correlation(),
    )
    return Constants(*(torch.from_numpy(np.asarray(value)).float() for value in values))


def conditions(pair: Pair, optics: Optics, constants: Constants, target: Spans) -> Tensor:
    """PAN pixels `target` as the network sees them: (band, channel, row, col) float32, about -5 to 5.

    PAN's detail is 0 where PAN is invalid.
    """
    source = ms_spans_around(target, optics.axes)
    ms_valid = None if pair.ms_valid is None else cut(pair.ms_valid, pair.ms_spans, source)
    ms = fill_holes(cut(pair.ms, pair.ms_spans, source), ms_valid)
    low = fill_holes(*degraded_pan(pair, optics, source))
    up, coarse = (upsample(x, source, target, optics.axes) for x in (ms, low))
    pan = cut(pair.pan, pair.pan_spans, target)
    if pair.pan_valid is not None:
        pan = torch.where(cut(pair.pan_valid, pair.pan_spans, target) > 0, pan, coarse)
    return assemble(up, pan, coarse.expand(len(up), *coarse.shape[1:]), constants)


def assemble(up: Tensor, pan: Tensor, low: Tensor, constants: Constants) -> Tensor:
    """The conditions (..., band, channel, row, col) of what lies on PAN's grid, centred DN.

    up, low: (..., band, row, col), interpolated MS and D_b(PAN); pan: (..., 1, row, col), or for each band.
    """
    scale, level, low_scale, correlation, detail_correlation = (
        value[..., None, None]
        for value in (
            constants.scale,
            constants.level,
            constants.low_scale,
            constants.correlation,
            constants.detail_correlation,
        )
    )
    detail = pan - low
    added = correlation * detail / low_scale
    modulated = (level > 0) & (detail_correlation > MODULATED_ABOVE)
    # PAN, matched to the band, over its own low resolution.
    dark = torch.where(modulated, level, scale) * low_scale / scale
    quotient = detail / torch.maximum(low + dark, DARKEST * dark)
    factor = quotient.clamp(-1.0, MAX_MODULATION - 1.0)
    multiplied = torch.where(modulated, (up + level) * factor / scale, added)
    return torch.stack([up / scale, added, multiplied, low / low_scale, detail / low_scale], -3)


def describe(optics: Optics, constants: Constants) -> Tensor:
    """(band, descriptor) of a scene, see `descriptors`."""
    sigmas = [
        [nyquist_sigma(gain, axis.ratio) for gain, axis in zip(gains, optics.axes, strict=True)]
        for gains in optics.gains
    ]
    ratio = math.sqrt(math.prod(axis.ratio for axis in optics.axes))
    return descriptors(torch.tensor(sigmas), torch.tensor(ratio), constants)


def descriptors(sigmas: Tensor, ratio: Tensor, constants: Constants) -> Tensor:
    """(..., band, descriptor), about -1 to 1: correlations with PAN, ratio, width of the kernel, contrast.

    sigmas: (..., band, 2), the standard deviation of each band's kernel along (rows, cols) in PAN pixels;
    ratio: (...,), PAN pixels an MS pixel.
    """
    widths = torch.log(sigmas)
    contrast = constants.scale / constants.level.clamp(min=1e-6)
    numbers = [
        constants.correlation,
        constants.detail_correlation,
        (torch.log2(ratio) - 1.5)[..., None].expand_as(constants.scale),
        widths[..., 0],
        widths[..., 1],
        contrast.clamp(max=2.0),
    ]
    return torch.stack(numbers, -1)


def base(shown: Tensor) -> Tensor:
    """What the network's output is added to: the additive prior, in units of the band."""
    return shown[..., UP, :, :] + shown[..., ADDITIVE, :, :]
