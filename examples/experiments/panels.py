"""Figures as SVG text: panels of dots and lines between axes, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

FONT = 11  # pixels; all lengths below, too
LETTER = 0.58 * FONT  # width of a usual one
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#888"


@dataclass(frozen=True)
class Axis:
    """From low to high, in the axis's own units; ticks: what is written where."""

    label: str
    low: float
    high: float
    ticks: Mapping[float, str]

    def place(self, value: float) -> float:
        """Share of the way from low (0) to high (1); what lies beyond an end is drawn on it."""
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Line:
    """Through points (x, y)."""

    points: Sequence[tuple[float, float]]
    colour: str = GREY
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    colour: str = BLUE


@dataclass(frozen=True)
class Panel:
    """marks: in the axes' units, later ones above earlier ones."""

    title: str
    x: Axis
    y: Axis
    marks: Sequence[Line | Dot]

    @property
    def left(self) -> float:
        """Room for the ticks and the label of y."""
        return LETTER * max(map(len, self.y.ticks.values()), default=0) + 12 + 1.6 * FONT * bool(self.y.label)


def to_svg(
    panels: Sequence[Panel],
    per_row: int,
    size: tuple[int, int],
    captions: Sequence[str],
    legend: Mapping[str, str] | None = None,
) -> str:
    """An SVG. size: of a panel, (width, height); legend: names by colour."""
    width, height = size
    lefts = [max(panel.left for panel in panels[col::per_row]) for col in range(min(per_row, len(panels)))]
    top, gap, below = 1.5 * FONT * (len(captions) + bool(legend)) + 10, 2.5 * FONT, 3 * FONT
    rows = math.ceil(len(panels) / per_row)
    text = max(map(len, captions), default=0) * LETTER + 2 * FONT
    across = max(sum(lefts) + (width + gap) * len(lefts), text)
    down = top + rows * (height + gap + below)
    font = f'font-family="sans-serif" font-size="{FONT}" fill="#222"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:.0f} {down:.0f}" {font}>',
        f'<rect width="{across:.0f}" height="{down:.0f}" fill="white"/>',
    ]
    parts += [_text(FONT, 1.5 * FONT * (number + 1), line) for number, line in enumerate(captions)]
    parts += _draw_legend(legend or {}, 1.5 * FONT * (len(captions) + 1))
    for number, panel in enumerate(panels):
        row, col = divmod(number, per_row)
        x = sum(lefts[: col + 1]) + (width + gap) * col
        y = top + gap + row * (height + gap + below)
        parts += [f'<g transform="translate({x:.1f} {y:.1f})">', *_draw_panel(panel, size), "</g>"]
    return "\n".join([*parts, "</svg>"])


def _draw_legend(legend: Mapping[str, str], y: float) -> Iterator[str]:
    x = float(FONT)
    for colour, name in legend.items():
        yield f'<rect x="{x:.1f}" y="{y - 8:.1f}" width="8" height="8" fill="{colour}"/>'
        yield _text(x + 12, y, name)
        x += 12 + LETTER * len(name) + 2 * FONT


def _draw_panel(panel: Panel, size: tuple[int, int]) -> Iterator[str]:
    width, height = size
    yield f'<rect width="{width}" height="{height}" fill="none" stroke="#999"/>'
    yield _text(0, -5, panel.title, weight="bold")
    for value, name in panel.x.ticks.items():
        x = width * panel.x.place(value)
        yield f'<path d="M{x:.1f} 0V{height}" stroke="#e4e4e4"/>'
        yield _text(x, height + 1.2 * FONT, name, anchor="middle")
    for value, name in panel.y.ticks.items():
        y = height * (1 - panel.y.place(value))
        yield f'<path d="M0 {y:.1f}H{width}" stroke="#e4e4e4"/>'
        yield _text(-5, y + 0.35 * FONT, name, anchor="end")
    yield _text(width / 2, height + 2.5 * FONT, panel.x.label, anchor="middle")
    if panel.y.label:
        place = f"translate({1.2 * FONT - panel.left:.1f} {height / 2:.1f}) rotate(-90)"
        yield f'<g transform="{place}">{_text(0, 0, panel.y.label, anchor="middle")}</g>'
    for mark in panel.marks:
        yield _draw_mark(mark, panel, size)


def _draw_mark(mark: Line | Dot, panel: Panel, size: tuple[int, int]) -> str:
    def at(x: float, y: float) -> tuple[float, float]:
        return size[0] * panel.x.place(x), size[1] * (1 - panel.y.place(y))

    if isinstance(mark, Dot):
        x, y = at(mark.x, mark.y)
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{mark.colour}" fill-opacity="0.75"/>'
    points = " ".join("{:.1f},{:.1f}".format(*at(*point)) for point in mark.points)
    dashes = ' stroke-dasharray="4 3"' if mark.dashed else ""
    return f'<polyline points="{points}" fill="none" stroke="{mark.colour}" stroke-opacity="0.75"{dashes}/>'


def _text(x: float, y: float, words: str, anchor: str = "start", weight: str = "normal") -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'
