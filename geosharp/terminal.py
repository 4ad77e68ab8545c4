"""What the command line shows: progress, notes, tables. On stderr, but for tables that were asked for."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from geosharp.demo import DemoResult
    from geosharp.engine.stream import Progress, ProgressCallback
    from geosharp.fusion import FuseResult

_PLAIN_INTERVAL = 5.0  # seconds between lines in a pipe


class Terminal:
    """stderr as the user wants it: a bar, plain lines in a pipe, JSON lines, or silence."""

    def __init__(self, *, quiet: bool, log_json: bool) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._json = log_json

    def say(self, kind: str, text: str, **facts: Any) -> None:
        """One message; `facts` go into its JSON form alone."""
        if self._quiet:
            return
        if self._json:
            sys.stderr.write(json.dumps({"event": kind, "message": text, **facts}) + "\n")
        else:
            self._console.print(text, markup=False)

    def fused(self, result: FuseResult) -> None:
        for warning in result.warnings:
            self.say("warning", f"note: {warning}")
        height, width = result.grid.shape
        rate = height * width / 1e6 / max(result.seconds, 1e-9)
        self.say(
            "done",
            f"{result.method}: {width} x {height} pixels in {result.seconds:.1f} s ({rate:.1f} MPix/s)",
            path=str(result.path),
            seconds=round(result.seconds, 3),
            tiles=result.tiles,
        )

    def demonstrated(self, result: DemoResult) -> None:
        table = Table(title="against the known truth", title_justify="left")
        for heading in ("", "PSNR dB", "SAM deg", "ERGAS"):
            table.add_column(heading, justify="left" if not heading else "right")
        for name, score in result.scores.items():
            table.add_row(name, f"{score.psnr:.2f}", f"{score.sam:.2f}", f"{score.ergas:.2f}")
        if not self._quiet:
            self._console.print(table)
            self._console.print(f"result:       {result.fused}\nbefore/after: {result.picture}", markup=False)
            self._console.print(
                f"again:        geosharp fuse {result.pan} {result.ms} -o sharp.tif", markup=False
            )

    @contextmanager
    def progress(self) -> Iterator[ProgressCallback | None]:
        """A callback that shows progress for as long as the context lasts."""
        if self._quiet:
            yield None
        elif self._json:
            yield self._tell_json
        elif not self._console.is_terminal:
            yield _plain_lines(self._console)
        else:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%  {task.fields[rate]}"),
                TimeRemainingColumn(),
            )
            with Bars(*columns, console=self._console, transient=True) as bars:
                task = bars.add_task("fuse", rate="")

                def show(p: Progress) -> None:
                    bars.update(
                        task, description=p.stage, total=p.total_pixels, completed=p.pixels, rate=_rate(p)
                    )

                yield show

    def _tell_json(self, p: Progress) -> None:
        self.say(
            "progress",
            f"{p.pixels / p.total_pixels:.0%}",
            stage=p.stage,
            tiles=p.tiles,
            total_tiles=p.total_tiles,
            pixels=p.pixels,
            total_pixels=p.total_pixels,
            seconds=round(p.seconds, 3),
        )


def print_info(seen: dict[str, Any]) -> None:
    """`preflight.inspect`'s findings as tables on stdout."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    plan, common = seen["plan"], seen["common_area"]
    _row(table, "sensor", f"{seen['sensor']['name']} ({seen['sensor']['told_by']})")
    _row(table, "PAN", _file_line(seen["pan"]))
    for source in seen["ms"]:
        _row(table, "MS", _file_line(source))
    _row(table, "bands", ", ".join(f"{band['name']} ({band['nyquist_gain']:g})" for band in seen["bands"]))
    (ry, rx), (dy, dx) = seen["ratio"], seen["shift_pan_px"]
    ratio = f"{ry:.7g}" if ry == rx else f"{ry:.7g} x {rx:.7g}"
    _row(table, "ratio", f"{ratio}, MS grid shifted by {dy:+.3g}, {dx:+.3g} PAN pixels (row, col)")
    rect = common["pan_pixels"]
    _row(
        table,
        "common area",
        f"{rect['width']} x {rect['height']} PAN pixels from row {rect['row']}, column {rect['col']}: "
        f"{common['share_of_pan']:.1%} of PAN, {common['share_of_ms']:.1%} of MS",
    )
    _row(table, "bounds", ", ".join(f"{value:.9g}" for value in common["bounds"]))
    _row(
        table,
        "plan",
        f"{plan['method']}: {plan['tiles']} tiles of {plan['tile']} with a halo of {max(plan['halo'])}, "
        f"{plan['threads']} threads, about {plan['memory_mb']} MB of memory",
    )
    bands, height, width = plan["output_shape"]
    _row(table, "output", f"{width} x {height} x {bands}, {plan['output_mb_raw']} MB before compression")
    console.print(table)
    for note in seen["notes"]:
        console.print(f"note: {note}", markup=False)


def _row(table: Table, name: str, text: str) -> None:
    # As Text: file and band names are not markup.
    table.add_row(name, Text(text))


def _file_line(file: dict[str, Any]) -> str:
    size = f"{file['size'][0]} x {file['size'][1]}"
    bits = f", {file['bits_used']} bits used" if file["bits_used"] else ""
    declared = f" (NBITS {file['bits_declared']})" if file["bits_declared"] else ""
    values = sorted({f"{n:g}" for n in file["nodata"] if n is not None})
    nodata = f"no-data {', '.join(values)}" if values else f"invalid pixels: {file['invalid_told_by']}"
    crs = file["crs"] or "no CRS"
    pixel = "" if file["pixel_size"] is None else f", {file['pixel_size'][0]:.6g} per pixel"
    return f"{file['file']}: {size}, {file['dtype']}{declared}{bits}, {nodata}, {crs}{pixel}"


def _rate(p: Progress) -> str:
    return f"{p.pixels / 1e6 / max(p.seconds, 1e-9):.1f} MPix/s"


def _plain_lines(console: Console) -> ProgressCallback:
    last = time.monotonic()

    def show(p: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < _PLAIN_INTERVAL:
            return
        last = time.monotonic()
        left = p.seconds / p.pixels * (p.total_pixels - p.pixels) if p.pixels else 0.0
        console.print(
            f"{p.stage}: {p.pixels / p.total_pixels:.0%}, {_rate(p)}, {left:.0f} s left", markup=False
        )

    return show
