"""What can be learnt at full resolution, where nobody knows the truth: what a result becomes once it is made
as coarse as the MS is the MS, and in everything else it stays near the base's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from geosharp.engine.tensors import to_pair
from geosharp.hfreqdiff.conditions import base, conditions, constants_of, describe
from geosharp.imaging.classic import cut, size_rules
from geosharp.imaging.resample import Axis, Span, down_radius, nyquist_sigma, spans
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Patch, SceneReader
from geosharp.tuning.ground import Ground
from geosharp.tuning.places import hide


@dataclass(frozen=True)
class View:
    """shown (band, channel, row, col) of PAN pixels, described (band, descriptor), measured: MS (band, row,
    col) in units of the band, whose kernels lie in the patch but for its margin; rows, cols: (band, MS pixel,
    PAN pixel), which make PAN pixels MS pixels; counted: 1 where it is known, else 0."""

    shown: Tensor
    described: Tensor
    measured: Tensor
    rows: Tensor
    cols: Tensor
    counted: Tensor

    def to(self, device: torch.device) -> View:
        return View(*(value.to(device) for value in vars(self).values()))

    @property
    def prior(self) -> Tensor:
        """What the network adds to, (band, row, col)."""
        return base(self.shown)

    def degrade(self, fused: Tensor) -> Tensor:
        """(band, row, col) in units of the bands, PAN grid -> MS grid."""
        return self.rows @ fused @ self.cols.transpose(-1, -2)


def draw_view_place(ground: Ground, side: int, rng: np.random.Generator) -> Rect:
    """PAN pixels of a patch, about a place that is learnt from."""
    taught = ground.places.taught
    around = ground.scene.relation.pan_rect(taught[rng.integers(len(taught))])
    row, col = (
        start + int(rng.integers(size)) - side // 2
        for start, size in ((around.row, around.height), (around.col, around.width))
    )
    return Rect(row, col, side, side)


def make_view(ground: Ground, reader: SceneReader, target: Rect, margin: int) -> View:
    """What the network is shown of PAN pixels `target`, and what MS says of them; reader: of ground.scene."""
    optics, moments = ground.optics, ground.moments
    constants = constants_of(moments)
    centres, pan_centre = moments.centres
    pair = to_pair(
        _read(ground, reader, target.grow(*size_rules(optics).halo)),
        torch.from_numpy(centres).float(),
        torch.tensor([pan_centre], dtype=torch.float32),
    )
    shown = conditions(pair, optics, constants, spans(target))
    reach = optics.reach
    low = tuple(
        _inside(span, axis, margin + far)
        for span, axis, far in zip(spans(target), optics.axes, reach, strict=True)
    )
    measured = cut(pair.ms, pair.ms_spans, (low[0], low[1])) / constants.scale[:, None, None]
    rows, cols = (
        torch.stack([_kernel(span, axis, gains[along], ms) for gains in optics.gains])
        for along, (span, axis, ms) in enumerate(zip(spans(target), optics.axes, low, strict=True))
    )
    counted = torch.ones_like(measured)
    if pair.ms_valid is not None:
        counted *= cut(pair.ms_valid, pair.ms_spans, (low[0], low[1]))
    if pair.pan_valid is not None:
        lost = 1 - cut(pair.pan_valid, pair.pan_spans, spans(target))
        counted *= (rows @ lost @ cols.transpose(-1, -2)) == 0
    return View(shown, describe(optics, constants), measured, rows, cols, counted)


def _read(ground: Ground, reader: SceneReader, rect: Rect) -> Patch:
    """PAN pixels `rect` and the MS around them; what is kept aside is invalid."""
    relation = ground.scene.relation
    ms_rect = relation.ms_rect(rect)
    pan, pan_valid = reader.read_pan(rect)
    ms, ms_valid = reader.read_ms(ms_rect)
    hidden = ground.hidden
    pan_valid = hide(pan_valid, pan.shape, rect, [relation.pan_rect(place) for place in hidden])
    return Patch(pan, ms, rect, ms_rect, pan_valid, hide(ms_valid, ms.shape, ms_rect, hidden))


def _inside(span: Span, axis: Axis, margin: int) -> Span:
    """MS pixels whose centres lie so many PAN pixels inside; one at least."""
    first = math.ceil((span.start + margin - axis.offset) / axis.ratio - 0.5)
    last = math.floor((span.stop - margin - axis.offset) / axis.ratio - 0.5)
    return Span(first, max(last, first) + 1)


def _kernel(span: Span, axis: Axis, gain: float, low: Span) -> Tensor:
    """(MS pixel, PAN pixel): the weights of imaging.resample.degrade, which gradients go through."""
    centres = axis.offset + axis.ratio * (torch.arange(low.start, low.stop).double() + 0.5) - 0.5
    away = torch.arange(span.start, span.stop).double() - centres[:, None]
    sigma = nyquist_sigma(gain, axis.ratio)
    weights = torch.exp(-0.5 * (away / sigma) ** 2) * (away.abs() <= down_radius(gain, axis.ratio) - 1)
    return (weights / weights.sum(1, keepdim=True).clamp(min=1e-12)).float()
