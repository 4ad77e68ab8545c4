"""Back-projection: what the sensor measured stays measured.

Each step adds to a fused image what MS has beyond it,

    fused_b += up(MS_b - D_b(fused_b))

with the scene's degradation D and the interpolation of every method. Irani and Peleg, "Improving resolution
by image registration", CVGIP 53(3), 1991.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from geosharp.imaging.classic import Optics, Pair, cut
from geosharp.imaging.degradation import degrade_bands
from geosharp.imaging.resample import UP_RADIUS, Axis, Span, Spans, down_radius, grow, upsample

# Share of a kernel that must lie on valid pixels of the fused image. Less of it meets other ground than the
# sensor saw: beside no-data the misfit would be one of content, and correcting by it worse than not to.
_LEAST = 0.8


def context(optics: Optics) -> tuple[int, int]:
    """PAN pixels around a tile, (rows, cols), of the fused image that one step needs."""
    # An MS pixel counts less than UP_RADIUS away, a PAN pixel down_radius - 1 from that one's centre.
    rows, cols = (
        math.ceil(UP_RADIUS * axis.ratio) + max(down_radius(gain, axis.ratio) for gain in along) - 2
        for along, axis in zip(zip(*optics.gains, strict=True), optics.axes, strict=True)
    )
    return rows, cols


def back_project(
    fused: Tensor, fused_spans: Spans, pair: Pair, optics: Optics, target: Spans, steps: int
) -> Tensor:
    """Correct PAN pixels `target` of (band, row, col) `fused` so many times; centred DN, as pair.ms.

    fused_spans: PAN pixels of `fused`, which reach `steps` contexts beyond `target` and lie in the pair's.
    Where PAN, or the MS pixel around it, is invalid `fused` may hold anything, and so does the result.
    """
    rows, cols = context(optics)
    valid = _valid(pair, fused_spans, optics.axes)
    for left in reversed(range(steps)):
        part = grow(target, (left * rows, left * cols))
        fused = _correct(fused, fused_spans, valid, pair, optics, part)
        valid = None if valid is None else cut(valid, fused_spans, part)
        fused_spans = part
    return cut(fused, fused_spans, target)


def _correct(
    fused: Tensor, spans: Spans, valid: Tensor | None, pair: Pair, optics: Optics, target: Spans
) -> Tensor:
    """One step. `valid`, where not None, has the bands of `fused`."""
    axes, low_spans = optics.axes, _ms_spans_under(target, optics.axes)
    kept = fused if valid is None else fused.masked_fill(valid == 0, 0.0)
    low, known = degrade_bands(kept, valid, spans, low_spans, axes, optics.gains, _LEAST)
    misfit = cut(pair.ms, pair.ms_spans, low_spans) - low
    own = cut(fused, spans, target)
    if known is None:
        return own + upsample(misfit, low_spans, target, axes)
    if pair.ms_valid is not None:
        known = known * cut(pair.ms_valid, pair.ms_spans, low_spans)
    change = upsample(misfit.masked_fill(known == 0, 0.0), low_spans, target, axes)
    # Interpolated from zeros alone a misfit would swing beyond itself and change its sign beside no-data;
    # filled in from the rim it would need four MS pixels more of context and, as measured, do worse.
    share = upsample(known, low_spans, target, axes)
    return own + change * share.clamp(0.0, 1.0) / share.clamp(min=0.5)


def _valid(pair: Pair, spans: Spans, axes: tuple[Axis, Axis]) -> Tensor | None:
    """1 where PAN and the MS pixel around it are valid, (band, row, col) over PAN pixels `spans`."""
    if pair.pan_valid is None and pair.ms_valid is None:
        return None
    shape = (len(pair.ms), *(span.stop - span.start for span in spans))
    valid = pair.ms.new_ones(shape)
    if pair.pan_valid is not None:
        valid = valid * cut(pair.pan_valid, pair.pan_spans, spans)
    if pair.ms_valid is not None:
        rows, cols = (
            _ms_under(*along, pair.ms.device) for along in zip(spans, axes, pair.ms_spans, strict=True)
        )
        valid = valid * pair.ms_valid[:, rows[:, None], cols[None]]
    return valid


def _ms_under(span: Span, axis: Axis, held: Span, device: torch.device) -> Tensor:
    """Index in MS pixels `held` of the one around each PAN pixel of `span`; as Scene.valid_on_pan has it."""
    pixels = torch.arange(span.start, span.stop, dtype=torch.float64, device=device)
    under = torch.floor((pixels + 0.5 - axis.offset) / axis.ratio + 1e-6).long()
    return under.clamp(held.start, held.stop - 1) - held.start


def _ms_spans_under(target: Spans, axes: tuple[Axis, Axis]) -> Spans:
    """The MS pixels that interpolating PAN pixels `target` needs, and no more."""
    spans = []
    for span, axis in zip(target, axes, strict=True):
        first, last = ((at + 0.5 - axis.offset) / axis.ratio - 0.5 for at in (span.start, span.stop - 1))
        spans.append(Span(math.floor(first - UP_RADIUS) + 1, math.ceil(last + UP_RADIUS)))
    return spans[0], spans[1]
