"""A calibration in one picture: its kernels, how it converged, where MS lies, and A(MS) against D(PAN)."""

from __future__ import annotations

import io
import logging
import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from geosharp.errors import UsageError
from geosharp.padm.align import Floats
from geosharp.padm.calibration import Calibration
from geosharp.padm.exhibits import (
    Detail,
    hold_detail,
    place_free_form,
    place_kernel,
    place_table,
    read_thumbnail,
)
from geosharp.padm.table import table_degradation
from geosharp.raster.scene import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Inches; rooms are (left, bottom, width, height).
_SIZE, _DPI = (16.0, 11.0), 100
_ROOMS = {
    "learnt": (0.85, 7.05, 2.25, 2.15),
    "table": (3.75, 7.05, 2.25, 2.15),
    "free": (6.65, 7.05, 2.25, 2.15),
    "gains": (9.9, 7.15, 5.8, 2.05),
    "convergence": (0.85, 3.85, 4.6, 2.15),
    "density": (6.65, 3.85, 2.25, 2.15),
    "shifts": (9.9, 0.6, 5.8, 5.2),
    "degraded": (0.85, 0.6, 2.25, 2.15),
    "aligned": (3.75, 0.6, 2.25, 2.15),
    "difference": (6.65, 0.6, 2.25, 2.15),
}
# Colours that the colour-blind tell apart: Okabe and Ito, "Color Universal Design".
_BLUE, _ORANGE, _GREEN, _PURPLE, _SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"
_INK, _FAINT, _PALE, _PAPER = "#222222", "#8a8a8a", "#e8e8e8", "#ffffff"
_LINES = ((_BLUE, "-"), (_ORANGE, "--"), (_GREEN, "-."), (_PURPLE, ":"), (_SKY, "-"), (_INK, "--"))
_FONT = "DejaVu Sans"  # matplotlib brings it
_TEXT, _SMALL = 10.5, 9.0
# PAN pixels: a local shift that is no surer than this is drawn half as strong.
_UNSURE = 0.25
_NUMBERS = [factor * 10.0**power for power in range(-7, 5) for factor in (1, 2, 5)]


def check_drawing() -> None:
    """Refuse to draw where matplotlib is not installed."""
    try:
        with _hushed():
            import matplotlib.backends.backend_agg
            import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "--plot",
            "matplotlib, which draws the picture, is not installed",
            "geosharp with its extra 'plot'",
            "run pip install 'geosharp[plot]', or leave out --plot",
        ) from error


def draw_figure(calibration: Calibration, scene: Scene) -> bytes:
    """A PNG of 1600 x 1100 pixels; the same bytes for the same input.

    scene: what was calibrated, or one whose bands are the calibration's, in their order.
    """
    check_drawing()
    with _hushed():
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        png = io.BytesIO()
        canvas: Any = FigureCanvasAgg(build_figure(calibration, scene))
        # Without matplotlib's version, by which equal pictures would differ.
        canvas.print_png(png, metadata={"Software": None})
    return png.getvalue()


def build_figure(calibration: Calibration, scene: Scene) -> Figure:
    """What `draw_figure` renders: axes that are labelled by what they show."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor=_PAPER)
    scale = np.array(_SIZE * 2)
    rooms = {name: figure.add_axes(tuple(room / scale), label=name) for name, room in _ROOMS.items()}
    for axes in rooms.values():
        _dress(axes)
    _write_header(figure, calibration, scene)
    _draw_kernels(rooms, calibration, scene)
    _draw_gains(rooms["gains"], calibration, scene)
    _draw_convergence(rooms["convergence"], calibration)
    detail = hold_detail(calibration, scene)
    _draw_shifts(rooms["shifts"], calibration, scene, detail)
    _draw_detail(rooms, calibration, detail)
    outlines = "dashed: an MS pixel by the geotransforms; solid: by its content"
    _write(figure, (_ROOMS["learnt"][0], 6.38), outlines, _SMALL, color=_FAINT)
    return figure


@contextmanager
def _hushed() -> Iterator[None]:
    """Where it may write no cache, matplotlib says so on stderr: nothing that a user can mend here."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _dress(axes: Axes) -> None:
    """Colours and sizes that all axes have, whatever a user's own style."""
    axes.set_facecolor(_PAPER)
    axes.set_anchor("NW")
    axes.tick_params(labelsize=_SMALL, labelfontfamily=_FONT, color=_FAINT, labelcolor=_INK, length=3)
    for spine in axes.spines.values():
        spine.set(color=_FAINT, linewidth=0.8)


def _name(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    axes.set_title(title, fontsize=_TEXT, color=_INK, family=_FONT, loc="left", linespacing=1.35)
    axes.set_xlabel(x, fontsize=_SMALL, color=_INK, family=_FONT, labelpad=3)
    axes.set_ylabel(y, fontsize=_SMALL, color=_INK, family=_FONT, labelpad=3)


def _say(axes: Axes, title: str, calibration: Calibration) -> None:
    """Why there is nothing to draw."""
    _name(axes, title)
    axes.set(xticks=[], yticks=[], facecolor="#f5f5f5")
    reasons = calibration.reasons or ("no MS pixel of this scene counts",)
    width = round(axes.get_position().width * _SIZE[0] * 11)
    text = "\n".join(
        line for reason in ("nothing to show:", *reasons) for line in textwrap.wrap(reason, width)
    )
    middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, text, fontsize=_TEXT, color=_ORANGE, family=_FONT, linespacing=1.4, **middle)


def _list(axes: Axes, columns: int) -> None:
    """The legend, inside at the top right."""
    look: dict[str, Any] = {"loc": "upper right", "framealpha": 0.9, "edgecolor": "none", "borderpad": 0.2}
    font = {"family": _FONT, "size": _SMALL}
    axes.legend(ncols=columns, prop=font, labelcolor=_INK, facecolor=_PAPER, columnspacing=1.2, **look)


def _clean(text: str, most: int) -> str:
    """A name from outside: as much of it as there is room for, what the font cannot show as "?"."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont(_FONT))
    shown = "".join(char if char.isprintable() and font.get_char_index(ord(char)) else "?" for char in text)
    if len(shown) > most:
        shown = f"{shown[: most // 2]}…{shown[len(shown) - (most - 1) // 2 :]}"
    # A pair of dollars would make a formula.
    return shown.replace("$", r"\$")


def _write_header(figure: Figure, calibration: Calibration, scene: Scene) -> None:
    left, right = _ROOMS["learnt"][0], _ROOMS["gains"][0] + _ROOMS["gains"][2]
    color = _GREEN if calibration.verdict == "converged" else _ORANGE
    title = f"{_clean(PurePath(scene.pan.name).name, 48)}  ·  {scene.sensor.title}"
    reasons = textwrap.shorten("; ".join(calibration.reasons), 180, placeholder=" …")
    _write(figure, (left, 10.5), title, 18.0, weight="bold")
    _write(figure, (right, 10.5), calibration.verdict, 18.0, weight="bold", ha="right", color=color)
    _write(figure, (left, 10.13), _summarise(calibration), 12.0)
    _write(figure, (left, 9.82), reasons, 12.0, color=color)


def _write(figure: Figure | SubFigure, at: tuple[float, float], text: str, size: float, **look: str) -> None:
    """at: (right, up) from the figure's lower left, in inches."""
    style: dict[str, Any] = {"size": size, "family": _FONT, "color": _INK} | look
    figure.text(at[0] / _SIZE[0], at[1] / _SIZE[1], text, **style)


def _summarise(calibration: Calibration) -> str:
    table = f"with the sensor's table {calibration.table_explained:.4f}"
    parts = [f"R² {calibration.explained:.4f} ({table})" if calibration.usable else f"R² {table}"]
    down_error, right_error = calibration.errors[2:] if calibration.errors is not None else (None, None)
    if down_error is not None and right_error is not None:
        down, right = calibration.operator.shift
        parts.append(
            f"MS lies {abs(down):.2f} ± {down_error:.2f} PAN pixels {'down' if down >= 0 else 'up'} "
            f"and {abs(right):.2f} ± {right_error:.2f} {'right' if right >= 0 else 'left'}"
        )
    parts.append(f"{calibration.count} MS pixels")
    return "   ·   ".join(parts)


def _draw_kernels(rooms: dict[str, Axes], calibration: Calibration, scene: Scene) -> None:
    kernels = {
        "learnt": place_kernel(calibration.operator, scene) if calibration.usable else None,
        "table": place_table(scene),
        "free": place_free_form(calibration),
    }
    titles = _title_kernels(calibration, scene)
    highest = max(float(kernel.weights.max()) for kernel in kernels.values() if kernel is not None)
    reach = 2 * max(calibration.ratio) + max(map(abs, calibration.operator.shift))
    look: dict[str, Any] = {"cmap": "Blues", "vmin": 0, "vmax": highest, "interpolation": "nearest"}
    for name, kernel in kernels.items():
        axes = rooms[name]
        if kernel is None:
            _say(axes, titles[name], calibration)
            continue
        axes.imshow(kernel.weights, extent=kernel.extent, **look)
        _outline(axes, calibration.ratio, (0.0, 0.0), "--", _INK)
        if name != "table":
            _outline(axes, calibration.ratio, kernel.shift, "-", _ORANGE)
        axes.set(xlim=(-reach, reach), ylim=(reach, -reach), facecolor="#f7fbff")  # as Blues' 0
        axes.locator_params(nbins=6, integer=True)
        _name(axes, titles[name], "PAN pixels")


def _title_kernels(calibration: Calibration, scene: Scene) -> dict[str, str]:
    learnt, free = "Learnt kernel", "Kernel of any form"
    text = "\ngains {:.2f} rows, {:.2f} columns"
    if calibration.usable:
        learnt += text.format(*calibration.operator.gains)
    if calibration.free_form is not None:
        more = calibration.free_form.explained - calibration.free_form.gaussian
        free += f"\nR² {more:+.4f} over a Gaussian's"
    table = "Sensor's table" + text.format(*table_degradation(scene).mean_gain)
    return {"learnt": learnt, "table": table, "free": free}


def _outline(axes: Axes, size: tuple[float, float], at: tuple[float, float], dash: str, color: str) -> None:
    """A rectangle of that (height, width) about (row, col)."""
    rows = at[0] + size[0] * np.array([-0.5, -0.5, 0.5, 0.5, -0.5])
    cols = at[1] + size[1] * np.array([-0.5, 0.5, 0.5, -0.5, -0.5])
    axes.plot(cols, rows, dash, color=color, linewidth=1.4, clip_on=False)


def _draw_gains(axes: Axes, calibration: Calibration, scene: Scene) -> None:
    at = np.arange(len(scene.bands))
    published = [band.optics.gain for band in scene.bands]
    axes.hlines(published, at - 0.3, at + 0.3, color=_INK, linewidth=2.0, label="sensor's table")
    if calibration.usable:
        rows, cols = np.array([band.gains for band in calibration.bands]).T
        axes.plot(at - 0.12, rows, "o", color=_BLUE, markersize=7, label="along rows")
        axes.plot(at + 0.12, cols, "^", color=_ORANGE, markersize=7, label="along columns")
    axes.set(xlim=(-0.6, len(at) - 0.4), ylim=(0, 1.3 * max(axes.dataLim.y1, 0.4)))
    # Of more bands than these not all names can be read.
    named = at[:: math.ceil(len(at) / 16)]
    names = [_clean(scene.bands[index].name, 16) for index in named]
    axes.set_xticks(named, names)
    if sum(map(len, names)) > 60:
        for label in axes.get_xticklabels():
            label.set(rotation=20, ha="right", rotation_mode="anchor")
    axes.grid(axis="y", color=_PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    _list(axes, 3)
    _name(axes, "Response of bands at MS Nyquist", y="gain")


def _draw_convergence(axes: Axes, calibration: Calibration) -> None:
    title = "Convergence from several starts: what A(MS) leaves of D(PAN)"
    if not calibration.starts:
        _say(axes, title, calibration)
        return
    for run, (color, dash) in zip(calibration.starts, cycle(_LINES), strict=False):
        steps = [share for step in run.history for share in (step.align, step.degrade)]
        left = np.maximum(steps or [1 - run.explained], _NUMBERS[0])
        rounds = 1 + np.arange(len(left)) / 2
        name = _clean(run.name, 20) + ("" if run.converged else " (moving)")
        axes.plot(rounds, left, dash, color=color, linewidth=1.4, label=name)
        axes.plot(rounds[::2], left[::2], "o", color=color, markersize=4.5)
        axes.plot(rounds[1::2], left[1::2], "v", color=color, markersize=4.5)
    low, high = axes.dataLim.y0 / 1.2, axes.dataLim.y1 * 1.2
    # Above all there is room for the legend's lines.
    taken = min(0.09 * math.ceil(len(calibration.starts) / 2), 0.6)
    axes.set_yscale("log")
    axes.set_ylim(low, low * (high / low) ** (1 / (1 - taken)))
    ticks = [number for number in _NUMBERS if low <= number <= high]
    ticks = ticks[:: math.ceil(len(ticks) / 5)]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    last = math.floor(axes.dataLim.x1)
    axes.set_xticks(range(1, last + 1, math.ceil(last / 12)))
    axes.grid(color=_PALE, linewidth=0.8)
    _list(axes, 2)
    _name(axes, title, "round (● A fitted to D, ▼ D fitted to A)", "1 - R²")


def _draw_shifts(axes: Axes, calibration: Calibration, scene: Scene, detail: Detail | None) -> None:
    small, rect = read_thumbnail(scene)
    if not np.isfinite(small).any():
        _say(axes, "Shifts of MS from place to place", calibration)
        return
    low, high = np.nanpercentile(small, (1, 99))
    # Paler than it is, for arrows to be seen on it.
    gray = 0.35 + 0.65 * np.clip((small - low) / max(high - low, 1e-9), 0, 1)
    extent = (rect.col, rect.stop_col, rect.stop_row, rect.row)
    axes.imshow(gray, extent=extent, cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
    if detail is not None:
        box = scene.relation.pan_rect(detail.rects[detail.busiest])
        _outline(axes, box.shape, (box.row + box.height / 2, box.col + box.width / 2), "-", _SKY)
    axes.set(xlim=extent[:2], ylim=extent[2:])
    if not calibration.local_shifts:
        _name(axes, "Shifts of MS: none can be told", "PAN columns", "PAN rows")
        return
    spread = "spread about {:.2f} down, {:.2f} right".format(*calibration.shift_spread)
    _name(axes, f"Shifts of MS from place to place\n{spread}", "PAN columns", "PAN rows")
    _draw_arrows(axes, calibration, math.sqrt(rect.area))


def _draw_arrows(axes: Axes, calibration: Calibration, side: float) -> None:
    """One per place, and a key above; side: of a square as large as the map, in PAN pixels."""
    local, own = calibration.local_shifts, calibration.operator.shift
    rows, cols = np.array([each.centre for each in local]).T
    down, right = np.array([each.shift for each in local]).T
    longest = max(float(np.percentile(np.hypot(down, right), 90)), math.hypot(*own), 0.05)
    # So that long ones end before the next place.
    scale = longest * math.sqrt(max(len(local), 25)) / (0.6 * side)
    colors = [_ORANGE + f"{round(255 / (1 + (each.error / _UNSURE) ** 2)):02x}" for each in local]
    look: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": scale, "width": 0.006, "zorder": 3}
    arrows = axes.quiver(cols, rows, right, down, color=colors, **look)
    unit = max(number for number in _NUMBERS if number <= longest)
    angle = math.degrees(math.atan2(-own[0], own[1]))
    keys = (13.35, unit, 0.0, f"{unit:g} PAN px", _ORANGE), (14.9, math.hypot(*own), angle, "scene", _INK)
    for at, length, turned, text, color in keys:
        axes.quiverkey(arrows, at, 6.22, length, "", angle=turned, coordinates="inches", color=color)
        _write(axes.figure, (at + 0.37, 6.17), text, _SMALL)


def _draw_detail(rooms: dict[str, Axes], calibration: Calibration, detail: Detail | None) -> None:
    titles = {"density": "A(MS) against D(PAN), detail", "degraded": "D(PAN) in the map's box"}
    titles |= {"aligned": "A(MS) in the map's box", "difference": "D(PAN) less A(MS)"}
    if detail is None:
        for name, title in titles.items():
            _say(rooms[name], title, calibration)
        return
    _draw_density(rooms["density"], detail)
    _name(rooms["density"], f"{titles['density']}\nR² {detail.explained:.4f}", "D(PAN), DN", "A(MS), DN")
    rect, seen = detail.rects[detail.busiest], detail.counted[detail.busiest]
    degraded, aligned = (
        np.where(seen, x[detail.busiest], math.nan) for x in (detail.degraded, detail.aligned)
    )
    images = {"degraded": degraded, "aligned": aligned, "difference": degraded - aligned}
    for name, image in images.items():
        apart = name == "difference"
        reach = _reach(image if apart else degraded)
        look: dict[str, Any] = {"cmap": "PuOr" if apart else "gray", "vmin": -reach, "vmax": reach}
        extent = (rect.col, rect.stop_col, rect.stop_row, rect.row)
        rooms[name].imshow(image, extent=extent, interpolation="nearest", **look)
        rooms[name].locator_params(nbins=5, integer=True)
        _name(rooms[name], f"{titles[name]}\n±{float(f'{reach:.2g}'):.10g} DN", "MS columns")
    rooms["degraded"].set_ylabel("MS rows", fontsize=_SMALL, color=_INK, family=_FONT)


def _draw_density(axes: Axes, detail: Detail) -> None:
    """How many MS pixels have which detail in both, darker for ten times as many."""
    low, mixed = detail.degraded[detail.counted], detail.aligned[detail.counted]
    reach = _reach(low)
    look: dict[str, Any] = {"norm": "log", "vmin": 0.3, "cmap": "Blues", "cmin": 1}
    axes.hist2d(low, mixed, bins=75, range=[[-reach, reach]] * 2, **look)
    axes.plot([-reach, reach], [-reach, reach], color=_ORANGE, linewidth=1.0)
    axes.set_aspect("equal")
    axes.locator_params(nbins=5)


def _reach(image: Floats) -> float:
    """Up to where nearly all of an image about zero is."""
    return max(float(np.nanpercentile(np.abs(image), 99.5)), 1e-9)
