"""A fusion cut into bands of rows: a folder of finished parts, from which one file is then put together.

The folder tells in run.json what decides the pixels, all that a worker needs to make a part of them. A part
appears when it is complete; one made twice is the same twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from geosharp.engine.lineage import check_same
from geosharp.engine.plan import Plan
from geosharp.engine.stream import Fused
from geosharp.errors import BusyError, OutputError, PairError
from geosharp.notes import Tell
from geosharp.raster.grid import Rect
from geosharp.raster.output.mosaic import MosaicReader, Piece
from geosharp.raster.output.target import lock_file
from geosharp.raster.output.text import JSON_SUFFIXES, write_text

RUN, IDENTITY = "run.json", "identity"
# A part has at least so many PAN pixels, and whole rows of tiles.
_LEAST = 2**24


def cut(plan: Plan) -> list[Rect]:
    """The plan's area in bands of whole rows of its tiles, from top to bottom.

    The same however many workers there are: what is finished fits any of them.
    """
    area, tile = plan.area.rect, plan.tile
    step = max(_LEAST // (tile * area.width), 1) * tile
    rows = range(area.row // step * step, area.stop_row, step)
    bands = [Rect(row, area.col, step, area.width).intersect(area) for row in rows]
    return [band for band in bands if not band.empty]


@dataclass(frozen=True)
class Folder:
    """Where the parts of an output are. corner: PAN's row and column of the output's first pixel; identity:
    what decides the pixels, as text by name."""

    path: Path
    corner: tuple[int, int]
    identity: Mapping[str, str]

    @classmethod
    def beside(cls, out: Path, plan: Plan, identity: Mapping[str, str]) -> Folder:
        corner = plan.area.rect.row, plan.area.rect.col
        return cls(out.with_name(f".{out.name}.parts"), corner, identity)

    @cached_property
    def mark(self) -> str:
        """Of the run in the names of its parts: what a worker goes on to make for a run that has ended is
        none of the next one's."""
        return hashlib.sha256(json.dumps(dict(self.identity), sort_keys=True).encode()).hexdigest()[:12]

    def name(self, band: Rect) -> Path:
        """Of the file of a band of PAN pixels."""
        return self._name(band, ".tif")

    def name_spread(self, band: Rect) -> Path:
        """Of the file that tells how uncertain that is."""
        return self._name(band, "-spread.tif")

    def pieces(self, bands: Sequence[Rect], name: Callable[[Rect], Path]) -> list[Piece]:
        """The files as parts of the output."""
        row, col = self.corner
        return [Piece(band.move(-row, -col), name(band)) for band in bands]

    def finish(self, band: Rect, filled: int) -> None:
        """The band's files are complete, and so many of its tiles hold valid pixels."""
        files = [path.name for path in (self.name(band), self.name_spread(band)) if path.exists()]
        told = json.dumps({"filled": filled, "files": files})
        write_text(self._name(band, ".json"), told, JSON_SUFFIXES, overwrite=True)

    def finished(self, bands: Sequence[Rect]) -> dict[Rect, int]:
        """The bands whose files are there, each with its tiles that hold valid pixels."""
        # One look at the folder: what was asked for by its name, and was not there, a network's disk
        # may call absent for a while.
        there = {path.name for path in self.path.iterdir()}
        found = {}
        for band in bands:
            if (mark := self._name(band, ".json")).name in there:
                with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                    told = json.loads(mark.read_text(encoding="utf-8"))
                    if there >= {self.name(band).name, *told["files"]}:
                        found[band] = int(told["filled"])
        return found

    def _name(self, band: Rect, ending: str) -> Path:
        return self.path / f"rows-{band.row:07}-{band.stop_row:07}-{self.mark}{ending}"

    @contextlib.contextmanager
    def kept(self, run: Mapping[str, Any], *, resume: bool, tell: Tell) -> Iterator[None]:
        """The folder, with what an earlier run of the same identity has finished where this one is to go on
        with it; it goes with the block, unless that fails, parts are there, and the pair is not at fault.
        `run` is told to workers. One run at a time has it."""
        file = self._open()
        try:
            self._take_up(file, run, resume=resume, tell=tell)
            try:
                yield
            except PairError:
                # There is nothing to go on to: the same pair would be refused again.
                shutil.rmtree(self.path, ignore_errors=True)
                raise
            except BaseException:
                if any(self.path.glob(f"*{self.mark}*")):
                    tell("what is finished is kept: the same command with --resume goes on from there")
                else:
                    shutil.rmtree(self.path, ignore_errors=True)
                raise
            # Before another run may have it.
            shutil.rmtree(self.path, ignore_errors=True)
        finally:
            file.close()

    def _open(self) -> IO[bytes]:
        """The folder's run.json, locked; both are made where there are none."""
        while True:
            with self._told():
                self.path.mkdir(exist_ok=True)
                file = os.fdopen(os.open(self.path / RUN, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
            if lock_file(file.fileno()) is False:
                file.close()
                found = "is in use: another run is writing there"
                raise BusyError(self.path, found, "one run at a time", "wait for it, or choose another --out")
            # A run that has ended meanwhile may have removed it.
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(file.fileno()), (self.path / RUN).stat()):
                    return file
            file.close()

    def _take_up(self, file: IO[bytes], run: Mapping[str, Any], *, resume: bool, tell: Tell) -> None:
        with self._told():
            found = [path for path in self.path.iterdir() if path.name != RUN]
            told = file.read()
        if found and resume:
            self._check_same(told)
        elif found:
            tell("starting anew: with --resume it would go on where an earlier run stopped")
        with self._told():
            for path in () if resume else found:
                path.unlink()
            # Where inputs lie may have changed.
            file.seek(0)
            file.write(json.dumps({**run, IDENTITY: dict(self.identity)}).encode())
            file.truncate()
            file.flush()
            os.fsync(file.fileno())

    def _check_same(self, text: bytes) -> None:
        """Refuse parts that are of another run, by what its run.json, `text`, tells."""
        told: dict[str, str] = {}
        with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError):
            told = dict(json.loads(text)[IDENTITY].items())
        if not told:
            found, needed = f"parts of which {RUN} tells nothing", "the parts of an interrupted run"
            raise OutputError(self.path, found, needed, "leave --resume out to start anew")
        check_same(told, self.identity, self.path, "parts")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            found = f"cannot be used ({error.strerror})"
            remedy = "check its permissions and the room on its disk, or remove it"
            raise OutputError(self.path, found, "a folder for parts of the result", remedy) from error


@dataclass(frozen=True)
class PartsJob:
    """Makes no tile: takes all from pieces. spread: of the standard deviations, empty where there are none;
    masked: whether pixels may be invalid; corner: PAN's row and column of the output's first pixel."""

    pieces: Sequence[Piece]
    spread: Sequence[Piece]
    masked: bool
    corner: tuple[int, int]

    def open_reader(self) -> PartsReader:
        return PartsReader(self)

    def start_thread(self) -> None: ...

    def compute(self, tile: Rect, patch: Fused) -> Fused:
        return patch

    def end_threads(self) -> None: ...


class PartsReader:
    """An open handle on pieces, for one thread."""

    def __init__(self, job: PartsJob) -> None:
        self._corner = job.corner
        self._data = MosaicReader(job.pieces, masked=job.masked)
        self._spread = MosaicReader(job.spread, masked=False) if job.spread else None

    def read(self, tile: Rect) -> Fused | None:
        """The tile, whole; None where nothing in it is valid."""
        rect = tile.move(-self._corner[0], -self._corner[1])
        data, valid = self._data.read(rect)
        if valid is not None and not valid.any():
            return None
        return Fused(data, valid, None if self._spread is None else self._spread.read(rect)[0])

    def close(self) -> None:
        self._data.close()
        if self._spread is not None:
            self._spread.close()
