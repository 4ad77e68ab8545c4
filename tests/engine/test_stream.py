from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from shapely.geometry import box

from geosharp.engine.plan import Plan
from geosharp.engine.stream import Fused, Progress, stream
from geosharp.raster.area import Area
from geosharp.raster.grid import Rect, tiles

AREA = Rect(30, 70, 500, 700)
TILE = 64
BOOM = "boom"


class Counting:
    """A job that gives each pixel its own number, and takes down who did what and how much was alive."""

    def __init__(self, *, empty: Callable[[Rect], bool] = lambda tile: False, slow: float = 0.0) -> None:
        self.empty = empty
        self.slow = slow
        self.lock = threading.Lock()
        self.readers: list[CountingReader] = []
        self.starts: list[str] = []
        self.ends: list[list[str]] = []
        self.read: list[Rect] = []
        self.computed: list[Rect] = []
        self.alive = 0
        self.most_alive = 0
        self.fail_read: Rect | None = None
        self.fail_compute: Rect | None = None
        self.fail_open = 0

    def open_reader(self) -> CountingReader:
        if self.fail_open and len(self.readers) + 1 == self.fail_open:
            raise RuntimeError(BOOM)
        self.readers.append(CountingReader(self))
        return self.readers[-1]

    def start_thread(self) -> None:
        with self.lock:
            self.starts.append(threading.current_thread().name)

    def end_threads(self) -> None:
        running = [thread.name for thread in threading.enumerate() if thread.name.startswith("geosharp")]
        self.ends.append(running)

    def compute(self, tile: Rect, patch: Any) -> Fused | None:
        if tile == self.fail_compute:
            raise RuntimeError(BOOM)
        time.sleep(self.slow)
        with self.lock:
            self.computed.append(tile)
        if tile.col % 3 == 1:
            return None
        return Fused(number(tile)[None], None)


class CountingReader:
    def __init__(self, job: Counting) -> None:
        self.job = job
        self.threads: set[int] = set()
        self.closed = 0

    def read(self, tile: Rect) -> Rect | None:
        assert not self.closed
        self.threads.add(threading.get_ident())
        with self.job.lock:
            self.job.read.append(tile)
            self.job.alive += 1
            self.job.most_alive = max(self.job.most_alive, self.job.alive)
        if tile == self.job.fail_read:
            raise RuntimeError(BOOM)
        return None if self.job.empty(tile) else tile

    def close(self) -> None:
        self.closed += 1


class Memory:
    def __init__(self, job: Counting) -> None:
        self.job = job
        self.image = np.zeros(AREA.shape, np.int64)
        self.times = np.zeros(AREA.shape, int)
        self.order: list[Rect] = []
        self.skipped: list[Rect] = []
        self.fail: Rect | None = None
        self.slow = 0.0

    def write(self, rect: Rect, data: np.ndarray, valid: np.ndarray | None) -> None:
        if rect == self.fail:
            raise RuntimeError(BOOM)
        time.sleep(self.slow)
        assert valid is None
        self.image[rect.row : rect.stop_row, rect.col : rect.stop_col] = data[0]
        self._count(rect)

    def skip(self, rect: Rect) -> None:
        self.skipped.append(rect)
        self._count(rect)

    def _count(self, rect: Rect) -> None:
        self.order.append(rect)
        self.times[rect.row : rect.stop_row, rect.col : rect.stop_col] += 1
        with self.job.lock:
            self.job.alive -= 1


def number(rect: Rect) -> np.ndarray:
    rows, cols = np.mgrid[rect.row : rect.stop_row, rect.col : rect.stop_col]
    return np.asarray(rows * 10_000 + cols)


def run(job: Counting, writer: Memory, *, readers: int = 2, threads: int = 2, progress: Any = None) -> int:
    return stream(job, plan_of(Area(AREA), readers=readers, threads=threads), writer, progress)


def plan_of(area: Area, *, readers: int = 2, threads: int = 2) -> Plan:
    return Plan(area, TILE, None, (0, 0), readers, threads, memory=0, cache=0)


def assert_all_is_let_go(job: Counting) -> None:
    assert [reader.closed for reader in job.readers] == [1] * len(job.readers)
    running = [thread.name for thread in threading.enumerate() if thread.name.startswith("geosharp")]
    assert not running
    assert job.ends in ([[]], [])


@pytest.mark.parametrize(("readers", "threads"), [(1, 1), (2, 2), (3, 5)])
def test_every_pixel_is_written_once_row_by_row_at_its_place(readers: int, threads: int) -> None:
    job = Counting(slow=0.001)
    writer = Memory(job)
    filled = run(job, writer, readers=readers, threads=threads)
    assert (writer.times == 1).all()
    assert writer.order == sorted(writer.order, key=lambda rect: (rect.row, rect.col))
    expected = number(AREA)
    for rect in writer.skipped:
        expected[rect.row : rect.stop_row, rect.col : rect.stop_col] = 0
    np.testing.assert_array_equal(writer.image, expected)
    assert filled == len(writer.order) - len(writer.skipped)
    assert_all_is_let_go(job)


def test_tiles_without_data_are_skipped_and_not_computed() -> None:
    job = Counting(empty=lambda tile: tile.row < 200)
    writer = Memory(job)
    filled = run(job, writer)
    empty = [tile.move(-AREA.row, -AREA.col) for tile in tiles(AREA, TILE) if tile.row < 200]
    assert empty
    assert set(empty) <= set(writer.skipped)
    assert not [tile for tile in job.computed if tile.row < 200]
    assert filled == len(writer.order) - len(writer.skipped)


@pytest.mark.parametrize("slow", ["read", "compute", "write"])
@pytest.mark.parametrize(("readers", "threads"), [(1, 1), (2, 3)])
def test_the_number_of_tiles_under_way_is_bounded(slow: str, readers: int, threads: int) -> None:
    job = Counting(slow=0.003 if slow == "compute" else 0.0)
    writer = Memory(job)
    writer.slow = 0.003 if slow == "write" else 0.0
    run(job, writer, readers=readers, threads=threads)
    assert job.most_alive <= 2 * threads + readers + 1
    assert len(writer.order) > 2 * job.most_alive


def test_each_reader_is_used_by_one_thread_and_each_has_work() -> None:
    job = Counting()
    run(job, Memory(job), readers=3)
    assert [len(reader.threads) for reader in job.readers] == [1, 1, 1]
    assert len(set.union(*(reader.threads for reader in job.readers))) == 3


def test_every_computing_thread_is_started_once() -> None:
    job = Counting(slow=0.002)
    run(job, Memory(job), threads=3)
    assert len(job.starts) == len(set(job.starts)) <= 3
    assert job.ends == [[]]


@pytest.mark.parametrize("where", ["read", "compute", "write"])
def test_a_failure_ends_the_work_soon_and_lets_all_go(where: str) -> None:
    job = Counting(slow=0.001)
    writer = Memory(job)
    at = list(tiles(AREA, TILE))[20]
    if where == "read":
        job.fail_read = at
    elif where == "compute":
        job.fail_compute = at
    else:
        writer.fail = next(t for t in list(tiles(AREA, TILE))[20:] if t.col % 3 != 1).move(
            -AREA.row, -AREA.col
        )
    with pytest.raises(RuntimeError, match=BOOM):
        run(job, writer)
    assert_all_is_let_go(job)
    assert len(job.read) < 20 + 3 + 3 * 7
    assert len(writer.order) <= 22


def test_after_a_failure_no_more_tiles_are_taken_up() -> None:
    job = Counting(slow=0.1)
    writer = Memory(job)
    skipped, first, *_ = tiles(AREA, TILE)
    assert (skipped.col % 3 == 1, first.col % 3 == 1) == (True, False)
    writer.fail = first.move(-AREA.row, -AREA.col)
    with pytest.raises(RuntimeError, match=BOOM):
        run(job, writer, readers=1, threads=1)
    # The one before, the one that failed, and the one that was being computed.
    assert len(job.computed) <= 3


def test_a_failure_comes_after_the_tiles_before_it() -> None:
    job = Counting()
    writer = Memory(job)
    job.fail_compute = list(tiles(AREA, TILE))[20]
    with pytest.raises(RuntimeError, match=BOOM):
        run(job, writer)
    assert len(writer.order) == 20


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_in_the_callback_ends_the_work(interruption: type[BaseException]) -> None:
    job = Counting()
    writer = Memory(job)

    def stop(progress: Progress) -> None:
        if progress.tiles == 5:
            raise interruption

    with pytest.raises(interruption):
        run(job, writer, progress=stop)
    assert len(writer.order) == 5
    assert len(job.read) <= 5 + 8
    assert_all_is_let_go(job)


def test_a_second_handle_that_does_not_open_closes_the_first() -> None:
    job = Counting()
    job.fail_open = 2
    with pytest.raises(RuntimeError, match=BOOM):
        run(job, Memory(job))
    assert len(job.readers) == 1
    assert_all_is_let_go(job)


def test_tiles_outside_the_area_are_skipped_unread() -> None:
    job = Counting()
    writer = Memory(job)
    corner = box(AREA.col, AREA.row, AREA.col + 100, AREA.row + 100)
    stream(job, plan_of(Area(AREA, corner)), writer)
    meeting = [
        tile for tile in tiles(AREA, TILE) if tile.row <= AREA.row + 100 and tile.col <= AREA.col + 100
    ]
    assert sorted(job.read, key=str) == sorted(meeting, key=str)
    assert (writer.times == 1).all()


def test_progress_only_grows_and_ends_at_the_total() -> None:
    job = Counting()
    told: list[Progress] = []
    run(job, Memory(job), progress=told.append)
    assert told.pop().stage == "finish"
    assert {p.stage for p in told} == {"fuse"}
    assert [p.tiles for p in told] == list(range(1, len(list(tiles(AREA, TILE))) + 1))
    assert all(a.pixels < b.pixels and a.seconds <= b.seconds for a, b in pairwise(told))
    assert (told[-1].tiles, told[-1].pixels) == (told[-1].total_tiles, told[-1].total_pixels)
    assert told[-1].total_pixels == AREA.area
