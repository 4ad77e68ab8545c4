"""What the command line shows on stderr: progress, notes, results."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from geosharp.document import to_json
from geosharp.errors import GeosharpError
from geosharp.terminal.tables import format_profile
from geosharp.terminal.text import count_words, format_rate

if TYPE_CHECKING:
    from geosharp.archive.ledger import Row
    from geosharp.demo import DemoResult
    from geosharp.engine.clock import Profile
    from geosharp.engine.stream import Progress, ProgressCallback
    from geosharp.fusion import FuseResult
    from geosharp.tuning.tune import Look, TrainProgress

_PLAIN_INTERVAL = 5.0  # seconds between lines in a pipe

# Seconds of tiles from which their rate says something.
_TELLING = 1.0

# What a bar's last update has told.
_TOLD = TextColumn("{task.fields[told]}")


class Terminal:
    """stderr as the user wants it: a bar, plain lines in a pipe, JSON lines, or silence."""

    def __init__(self, *, quiet: bool, log_json: bool) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._json = log_json
        # How far the tiles of a fusion were when last heard of.
        self._tiles: Progress | None = None

    def say(self, kind: str, text: str, **facts: Any) -> None:
        """One message; `facts` go into its JSON form alone."""
        if self._quiet:
            return
        self._put(json.dumps({"event": kind, "message": text, **to_json(facts)}) if self._json else text)

    def tell(self, text: str) -> None:
        """One line for eyes: a program hears of it when all is done."""
        if not self._json:
            self.say("done", text)

    def conclude(self, text: str, **facts: Any) -> None:
        """The last line of a log for programs, of what a user has been told."""
        if self._json:
            self.say("done", text, **facts)

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

    def summarise(self, result: FuseResult) -> str:
        """What was fused in how long; and how fast, where tiles came for long enough to tell."""
        height, width = result.grid.shape
        tiles, rate = self._tiles, ""
        if tiles is not None and tiles.seconds >= _TELLING:
            rate = f"; tiles at {format_rate(tiles.pixels / 1e6, tiles.seconds)}"
        return f"{result.method}: {width} x {height} pixels in {result.seconds:.1f} s{rate}"

    def scene_done(self, row: Row, count: int, total: int) -> None:
        """A scene of a batch, as soon as it is known what became of it."""
        notes = f", {count_words(len(row.warnings), 'note')}" if row.warnings else ""
        what = {
            "done": f"{row.seconds:.1f} s{notes}",
            "failed": ": ".join((*row.warnings, row.error)),
            "skipped": "is there already",
        }
        text = f"[{count}/{total}] {row.name}: {row.state}, {what[row.state]}"
        facts = {"state": row.state, "seconds": row.seconds, "out": row.out, "error": row.error}
        self.say("scene", text, scene=row.name, count=count, total=total, **facts)

    def profiled(self, profile: Profile) -> None:
        """Where the time of a fusion went."""
        facts = {"tiles": profile.tiles, "wall": profile.wall}
        facts |= {"readers": profile.readers, "threads": profile.threads}
        text = profile.bound if self._json else format_profile(profile)
        self.say("profile", text, seconds=profile.seconds, **facts)

    def demonstrated(self, result: DemoResult) -> None:
        if self._json:
            self.conclude("fused, and compared with the known truth", path=result.fused)
            return
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
            return
        with self._shown() as show:

            def hear(p: Progress) -> None:
                self._tiles = p if p.stage == "fuse" else self._tiles
                show(p)

            yield hear

    @contextmanager
    def _shown(self) -> Iterator[ProgressCallback]:
        """Progress as lines of JSON, as plain lines, or as a bar that goes when the context ends."""
        if self._json:
            yield self._tell_json
        elif not self._console.is_terminal:
            yield _plain_lines(self._put)
        else:
            percentage = TextColumn("{task.percentage:>3.0f}%")
            with self._bar("fuse", percentage, _TOLD, TimeRemainingColumn()) as update:

                def show(p: Progress) -> None:
                    update(description=p.stage, total=p.total_pixels, completed=p.pixels, told=_rate(p))

                yield show

    @contextmanager
    def learning(self) -> Iterator[Callable[[TrainProgress], None] | None]:
        """A callback that shows how a training goes for as long as the context lasts: each look stays as a
        line, and where somebody watches, a bar moves below."""
        if self._quiet:
            yield None
        elif self._json:
            yield self._tell_step
        elif not self._console.is_terminal:
            yield self._tell_look
        else:
            with self._bar("prepare", _TOLD) as update:

                def show(p: TrainProgress) -> None:
                    self._tell_look(p)
                    stage = "judge" if p.step == p.steps else "learn"
                    update(description=stage, total=p.steps or None, completed=p.step, told=_format_step(p))

                yield show

    @contextmanager
    def _bar(self, stage: str, *columns: ProgressColumn) -> Iterator[Callable[..., None]]:
        """What updates a bar that goes when the context ends; `columns` stand right of it."""
        left = TextColumn("{task.description}"), BarColumn(24)
        with Bars(*left, *columns, console=self._console, transient=True) as bars:
            yield partial(bars.update, bars.add_task(stage, total=None, told=""))

    def _tell_look(self, p: TrainProgress) -> None:
        if p.look is not None:
            self._tell_step(p)

    def _tell_step(self, p: TrainProgress) -> None:
        facts: dict[str, Any] = {"step": p.step, "steps": p.steps, "loss": p.loss, "seconds": p.seconds}
        text = _format_step(p)
        if p.look is not None:
            facts |= {name: getattr(p.look, name) for name in ("gain", "hqnr", "base_hqnr", "best")}
            text += f"; {_format_look(p.look)}"
        self.say("progress", text, **facts)

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


def _rate(p: Progress) -> str:
    """What is learnt from a sample has none; what is learnt in steps tells these."""
    if p.stage == "adapt":
        return f"step {p.tiles} of {p.total_tiles}"
    return format_rate(p.pixels / 1e6, p.seconds) if p.stage != "calibrate" else ""


def _format_step(p: TrainProgress) -> str:
    """Time left by the mean of all steps, looks among them; none while nobody knows how many there are."""
    if not p.steps:
        return f"step {p.step}, loss {p.loss:.4f}"
    seconds = p.seconds / p.step * (p.steps - p.step)
    left = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
    return f"step {p.step} of {p.steps}, loss {p.loss:.4f}, {left} left"


def _format_look(look: Look) -> str:
    verdict = "taken" if look.best else "not taken"
    hqnr = f"HQNR {look.hqnr:.4f} (before {look.base_hqnr:.4f})"
    return f"places kept aside: {look.gain:+.2f} dB, {hqnr}: {verdict}"


def _plain_lines(put: Callable[[str], None]) -> ProgressCallback:
    last = time.monotonic()

    def show(p: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < _PLAIN_INTERVAL:
            return
        last = time.monotonic()
        left = f"{p.seconds / p.pixels * (p.total_pixels - p.pixels):.0f} s left" if p.pixels else ""
        parts = f"{p.pixels / p.total_pixels:.0%}", _rate(p), left
        put(f"{p.stage}: {', '.join(part for part in parts if part)}")

    return show
