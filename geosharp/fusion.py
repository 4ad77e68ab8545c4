"""Fuse one scene: from two files to one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geosharp.engine.plan import Plan, make_plan
from geosharp.engine.stream import Job, ProgressCallback, stream
from geosharp.errors import PairError, UsageError
from geosharp.raster.area import Area, find_area
from geosharp.raster.content import fused_content, fused_pixels
from geosharp.raster.environment import gdal_settings
from geosharp.raster.grid import Grid, tiles
from geosharp.raster.output import OutputFormat, SceneWriter, check_target
from geosharp.raster.output.preview import check_preview, write_preview
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene, open_scene
from geosharp.version import __version__

FilePath = str | os.PathLike[str]

DEFAULT_METHOD = "glp"
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
EXTENTS = ("intersection", "pan")
# Below this correlation of details a band is said to have little in common with PAN.
_LITTLE = 0.3
# MS pixels below which what was learnt is said to be uncertain.
_ENOUGH = 1000


@dataclass(frozen=True)
class FuseResult:
    """What a fusion did. grid: the result's; tiles: how many held valid pixels; warnings: what a
    user should know of the scene; preview: the quick look's path where one was asked for."""

    path: Path
    grid: Grid
    seconds: float
    tiles: int
    method: str
    warnings: tuple[str, ...]
    preview: Path | None = None


def fuse(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    out: FilePath,
    *,
    method: str = DEFAULT_METHOD,
    bands: Sequence[int | str] | None = None,
    sensor: str | None = None,
    weights: Sequence[float] | None = None,
    area: str | None = None,
    extent: str = "intersection",
    dtype: str | None = None,
    cog: bool = False,
    overviews: bool = True,
    mask: bool = True,
    creation: Mapping[str, str] | None = None,
    overwrite: bool = False,
    preview: FilePath | None = None,
    tile: int | None = None,
    threads: int | None = None,
    max_memory: int | None = None,
    progress: ProgressCallback | None = None,
) -> FuseResult:
    """Fuse PAN and MS into `out`, a GeoTIFF on PAN's grid with the bands of MS.

    method: exp, brovey, gsa, glp or glp-hpm. bands: which MS bands in which order, by 1-based
    number or name. weights: of brovey, one per band. area: "left,bottom,right,top" in PAN's CRS or
    a GeoJSON file. extent: "intersection" of PAN and MS, or all of "pan". dtype: MS's unless given.
    creation: GeoTIFF creation options. max_memory in bytes. Raises a GeosharpError that says what
    to do; `out` appears complete or not at all.
    """
    start = time.perf_counter()
    _check_choice("--extent", extent, EXTENTS)
    if dtype is not None:
        _check_choice("--dtype", dtype, DTYPES)
    _check_method(method, weights)
    names = [ms] if isinstance(ms, str | os.PathLike) else list(ms)
    inputs = [os.fspath(name) for name in (pan, *names)]
    target, quick_look = Path(out), None if preview is None else Path(preview)
    check_target(target, overwrite=overwrite, inputs=inputs)
    if quick_look is not None:
        check_preview(quick_look, overwrite=overwrite, inputs=inputs)
    scene = open_scene(pan, names, bands=bands, sensor=sensor)
    # A VRT or URI names other files than it is called; none of them may be replaced.
    inputs_on_disk = [file for source in (scene.pan, *scene.ms) for file in source.files]
    check_target(target, overwrite=overwrite, inputs=inputs_on_disk)
    if quick_look is not None:
        check_preview(quick_look, overwrite=overwrite, inputs=inputs_on_disk)
    part = find_part(scene, area, extent)
    pixels = fused_pixels(scene, part, dtype)
    plan = make_plan(
        scene,
        part.rect,
        _halo(scene, method),
        pixels.dtype,
        tensors=method != "brovey",
        tile=tile,
        threads=threads,
        max_memory=max_memory,
    )
    chosen = {"bands": bands, "sensor": sensor, "weights": weights, "area": area, "dtype": dtype}
    content = fused_content(scene, part, pixels, _lineage(scene, method, inputs, extent, chosen))
    form = OutputFormat(cog=cog, overviews=overviews, mask=mask, creation=creation or {})
    warnings = list(scene.notes)
    with (
        gdal_settings(plan.cache),
        SceneWriter(target, content, form, overwrite=overwrite, inputs=inputs) as writer,
    ):
        filled = stream(
            _make_job(scene, method, weights, part, pixels, plan.threads, warnings),
            tiles(plan.area, plan.tile, plan.strip),
            writer,
            plan.area,
            total_tiles=plan.tiles,
            readers=plan.readers,
            threads=plan.threads,
            progress=progress,
        )
        if not filled:
            raise _nothing_valid(scene)
    if quick_look is not None:
        write_preview(target, quick_look, overwrite=overwrite)
    return FuseResult(
        path=target,
        grid=content.grid,
        seconds=time.perf_counter() - start,
        tiles=filled,
        method=method,
        warnings=tuple(warnings),
        preview=quick_look,
    )


def _nothing_valid(scene: Scene) -> PairError:
    return PairError(
        f"{scene.pan.name} and {scene.ms[0].name}",
        "not one pixel of the result would be valid",
        "pixels that are valid in both, inside the area",
        "check --area and the no-data values (geosharp info shows them)",
    )


def find_part(scene: Scene, area: str | None, extent: str) -> Area:
    """The PAN pixels to fuse: the common area or all of PAN, and of these what `area` names."""
    whole = scene.area if extent == "intersection" else scene.grid.rect
    return Area(whole) if area is None else find_area(area, scene.grid, whole)


def plan_fusion(scene: Scene, method: str = DEFAULT_METHOD) -> Plan:
    """The plan that `fuse` would follow for the whole scene with default settings."""
    _check_method(method, None)
    return make_plan(scene, scene.area, _halo(scene, method), scene.dtype, tensors=method != "brovey")


def _check_choice(flag: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UsageError(flag, f"'{value}'", f"one of {', '.join(choices)}", "choose one of these")


def _check_method(method: str, weights: Sequence[float] | None) -> None:
    if method != "brovey":
        from geosharp.imaging.classic import METHODS

        _check_choice("--method", method, ["brovey", *METHODS])
        if weights is not None:
            raise UsageError(
                "--weights",
                f"weights for {method}",
                "--method brovey",
                "leave --weights out: others learn theirs",
            )


def _halo(scene: Scene, method: str) -> tuple[int, int]:
    if method == "brovey":
        return 0, 0
    from geosharp.engine.tensors import optics_of
    from geosharp.imaging.classic import size_rules

    return size_rules(optics_of(scene)).halo


def _make_job(
    scene: Scene,
    method: str,
    weights: Sequence[float] | None,
    part: Area,
    pixels: Pixels,
    threads: int,
    warnings: list[str],
) -> Job:
    """The method with all that is global decided; adds to `warnings` what was learnt on the way."""
    if method == "brovey":
        from geosharp.engine.brovey import BroveyJob

        if np.issubdtype(np.dtype(pixels.dtype), np.floating) and scene.ms[0].value_range is not None:
            warnings.append(f"brovey computes in MS's {scene.dtype}, so that its values are whole numbers")
        return BroveyJob(scene, weights, part, pixels, threads)
    from geosharp.engine.inject import InjectionJob
    from geosharp.engine.sampling import sample_moments

    moments = sample_moments(scene)
    if moments.count < _ENOUGH:
        warnings.append(f"only {moments.count} valid MS pixels to learn from: the gains are uncertain")
    for band, correlation in zip(scene.bands, moments.detail_correlation(), strict=True):
        if correlation < _LITTLE and method != "exp":
            warnings.append(
                f"{band.name}: its detail has little in common with PAN's (correlation {correlation:.2f}), "
                "so it gets little of it"
            )
    return InjectionJob(scene, method, moments, part, pixels)


def _lineage(
    scene: Scene, method: str, inputs: Sequence[str], extent: str, chosen: Mapping[str, object]
) -> dict[str, str]:
    """How the result is made: tags, with the arguments that decide its pixels as JSON."""
    parameters: dict[str, object] = {
        "pan": inputs[0],
        "ms": list(inputs[1:]),
        "method": method,
        "extent": extent,
    }
    parameters |= {key: value for key, value in chosen.items() if value is not None}
    return {
        "GEOSHARP_VERSION": __version__,
        "GEOSHARP_METHOD": method,
        "GEOSHARP_SENSOR": f"{scene.sensor.title} ({scene.sensor_reason})",
        "GEOSHARP_PARAMETERS": json.dumps(parameters, sort_keys=True, default=str),
    }
