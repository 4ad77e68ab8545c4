"""What a result's pixels must be, and which of them are valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geosharp.raster.area import Area
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Patch, Scene
from geosharp.raster.source import Array, Mask

# Relative distance from no-data at which readers tell a float apart; GDAL's limit is near 5e-7.
_APART = 2e-6


@dataclass(frozen=True)
class Pixels:
    """dtype of the result, the range its DN are clipped to (None for floats), and its no-data value."""

    dtype: str
    limits: tuple[float, float] | None
    nodata: float | None

    @property
    def bits(self) -> int | None:
        """How many bits limits and no-data need of an unsigned type, where that is fewer than it has."""
        kind = np.dtype(self.dtype)
        if self.limits is None or kind.kind != "u":
            return None
        bits = int(max(self.limits[1], self.nodata or 0)).bit_length()
        return bits if bits < 8 * kind.itemsize else None

    def hide_invalid(self, data: Array, valid: Mask | None) -> None:
        """Set invalid pixels of (band, row, col) `data` to no-data, in place.

        Valid pixels that readers would take for no-data move aside by one step, or they would become
        holes: by 1 in whole numbers, in floats by a little more than GDAL tells apart.
        """
        if self.nodata is None:
            return
        if not np.isnan(self.nodata):
            value = data.dtype.type(self.nodata)
            if np.issubdtype(data.dtype, np.floating) and np.isfinite(value):
                step = self._step(value)
                with np.errstate(over="ignore"):
                    clash = np.abs(data - value) < step
                # Towards zero, as there may be nothing beyond; from zero upwards.
                beside = value - np.copysign(step, value) if value else step
            else:
                clash = data == value
                beside = self._beside(value)
            if clash.any():
                data[clash] = beside
        if valid is not None:
            data[~valid] = self.nodata

    def _step(self, value: Any) -> Any:
        """How far floats must be from the no-data `value`, in its type."""
        kind = value.dtype.type
        # From zero by the least number that is not subnormal: those may be flushed to zero.
        return kind(max(_APART * abs(float(value)), float(np.finfo(kind).tiny)))

    def _beside(self, value: np.generic) -> np.generic:
        """The nearest other value of a whole number within limits, or of an infinity."""
        if self.limits is None:
            beside: np.generic = np.nextafter(value, value.dtype.type(0))
            return beside
        return value.dtype.type(int(value) + (1 if float(value) < self.limits[1] else -1))


# Those of standard deviations, whatever the result's.
SPREAD = Pixels("float32", None, float("nan"))


def valid_pixels(scene: Scene, area: Area, patch: Patch, tile: Rect) -> Mask | None:
    """(band, row, col) over the tile: valid in PAN and MS and inside the area; None where all are."""
    valid = scene.valid_on_pan(patch, tile)
    inside = area.mask(tile)
    if inside is None:
        return valid
    if valid is None:
        valid = np.ones((len(scene.bands), *tile.shape), bool)
    return valid & inside
