"""A part of a scene cut into cells of whole PAN pixels, and what each cell holds on average."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.raster.grid import Rect, Relation
from geosharp.raster.scene import SceneReader

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Edges = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Cells:
    """Cell (i, j) holds the PAN pixels [rows[i], rows[i + 1]) x [cols[j], cols[j + 1])."""

    rows: Edges
    cols: Edges

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows) - 1, len(self.cols) - 1

    @property
    def rect(self) -> Rect:
        row, col = int(self.rows[0]), int(self.cols[0])
        return Rect(row, col, int(self.rows[-1]) - row, int(self.cols[-1]) - col)

    def part(self, rows: slice, cols: slice) -> Cells:
        """Those cells alone."""
        return Cells(self.rows[rows.start : rows.stop + 1], self.cols[cols.start : cols.stop + 1])

    def merge(self, factor: int) -> Cells:
        """Every `factor` x `factor` cells as one, those at the end fewer."""
        return Cells(_every(self.rows, factor), _every(self.cols, factor))

    def areas(self) -> Floats:
        """PAN pixels in each cell, (row, col)."""
        return np.outer(np.diff(self.rows), np.diff(self.cols)).astype(np.float32)

    def sums(self, image: Floats) -> Floats:
        """Over each cell, of a (band, row, col) image that covers `rect`."""
        for axis, edges in ((1, self.rows), (2, self.cols)):
            image = sum_runs(image, edges - edges[0], axis)
        return image

    def means(self, image: Floats, valid: Mask | None) -> Floats:
        """Over the valid pixels (row, col) of each cell; nan where it has none."""
        if valid is None:
            return self.sums(image) / self.areas()
        counts = self.sums(valid[None].astype(np.float32))
        total = self.sums(np.where(valid, image, np.float32(0)))
        return np.divide(total, counts, out=np.full_like(total, np.nan), where=counts > 0)


def cut_evenly(rect: Rect, side: int) -> Cells:
    """Cells of `side` PAN pixels, or a little less, all equal to one pixel."""
    return Cells(*(_even(*span, side) for span in _spans(rect)))


def cut_by_ms(rect: Rect, relation: Relation, most: int) -> Cells:
    """Cells of one MS pixel, or of several a side where there would be more than `most`.

    A PAN pixel belongs to the MS pixel that holds its centre.
    """
    axes = []
    for (start, stop), ratio, offset in zip(_spans(rect), relation.ratio, relation.offset, strict=True):
        first, last = ms_index(np.array([start, stop - 1]), ratio, offset)
        count = int(last - first) + 1
        edges = first + _even(0, count, math.ceil(count / most))
        pan = np.ceil(offset + ratio * edges - 0.5 - 1e-6).astype(np.intp)
        axes.append(np.clip(pan, start, stop))
    return Cells(*axes)


def sum_runs(image: Floats, edges: Edges, axis: int) -> Floats:
    """Along an axis, over pixels [edges[i], edges[i + 1]); infinite, or nan, beyond float32."""
    if len(edges) > image.shape[axis]:
        return image
    with np.errstate(over="ignore", invalid="ignore"):
        if axis == image.ndim - 1:
            last: Floats = np.add.reduceat(image, edges[:-1], axis=axis)
            return last
        # Sums of whole rows: several times as fast as reduceat is across them.
        before = (slice(None),) * axis
        runs = [image[*before, start:stop].sum(axis) for start, stop in pairwise(edges)]
        return np.stack(runs, axis)


def floats(data: NDArray[Any], valid: Mask | None) -> tuple[Floats, Mask | None]:
    """float32 pixels, zero where invalid, and (row, col) where all bands are valid."""
    image = data.astype(np.float32)
    if valid is None:
        return image, None
    there = np.logical_and.reduce(valid, axis=0)
    return np.where(there, image, np.float32(0)), there


def ms_index(pan: NDArray[Any], ratio: float, offset: float) -> Edges:
    """Along an axis, the MS pixel that holds the centre of each PAN pixel."""
    return np.floor((pan + 0.5 - offset) / ratio + 1e-6).astype(np.intp)


def read_ms_on_pan(reader: SceneReader, rect: Rect) -> tuple[NDArray[Any], Mask | None]:
    """MS as PAN pixels `rect` see it: of each the MS pixel around its centre, and which are valid."""
    relation = reader.scene.relation
    ms_rect = relation.ms_rect(rect)
    rows, cols = (
        ms_index(np.arange(*span), ratio, offset) - first
        for span, ratio, offset, first in zip(
            _spans(rect), relation.ratio, relation.offset, (ms_rect.row, ms_rect.col), strict=True
        )
    )
    ms, valid = reader.read_ms(ms_rect)
    return ms[:, rows][:, :, cols], None if valid is None else valid[:, rows][:, :, cols]


def _spans(rect: Rect) -> tuple[tuple[int, int], tuple[int, int]]:
    return (rect.row, rect.stop_row), (rect.col, rect.stop_col)


def _even(start: int, stop: int, side: int) -> Edges:
    """Edges of equal parts, to half a pixel, of `side` pixels at most."""
    count = math.ceil((stop - start) / side)
    return start + (np.arange(count + 1) * (stop - start) + count // 2) // count


def _every(edges: Edges, factor: int) -> Edges:
    return np.append(edges[:-1:factor], edges[-1])
