"""A small centred PAN and MS of textures, with constants such as a scene has."""

from __future__ import annotations

import math

import numpy as np
import torch

from geosharp.imaging.classic import Moments, Optics, Pair, size_rules
from geosharp.imaging.resample import Axis, Gain, Span
from tests.made import texture

Spans = tuple[Span, Span]


def make_optics(
    ratio: float = 4.0,
    offset: tuple[float, float] = (0.0, 0.0),
    gains: tuple[Gain, ...] = ((0.3, 0.25), (0.2, 0.3), (0.4, 0.4)),
) -> Optics:
    return Optics((Axis(ratio, offset[0]), Axis(ratio, offset[1])), gains, gains[0])


def make_pair(optics: Optics, target: Spans, seed: int = 0) -> Pair:
    """PAN and MS around PAN pixels `target`, as far as the methods need; each a texture of its own."""
    pan_spans, ms_spans = [], []
    for span, halo, axis in zip(target, size_rules(optics).halo, optics.axes, strict=True):
        pan_spans.append(Span(span.start - halo, span.stop + halo))
        first, last = ((at - axis.offset) / axis.ratio for at in (pan_spans[-1].start, pan_spans[-1].stop))
        ms_spans.append(Span(math.floor(first), math.ceil(last)))
    sizes = [tuple(span.stop - span.start for span in spans) for spans in (pan_spans, ms_spans)]
    pan = 400 * (texture((sizes[0][0], sizes[0][1]), seed) - 0.5)[None]
    ms = np.stack(
        [600 * (texture((sizes[1][0], sizes[1][1]), seed + 1 + b) - 0.5) for b in range(len(optics.gains))]
    )
    return Pair(
        torch.from_numpy(pan),
        torch.from_numpy(ms),
        (pan_spans[0], pan_spans[1]),
        (ms_spans[0], ms_spans[1]),
        None,
        None,
    )


def make_moments(correlations: tuple[float, ...] = (0.9, 0.7, 0.1)) -> Moments:
    """Of bands about 500 DN with deviations of 100, 120, 140 ..., and of PAN's with 80."""
    b = len(correlations)
    deviations = np.array([100.0 + 20 * band for band in range(b)] + [80.0] * (b + 1))
    correlation = np.eye(2 * b + 1)
    for band, value in enumerate(correlations):
        correlation[band, b + band] = correlation[b + band, band] = value
    cov = correlation * np.outer(deviations, deviations)
    return Moments(10_000, np.array([500.0] * b + [800.0] * (b + 1)), cov, cov / 9)
