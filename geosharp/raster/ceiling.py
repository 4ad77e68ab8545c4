"""How bright MS's sensor can see, where MS's own pixels show it and nothing declares it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader
from geosharp.raster.source import Array

# MS pixels a side of a window, and windows along an axis, at most.
_SIDE, _WINDOWS = 64, 10
# No sensor has fewer bits.
_LEAST_BITS = 6
# Pixels at the largest value that no ground has by chance, and how many times as many as of those beneath.
_PILED, _TIMES, _BENEATH = 16, 5, 8


def find_ceiling(scene: Scene) -> int | None:
    """The largest DN of MS's sensor, as windows spread over the whole scene show it: see `read_ceiling`.

    None where they do not, and where bits are declared: in a file (NBITS) or in a sensor file. The same
    whatever part of the scene is fused, and wherever calibration has put MS.
    """
    declared = [scene.sensor.bits, *(source.bits for source in scene.ms)]
    if np.dtype(scene.dtype).kind not in "iu" or any(bits is not None for bits in declared):
        return None
    seen = []
    with SceneReader(scene) as reader:
        for rect in _spread(scene):
            pixels, valid = reader.read_ms(rect)
            seen.append(pixels.ravel() if valid is None else pixels[valid])
    return read_ceiling(np.concatenate(seen))


def read_ceiling(values: Array) -> int | None:
    """Where values are cut off: at 2^n - 1, or at the last step below it where all are multiples of one, with
    n less than their type has. None where they do not pile up there, or go beyond. values: valid DN."""
    if not values.size:
        return None
    high, bits = int(values.max()), int(values.max()).bit_length()
    top = 2**bits - 1
    if bits < _LEAST_BITS or top >= np.iinfo(values.dtype).max:
        return None
    step = int(np.gcd.reduce(np.unique(values).astype(np.int64)))
    if high != top // step * step:
        return None
    beneath = [np.count_nonzero(values == high - step * below) for below in range(1, _BENEATH + 1)]
    piled = np.count_nonzero(values == high)
    return high if piled >= _PILED and piled > _TIMES * np.median(beneath) else None


def _spread(scene: Scene) -> Iterator[Rect]:
    """MS windows on a lattice over what PAN and MS share by the geotransforms; all of a small scene."""
    area = scene.placed.ms_rect(scene.area).intersect(scene.ms_grid.rect)
    starts = []
    for start, size in ((area.row, area.height), (area.col, area.width)):
        cells = -(-size // _SIDE)
        picked = np.unique(np.linspace(0, cells - 1, min(cells, _WINDOWS)).round().astype(int))
        starts.append((start + _SIDE * picked).tolist())
    for row in starts[0]:
        for col in starts[1]:
            yield Rect(row, col, _SIDE, _SIDE).intersect(area)
