"""A look at a scene: windows spread over what PAN and MS share, put side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader
from geosharp.raster.source import Array, Mask

# Windows along an axis, and the side of one in MS pixels and in PAN pixels, at most: a look has one size
# however large the scene is.
_WINDOWS, _SIDE, _PAN_SIDE = 8, 64, 256


@dataclass(frozen=True, eq=False)
class Look:
    """Windows of a lattice side by side, as if nothing lay between them: all of a small scene.

    ms (band, row, col) and pan (row, col) are DN in their files' types; ms_valid (band, row, col) and
    pan_valid (row, col) tell which are valid; windows: (rows, cols) of the lattice; share: of the common
    area seen.
    """

    ms: Array
    ms_valid: Mask
    pan: Array
    pan_valid: Mask
    windows: tuple[int, int]
    share: float

    @property
    def valid(self) -> Mask:
        """(row, col): MS pixels that are valid in all bands."""
        return np.asarray(self.ms_valid.all(0))

    def values(self, band: int) -> Array:
        """The valid DN of an MS band."""
        return np.asarray(self.ms[band][self.ms_valid[band]])

    @property
    def pan_values(self) -> Array:
        """The valid DN of PAN."""
        return np.asarray(self.pan[self.pan_valid])

    def cut(self, image: Array) -> Array:
        """(row, col) side by side -> (window, row, col)."""
        rows, cols = self.windows
        height, width = image.shape[0] // rows, image.shape[1] // cols
        parts = image.reshape(rows, height, cols, width).swapaxes(1, 2)
        return np.asarray(parts.reshape(rows * cols, height, width))


def take_look(scene: Scene) -> Look:
    """Read a lattice of windows, each MS pixel's part of PAN with it."""
    area = scene.relation.ms_rect(scene.area).intersect(scene.ms_grid.rect)
    ratio = scene.relation.ratio
    longest = [max(1, min(_SIDE, math.floor(_PAN_SIDE / each))) for each in ratio]
    windows = [min(_WINDOWS, math.ceil(size / side)) for size, side in zip(area.shape, longest, strict=True)]
    sides = [min(side, size // count) for side, size, count in zip(longest, area.shape, windows, strict=True)]
    rows, cols = (
        np.linspace(0, size - side, count).astype(int).tolist()
        for size, side, count in zip(area.shape, sides, windows, strict=True)
    )
    with SceneReader(scene) as reader:
        read = [
            [_read(reader, scene, Rect(area.row + row, area.col + col, sides[0], sides[1])) for col in cols]
            for row in rows
        ]
    ms, ms_valid, pan, pan_valid = (
        np.block([[window[part] for window in line] for line in read]) for part in range(4)
    )
    seen = windows[0] * windows[1] * sides[0] * sides[1] / area.area
    return Look(ms, ms_valid, pan, pan_valid, (windows[0], windows[1]), seen)


def _read(reader: SceneReader, scene: Scene, rect: Rect) -> tuple[Array, Mask, Array, Mask]:
    """MS pixels `rect` and PAN's over them, of one size for all windows, with their masks."""
    ms, ms_valid = reader.read_ms(rect)
    (ry, rx), place = scene.relation.ratio, scene.relation.pan_rect(rect)
    height, width = max(1, int(ry * rect.height)), max(1, int(rx * rect.width))
    pan, pan_valid = reader.read_pan(Rect(place.row, place.col, height, width))
    return (
        ms,
        np.ones(ms.shape, bool) if ms_valid is None else ms_valid,
        pan[0],
        np.ones((height, width), bool) if pan_valid is None else pan_valid[0],
    )
