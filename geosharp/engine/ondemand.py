"""A method's result read as if it were a file: what is asked for is fused then."""

from __future__ import annotations

from typing import Self

import numpy as np

from geosharp.engine.setup import Setup
from geosharp.engine.stream import Job
from geosharp.raster.grid import Rect, tiles
from geosharp.raster.source import Array, Mask


class MethodReader:
    """An open handle on what `job`, made from `setup`, makes of its scene; for one thread.

    Pixels are those of the whole scene's result, for a rectangle that is fused alone as well.
    """

    def __init__(self, setup: Setup, job: Job) -> None:
        self._setup = setup
        self._job = job
        self._reader = job.open_reader()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def read(self, rect: Rect) -> tuple[Array, Mask | None]:
        """(band, row, col) of PAN pixels `rect`, and per band which are valid; none beyond the scene."""
        shape = len(self._setup.scene.bands), *rect.shape
        data, valid = np.zeros(shape, self._setup.pixels.dtype), np.zeros(rect.shape, bool)
        for tile in tiles(rect.intersect(self._setup.scene.grid.rect), self._setup.plan.tile):
            patch = self._reader.read(tile)
            fused = None if patch is None else self._job.compute(tile, patch)
            if fused is not None:
                index = tile.within(rect)
                data[:, *index] = fused.data
                valid[index] = True if fused.valid is None else fused.valid
        return data, None if valid.all() else np.broadcast_to(valid, shape)
