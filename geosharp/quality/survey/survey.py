"""One pass over a result and its scene: small pictures of all, and how they agree cell by cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from geosharp.errors import PairError
from geosharp.quality.coarsening import Read
from geosharp.quality.survey.cells import Cells, Floats, Mask, cut_evenly, floats, read_ms_on_pan
from geosharp.quality.survey.seams import Steps
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader

PICTURE_SIDE, MAP_SIDE = 1600, 320
_BLOCK = 1024  # PAN pixels read at once, about
# PAN pixels a side from which a correlation is told.
_NEIGHBOURHOOD = 8


@dataclass(frozen=True, eq=False)
class Survey:
    """What PAN pixels of a rectangle hold, on cells so small that pictures of them are `fine.shape` large.

    fused, ms, pan: (band, row, col) means over the valid pixels of `fine` cells, nan where there is none.
    On `coarse` cells, of pixels that are valid in all three: fused_means and ms_means; likeness, each band's
    correlation with PAN; detail (row, col), PAN's standard deviation; share (row, col) of such pixels.
    """

    fine: Cells
    coarse: Cells
    fused: Floats
    ms: Floats
    pan: Floats
    fused_means: Floats
    ms_means: Floats
    likeness: Floats
    detail: Floats
    share: Floats
    steps: Steps

    @property
    def rect(self) -> Rect:
        return self.fine.rect

    @property
    def whole(self) -> bool:
        """Whether fine cells are pixels."""
        return self.fine.shape == self.rect.shape


def name_unit(scene: Scene) -> str:
    """What the values of `scene` and of its results are counted in: DN are whole."""
    return "DN" if np.issubdtype(np.dtype(scene.dtype), np.integer) else "units of MS"


def survey(reader: SceneReader, fused: Read, rect: Rect, done: Callable[[int], None]) -> Survey:
    """Look at all PAN pixels of `rect`, which MS covers. done: called with how many a finished block has."""
    bands = len(reader.scene.bands)
    fine, coarse, factor = _cut(rect, max(reader.scene.relation.ratio))
    seen = Survey(
        fine=fine,
        coarse=coarse,
        fused=_empty(bands, fine),
        ms=_empty(bands, fine),
        pan=_empty(1, fine),
        fused_means=_empty(bands, coarse),
        ms_means=_empty(bands, coarse),
        likeness=_empty(bands, coarse),
        detail=_empty(1, coarse)[0],
        share=_empty(1, coarse)[0],
        steps=Steps(rect),
    )
    for rows, cols in _blocks(coarse):
        _look(seen, reader, fused, (rows, cols), factor)
        done(coarse.part(rows, cols).rect.area)
    if not seen.share.any():
        raise PairError(
            "the result, PAN and MS",
            "not one pixel that is valid in all three",
            "some common valid pixels",
            "check the no-data values (geosharp info shows them)",
        )
    return seen


def _empty(bands: int, cells: Cells) -> Floats:
    return np.empty((bands, *cells.shape), np.float32)


def _cut(rect: Rect, ratio: float) -> tuple[Cells, Cells, int]:
    """Fine and coarse cells, and how many fine ones a coarse one is wide."""
    fine = cut_evenly(rect, math.ceil(max(rect.shape) / PICTURE_SIDE))
    least = math.ceil(max(_NEIGHBOURHOOD, 2 * ratio) * max(fine.shape) / max(rect.shape))
    factor = max(least, math.ceil(max(fine.shape) / MAP_SIDE))
    return fine, fine.merge(factor), factor


def _blocks(cells: Cells) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of cells that make about _BLOCK pixels a side."""
    step = max(1, round(_BLOCK * max(cells.shape) / max(cells.rect.shape)))
    rows, cols = (
        [slice(first, min(first + step, count)) for first in range(0, count, step)] for count in cells.shape
    )
    yield from ((row, col) for row in rows for col in cols)


def _look(seen: Survey, reader: SceneReader, fused: Read, block: tuple[slice, slice], factor: int) -> None:
    """Fill in the coarse cells `block` and the fine ones in them, from one reading."""
    coarse = seen.coarse.part(*block)
    rect = coarse.rect
    outer = Rect(rect.row - 1, rect.col - 1, rect.height + 1, rect.width + 1).intersect(seen.rect)
    image, image_valid = floats(*fused(outer))
    seen.steps.add(image, image_valid, outer, rect)
    core = rect.within(outer)
    image, image_valid = image[:, *core], None if image_valid is None else image_valid[core]
    ms, ms_valid = floats(*read_ms_on_pan(reader, rect))
    pan, pan_valid = floats(*reader.read_pan(rect))
    rows, cols = (
        slice(part.start * factor, min(part.stop * factor, count))
        for part, count in zip(block, seen.fine.shape, strict=True)
    )
    fine = seen.fine.part(rows, cols)
    for target, values, valid in (
        (seen.fused, image, image_valid),
        (seen.ms, ms, ms_valid),
        (seen.pan, pan, pan_valid),
    ):
        target[:, rows, cols] = fine.means(values, valid)
    masks = [mask for mask in (image_valid, ms_valid, pan_valid) if mask is not None]
    _compare(seen, block, coarse, (image, ms, pan), np.logical_and.reduce(masks) if masks else None)


def _compare(
    seen: Survey,
    block: tuple[slice, slice],
    cells: Cells,
    images: tuple[Floats, Floats, Floats],
    valid: Mask | None,
) -> None:
    """What coarse cells of a block say of result, MS and PAN where all are valid."""
    fused, ms, pan = images
    index = slice(None), *block
    seen.fused_means[index], seen.ms_means[index] = cells.means(fused, valid), cells.means(ms, valid)
    share = 1.0 if valid is None else cells.means(valid[None].astype(np.float32), None)[0]
    seen.share[block] = share
    (x, _), (p, unit) = (_normalise(image, valid) for image in (fused, pan))
    mean_x, mean_p = cells.means(x, valid), cells.means(p, valid)
    var_x = cells.means(x * x, valid) - mean_x**2
    var_p = cells.means(p * p, valid) - mean_p**2
    product = np.sqrt(np.maximum(var_x, 0) * np.maximum(var_p, 0))
    enough = (product > 0) & (share * cells.areas() >= _NEIGHBOURHOOD**2 / 2)
    covariance = cells.means(x * p, valid) - mean_x * mean_p
    seen.likeness[index] = np.divide(covariance, product, out=np.full_like(product, np.nan), where=enough)
    seen.detail[block] = np.sqrt(np.maximum(np.nan_to_num(var_p[0]), 0)) * unit[0]


def _normalise(image: Floats, valid: Mask | None) -> tuple[Floats, Floats]:
    """Each band between -2 and 2 about its mean over valid pixels, so that float32 holds squares of any
    values and their differences, and by how much it was divided, (band, 1, 1)."""
    kept = image.reshape(len(image), -1) if valid is None else image[:, valid]
    largest = np.maximum(kept.max(1, initial=0), -kept.min(1, initial=0))
    # A power of two, which rounds nothing.
    unit = np.ldexp(np.float32(1), np.frexp(largest)[1] - 1)
    centre = (kept.sum(1, dtype=np.float64) / max(kept.shape[1], 1) / unit).astype(np.float32)
    scaled: Floats = image / unit[:, None, None]
    scaled -= centre[:, None, None]
    return scaled, unit[:, None, None]
