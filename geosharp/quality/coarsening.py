"""Bringing a result, and PAN, onto the MS grid as the sensor would have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from geosharp.imaging.degradation import Degradation, degrade_bands
from geosharp.imaging.resample import Axis, degrade_valid, spans
from geosharp.quality.reduced import tensors
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader
from geosharp.raster.source import Array, Mask

# An MS pixel is held against the result only where its kernel lies in it as a whole, nearly.
_LEAST = 0.99

# Reads a rectangle of a fused image: (band, row, col), and which pixels are valid.
Read = Callable[[Rect], tuple[Array, Mask | None]]
Floats = NDArray[np.float32]


class Coarsening:
    """What `degradation` makes of PAN pixels of a scene. axes, reach: PAN pixels an MS pixel needs."""

    def __init__(self, scene: Scene, degradation: Degradation) -> None:
        self.scene = scene.aligned(degradation.shift)
        (ry, rx), (oy, ox) = self.scene.relation.ratio, self.scene.relation.offset
        self.axes = Axis(ry, oy), Axis(rx, ox)
        self.reach = degradation.reach(self.axes)
        self._degradation = degradation

    def bands(self, fused: Read, rect: Rect) -> tuple[Floats, Mask | None]:
        """MS pixels `rect` of a result (band, row, col), and which of them can be told."""
        need = self._need(rect)
        gains = self._degradation.gains
        low, seen = degrade_bands(*tensors(*fused(need)), spans(need), spans(rect), self.axes, gains, _LEAST)
        return low.numpy(), None if seen is None else seen.numpy() > 0

    def pan(self, reader: SceneReader, rect: Rect) -> tuple[Floats, Mask | None]:
        """MS pixels `rect` of PAN (1, row, col), as coarse as the bands on the whole."""
        need = self._need(rect)
        x, gain = tensors(*reader.read_pan(need)), self._degradation.mean_gain
        low, seen = degrade_valid(*x, spans(need), spans(rect), self.axes, gain, _LEAST)
        return low.numpy(), None if seen is None else seen.numpy() > 0

    def _need(self, rect: Rect) -> Rect:
        return self.scene.relation.pan_rect(rect).grow(*self.reach)
