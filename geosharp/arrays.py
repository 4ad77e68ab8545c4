"""Fuse arrays instead of files: numpy's, and xarray's, those in Dask's chunks a chunk at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from geosharp.calibration import check_choice
from geosharp.chunks import Canvas, Choice, ChunkFusion, fuse_later, is_chunked, provide
from geosharp.engine.lineage import name_file, tell_lineage
from geosharp.engine.methods import METHODS
from geosharp.engine.preparation import adopt, adopted_notes, preliminary_notes, prepare
from geosharp.engine.setup import Setup
from geosharp.engine.stream import ProgressCallback, stream
from geosharp.engine.writing import check_filled
from geosharp.errors import UsageError
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.notes import Notes, Tell
from geosharp.raster.content import fused_content
from geosharp.raster.dataarray import build_dataarray, describe_dataarray, is_dataarray, put_bands_first
from geosharp.raster.memory import ArrayPixels, Image, native, place, plain, shown
from geosharp.raster.output import Content, OutputFormat
from geosharp.raster.source import FilePath

if TYPE_CHECKING:
    from geosharp.padm.calibration import Calibration

Pixels = TypeVar("Pixels")


def fuse_arrays(
    pan: Pixels,
    ms: Pixels,
    *,
    method: str | None = None,
    bands: int | str | Sequence[int | str] | None = None,
    sensor: FilePath | None = None,
    weights: Sequence[float] | None = None,
    calibration: FilePath | Calibration = "auto",
    align: bool = True,
    extent: str = "intersection",
    dtype: str | None = None,
    diffusion: Diffusion | None = None,
    tile: int | None = None,
    threads: int | None = None,
    max_memory: int | None = None,
    chunks: int | tuple[int, int] | None = None,
    pan_transform: Sequence[float] | None = None,
    ms_transform: Sequence[float] | None = None,
    crs: object = None,
    nodata: float | None = None,
    names: Sequence[str] | None = None,
    progress: ProgressCallback | None = None,
    on_note: Tell | None = None,
) -> Pixels:
    """Fuse PAN and MS, DataArrays as rioxarray opens them or arrays, into one of that kind on PAN's grid.

    Pixels are those of `fuse` on files of the same; arguments that it has as well mean the same. Arrays are
    (band, row, col), PAN's (row, col) as well. What DataArrays tell of themselves these take from
    pan_transform and ms_transform (pixel (col, row) -> CRS, an Affine or its six numbers; without them PAN
    and MS cover the same ground), crs and nodata, of both, and names, of MS's bands. Where one is in Dask's
    chunks the result is: nothing is read before it is computed, and then what is global for the scene is
    learnt once, from windows of it: attributes cannot tell that. chunks: (rows, cols) of that result, rounded
    up to whole tiles; PAN's by default. progress, on_note: as of `fuse`; they hear nothing of what is
    computed later. Raises a GeosharpError that says what to do.
    """
    check_choice(calibration, method)
    given = {
        "pan_transform": pan_transform,
        "ms_transform": ms_transform,
        "crs": crs,
        "nodata": nodata,
        "names": names,
    }
    pair = _take(pan, ms, given)
    if isinstance(diffusion, Diffusion) and diffusion.draws:
        found, remedy = f"{diffusion.draws} draws, which tell how uncertain a result is", "leave draws out"
        raise UsageError("diffusion", found, "none: there is nowhere to put that", remedy)
    if chunks is not None and not pair.lazy:
        needed = "arrays in Dask's chunks"
        raise UsageError("chunks", "arrays in memory", needed, "leave chunks out, or .chunk() the arrays")
    asked = {
        "method": method,
        "bands": bands,
        "sensor": sensor,
        "weights": weights,
        "extent": extent,
        "dtype": dtype,
        "diffusion": diffusion,
        "tile": tile,
        "threads": threads,
        "max_memory": max_memory,
    }
    notes = Notes(None if on_note is None else lambda text: on_note(plain(text)))
    choice = Choice(calibration, align)
    with shown(pair.pan) as pan_name, shown(pair.ms) as ms_name:
        setup = prepare(pan_name, ms_name, **asked)  # type: ignore[arg-type]
        notes.add(*preliminary_notes(setup))
        if pair.lazy:
            # What was left open is decided.
            decided = asked | {"method": setup.method, "tile": setup.plan.tile}
            fusion = ChunkFusion(pair.pan, pair.ms, decided, choice)
            later = fuse_later(fusion, setup, *pair.bare, chunks)
            return cast(Pixels, pair.give_back(later, _describe(setup, asked, choice, None), setup))
        learnt = choice.learn(setup, notes.add, progress)
        setup = adopt(setup, None if learnt is None else learnt.degradation)
        notes.add(*adopted_notes(setup))
        content = _describe(setup, asked, choice, None if learnt is None else learnt.facts)
        canvas = Canvas(setup, setup.plan.area.rect)
        with setup.plan.within_memory():
            job = METHODS[setup.method].make_job(setup, notes.add)
            check_filled(setup.scene, stream(job, setup.plan, canvas, progress))
    return cast(Pixels, pair.give_back(canvas.data, content, setup))


@dataclass(frozen=True)
class _Pair:
    """PAN and MS, (band, row, col), as they were given; bare, of numpy or Dask; as images; and whether their
    result is lazy."""

    arrays: tuple[Any, Any]
    bare: tuple[Any, Any]
    pan: Image
    ms: Image
    lazy: bool

    def give_back(self, data: Any, content: Content, setup: Setup) -> Any:
        """The result as one of what was given."""
        pan, ms = self.arrays
        if not is_dataarray(pan):
            return data
        chosen = [band.number - 1 for band in setup.scene.bands]
        return build_dataarray(data, content, pan, ms, setup.plan.area.rect, chosen)


def _take(pan: Any, ms: Any, given: Mapping[str, Any]) -> _Pair:
    named = is_dataarray(pan)
    if named != is_dataarray(ms):
        kinds = f"{type(pan).__name__} and {type(ms).__name__}"
        raise UsageError("pan, ms", kinds, "two of one kind", "pass both as DataArrays, or both as arrays")
    if named:
        told = [name for name, value in given.items() if value is not None]
        if told:
            remedy = f"leave {told[0]} out, or set it there: .rio.write_crs, .rio.write_nodata, .attrs ..."
            raise UsageError(told[0], "a value beside DataArrays", "what they tell themselves", remedy)
        arrays = put_bands_first(pan, "pan"), put_bands_first(ms, "ms")
    else:
        arrays = _stack_bands(pan, "pan"), _stack_bands(ms, "ms")
    bare = [array.data if is_chunked(array) else np.asarray(array) for array in arrays] if named else arrays
    lazy = any(map(is_chunked, bare))
    images = []
    for array, data, role in zip(arrays, bare, ("pan", "ms"), strict=True):
        pixels = provide(data) if lazy else ArrayPixels(data)
        if named:
            images.append(describe_dataarray(array, pixels, role))
            continue
        flag = f"{role}_transform"
        grid = place(data.shape[1:], given[flag], given["crs"], flag)
        names = given["names"] if role == "ms" else None
        images.append(Image(role, pixels, len(data), native(data.dtype), grid, given["nodata"], names or ()))
    return _Pair((arrays[0], arrays[1]), (bare[0], bare[1]), images[0], images[1], lazy)


def _stack_bands(array: Any, role: str) -> Any:
    """An array of numpy or Dask as (band, row, col)."""
    needed = "an array (band, row, col) of numpy or Dask, or a DataArray of xarray"
    masked = isinstance(array, np.ma.MaskedArray)
    if masked or not (isinstance(array, np.ndarray) or is_chunked(array)):
        remedy = "fill it, and pass nodata" if masked else "convert it"
        raise UsageError(role, f"a {type(array).__name__}", needed, remedy)
    if array.ndim not in (2, 3) or not all(array.shape):
        raise UsageError(role, f"an array of shape {array.shape}", needed, "index or reshape it")
    return array[None] if array.ndim == 2 else array


def _describe(
    setup: Setup, asked: Mapping[str, object], choice: Choice, facts: Mapping[str, object] | None
) -> Content:
    """What a file of the result would say besides its pixels."""
    chosen = {name: asked[name] for name in ("bands", "sensor", "weights", "extent", "dtype")}
    chosen |= {"calibration": name_file(choice.calibration)}
    lineage = tell_lineage(setup, chosen | {"align": choice.align}, OutputFormat(), facts, None)
    return fused_content(setup.scene, setup.plan.area, setup.pixels, lineage)
