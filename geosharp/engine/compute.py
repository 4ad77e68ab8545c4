"""Whatever fuses tensors as a job for the engine."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from geosharp.engine.clock import DOWNLOAD, UPLOAD, Clock
from geosharp.engine.patches import PatchReader
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Fused
from geosharp.engine.tensors import to_pair
from geosharp.hfreqdiff.models import within_device_memory
from geosharp.imaging.classic import Moments, Pair
from geosharp.imaging.computing import computing, is_want_of_device_memory
from geosharp.imaging.radiometry import to_dn
from geosharp.imaging.resample import Spans, spans
from geosharp.imaging.transfer import download
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import SPREAD, Pixels, valid_pixels
from geosharp.raster.scene import Patch
from geosharp.raster.source import Array

# A tile's centred PAN and MS, and its PAN pixels -> (band, row, col) centred DN; and, where the method tells
# it, their standard deviation. All on one device.
Fuse = Callable[[Pair, Spans], tuple[Tensor, Tensor | None]]

# DN of the result's type and, where it is told, their standard deviation; (band, row, col) on the CPU.
Made = tuple[Array, Array | None]

_CPU = torch.device("cpu")
# PAN pixels a side below which a part of a tile is not cut further, and what its sides are multiples of.
_LEAST_PART, _PART_STEP = 32, 16


@dataclass(frozen=True)
class Worker:
    """A method on a device; `fuse` serves any number of threads."""

    fuse: Fuse
    device: torch.device = _CPU


class TensorJob:
    """A method with its scene-wide constants, see engine.stream.Job.

    Computing threads are shared out among the workers. On a GPU each thread has a stream of its own: one
    tile's copies run while another's arithmetic does.
    """

    def __init__(self, setup: Setup, moments: Moments, workers: Sequence[Worker]) -> None:
        self._threads = torch.get_num_threads()
        self._scene = setup.scene
        self._plan = setup.plan
        self._pixels = setup.pixels
        self._moments = moments
        self._clock = setup.clock
        self._workers = enumerate(itertools.cycle(workers))
        self._own = threading.local()
        self._lock = threading.Lock()
        self._seats = _Seats(setup.plan.threads)
        # Pixels that a device has had room for at once.
        self._most = setup.plan.tile**2

    def open_reader(self) -> PatchReader:
        return PatchReader(self._scene, self._plan.halo)

    def start_thread(self) -> None:
        # One thread a tile: tiles are what runs side by side. It holds for threads to come as well.
        torch.set_num_threads(1)

    def end_threads(self) -> None:
        torch.set_num_threads(self._threads)

    def compute(self, tile: Rect, patch: Patch) -> Fused | None:
        valid = valid_pixels(self._scene, self._plan.area, patch, tile)
        if valid is not None and not valid.any():
            return None
        tiles = f"tiles of {self._plan.tile} PAN pixels in {self._plan.threads} threads"
        with computing(), within_device_memory(tiles), self._lane.entered() as lane:
            with self._seats.one():
                made = self._compute(lane, patch, tile, alone=False)
            if made is None:
                with self._seats.all():
                    torch.cuda.empty_cache()
                    made = self._compute(lane, patch, tile, alone=True)
            assert made is not None
            data, deviation = made
        self._pixels.hide_invalid(data, valid)
        if deviation is not None:
            SPREAD.hide_invalid(deviation, valid)
        return Fused(data, None if valid is None else np.asarray(valid.all(0)), deviation)

    @property
    def _lane(self) -> _Lane:
        """The calling thread's."""
        if not hasattr(self._own, "lane"):
            with self._lock:
                number, worker = next(self._workers)
                self._own.lane = _Lane(worker, number, self._moments, self._pixels, self._clock)
        lane: _Lane = self._own.lane
        return lane

    def _compute(self, lane: _Lane, patch: Patch, part: Rect, *, alone: bool) -> Made | None:
        """A part of a tile, in halves if it is more than a device has had room for: pixels are the same.

        alone: whether no other thread computes meanwhile: what has no room then never will, and is halved.
        None where there was no room that others may have had.
        """
        halves = _halve(part)
        if halves is None or part.area <= self._most:
            try:
                return lane.fuse(patch, part)
            except RuntimeError as error:
                if (alone and halves is None) or not is_want_of_device_memory(error):
                    raise
            # Only now, without the error, is what it held free.
            torch.cuda.empty_cache()
            if not alone:
                return None
            self._most = min(self._most, part.area - 1)
        assert halves is not None
        found = [self._compute(lane, patch, half, alone=alone) for half in halves]
        return _join([made for made in found if made is not None], 1 if halves[0].height < part.height else 2)


def _join(halves: list[Made], axis: int) -> Made | None:
    """Both beside each other; None where one is missing."""
    if len(halves) < 2:
        return None
    (one, spread), (other, other_spread) = halves
    beside = None
    if spread is not None and other_spread is not None:
        beside = np.concatenate([spread, other_spread], axis)
    return np.concatenate([one, other], axis), beside


class _Seats:
    """How many compute at once: each takes a seat, and who must be alone takes all of them."""

    def __init__(self, count: int) -> None:
        self._count, self._free = count, threading.Semaphore(count)
        self._clearing = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._free:
            yield

    @contextmanager
    def all(self) -> Iterator[None]:
        with self._clearing, ExitStack() as taken:
            for _ in range(self._count):
                taken.enter_context(self._free)
            yield


class _Lane:
    """Where a thread computes: on a device, with constants that lie there. number: of the lane in its job."""

    def __init__(self, worker: Worker, number: int, moments: Moments, pixels: Pixels, clock: Clock) -> None:
        self._worker, self._number, self._pixels, self._clock = worker, number, pixels, clock
        ms_centres, pan_centre = moments.centres
        self.centres = (
            torch.from_numpy(ms_centres).float().to(worker.device),
            torch.tensor([pan_centre], dtype=torch.float32, device=worker.device),
        )

    @contextmanager
    def entered(self) -> Iterator[_Lane]:
        """What is computed meanwhile is queued in this lane's stream."""
        if self._worker.device.type == "cpu":
            yield self
            return
        with torch.cuda.device(self._worker.device), torch.cuda.stream(self._stream):
            yield self

    def fuse(self, patch: Patch, part: Rect) -> Made:
        with self.time(UPLOAD):
            pair = to_pair(patch, *self.centres)
        fused, spread = self._worker.fuse(pair, spans(part))
        with self.time(DOWNLOAD):
            data = to_dn(fused, self.centres[0], self._pixels.dtype, self._pixels.limits)
            return data, None if spread is None else download(spread)

    def time(self, stage: str) -> AbstractContextManager[None]:
        return self._clock.time(stage, gpu=self._worker.device.type == "cuda")

    @cached_property
    def _stream(self) -> torch.cuda.Stream:
        # The model and what else is shared was copied in the default stream.
        torch.cuda.synchronize(self._worker.device)
        return _open_stream(self._worker.device, self._number)


@lru_cache
def _open_stream(device: torch.device, number: int) -> torch.cuda.Stream:
    """The same for lanes of one number: libraries keep memory for each stream, and never give it back."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _halve(part: Rect) -> tuple[Rect, Rect] | None:
    """Two parts, cut across the longer side at a multiple of PAN pixels; None where they would be tiny."""
    down = part.height >= part.width
    start, length = (part.row, part.height) if down else (part.col, part.width)
    middle = (start + length // 2) // _PART_STEP * _PART_STEP - start
    if min(middle, length - middle) < _LEAST_PART:
        return None
    if down:
        return (
            Rect(part.row, part.col, middle, part.width),
            Rect(part.row + middle, part.col, length - middle, part.width),
        )
    return (
        Rect(part.row, part.col, part.height, middle),
        Rect(part.row, part.col + middle, part.height, length - middle),
    )
