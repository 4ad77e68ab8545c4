"""Reduced resolution: a scene coarsened by its own ratio, so that its MS is the truth (Wald's protocol).

PAN and MS are degraded alike and keep the relation they had: ratio, sub-pixel offset and whatever the
sensor misplaces. Methods get the coarse pair alone and learn from it anew: they are not told how it was
made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geosharp.errors import PairError
from geosharp.imaging.degradation import Degradation, degrade_bands
from geosharp.imaging.radiometry import to_float
from geosharp.imaging.resample import Axis, degrade_valid, spans
from geosharp.raster.grid import Grid, Rect, Relation, counting_grids, tiles
from geosharp.raster.output import BandInfo, Content, OutputFormat, SceneWriter
from geosharp.raster.scene import Scene, SceneReader, open_scene
from geosharp.raster.source import Array, Mask

_TILE = 512
# Share of a kernel that must lie on valid pixels; the rest of it is left out of the mean.
_LEAST = 0.5
_FORM = OutputFormat(overviews=False, mask=False)


def reduce_scene(scene: Scene, degradation: Degradation, folder: Path) -> Scene:
    """`scene` coarsened by its ratio, as files in `folder`: float32, its PAN on the scene's MS pixels.

    What is known of the bands stays known. MS pixels that would not lie in the scene as a whole are left
    out.
    """
    relation, shape = scene.placed.moved(degradation.shift), scene.ms_grid.shape
    first, coarse_shape = _whole_pixels(scene.placed, shape)
    (ry, rx), (oy, ox) = relation.ratio, relation.offset
    placed = scene.placed.moved((ry * first[0], rx * first[1]))
    pan_grid, ms_grid = counting_grids(shape, coarse_shape, placed)
    axes = Axis(ry, oy), Axis(rx, ox)
    reach = degradation.reach(axes)

    with SceneReader(scene) as reader:

        def coarse_pan(rect: Rect) -> tuple[Tensor, Tensor | None]:
            need = relation.pan_rect(rect).grow(*reach)
            x, valid = tensors(*reader.read_pan(need))
            return degrade_valid(x, valid, spans(need), spans(rect), axes, degradation.pan_gain, _LEAST)

        def coarse_ms(rect: Rect) -> tuple[Tensor, Tensor | None]:
            # The MS takes PAN's place: the same relation, counted in its own pixels.
            rect = rect.move(*first)
            need = relation.pan_rect(rect).grow(*reach)
            x, valid = tensors(*reader.read_ms(need))
            return degrade_bands(x, valid, spans(need), spans(rect), axes, degradation.gains, _LEAST)

        names = [band.name for band in scene.bands]
        pan_path = _write(folder / "pan.tif", pan_grid, ["pan"], coarse_pan)
        ms_path = _write(folder / "ms.tif", ms_grid, names, coarse_ms)
    reduced = open_scene(pan_path, ms_path)
    bands = tuple(
        replace(band, name=known.name, optics=known.optics)
        for band, known in zip(reduced.bands, scene.bands, strict=True)
    )
    return replace(reduced, bands=bands, sensor=scene.sensor, sensor_reason=scene.sensor_reason)


def _whole_pixels(relation: Relation, shape: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first coarse pixel (row, col) that lies on the MS as a whole, and how many do."""
    first, count = [], []
    for ratio, offset, size in zip(relation.ratio, relation.offset, shape, strict=True):
        start = math.ceil(-offset / ratio - 1e-6)
        first.append(start)
        count.append(math.floor((size - offset) / ratio + 1e-6) - start)
    if min(count) < 1:
        raise PairError(
            "the scene at reduced resolution",
            f"an MS of {shape[1]} x {shape[0]} pixels",
            "several MS pixels more than the ratio on each side",
            "score a larger part of the scene",
        )
    return (first[0], first[1]), (count[0], count[1])


def _write(
    path: Path, grid: Grid, names: list[str], degraded: Callable[[Rect], tuple[Tensor, Tensor | None]]
) -> Path:
    content = Content(grid, "float32", tuple(BandInfo(name) for name in names), nodata=math.nan)
    with SceneWriter(path, content, _FORM) as writer:
        for rect in tiles(grid.rect, _TILE):
            low, seen = degraded(rect)
            if seen is not None:
                low = low.masked_fill(seen == 0, math.nan)
            writer.write(rect, np.ascontiguousarray(low.numpy()))
    return path


def tensors(pixels: Array, valid: Mask | None) -> tuple[Tensor, Tensor | None]:
    """DN as float32, and the mask as 1 and 0."""
    x = to_float(pixels, valid, torch.zeros(len(pixels)))
    return x, None if valid is None else torch.from_numpy(np.ascontiguousarray(valid)).float()
