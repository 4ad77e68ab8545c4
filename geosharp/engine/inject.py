"""The classical methods of imaging.classic as a job for the engine."""

from __future__ import annotations

import numpy as np
import torch

from geosharp.engine.patches import PatchReader
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Fused
from geosharp.engine.tensors import optics_of, spans, to_pair
from geosharp.imaging.classic import METHODS, Moments, inject
from geosharp.imaging.computing import computing
from geosharp.imaging.radiometry import to_dn
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import valid_pixels
from geosharp.raster.scene import Patch


class InjectionJob:
    """A classical method with its scene-wide constants, see engine.stream.Job."""

    def __init__(self, setup: Setup, moments: Moments) -> None:
        self._threads = torch.get_num_threads()
        self._scene = setup.scene
        self._plan = setup.plan
        self._pixels = setup.pixels
        self._optics = optics_of(setup.scene, setup.known_degradation)
        self._injection = METHODS[setup.method](moments)
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
        with computing():
            pair = to_pair(patch, self._ms_centres, self._pan_centre)
            fused = inject(pair, self._injection, self._optics, spans(tile))
            data = to_dn(fused, self._ms_centres, self._pixels.dtype, self._pixels.limits)
        self._pixels.hide_invalid(data, valid)
        return Fused(data, None if valid is None else np.asarray(valid.all(0)))
