"""Still charts as SVG: drawn here, coloured by the page's style sheet, read aloud by their titles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.quality.survey.samples import Histogram
from geosharp.quality.survey.seams import Seams

_WIDTH, _HEIGHT = 300, 132
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 8, 22
_MOST_BINS = 100
# Room for numbers to the right of the seams.
_GUTTER = 56


def draw_histogram(histogram: Histogram) -> str:
    """MS as an area, the result as a line over it, each as a share of its own pixels."""
    ms, fused = (_shares(counts) for counts in (histogram.ms, histogram.fused))
    top = max(float(ms.max()), float(fused.max())) or 1.0
    base = _HEIGHT - _BOTTOM
    outlines = [_outline(shares / top, base) for shares in (ms, fused)]
    ticks = _ticks(histogram.low, histogram.high)
    marks = "".join(_tick(_across(tick, histogram.low, histogram.high), f"{tick:g}") for tick in ticks)
    body = (
        f'<polygon class="area ms" points="{_LEFT},{base} {outlines[0]} {_WIDTH - _RIGHT},{base}"/>'
        f'<polyline class="line fused" points="{outlines[1]}"/>{_axis()}{marks}'
    )
    return _svg(f"Histogram of {histogram.band}: MS against result", body)


def draw_seams(seams: Seams) -> str:
    """The mean step by its distance from the tile border, over the range that chance allows."""
    values = seams.profile
    reach = len(values) // 2
    low = min(*values, seams.elsewhere - 3 * seams.spread)
    high = max(*values, seams.elsewhere + 3 * seams.spread)
    pad = 0.08 * (high - low) or 1.0
    low, high = low - pad, high + pad

    def down(value: float) -> float:
        return round(_TOP + (high - value) / (high - low) * (_HEIGHT - _BOTTOM - _TOP), 1)

    span = _WIDTH - _LEFT - _RIGHT
    upper, lower = down(seams.elsewhere + 3 * seams.spread), down(seams.elsewhere - 3 * seams.spread)
    band = f'<rect class="band" x="{_LEFT}" y="{upper}" width="{span}" height="{round(lower - upper, 1)}"/>'
    mean = f'<path class="mean" d="M{_LEFT} {down(seams.elsewhere)}h{span}"/>'
    dots, labels = [], []
    for index, value in enumerate(values):
        x, offset = _across(index, -0.5, len(values) - 0.5), index - reach
        kind = "dot border" if offset == 0 else "dot"
        title = f"{offset:+d} px: {value:.4g} {seams.unit}" if offset else f"border: {value:.4g} {seams.unit}"
        dots.append(
            f'<circle class="{kind}" cx="{x}" cy="{down(value)}" r="3.5">'
            f"<title>{escape(title)}</title></circle>"
        )
        if offset in (-reach, 0, reach):
            labels.append(_tick(x, f"{offset:+d} px" if offset else "border"))
    levels = dict.fromkeys(seams.elsewhere + deviations * seams.spread for deviations in (-3, 0, 3))
    labels += [f'<text x="{_WIDTH - 2}" y="{down(level) + 3.5}">{level:.4g}</text>' for level in levels]
    body = band + mean + _axis() + "".join(dots) + "".join(labels)
    return _svg("Mean step by distance from the tile border", body, _WIDTH + _GUTTER)


def _shares(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Shares of all counts, in at most _MOST_BINS bins: finer ones are narrower than the line."""
    values = np.asarray(counts, np.float64)
    parts = min(_MOST_BINS, len(values))
    merged = np.add.reduceat(values, np.arange(parts) * len(values) // parts)
    widths = np.diff(np.append(np.arange(parts) * len(values) // parts, len(values)))
    density: NDArray[np.float64] = merged / widths / (values.sum() or 1.0)
    return density


def _outline(heights: NDArray[np.float64], base: int) -> str:
    """Points of a staircase from the left edge to the right one; heights from 0 to 1."""
    edges = np.linspace(_LEFT, _WIDTH - _RIGHT, len(heights) + 1)
    tops = base - heights * (base - _TOP)
    pairs = zip(edges[:-1], edges[1:], tops, strict=True)
    return " ".join(f"{left:.1f},{y:.1f} {right:.1f},{y:.1f}" for left, right, y in pairs)


def _ticks(low: float, high: float) -> Sequence[float]:
    """Two to six round numbers within the range, 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def _across(value: float, low: float, high: float) -> float:
    return round(_LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT), 1)


def _axis() -> str:
    return f'<path class="axis" d="M{_LEFT} {_HEIGHT - _BOTTOM + 0.5}H{_WIDTH - _RIGHT}"/>'


def _tick(x: float, text: str) -> str:
    anchor = "start" if x < _LEFT + 12 else "end" if x > _WIDTH - _RIGHT - 12 else "middle"
    return f'<text x="{x}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, body: str, width: int = _WIDTH) -> str:
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {width} {_HEIGHT}" role="img" aria-label="{label}">{body}</svg>'
