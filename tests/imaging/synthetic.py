"""A truth, and the PAN and MS that a sensor would make of it, in double precision by code of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from geosharp.imaging.classic import Injection, Moments, Optics, Pair, inject, size_rules
from geosharp.imaging.resample import Axis, Span
from tests.made import texture

Spans = tuple[Span, Span]


@dataclass(frozen=True)
class Synthetic:
    """truth (band, row, col) on PAN pixels, pair over all of PAN and MS, moments over all of MS."""

    truth: np.ndarray
    pair: Pair
    optics: Optics
    moments: Moments

    def whole(self) -> Spans:
        """The PAN pixels that every method can compute from complete neighbourhoods."""
        halo = size_rules(self.optics).halo
        rows, cols = self.pair.pan_spans
        return Span(rows.start + halo[0], rows.stop - halo[0]), Span(
            cols.start + halo[1], cols.stop - halo[1]
        )

    def patch(self, target: Spans) -> Pair:
        """What a reader hands over for PAN pixels `target`: they and the method's halo."""
        return cut_pair(self.pair, self.optics, target)

    def fuse(self, injection: Injection, target: Spans | None = None) -> Tensor:
        target = target or self.whole()
        return inject(self.patch(target), injection, self.optics, target)

    def fuse_in_tiles(self, injection: Injection, tile: int) -> Tensor:
        rows, cols = self.whole()
        bands = len(self.truth)
        result = torch.full((bands, rows.stop - rows.start, cols.stop - cols.start), math.nan)
        for row in range(rows.start // tile * tile, rows.stop, tile):
            for col in range(cols.start // tile * tile, cols.stop, tile):
                part = (
                    Span(max(row, rows.start), min(row + tile, rows.stop)),
                    Span(max(col, cols.start), min(col + tile, cols.stop)),
                )
                into = tuple(
                    slice(p.start - w.start, p.stop - w.start)
                    for p, w in zip(part, (rows, cols), strict=True)
                )
                result[:, into[0], into[1]] = self.fuse(injection, part)
        return result

    def truth_at(self, target: Spans | None = None) -> np.ndarray:
        """The truth over `target`, less each band's mean in MS, as the fused tensor is."""
        rows, cols = target or self.whole()
        part = self.truth[:, rows.start : rows.stop, cols.start : cols.stop]
        return part - self.moments.centres[0][:, None, None]

    def with_masks(self, pan_valid: np.ndarray | None, ms_valid: np.ndarray | None) -> Synthetic:
        """The same with pixels taken away: zero, as radiometry leaves them."""

        def mask(valid: np.ndarray | None) -> Tensor | None:
            return None if valid is None else torch.from_numpy(valid).float()

        pan, ms = self.pair.pan, self.pair.ms
        if pan_valid is not None:
            pan = pan.masked_fill(~torch.from_numpy(pan_valid), 0.0)
        if ms_valid is not None:
            ms = ms.masked_fill(~torch.from_numpy(ms_valid), 0.0)
        pair = replace(self.pair, pan=pan, ms=ms, pan_valid=mask(pan_valid), ms_valid=mask(ms_valid))
        return replace(self, pair=pair)


def make_synthetic(
    *,
    shape: tuple[int, int] = (288, 320),
    ratio: float = 4.0,
    offset: tuple[float, float] = (0.0, 0.0),
    gains: tuple[float, ...] = (0.3, 0.3, 0.3),
    mix: tuple[float, ...] | None = None,
    truth: np.ndarray | None = None,
    seed: int = 0,
) -> Synthetic:
    """PAN is the `mix` of the truth's bands, MS the truth blurred by Gaussians of Nyquist gains `gains`."""
    bands = len(gains)
    if truth is None:
        shared = texture(shape, seed + 50, (1, 2, 4, 12, 40))
        own = [texture(shape, seed + band, (2, 6, 30)) for band in range(bands)]
        truth = np.stack([300 + 1000 * (0.6 * shared + (0.2 + 0.1 * b) * x) for b, x in enumerate(own)])
    truth = truth.astype(np.float64)
    weights = np.full(bands, 1 / bands) if mix is None else np.asarray(mix)
    pan = np.einsum("b,brc->rc", weights, truth)[None]
    margin = max(gaussian_reach(gain, ratio) for gain in gains)
    spans = tuple(
        Span(math.ceil((margin - o) / ratio), math.floor((size - margin - o) / ratio))
        for size, o in zip(truth.shape[1:], offset, strict=True)
    )
    ms_spans = (spans[0], spans[1])
    ms = np.concatenate(
        [
            degrade_exactly(band[None], ms_spans, ratio, offset, g)
            for band, g in zip(truth, gains, strict=True)
        ]
    )
    pan_gain = float(np.mean(gains))
    lows = [degrade_exactly(pan, ms_spans, ratio, offset, gain) for gain in (*gains, pan_gain)]
    moments = direct_moments(np.concatenate([ms, *lows]))
    centres, pan_centre = moments.centres
    pair = Pair(
        pan=torch.from_numpy((pan - pan_centre).astype(np.float32)),
        ms=torch.from_numpy((ms - centres[:, None, None]).astype(np.float32)),
        pan_spans=(Span(0, truth.shape[1]), Span(0, truth.shape[2])),
        ms_spans=ms_spans,
        pan_valid=None,
        ms_valid=None,
    )
    pairs = tuple((gain, gain) for gain in gains)
    optics = Optics((Axis(ratio, offset[0]), Axis(ratio, offset[1])), pairs, (pan_gain, pan_gain))
    return Synthetic(truth, pair, optics, moments)


def gaussian_reach(gain: float, ratio: float) -> int:
    return math.ceil(5 * ratio / math.pi * math.sqrt(-2 * math.log(gain))) + 1


def degrade_exactly(
    image: np.ndarray, ms_spans: Spans, ratio: float, offset: tuple[float, float], gain: float
) -> np.ndarray:
    """Gaussian blur and decimation of (band, row, col) PAN pixels from (0, 0) on, as dense matrices."""
    sigma = ratio / math.pi * math.sqrt(-2 * math.log(gain))
    matrices = []
    for size, span, o in zip(image.shape[1:], ms_spans, offset, strict=True):
        centre = o + ratio * (np.arange(span.start, span.stop) + 0.5)
        distance = centre[:, None] - (np.arange(size) + 0.5)
        weights = np.exp(-0.5 * (distance / sigma) ** 2)
        matrices.append(weights / weights.sum(1, keepdims=True))
    return np.einsum("mr,brc,nc->bmn", matrices[0], image, matrices[1], optimize=True)


def direct_moments(values: np.ndarray) -> Moments:
    """Moments of (2B+1, row, col) values, the plain way."""
    flat = values.reshape(len(values), -1)
    steps = [
        (values[:, 1:] - values[:, :-1]).reshape(len(values), -1),
        (values[:, :, 1:] - values[:, :, :-1]).reshape(len(values), -1),
    ]
    both = np.concatenate(steps, 1)
    return Moments(flat.shape[1], flat.mean(1), np.cov(flat, bias=True), both @ both.T / both.shape[1])


def cut_pair(pair: Pair, optics: Optics, target: Spans) -> Pair:
    """`pair` cut to PAN pixels `target` and the halo, and to the MS pixels that cover these."""
    halo = size_rules(optics).halo
    pan_spans, ms_spans = [], []
    for span, reach, axis in zip(target, halo, optics.axes, strict=True):
        pan_spans.append(Span(span.start - reach, span.stop + reach))
        ms_spans.append(
            Span(
                math.floor((span.start - reach - axis.offset) / axis.ratio),
                math.ceil((span.stop + reach - axis.offset) / axis.ratio),
            )
        )
    pan, pan_valid = _cut(pair.pan, pair.pan_valid, pair.pan_spans, (pan_spans[0], pan_spans[1]))
    ms, ms_valid = _cut(pair.ms, pair.ms_valid, pair.ms_spans, (ms_spans[0], ms_spans[1]))
    return Pair(pan, ms, (pan_spans[0], pan_spans[1]), (ms_spans[0], ms_spans[1]), pan_valid, ms_valid)


def _cut(x: Tensor, valid: Tensor | None, have: Spans, want: Spans) -> tuple[Tensor, Tensor | None]:
    """Pixels `want`, invalid and of the nearest edge's value where `x` has none, as SourceReader reads."""
    index, there = [], []
    for h, w in zip(have, want, strict=True):
        at = torch.arange(w.start, w.stop)
        near = at.clamp(h.start, h.stop - 1)
        index.append(near - h.start)
        there.append(at == near)
    exists = there[0][:, None] & there[1][None]
    mask = torch.ones_like(x) if valid is None else valid
    mask = mask[:, index[0][:, None], index[1][None]] * exists
    x = x[:, index[0][:, None], index[1][None]] * mask
    return x.contiguous(), None if mask.all() else mask


def psnr(fused: np.ndarray | Tensor, truth: np.ndarray) -> float:
    error = np.mean((np.asarray(fused, np.float64) - truth) ** 2)
    return 10 * math.log10(float(np.ptp(truth)) ** 2 / float(error))
