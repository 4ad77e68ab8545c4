"""A writer that keeps the result in memory, and the shortest way from a scene to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from geosharp.engine.methods import METHODS
from geosharp.engine.plan import Plan
from geosharp.engine.sampling import sample_moments
from geosharp.engine.setup import Options, Setup
from geosharp.engine.stream import stream
from geosharp.imaging.classic import Moments
from geosharp.padm.table import table_degradation
from geosharp.raster.area import Area
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene


@dataclass
class MemoryWriter:
    """spread: what is written beside it."""

    data: np.ndarray
    valid: np.ndarray
    skipped: list[Rect] = field(default_factory=list)
    spread: MemoryWriter | None = None

    def write(self, rect: Rect, data: np.ndarray, valid: np.ndarray | None) -> None:
        index = slice(rect.row, rect.stop_row), slice(rect.col, rect.stop_col)
        self.data[:, *index] = data
        self.valid[index] = True if valid is None else valid

    def skip(self, rect: Rect) -> None:
        self.skipped.append(rect)


FLOATS = Pixels("float32", None, float("nan"))
PLAIN = Options()


def moments_of(scene: Scene) -> Moments:
    """Of the scene as the sensor's table degrades it."""
    return sample_moments(scene, table_degradation(scene))


def fuse_in_memory(
    scene: Scene,
    method: str,
    tile: int,
    *,
    pixels: Pixels = FLOATS,
    options: Options = PLAIN,
    area: Area | None = None,
) -> MemoryWriter:
    """`scene` (or `area` of it) fused by `method` in tiles of `tile` PAN pixels."""
    part = area or Area(scene.area)
    halo = METHODS[method].size_rules(scene, None, options).halo
    plan = Plan(part, tile, None, halo, readers=1, threads=2, memory=0, cache=0)
    job = METHODS[method].make_job(Setup(scene, method, pixels, plan, options), lambda _: None)
    shape = len(scene.bands), *part.rect.shape
    writer, beside = (
        MemoryWriter(np.zeros(shape, kind), np.zeros(part.rect.shape, bool))
        for kind in (pixels.dtype, "float32")
    )
    stream(job, plan, writer, beside=beside)
    writer.spread = beside
    return writer
