"""How long each stage of a fusion takes, summed over the threads that work at it. No tensors here."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geosharp.hfreqdiff.settings import STAGES

if TYPE_CHECKING:
    from geosharp.engine.plan import Plan

# Before tiles, one after the other; what is written is tiles and what follows them.
CALIBRATE, ADAPT, WRITTEN = "calibrate", "adapt", "written"
PREPARE, FINISH = "prepare", "finish"
# While tiles come, all at once: by those who work at them, and what they wait for.
TILES = "tiles"
READ, COMPUTE, WRITE = "read", "compute", "write"
WAIT_READ, WAIT_COMPUTE = "wait for reading", "wait for computing"
# Parts of computing.
UPLOAD, DOWNLOAD = "upload", "download"
PARTS = (UPLOAD, *STAGES, DOWNLOAD)

# What would make the whole faster, by what is busiest.
_REMEDIES = {
    READ: "a faster disk, or inputs that are tiled and lightly compressed",
    COMPUTE: "a GPU (--device cuda), --model small, or more --threads where cores are idle",
    WRITE: "a faster disk, --co COMPRESS=NONE, or more cores to compress on",
}
# Of computing where there is a GPU.
_ON_GPU = "--precision bf16, --model small, or more GPUs (--device cuda:0,1)"


@dataclass(frozen=True)
class Profile:
    """seconds: of each stage, summed over threads; tiles: while tiles came; wall: of all; readers, threads:
    how many read and computed; gpu: whether on one. There the parts of computing are in the device's time,
    and tiles that share it count twice."""

    seconds: Mapping[str, float]
    tiles: float
    wall: float
    readers: int
    threads: int
    gpu: bool = False

    @property
    def shares(self) -> dict[str, float]:
        """Share of the time of tiles for which reading, computing and writing were at work."""
        hands = {READ: self.readers, COMPUTE: self.threads, WRITE: 1}
        return {
            stage: min(self.seconds.get(stage, 0.0) / count / max(self.tiles, 1e-9), 1.0)
            for stage, count in hands.items()
        }

    @property
    def bound(self) -> str:
        """In words: what took longest, and what would make it faster."""
        if self.tiles < self.wall / 2:
            learnt = "a saved --calibration, " if CALIBRATE in self.seconds else ""
            around = "most of the time went before and after the tiles"
            return f"{around}: {learnt}--no-overviews and larger scenes help"
        stage, share = max(self.shares.items(), key=lambda found: found[1])
        remedy = _ON_GPU if stage == COMPUTE and self.gpu else _REMEDIES[stage]
        return f"{stage} is the bound, at work {share:.0%} of the time; faster: {remedy}"


def take_profile(clock: Clock, plan: Plan, wall: float, *, gpu: bool) -> Profile:
    """What the clock has counted of a fusion that took `wall` seconds."""
    seconds = clock.seconds
    tiles, written = seconds.pop(TILES), seconds.pop(WRITTEN)
    before = wall - written - seconds.get(CALIBRATE, 0.0) - seconds.get(ADAPT, 0.0)
    found = {PREPARE: before, **seconds, FINISH: written - tiles}
    return Profile(found, tiles, wall, plan.readers, plan.threads, gpu)


class Clock:
    """Sums up seconds by stage, from any thread. One that is not running measures nothing."""

    def __init__(self, *, running: bool = False) -> None:
        self.running = running
        self._seconds: dict[str, float] = defaultdict(float)
        self._queued: list[tuple[str, Any, Any]] = []
        self._lock = threading.Lock()

    @contextmanager
    def time(self, stage: str, *, gpu: bool = False) -> Iterator[None]:
        """Count the block to `stage`. gpu: in the time of the device, which its current stream queues work
        for."""
        if not self.running:
            yield
            return
        start = _mark() if gpu else time.perf_counter()
        try:
            yield
        finally:
            stop = _mark() if gpu else time.perf_counter()
            with self._lock:
                if gpu:
                    self._queued.append((stage, start, stop))
                else:
                    self._seconds[stage] += stop - start

    @property
    def seconds(self) -> dict[str, float]:
        """By stage, once all that is queued is done."""
        with self._lock:
            for stage, start, stop in self._queued:
                stop.synchronize()
                self._seconds[stage] += start.elapsed_time(stop) / 1000
            self._queued.clear()
            return dict(self._seconds)


# Of those who do not ask.
STOPPED = Clock()


def _mark() -> Any:
    import torch

    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event
