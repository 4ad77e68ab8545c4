"""What geosharp sees in a pair of files, and how it would fuse them, before any work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from geosharp.document import make_document
from geosharp.engine.cautions import raw_size
from geosharp.engine.methods import METHODS
from geosharp.engine.preparation import Place, preliminary_notes, prepare
from geosharp.engine.setup import Setup
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader
from geosharp.raster.source import FilePath, Source

_LOOKS = 5  # windows a side that are read to see how many bits are used

Range = tuple[float, float]


def inspect(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    *,
    bands: int | str | Sequence[int | str] | None = None,
    sensor: FilePath | None = None,
    method: str | None = None,
    area: Place | None = None,
    extent: str = "intersection",
    dtype: str | None = None,
    tile: int | None = None,
    threads: int | None = None,
    max_memory: int | None = None,
    diffusion: Diffusion | None = None,
) -> dict[str, Any]:
    """What `fuse` would see in PAN and MS and how it would go about it, as JSON-ready values."""
    setup = prepare(
        pan,
        ms,
        bands=bands,
        sensor=sensor,
        method=method,
        area=area,
        extent=extent,
        dtype=dtype,
        tile=tile,
        threads=threads,
        max_memory=max_memory,
        diffusion=diffusion,
    )
    scene = setup.scene
    pan_range, ms_range = _value_ranges(scene)
    facts = {
        "sensor": {"name": scene.sensor.title, "told_by": scene.sensor_reason},
        "pan": _file(scene.pan, pan_range),
        "ms": [_file(source, ms_range) for source in scene.ms],
        "bands": [
            {
                "name": band.name,
                "file": scene.ms[band.source].name,
                "number": band.number,
                "wavelength_nm": band.optics.wavelength_nm,
                "nyquist_gain": band.optics.gain,
            }
            for band in scene.bands
        ],
        "ratio": list(scene.relation.ratio),
        "offset_pan_px": list(scene.relation.offset),
        "shift_pan_px": list(scene.relation.shift),
        "common_area": _common_area(scene),
        "plan": _plan(setup),
        "notes": list(preliminary_notes(setup)),
    }
    return make_document("info/1", facts)


def _common_area(scene: Scene) -> dict[str, Any]:
    area, grid = scene.area, scene.grid
    return {
        "pan_pixels": asdict(area),
        "bounds": list(grid.crop(area).bounds()),
        "crs": None if grid.crs is None else grid.crs.to_string(),
        "share_of_pan": area.area / grid.rect.area,
        "share_of_ms": area.area / scene.relation.footprint(scene.ms_grid.shape).area,
    }


def _plan(setup: Setup) -> dict[str, Any]:
    plan, bands = setup.plan, len(setup.scene.bands)
    part = plan.area.rect
    return {
        "method": setup.method,
        **METHODS[setup.method].facts(setup.options),
        "pan_pixels": asdict(part),
        "tile": plan.tile,
        "halo": list(plan.halo),
        "tiles": plan.tile_count,
        "threads": plan.threads,
        "memory_mb": round(plan.memory / 2**20),
        "output_shape": [bands, *part.shape],
        "output_dtype": setup.pixels.dtype,
        "output_nodata": _number(setup.pixels.nodata),
        "output_mb_raw": round(raw_size(setup) / 2**20, 1),
    }


def _file(source: Source, seen: Range | None) -> dict[str, Any]:
    grid = source.grid
    return {
        "file": source.name,
        "size": [grid.shape[1], grid.shape[0]],
        "dtype": source.dtype,
        "bits_declared": source.bits,
        "bits_used": None if seen is None else _bits(*seen),
        "nodata": [_number(nodata) for nodata in source.nodata],
        "invalid_told_by": {"none": "nothing", "values": "no-data value or NaN", "mask": "mask or alpha"}[
            source.masking
        ],
        "crs": None if grid.crs is None else grid.crs.to_string(),
        "pixel_size": None if grid.transform is None else [abs(grid.transform.a), abs(grid.transform.e)],
        "warped": source.warp is not None,
    }


def _number(value: float | None) -> float | str | None:
    """A no-data value as JSON can hold it: what is no finite number is written as a word."""
    return value if value is None or math.isfinite(value) else str(value)


def _bits(low: float, high: float) -> int:
    """Bits that hold whole numbers from `low` to `high`; with negative ones, one is the sign's."""
    if low < 0:
        return 1 + math.ceil(math.log2(max(-low, high + 1, 1)))
    return max(1, math.ceil(math.log2(high + 1)))


def _value_ranges(scene: Scene) -> tuple[Range | None, Range | None]:
    """Smallest and largest valid DN of PAN and of MS in a few windows; None for floats."""
    area, side = scene.area, 256
    seen: list[list[float]] = [[], []]
    with SceneReader(scene) as reader:
        for row in np.linspace(area.row, max(area.row, area.stop_row - side), _LOOKS).astype(int):
            for col in np.linspace(area.col, max(area.col, area.stop_col - side), _LOOKS).astype(int):
                patch = reader.read(Rect(int(row), int(col), side, side).intersect(area), (0, 0))
                if patch is None:
                    continue
                pairs = (patch.pan, patch.pan_valid), (patch.ms, patch.ms_valid)
                for values, (data, valid) in zip(seen, pairs, strict=True):
                    kept = data if valid is None else data[valid]
                    if kept.size:
                        values += [float(kept.min()), float(kept.max())]
    whole = scene.pan.value_range is not None, scene.ms[0].value_range is not None
    ranges = [
        (min(values), max(values)) if values and known else None
        for values, known in zip(seen, whole, strict=True)
    ]
    return ranges[0], ranges[1]
