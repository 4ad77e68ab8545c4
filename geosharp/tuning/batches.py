"""Batches of examples, decided by seed and step alone: a run goes on where it stopped."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from geosharp.tuning.examples import Example, GroundReader, draw_place, draw_variation, make_example
from geosharp.tuning.ground import Ground
from geosharp.tuning.processes import Processes
from geosharp.tuning.recipe import Recipe
from geosharp.tuning.views import View, draw_view_place, make_view

# Scenes whose files a thread has open at a time.
_OPEN = 8


@dataclass(frozen=True)
class Batch:
    """examples: pairs with their truth; views: at full resolution, without."""

    examples: list[Example]
    views: list[View]


class Batches:
    """Reads examples from disk, the next batches while one is learnt from; each scene has the same chance.

    threads: how many read, a batch each.
    """

    def __init__(
        self, grounds: Sequence[Ground], recipe: Recipe, processes: Processes, threads: int = 1
    ) -> None:
        self._grounds, self._recipe, self._processes, self._threads = grounds, recipe, processes, threads
        self._own = threading.local()
        # Of all threads: file handles, by scene.
        self._open: list[OrderedDict[int, GroundReader]] = []

    def from_step(self, step: int) -> Generator[Batch]:
        """This process's share of every batch from `step` on, without end."""
        pool = ThreadPoolExecutor(self._threads, "geosharp-examples", self._start_thread)
        try:
            coming = deque(pool.submit(self._batch, step + ahead) for ahead in range(self._threads))
            while True:
                ready = coming.popleft().result()
                coming.append(pool.submit(self._batch, step + self._threads))
                step += 1
                yield ready
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self._close()

    def _start_thread(self) -> None:
        self._own.open = OrderedDict()
        self._open.append(self._own.open)

    def _batch(self, step: int) -> Batch:
        recipe, processes = self._recipe, self._processes
        mine = range(processes.rank, recipe.batch + recipe.views, processes.size)
        with torch.no_grad():
            examples = [self._example(step, number) for number in mine if number < recipe.batch]
            return Batch(examples, [self._view(step, number) for number in mine if number >= recipe.batch])

    def _example(self, step: int, number: int) -> Example:
        rng, reader = self._choose(step, number)
        place = draw_place(reader.ground, self._recipe.side, rng)
        return make_example(reader, place, draw_variation(reader.ground, rng), rng)

    def _view(self, step: int, number: int) -> View:
        rng, reader = self._choose(step, number)
        place = draw_view_place(reader.ground, self._recipe.side, rng)
        return make_view(reader.ground, reader.fine, place, self._recipe.margin)

    def _choose(self, step: int, number: int) -> tuple[np.random.Generator, GroundReader]:
        """One of the scenes, and what all else is drawn from."""
        rng = np.random.default_rng((self._recipe.seed, step, number))
        return rng, self._reader(int(rng.integers(len(self._grounds))))

    def _reader(self, chosen: int) -> GroundReader:
        mine: OrderedDict[int, GroundReader] = self._own.open
        if chosen not in mine:
            if len(mine) >= _OPEN:
                mine.popitem(last=False)[1].close()
            mine[chosen] = GroundReader(self._grounds[chosen])
        mine.move_to_end(chosen)
        return mine[chosen]

    def _close(self) -> None:
        for readers in self._open:
            for reader in readers.values():
                reader.close()
        self._open.clear()
