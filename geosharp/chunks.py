"""Fuse Dask's arrays chunk by chunk: each a task that reads what is around it, and nothing before it is asked
for. All that is global is decided once, from windows of the scene, as it is for files.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from geosharp.calibration import Learnt, learn
from geosharp.engine.methods import METHODS
from geosharp.engine.preparation import adopt, prepare
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Job, ProgressCallback, stream
from geosharp.errors import InputError, UsageError
from geosharp.notes import Tell
from geosharp.raster.area import Area
from geosharp.raster.grid import Rect
from geosharp.raster.memory import Image, PartialPixels, shown
from geosharp.raster.scene import Scene
from geosharp.raster.source import Array, FilePath, Mask

if TYPE_CHECKING:
    from geosharp.imaging.degradation import Degradation
    from geosharp.padm.calibration import Calibration

# Chunks read more of a halo than the sensor's table asks for: a scene's own kernels may be wider, its MS may
# lie elsewhere by so many PAN pixels, and GDAL's Brovey, without a halo, interpolates from so many MS pixels.
# What is beyond is fetched as well, but by every chunk for itself.
_SPARE, _SHIFT, _INTERPOLATED = 1.25, 5, 4


@dataclass(frozen=True)
class Choice:
    """By which it is decided how MS came of what PAN shows; see `learn`."""

    calibration: FilePath | Calibration
    align: bool

    def learn(self, setup: Setup, tell: Tell, progress: ProgressCallback | None = None) -> Learnt | None:
        """None where the method takes nothing."""
        if not METHODS[setup.method].calibrated:
            return None
        learnt = learn(setup.scene, self.calibration, align=self.align, progress=progress)
        for note in learnt.notes:
            tell(note)
        return learnt


class Canvas:
    """Takes finished tiles of a rectangle, see engine.stream.Writer. data: (band, row, col), no-data where
    none is put."""

    def __init__(self, setup: Setup, rect: Rect) -> None:
        self._rect = Rect(0, 0, *rect.shape)
        pixels = setup.pixels
        self.data: Array = np.full((len(setup.scene.bands), *rect.shape), pixels.nodata or 0, pixels.dtype)

    def write(self, rect: Rect, data: Array, valid: Mask | None) -> None:
        # What is invalid holds the no-data value already.
        self.data[:, *rect.within(self._rect)] = data

    def skip(self, rect: Rect) -> None: ...


def is_chunked(array: Any) -> bool:
    """Whether it is Dask's, or a DataArray of one."""
    return getattr(array, "chunks", None) is not None


def provide(array: Any) -> PartialPixels:
    """The pixels of an array (band, row, col) of numpy or Dask, to be read in its tasks."""
    return PartialPixels(partial(_fetch, array))


def _fetch(array: Any, rect: Rect) -> Array:
    """Computed here and now: it is asked for within a task."""
    part = array[:, rect.row : rect.stop_row, rect.col : rect.stop_col]
    return np.asarray(part.compute(scheduler="synchronous") if is_chunked(part) else part)


class ChunkFusion:
    """A fusion whose tasks share what is global. pan, ms: with PartialPixels; asked: of `prepare`.

    A process opens it once, also one that it was sent to: there it is as when it was made.
    """

    def __init__(self, pan: Image, ms: Image, asked: Mapping[str, Any], choice: Choice) -> None:
        self._recipe = pan, ms, asked, choice
        self._lock = threading.Lock()
        self._opened: tuple[Setup, Job] | None = None
        self._shown = ExitStack()

    def __reduce__(self) -> tuple[type[ChunkFusion], tuple[Image, Image, Mapping[str, Any], Choice]]:
        return type(self), self._recipe

    def __del__(self) -> None:
        self._shown.close()

    def decide(self) -> Degradation | None:
        """What is learnt from the scene, None where the method takes nothing."""
        pan, ms, asked, choice = self._recipe
        with self._failing(), shown(pan) as pan_name, shown(ms) as ms_name:
            learnt = choice.learn(prepare(pan_name, ms_name, **asked), _say_nothing)
        return None if learnt is None else learnt.degradation

    def fuse(
        self, degradation: Degradation | None, rect: Rect, around: tuple[Rect, Rect], pan: Array, ms: Array
    ) -> Array:
        """PAN pixels `rect` of the result; pan, ms: the pixels of the two rectangles `around` them."""
        with self._failing():
            setup, job = self._open(degradation)
        canvas = Canvas(setup, rect)
        # Tasks run side by side: each has one thread.
        plan = replace(setup.plan, area=Area(rect), strip=None, readers=1, threads=1)
        with ExitStack() as held:
            for image, where, data in zip(self._recipe[:2], around, (pan, ms), strict=True):
                assert isinstance(image.pixels, PartialPixels)
                held.enter_context(image.pixels.having(where, data))
            held.enter_context(plan.within_memory())
            stream(job, plan, canvas)
        return canvas.data

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What could not be fetched is told by its own error."""
        try:
            yield
        except InputError as error:
            for image in self._recipe[:2]:
                if isinstance(image.pixels, PartialPixels) and image.pixels.failure is not None:
                    raise image.pixels.failure from error
            raise

    def _open(self, degradation: Degradation | None) -> tuple[Setup, Job]:
        with self._lock:
            if self._opened is None:
                pan, ms, asked, _ = self._recipe
                names = [self._shown.enter_context(shown(image)) for image in (pan, ms)]
                setup = adopt(prepare(*names, **asked), degradation)
                self._opened = setup, METHODS[setup.method].make_job(setup, _say_nothing)
            return self._opened


def fuse_later(
    fusion: ChunkFusion, setup: Setup, pan: Any, ms: Any, chunks: int | tuple[int, int] | None
) -> Any:
    """The result of `fusion` as Dask's array (band, row, col), of arrays (band, row, col) of PAN and MS.

    setup: of the fusion, before anything is learnt.
    """
    import dask
    import dask.array as da

    for array, role in ((pan, "pan"), (ms, "ms")):
        _check_here(array, role)
    scene, area = setup.scene, setup.plan.area.rect
    pan, ms = da.asarray(pan), da.asarray(ms)
    sides = _find_sides(pan, chunks)
    rows = _cut(area.row, area.stop_row, sides[0], setup.plan.tile)
    cols = _cut(area.col, area.stop_col, sides[1], setup.plan.tile)
    shared = dask.delayed(fusion, traverse=False)
    degradation = shared.decide()
    halo = [math.ceil(_SPARE * size) for size in setup.plan.halo]

    def make(rect: Rect) -> Any:
        around = rect.grow(halo[0], halo[1]).intersect(scene.grid.rect)
        coarse = _find_ms(scene, around)
        parts = [_cut_out(image, where) for image, where in ((pan, around), (ms, coarse))]
        made = shared.fuse(degradation, rect, (around, coarse), *parts)
        return da.from_delayed(made, (len(scene.bands), *rect.shape), setup.pixels.dtype)

    lines = [[make(Rect(row, col, end - row, stop - col)) for col, stop in cols] for row, end in rows]
    return da.block(lines)


def _check_here(array: Any, role: str) -> None:
    """Refuse what is on a cluster by now: a task cannot fetch it from there."""
    distributed = sys.modules.get("distributed")
    if distributed is not None and distributed.futures_of(array):
        found, needed = "an array that a cluster has computed", "one that is still to be computed"
        raise InputError(role, found, needed, "pass it as it was before .persist()")


def _find_sides(pan: Any, chunks: int | tuple[int, int] | None) -> tuple[int, int]:
    """(rows, cols) of the result's chunks as they are asked for, PAN's by default."""
    if chunks is None:
        return max(pan.chunks[1]), max(pan.chunks[2])
    sides: Any = chunks if isinstance(chunks, tuple) else (chunks, chunks)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        remedy = "leave it out for those of PAN"
        raise UsageError("chunks", f"{chunks!r:.80}", "PAN pixels, a number or (rows, cols)", remedy)
    return sides[0], sides[1]


def _cut(start: int, stop: int, side: int, tile: int) -> list[tuple[int, int]]:
    """Pieces (first, end) of [start, stop) of about `side`, along tiles as they are cut for all of a scene:
    convolutions round otherwise in tiles of another shape."""
    step = math.ceil(side / tile) * tile
    firsts = range(start // step * step, stop, step)
    return [(max(first, start), min(first + step, stop)) for first in firsts]


def _find_ms(scene: Scene, around: Rect) -> Rect:
    """The pixels of MS, as its array has them, that are read with those of PAN."""
    source, inside = scene.ms[0], scene.ms_grid.rect
    rect = scene.relation.ms_rect(around.grow(_SHIFT, _SHIFT)).grow(_INTERPOLATED, _INTERPOLATED)
    rect = rect.intersect(inside)
    if source.warp is not None:
        # They lie elsewhere in another CRS, and are fetched.
        return Rect(0, 0, 0, 0)
    return replace(rect, row=inside.height - rect.stop_row) if source.flip else rect


def _cut_out(image: Any, rect: Rect) -> Any:
    return image[:, rect.row : rect.stop_row, rect.col : rect.stop_col]


def _say_nothing(_: str) -> None: ...
