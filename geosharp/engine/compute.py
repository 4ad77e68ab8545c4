"""Whatever fuses tensors as a job for the engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from geosharp.engine.patches import PatchReader
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Fused
from geosharp.engine.tensors import spans, to_pair
from geosharp.hfreqdiff.models import within_device_memory
from geosharp.imaging.classic import Moments, Pair
from geosharp.imaging.computing import computing
from geosharp.imaging.radiometry import to_dn
from geosharp.imaging.resample import Spans
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import SPREAD, valid_pixels
from geosharp.raster.scene import Patch

# A tile's centred PAN and MS, and its PAN pixels -> (band, row, col) centred DN on the CPU; and, where the
# method tells it, their standard deviation.
Fuse = Callable[[Pair, Spans], tuple[Tensor, Tensor | None]]


class TensorJob:
    """A method with its scene-wide constants, see engine.stream.Job. `fuse` serves any number of threads."""

    def __init__(self, setup: Setup, moments: Moments, fuse: Fuse) -> None:
        self._threads = torch.get_num_threads()
        self._scene = setup.scene
        self._plan = setup.plan
        self._pixels = setup.pixels
        self._fuse = fuse
        ms_centres, pan_centre = moments.centres
        self._ms_centres = torch.from_numpy(ms_centres).float()
        self._pan_centre = torch.tensor([pan_centre], dtype=torch.float32)

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
        with computing(), within_device_memory(tiles):
            pair = to_pair(patch, self._ms_centres, self._pan_centre)
            fused, spread = self._fuse(pair, spans(tile))
            data = to_dn(fused, self._ms_centres, self._pixels.dtype, self._pixels.limits)
        self._pixels.hide_invalid(data, valid)
        deviation = None if spread is None else spread.numpy()
        if deviation is not None:
            SPREAD.hide_invalid(deviation, valid)
        return Fused(data, None if valid is None else np.asarray(valid.all(0)), deviation)
