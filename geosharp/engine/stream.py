"""Reading, computing and writing at once, over the tiles of a scene in their order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from geosharp.engine import heap
from geosharp.engine.clock import COMPUTE, READ, STOPPED, TILES, WAIT_COMPUTE, WAIT_READ, WRITE, Clock
from geosharp.engine.plan import Plan
from geosharp.raster.grid import Rect

if TYPE_CHECKING:
    from geosharp.engine.journal import Journal

_TRIM_EVERY = 32  # tiles


@dataclass(frozen=True)
class Fused:
    """A finished tile: (band, row, col) in the output's dtype, and its dataset mask.

    valid: (row, col), None where all is valid; spread: float32 standard deviation of the data, None where the
    method tells none.
    """

    data: NDArray[Any]
    valid: NDArray[Any] | None
    spread: NDArray[Any] | None = None


class Reader(Protocol):
    """An open handle on the inputs, used by one thread at a time."""

    def read(self, tile: Rect) -> Any:
        """What computing `tile` needs; None where nothing in it can be valid."""

    def close(self) -> None: ...


class Job(Protocol):
    """One method on one scene."""

    def open_reader(self) -> Reader: ...

    def start_thread(self) -> None:
        """Called once in every computing thread."""

    def compute(self, tile: Rect, patch: Any) -> Fused | None:
        """Fuse a tile from what a reader read; None where nothing in it is valid."""

    def end_threads(self) -> None:
        """Called once when no computing thread runs any more."""


class Writer(Protocol):
    """Takes finished tiles in output pixels, row by row."""

    def write(self, rect: Rect, data: NDArray[Any], valid: NDArray[Any] | None) -> None: ...

    def skip(self, rect: Rect) -> None: ...


@dataclass(frozen=True)
class Progress:
    """How far the work is: `pixels` of `total_pixels` PAN pixels are written after `seconds`.

    stage: "fuse" while tiles come, then once "finish" for overviews and checks.
    """

    stage: str
    tiles: int
    total_tiles: int
    pixels: int
    total_pixels: int
    seconds: float


ProgressCallback = Callable[[Progress], None]


def stream(
    job: Job,
    plan: Plan,
    writer: Writer,
    progress: ProgressCallback | None = None,
    beside: Writer | None = None,
    clock: Clock = STOPPED,
    journal: Journal | None = None,
) -> int:
    """Run `job` over the tiles of `plan` into `writer`, and its spread into `beside`; the number of tiles
    that held data. Tiles that `journal` holds are taken from it, and all others kept there.

    Readers read, threads compute, the calling thread writes; a fixed number of tiles is under way at
    once. Tiles outside the plan's area are skipped unread.
    """
    with ExitStack() as opened:
        handles: list[Reader] = []
        for _ in range(plan.readers):
            handles.append(job.open_reader())
            opened.callback(handles[-1].close)
        tally = _Tally(plan.tile_count, plan.area.rect.area, progress)
        with clock.time(TILES):
            _stream(plan, _Work(job, plan, handles, clock, journal), writer, beside, tally, clock)
        # What is left to the writer takes time too: overviews, checks, the rename.
        tally.tell("finish")
        return tally.filled


def _stream(
    plan: Plan, work: _Work, writer: Writer, beside: Writer | None, tally: _Tally, clock: Clock
) -> None:
    under_way: deque[tuple[Rect, _Begun]] = deque()
    corner = plan.area.rect

    def write_next() -> None:
        tile, begun = under_way.popleft()
        with clock.time(WAIT_COMPUTE):
            fused = begun.future.result()
        rect = tile.move(-corner.row, -corner.col)
        with clock.time(WRITE):
            if fused is None:
                for into in filter(None, (writer, beside)):
                    into.skip(rect)
            else:
                writer.write(rect, fused.data, fused.valid)
                if beside is not None and fused.spread is not None:
                    beside.write(rect, fused.spread, fused.valid)
        work.end(tile, fused, begun)
        tally.count(tile, fused is not None)

    try:
        row, col = None, 0
        for tile in plan.tiles():
            row, col = tile.row, col + 1 if tile.row == row else 0
            # Neighbours go to one handle, along a row and from row to row: they share blocks in its cache.
            under_way.append((tile, work.begin(tile, col // 4)))
            if len(under_way) > 2 * plan.threads + plan.readers:
                write_next()
        while under_way:
            write_next()
    finally:
        work.close()


@dataclass(frozen=True)
class _Begun:
    """A tile under way; kept: whether the journal has it."""

    future: Future[Fused | None]
    kept: bool = False


class _Work:
    """Threads that read and compute tiles, unless the journal holds them."""

    def __init__(
        self, job: Job, plan: Plan, handles: list[Reader], clock: Clock, journal: Journal | None
    ) -> None:
        self._job, self._area, self._handles = job, plan.area, handles
        self._clock, self._journal = clock, journal
        self._reading = [ThreadPoolExecutor(1, "geosharp-read") for _ in handles]
        self._computing = ThreadPoolExecutor(plan.threads, "geosharp-compute", job.start_thread)

    def begin(self, tile: Rect, turn: int) -> _Begun:
        """turn: tiles of one go to one handle."""
        found = None if self._journal is None else self._journal.find(tile)
        if found is not None:
            there: Future[Fused | None] = Future()
            there.set_result(found[0])
            return _Begun(there, kept=True)
        reader = turn % len(self._handles)
        patch = self._reading[reader].submit(self._read, self._handles[reader], tile)
        return _Begun(self._computing.submit(self._compute, tile, patch))

    def end(self, tile: Rect, fused: Fused | None, begun: _Begun) -> None:
        """The tile is written."""
        if self._journal is not None and not begun.kept:
            self._journal.add(tile, fused)

    def close(self) -> None:
        # First no pool takes up more work, then all are waited for.
        for wait in (False, True):
            for pool in (*self._reading, self._computing):
                pool.shutdown(wait=wait, cancel_futures=True)
        self._job.end_threads()

    def _read(self, reader: Reader, tile: Rect) -> Any:
        with self._clock.time(READ):
            return None if self._area.misses(tile) else reader.read(tile)

    def _compute(self, tile: Rect, patch: Future[Any]) -> Fused | None:
        with self._clock.time(WAIT_READ):
            found = patch.result()
        with self._clock.time(COMPUTE):
            return None if found is None else self._job.compute(tile, found)


class _Tally:
    """Counts finished tiles and tells the callback."""

    def __init__(self, total_tiles: int, total_pixels: int, progress: ProgressCallback | None) -> None:
        self.filled = 0
        self._tiles = 0
        self._pixels = 0
        self._total = (total_tiles, total_pixels)
        self._progress = progress
        self._start = time.perf_counter()

    def count(self, tile: Rect, filled: bool) -> None:
        self.filled += filled
        self._tiles += 1
        self._pixels += tile.area
        if self._tiles % _TRIM_EVERY == 0:
            heap.trim()
        self.tell("fuse")

    def tell(self, stage: str) -> None:
        if self._progress is not None:
            seconds = time.perf_counter() - self._start
            total_tiles, total_pixels = self._total
            self._progress(Progress(stage, self._tiles, total_tiles, self._pixels, total_pixels, seconds))
