"""Batches of examples, decided by seed and step alone: a run goes on where it stopped."""

from __future__ import annotations

from collections import OrderedDict
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

# Scenes whose files are open at a time.
_OPEN = 8


@dataclass(frozen=True)
class Batch:
    """examples: pairs with their truth; views: at full resolution, without."""

    examples: list[Example]
    views: list[View]


class Batches:
    """Reads examples from disk, the next batch while one is learnt from; each scene has the same chance."""

    def __init__(self, grounds: Sequence[Ground], recipe: Recipe, processes: Processes) -> None:
        self._grounds, self._recipe, self._processes = grounds, recipe, processes
        self._open: OrderedDict[int, GroundReader] = OrderedDict()

    def from_step(self, step: int) -> Generator[Batch]:
        """This process's share of every batch from `step` on, without end."""
        pool = ThreadPoolExecutor(1, "geosharp-examples")
        try:
            coming = pool.submit(self._batch, step)
            while True:
                ready = coming.result()
                step += 1
                coming = pool.submit(self._batch, step)
                yield ready
        finally:
            pool.submit(self._close)
            pool.shutdown(wait=True)

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
        if chosen not in self._open:
            if len(self._open) >= _OPEN:
                self._open.popitem(last=False)[1].close()
            self._open[chosen] = GroundReader(self._grounds[chosen])
        self._open.move_to_end(chosen)
        return self._open[chosen]

    def _close(self) -> None:
        for reader in self._open.values():
            reader.close()
        self._open.clear()
