"""What the command line shows on stderr: progress, notes, scores; and how findings read as text."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from geosharp.errors import GeosharpError
from geosharp.quality.scores import METRICS, Metric, find_best, format_value

if TYPE_CHECKING:
    from geosharp.demo import DemoResult
    from geosharp.engine.stream import Progress, ProgressCallback
    from geosharp.evaluation import Evaluation
    from geosharp.fusion import FuseResult
    from geosharp.padm.calibration import Calibration
    from geosharp.raster.scene import Scene

_PIPE_WIDTH = 160  # columns of a table in a pipe
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
        self._put(json.dumps({"event": kind, "message": text, **facts}) if self._json else text)

    def _put(self, text: str) -> None:
        """One line, where anybody hears it: messages that are lost decide nothing."""
        with contextlib.suppress(OSError, ValueError):
            if self._json:
                sys.stderr.write(text + "\n")
            else:
                self._console.print(text, markup=False)

    def note(self, text: str) -> None:
        """Something that a user should know of the scene."""
        self.say("note", text if self._json else f"note: {text}")

    def fail(self, error: GeosharpError) -> None:
        """The error that ends the run, told even where it is quiet."""
        if not self._json:
            self._put(f"geosharp: {error}")
            return
        parts = {name: str(getattr(error, name)) for name in ("subject", "found", "needed", "remedy")}
        event = {"event": "error", "message": str(error), **parts, "exit_code": error.exit_code}
        self._put(json.dumps(event))

    def interrupted(self) -> None:
        """The end by Ctrl-C, told even where it is quiet."""
        text = "interrupted; the output is whole or not there"
        event = {"event": "error", "message": text, "exit_code": 130}
        self._put(json.dumps(event) if self._json else f"geosharp: {text}")

    @contextmanager
    def logged(self, *, shown: bool) -> Iterator[None]:
        """What geosharp and GDAL log is shown for as long as the context lasts, or not shown."""
        loggers = [logging.getLogger(name) for name in ("geosharp", "rasterio")]
        before = [(logger.level, logger.propagate) for logger in loggers]
        handler = _LogHandler(self) if shown else logging.NullHandler()
        for logger in loggers:
            logger.addHandler(handler)
            logger.propagate = False
            if shown:
                logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            for logger, (level, propagate) in zip(loggers, before, strict=True):
                logger.removeHandler(handler)
                logger.setLevel(level)
                logger.propagate = propagate

    def fused(self, result: FuseResult) -> None:
        height, width = result.grid.shape
        rate = _format_rate(height * width, result.seconds)
        self.say(
            "done",
            f"{result.method}: {width} x {height} pixels in {result.seconds:.1f} s ({rate})",
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
        if self._quiet:
            return
        with contextlib.suppress(OSError):
            self._console.print(table)
        self._put(f"result:       {result.fused}\nbefore/after: {result.picture}")
        self._put(f"again:        geosharp fuse {result.pan} {result.ms} -o sharp.tif")

    @contextmanager
    def progress(self) -> Iterator[ProgressCallback | None]:
        """A callback that shows progress for as long as the context lasts."""
        if self._quiet:
            yield None
        elif self._json:
            yield self._tell_json
        elif not self._console.is_terminal:
            yield _plain_lines(self._put)
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


class _LogHandler(logging.Handler):
    """Log records as the terminal's messages."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        source = record.name.split(".")[0]
        self._terminal.say("log", f"{source}: {record.getMessage()}", level=record.levelname)


def format_scores(evaluation: Evaluation) -> str:
    """Tables of all scores, and the calibration that they are from."""
    return f"{format_protocols(evaluation.protocols)}\ncalibration {evaluation.learnt.summary}"


def format_protocols(
    protocols: Mapping[str, Mapping[str, Mapping[str, float]]],
    columns: Mapping[str, Collection[str]] | None = None,
) -> str:
    """Tables of scores, the best of each column starred; who leads by less than the noise does not lead.

    protocols: scores by protocol, by contestant and by metric; columns: metrics to show of each protocol, all
    unless given.
    """
    shown = Console()
    # Rendered into a text: what cannot be printed is told where it is printed.
    text = io.StringIO()
    width = shown.width if shown.is_terminal else _PIPE_WIDTH
    console = Console(file=text, highlight=False, width=width, force_terminal=shown.is_terminal)
    for protocol, results in protocols.items():
        reference = "against the MS" if protocol == "reduced" else "without a reference"
        metrics = {
            name: metric
            for name, metric in METRICS[protocol].items()
            if columns is None or name in columns[protocol]
        }
        console.print(_score_table(f"{protocol} resolution, {reference}", metrics, results))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _score_table(
    title: str, metrics: Mapping[str, Metric], results: Mapping[str, Mapping[str, float]]
) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    columns = []
    for name, metric in metrics.items():
        heading = "\n".join([*metric.title.split(" ", 1), metric.unit or metric.better][:3])
        table.add_column(heading, justify="right", no_wrap=True)
        values = [scores[name] for scores in results.values()]
        best = find_best(values, metric)
        texts = [format_value(value, metric) for value in values]
        columns.append(
            [Text(f"{text}*", "bold") if row in best else Text(f"{text} ") for row, text in enumerate(texts)]
        )
    for row, name in enumerate(results):
        table.add_row(Text(name), *(column[row] for column in columns))
    return table


def format_calibration(calibration: Calibration, scene: Scene) -> str:
    """What was learnt of the scene, beside what its sensor is said to do."""
    if not calibration.usable:
        reasons = "; ".join(calibration.reasons)
        return f"nothing could be learnt: {reasons}\nfuse takes the values published of {scene.sensor.title}"
    operator, errors = calibration.operator, calibration.errors
    text = io.StringIO()
    console = Console(file=text, highlight=False, width=_PIPE_WIDTH)
    table = Table(title=f"Nyquist gains, {scene.sensor.title}", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("band", "rows", "columns", "published", "part in PAN", "DN per DN of PAN", "explained"):
        table.add_column(heading, justify="left" if heading == "band" else "right")
    for band, known in zip(calibration.bands, scene.bands, strict=True):
        table.add_row(
            Text(band.name),
            *(f"{gain:.3f}" for gain in band.gains),
            f"{known.optics.gain:.3f}",
            *(_or_dash(value, ".3g") for value in (band.weight, band.injection)),
            _or_dash(band.explained, ".1%"),
        )
    rows, cols = operator.gains
    table.add_row("all together", f"{rows:.3f}", f"{cols:.3f}", "", "", "", f"{calibration.explained:.1%}")
    console.print(table)
    down, right = (
        f"{shift:+.2f}" + ("" if error is None else f" (+-{error:.2f})")
        for shift, error in zip(operator.shift, (errors or (None,) * 4)[2:], strict=True)
    )
    table_explained = f"{calibration.table_explained:.1%} with the published values and no shift"
    lines = {
        "verdict": calibration.verdict,
        "MS on PAN": f"{down} rows, {right} columns in PAN pixels from where the geotransforms put it",
        "explained": f"{calibration.explained:.1%} of PAN's detail at MS resolution; {table_explained}",
        "learnt from": f"{calibration.count} MS pixels",
    }
    told = "\n".join(f"{name:<12} {value}" for name, value in lines.items())
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n" + told


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def format_info(seen: dict[str, Any]) -> str:
    """`preflight.inspect`'s findings, a line each."""
    plan, common = seen["plan"], seen["common_area"]
    (ry, rx), (dy, dx) = seen["ratio"], seen["shift_pan_px"]
    ratio = f"{ry:.7g}" if ry == rx else f"{ry:.7g} x {rx:.7g}"
    rect, part = common["pan_pixels"], plan["pan_pixels"]
    bands, height, width = plan["output_shape"]
    nodata = "" if plan["output_nodata"] is None else f", no-data {plan['output_nodata']}"
    work = (
        f"{plan['method']}: {plan['tiles']} tiles of {plan['tile']} with a halo of {max(plan['halo'])}, "
        f"{plan['threads']} threads, about {plan['memory_mb']} MB of memory"
    )
    size = f"{width} x {height} x {bands} {plan['output_dtype']}"
    lines = [
        ("sensor", f"{seen['sensor']['name']} ({seen['sensor']['told_by']})"),
        ("PAN", _file_line(seen["pan"])),
        *(("MS", _file_line(source)) for source in seen["ms"]),
        ("bands", ", ".join(f"{band['name']} ({band['nyquist_gain']:g})" for band in seen["bands"])),
        ("ratio", f"{ratio}, MS grid shifted by {dy:+.3g}, {dx:+.3g} PAN pixels (row, col)"),
        (
            "common area",
            f"{_place(rect)}: {common['share_of_pan']:.1%} of PAN, {common['share_of_ms']:.1%} of MS",
        ),
        ("bounds", ", ".join(f"{value:.9g}" for value in common["bounds"])),
        *([("part", _place(part))] if part != rect else []),
        ("plan", work),
        ("output", f"{size}{nodata}, {plan['output_mb_raw']} MB before compression"),
    ]
    return "\n".join(f"{name:<12} {text}" for name, text in lines)


def _place(rect: dict[str, int]) -> str:
    size = f"{rect['width']} x {rect['height']}"
    return f"{size} PAN pixels from row {rect['row']}, column {rect['col']}"


def _file_line(file: dict[str, Any]) -> str:
    size = f"{file['size'][0]} x {file['size'][1]}"
    bits = f", {file['bits_used']} bits used" if file["bits_used"] else ""
    declared = f" (NBITS {file['bits_declared']})" if file["bits_declared"] else ""
    values = sorted({f"{float(n):g}" for n in file["nodata"] if n is not None})
    nodata = f"no-data {', '.join(values)}" if values else f"invalid pixels: {file['invalid_told_by']}"
    crs = file["crs"] or "no CRS"
    pixel = "" if file["pixel_size"] is None else f", {file['pixel_size'][0]:.6g} per pixel"
    return f"{file['file']}: {size}, {file['dtype']}{declared}{bits}, {nodata}, {crs}{pixel}"


def _rate(p: Progress) -> str:
    """What is learnt from a sample has none."""
    return _format_rate(p.pixels, p.seconds) if p.stage != "calibrate" else ""


def _format_rate(pixels: int, seconds: float) -> str:
    rate = pixels / 1e6 / max(seconds, 1e-9)
    return f"{rate:.1f} MPix/s" if rate >= 1 else f"{rate:.2f} MPix/s"


def _plain_lines(put: Callable[[str], None]) -> ProgressCallback:
    last = time.monotonic()

    def show(p: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < _PLAIN_INTERVAL:
            return
        last = time.monotonic()
        left = p.seconds / p.pixels * (p.total_pixels - p.pixels) if p.pixels else 0.0
        parts = f"{p.pixels / p.total_pixels:.0%}", _rate(p), f"{left:.0f} s left"
        put(f"{p.stage}: {', '.join(part for part in parts if part)}")

    return show
