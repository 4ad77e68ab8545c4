"""Whether tile borders show: steps across them against steps elsewhere in the same scene.

A tile that lies a little higher than its neighbour makes a step of one sign along their whole border, far
below what any pixel differs from the next. So steps are averaged along runs of pixels before their size is
taken: content cancels, a seam does not.

What the mean over all borders would be by chance is learnt from equally many, equally long lines: the
borders moved aside, all together, by whole MS pixels. They keep what borders have in common, their distance
from each other and their place within MS pixels, at which interpolation leaves a pattern of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geosharp.quality.survey.cells import sum_runs
from geosharp.raster.grid import Rect

Floats = NDArray[np.float64]

RUN = 64  # pixels along a border that are averaged
# Sets of lines elsewhere from which a spread can be told.
_ENOUGH = 10
_PROFILE = 8  # pixels to either side of a border


@dataclass(frozen=True)
class Seams:
    """Steps from pixel to pixel at tile borders against steps elsewhere.

    at_borders, elsewhere: mean absolute steps in `unit`; spread: standard deviation that the mean over as
    many steps elsewhere has; z: (at_borders - elsewhere) / spread, infinite where only the borders differ;
    nan is what could not be measured. profile: mean absolute step at distances -n..n from the border, an
    odd number of values, the middle one at the border.
    """

    tile: int
    at_borders: float
    elsewhere: float
    spread: float
    z: float
    profile: tuple[float, ...] = ()
    unit: str = "DN"

    def __post_init__(self) -> None:
        if self.profile and len(self.profile) % 2 == 0:
            raise ValueError(f"a seam profile of {len(self.profile)} values has no middle")


class Steps:
    """The mean step across each line between pixel rows, and between pixel columns, of PAN pixels `rect`.

    It is fed with blocks; a line is known by the number of the row below it, or of the column to its right.
    """

    def __init__(self, rect: Rect) -> None:
        self._origin = rect.row, rect.col
        self._lengths = rect.shape
        self._sums = [np.zeros(length) for length in rect.shape]
        self._counts = [np.zeros(length) for length in rect.shape]

    def add(
        self, image: NDArray[np.float32], valid: NDArray[np.bool_] | None, outer: Rect, core: Rect
    ) -> None:
        """(band, row, col) pixels `outer`: those of `core`, and the row above and the column left of it.

        valid: (row, col), None where all are.
        """
        rows, cols = core.within(outer)
        for axis, kept in enumerate(((slice(None), cols), (rows, slice(None)))):
            part = image[:, *kept]
            means, counts = _mean_steps(part, None if valid is None else valid[kept], axis)
            first = (outer.row, outer.col)[axis] + 1 - self._origin[axis]
            lines = slice(first, first + len(means))
            self._sums[axis][lines] += means
            self._counts[axis][lines] += counts

    def measure(self, tile: int, ratio: tuple[float, float]) -> Seams:
        """The steps at multiples of `tile` against those elsewhere; z is nan where no border lies inside.

        ratio: PAN pixels to an MS pixel, (rows, cols).
        """
        at_borders = self._mean(tile, (0, 0))
        reach = math.floor(tile / 2 / max(ratio))
        moves = [(round(k * ratio[0]), round(k * ratio[1])) for k in range(-reach, reach + 1) if k]
        others = np.array([mean for move in moves if not math.isnan(mean := self._mean(tile, move))])
        if math.isnan(at_borders) or others.size < _ENOUGH:
            everywhere = float(sum(map(np.sum, self._sums)) / max(sum(map(np.sum, self._counts)), 1))
            return Seams(tile, at_borders, everywhere, math.nan, math.nan)
        elsewhere, spread = float(others.mean()), float(others.std(ddof=1))
        excess = at_borders - elsewhere
        # Without any content nothing is left to chance.
        z = excess / spread if spread else math.copysign(math.inf, excess) if excess else 0.0
        profile = tuple(self._mean(tile, (aside, aside)) for aside in range(-_PROFILE, _PROFILE + 1))
        return Seams(
            tile, at_borders, elsewhere, spread, z, profile if all(map(math.isfinite, profile)) else ()
        )

    def _mean(self, tile: int, moved: tuple[int, int]) -> float:
        """Over all borders moved (down, right); nan where one leaves the scene, or none has a step."""
        total = count = 0.0
        for axis, aside in enumerate(moved):
            origin, length = self._origin[axis], self._lengths[axis]
            borders = np.arange(origin // tile * tile + tile, origin + length, tile) - origin
            lines = borders + aside
            if lines.size and (lines.min() < 1 or lines.max() >= length):
                return math.nan
            total += float(self._sums[axis][lines].sum())
            count += float(self._counts[axis][lines].sum())
        return total / count if count else math.nan


def _mean_steps(
    image: NDArray[np.float32], valid: NDArray[np.bool_] | None, axis: int
) -> tuple[Floats, Floats]:
    """Over each line across `axis`: the sum of its runs' mean steps, sizes averaged over bands; how many."""
    along = 1 - axis
    steps = np.diff(image, axis=1 + axis)
    length = steps.shape[1 + along]
    edges = np.append(np.arange(0, length, RUN), length)
    if valid is None:
        there = np.ones(steps.shape[1:], np.float32)
    else:
        there = (valid[1:] & valid[:-1] if axis == 0 else valid[:, 1:] & valid[:, :-1]).astype(np.float32)
        steps = np.where(there > 0, steps, np.float32(0))
    counts = sum_runs(there, edges, along)
    sizes = np.abs(sum_runs(steps, edges, 1 + along)).mean(0, dtype=np.float64)
    # A sum beyond float32 is of no-data values that nothing told of.
    enough = (counts >= RUN / 2) & np.isfinite(sizes)
    means = np.divide(sizes, counts, out=np.zeros_like(sizes), where=enough)
    return means.sum(along, dtype=np.float64), enough.sum(along).astype(np.float64)
