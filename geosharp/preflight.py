"""What geosharp sees in a pair of files, before any work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from geosharp.fusion import DEFAULT_METHOD, FilePath, plan_fusion
from geosharp.raster.scene import Scene, SceneReader, open_scene
from geosharp.raster.source import Source

_LOOKS = 5  # windows a side that are read to see how many bits are used


def inspect(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    *,
    bands: Sequence[int | str] | None = None,
    sensor: str | None = None,
    method: str = DEFAULT_METHOD,
) -> dict[str, Any]:
    """What `fuse` would see in PAN and MS and how it would go about it, as JSON-ready values."""
    scene = open_scene(pan, ms, bands=bands, sensor=sensor)
    plan = plan_fusion(scene, method)
    pan_max, ms_max = _largest_values(scene)
    area, grid = scene.area, scene.grid
    footprint = scene.relation.footprint(scene.ms_grid.shape)
    return {
        "sensor": {"name": scene.sensor.title, "told_by": scene.sensor_reason},
        "pan": _file(scene.pan, pan_max),
        "ms": [_file(source, ms_max) for source in scene.ms],
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
        "common_area": {
            "pan_pixels": asdict(area),
            "bounds": list(grid.crop(area).bounds()),
            "crs": None if grid.crs is None else grid.crs.to_string(),
            "share_of_pan": area.area / grid.rect.area,
            "share_of_ms": area.area / footprint.area,
        },
        "plan": {
            "method": method,
            "tile": plan.tile,
            "halo": list(plan.halo),
            "tiles": plan.tiles,
            "threads": plan.threads,
            "memory_mb": round(plan.memory / 2**20),
            "output_shape": [len(scene.bands), *area.shape],
            "output_mb_raw": round(area.area * len(scene.bands) * np.dtype(scene.dtype).itemsize / 2**20, 1),
        },
        "notes": list(scene.notes),
    }


def _file(source: Source, largest: float | None) -> dict[str, Any]:
    grid = source.grid
    return {
        "file": source.name,
        "size": [grid.shape[1], grid.shape[0]],
        "dtype": source.dtype,
        "bits_declared": source.bits,
        "bits_used": None if largest is None else max(1, math.ceil(math.log2(largest + 1))),
        "nodata": [None if n is None or math.isnan(n) else n for n in source.nodata],
        "invalid_told_by": {"none": "nothing", "values": "no-data value or NaN", "mask": "mask or alpha"}[
            source.masking
        ],
        "crs": None if grid.crs is None else grid.crs.to_string(),
        "pixel_size": None if grid.transform is None else [abs(grid.transform.a), abs(grid.transform.e)],
        "warped": source.warp is not None,
    }


def _largest_values(scene: Scene) -> tuple[float | None, float | None]:
    """Largest valid DN of PAN and of MS in a few windows; None for floats and where nothing is valid."""
    if scene.pan.value_range is None or scene.ms[0].value_range is None:
        return None, None
    area, side = scene.area, 256
    best: list[float | None] = [None, None]
    with SceneReader(scene) as reader:
        for row in np.linspace(area.row, max(area.row, area.stop_row - side), _LOOKS).astype(int):
            for col in np.linspace(area.col, max(area.col, area.stop_col - side), _LOOKS).astype(int):
                window = type(area)(int(row), int(col), side, side).intersect(area)
                patch = reader.read(window, (0, 0))
                if patch is None:
                    continue
                for index, (data, valid) in enumerate(
                    ((patch.pan, patch.pan_valid), (patch.ms, patch.ms_valid))
                ):
                    kept = data if valid is None else data[valid]
                    if kept.size:
                        best[index] = max(best[index] or 0.0, float(kept.max()))
    return best[0], best[1]
