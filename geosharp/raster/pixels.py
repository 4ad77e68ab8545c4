"""What a result's pixels must be, and which of them are valid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geosharp.raster.area import Area
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Patch, Scene
from geosharp.raster.source import Array, Mask


@dataclass(frozen=True)
class Pixels:
    """dtype of the result, the range its DN are clipped to (None for floats), and its no-data value."""

    dtype: str
    limits: tuple[float, float] | None
    nodata: float | None

    def hide_invalid(self, data: Array, valid: Mask | None) -> None:
        """Set invalid pixels of (band, row, col) `data` to no-data, in place.

        Valid pixels that happen to equal no-data move aside by one step, or they would become holes.
        """
        if self.nodata is None:
            return
        if not np.isnan(self.nodata):
            value = data.dtype.type(self.nodata)
            clash = data == value
            if clash.any():
                data[clash] = self._beside(value)
        if valid is not None:
            data[~valid] = self.nodata

    def _beside(self, value: np.generic) -> np.generic:
        if self.limits is None:
            beside: np.generic = np.nextafter(value, value.dtype.type(np.inf))
            return beside
        return value.dtype.type(int(value) + (1 if float(value) < self.limits[1] else -1))


def valid_pixels(scene: Scene, area: Area, patch: Patch, tile: Rect) -> Mask | None:
    """(band, row, col) over the tile: valid in PAN and MS and inside the area; None where all are."""
    valid = scene.valid_on_pan(patch, tile)
    inside = area.mask(tile)
    if inside is None:
        return valid
    if valid is None:
        valid = np.ones((len(scene.bands), *tile.shape), bool)
    return valid & inside
