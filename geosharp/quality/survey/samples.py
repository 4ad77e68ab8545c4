"""Values of a scene's places, for stretches and histograms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.quality.coarsening import Read
from geosharp.raster.grid import Rect, tiles
from geosharp.raster.scene import SceneReader

Values = NDArray[Any]

_BLOCK = 1024  # PAN pixels read at once
_MOST = 1_000_000  # values kept of each image, about
_BINS = 100
# Of values that a histogram leaves out at either end.
_REST = 0.1


@dataclass(frozen=True, eq=False)
class Histogram:
    """One band's counts in equal bins between `low` and `high`, of MS and of the result."""

    band: str
    low: float
    high: float
    ms: NDArray[Any]
    fused: NDArray[Any]

    def __post_init__(self) -> None:
        if self.ms.ndim != 1 or self.ms.shape != self.fused.shape or not self.low < self.high:
            raise ValueError(f"the two histograms of {self.band} are not on the same bins")


@dataclass(frozen=True, eq=False)
class Samples:
    """Valid values (band, pixel) of each image, a regular choice of those in the places."""

    ms: Values
    pan: Values
    fused: Values


def take_samples(reader: SceneReader, fused: Read, places: Sequence[Rect]) -> Samples:
    """From PAN pixels `places`, MS from those MS pixels that they touch."""
    scene = reader.scene
    pan_pixels = sum(place.area for place in places)
    # Odd, so that all places within MS pixels, and within whatever else repeats, have their turn.
    fine = math.ceil(pan_pixels / _MOST) | 1
    coarse = math.ceil(pan_pixels / math.prod(scene.relation.ratio) / _MOST) | 1
    kept: tuple[list[Values], list[Values], list[Values]] = [], [], []
    for block in (part for place in places for part in tiles(place, _BLOCK)):
        ms_rect = scene.relation.ms_rect(block).intersect(scene.ms_grid.rect)
        read = (
            (reader.read_ms(ms_rect), coarse),
            (reader.read_pan(block), fine),
            (fused(block), fine),
        )
        for values, ((data, valid), stride) in zip(kept, read, strict=True):
            pixels = data.reshape(len(data), -1) if valid is None else data[:, valid.all(0)]
            values.append(pixels[:, ::stride])
    return Samples(*(np.concatenate(values, axis=1) for values in kept))


def count_values(samples: Samples, names: Sequence[str]) -> tuple[Histogram, ...]:
    """One histogram a band, whose bins hold equally many whole numbers where values are whole."""
    if not (samples.ms.size and samples.fused.size):
        return ()
    whole = all(np.issubdtype(values.dtype, np.integer) for values in (samples.ms, samples.fused))
    histograms = []
    # float64: ranges of float32 may lie beyond float32.
    for name, *both in zip(names, samples.ms, samples.fused, strict=True):
        ms, fused = (values.astype(np.float64) for values in both)
        ends = np.array([np.percentile(values, (_REST, 100 - _REST)) for values in (ms, fused)])
        low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
        if whole:
            width = math.ceil((high - low + 1) / _BINS)
            low = math.floor(low) - 0.5
            high = low + width * math.ceil((high - low + 0.5) / width)
        elif high == low:
            high = low + max(abs(low), 1.0)
        bins = round((high - low) / width) if whole else _BINS
        counts = [np.histogram(values, bins, (low, high))[0] for values in (ms, fused)]
        histograms.append(Histogram(name, low, high, *counts))
    return tuple(histograms)
