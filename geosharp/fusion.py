"""Fuse one scene: from two files to one."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from geosharp.calibration import WORDS, Learnt, check_choice, learn
from geosharp.engine.methods import DEFAULT_METHOD, FALLBACK_METHOD, METHODS, Tell
from geosharp.engine.plan import Limits, Plan, make_plan
from geosharp.engine.setup import Options, Setup
from geosharp.engine.stream import ProgressCallback, stream
from geosharp.errors import PairError, UsageError
from geosharp.hfreqdiff.models import find_model
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.raster.area import Area, find_area
from geosharp.raster.content import fused_content, fused_pixels
from geosharp.raster.environment import gdal_settings
from geosharp.raster.grid import Grid
from geosharp.raster.output import OutputFormat, SceneWriter, check_target
from geosharp.raster.output.creation import check_creation
from geosharp.raster.output.preview import check_preview, write_preview
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene, name_inputs, open_scene
from geosharp.raster.source import FilePath
from geosharp.version import __version__

if TYPE_CHECKING:
    from geosharp.imaging.degradation import Degradation
    from geosharp.padm.calibration import Calibration

Place = FilePath | Sequence[float]

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
EXTENTS = ("intersection", "pan")
_FREE = Limits()

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FuseResult:
    """What a fusion did. grid: the result's; tiles: how many held valid pixels; warnings: what a
    user should know of the scene; preview: the quick look's path where one was asked for; calibration: of
    the scene, None where the method or the caller wants none."""

    path: Path
    grid: Grid
    seconds: float
    tiles: int
    method: str
    warnings: tuple[str, ...]
    preview: Path | None = None
    calibration: Calibration | None = None


def fuse(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    out: FilePath,
    *,
    method: str | None = None,
    bands: int | str | Sequence[int | str] | None = None,
    sensor: str | None = None,
    weights: Sequence[float] | None = None,
    area: Place | None = None,
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
    calibration: FilePath | Calibration = "auto",
    align: bool = True,
    diffusion: Diffusion | None = None,
    progress: ProgressCallback | None = None,
    on_note: Tell | None = None,
) -> FuseResult:
    """Fuse PAN and MS into `out`, a GeoTIFF on PAN's grid with the bands of MS.

    method: hfreqdiff, exp, brovey, gsa, glp or glp-hpm; None for hfreqdiff, or glp at ratios that its model
    does not serve. bands: which MS bands in which order, by 1-based number or name. weights: of brovey, one
    per band. area: (left, bottom, right, top) in PAN's CRS or a GeoJSON file. extent: "intersection" of PAN
    and MS, or all of "pan". dtype: MS's unless given. creation: GeoTIFF creation options. max_memory in
    bytes. calibration: of the methods but exp and brovey: "auto" learns it from the scene, "sensor" takes
    the sensor's published values, or a saved one; align: whether MS goes where calibration finds its
    content. diffusion: of hfreqdiff. on_note: called with what a user should know as soon as it is known;
    the result holds it all. Raises a GeosharpError that says what to do; `out` appears complete or not.
    """
    start = time.perf_counter()
    # What can be refused without a look at the scene is refused first.
    form = OutputFormat(cog=cog, overviews=overviews, mask=mask, creation=creation or {})
    check_creation(form)
    named = name_inputs(pan, ms)
    check_target(Path(out), overwrite=overwrite, inputs=named)
    _check_calibration(method, calibration)
    setup = prepare(
        pan,
        ms,
        method=method,
        bands=bands,
        sensor=sensor,
        weights=weights,
        diffusion=diffusion,
        area=area,
        extent=extent,
        dtype=dtype,
        bits=form.bits,
        tile=tile,
        threads=threads,
        max_memory=max_memory,
    )
    scene = setup.scene
    # A VRT or URI names other files than it is called; none of them may be replaced.
    inputs = [*named, *scene.files]
    check_target(Path(out), overwrite=overwrite, inputs=inputs)
    quick_look = None if preview is None else Path(preview)
    if quick_look is not None:
        check_preview(quick_look, overwrite=overwrite, inputs=inputs)
    notes = _Notes(on_note)
    notes.add(*preliminary_notes(setup))
    learnt: Learnt | None = None
    if METHODS[setup.method].calibrated:
        learnt = learn(scene, calibration, align=align, progress=progress)
        setup = adopt(setup, learnt.degradation)
        notes.add(*learnt.notes)
    chosen = {
        "pan": named[0],
        "ms": named[1:],
        "bands": bands,
        "sensor": sensor,
        "weights": weights,
        "area": area,
        "extent": extent,
        "dtype": dtype,
        "bits": form.bits,
        "calibration": calibration if isinstance(calibration, str) else None,
        "align": align,
    }
    content = fused_content(scene, setup.plan.area, setup.pixels, _lineage(setup, chosen, learnt))
    output = SceneWriter(Path(out), content, form, overwrite=overwrite, inputs=inputs)
    filled = write_fused(setup, output, notes.add, progress)
    if quick_look is not None:
        write_preview(output.path, quick_look, overwrite=overwrite)
    return FuseResult(
        path=output.path,
        grid=content.grid,
        seconds=time.perf_counter() - start,
        tiles=filled,
        method=setup.method,
        warnings=tuple(notes.told),
        preview=quick_look,
        calibration=None if learnt is None else learnt.calibration,
    )


def prepare(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    *,
    method: str | None = None,
    bands: int | str | Sequence[int | str] | None = None,
    sensor: str | None = None,
    weights: Sequence[float] | None = None,
    diffusion: Diffusion | None = None,
    area: Place | None = None,
    extent: str = "intersection",
    dtype: str | None = None,
    bits: int | None = None,
    tile: int | None = None,
    threads: int | None = None,
    max_memory: int | None = None,
) -> Setup:
    """Decide all of a fusion that can be before a pixel is read; arguments as of `fuse`.

    bits: of an integer result, fewer than its type has. See `adopt` for what pixels tell.
    """
    _check_choice("--extent", extent, EXTENTS)
    if dtype is not None:
        _check_choice("--dtype", dtype, DTYPES)
    options = choose_options([DEFAULT_METHOD if method is None else method], weights, diffusion)
    scene = open_scene(pan, ms, bands=bands, sensor=sensor)
    notes: tuple[str, ...] = ()
    if method is None:
        method, notes = _choose_method(scene, options)
    _log.info("sensor: %s (%s)", scene.sensor.title, scene.sensor_reason)
    _log.info("MS on PAN: ratio %s, shift %s PAN pixels", scene.relation.ratio, scene.relation.shift)
    whole = scene.area if extent == "intersection" else scene.grid.rect
    part = Area(whole) if area is None else find_area(area, scene.grid, whole)
    limits = Limits(tile, threads, max_memory)
    setup = plan_fusion(scene, part, method, options=options, dtype=dtype, bits=bits, limits=limits)
    return replace(setup, notes=notes)


def _choose_method(scene: Scene, options: Options) -> tuple[str, tuple[str, ...]]:
    """The default method, or another where it does not fit the scene; and why."""
    try:
        METHODS[DEFAULT_METHOD].check(scene, options)
    except PairError as error:
        if options.diffusion is not None:
            raise
        why = f"{error.found}; needed: {error.needed}"
        return FALLBACK_METHOD, (f"{FALLBACK_METHOD} takes the place of {DEFAULT_METHOD}: {why}",)
    return DEFAULT_METHOD, ()


def plan_fusion(
    scene: Scene,
    part: Area,
    method: str,
    *,
    options: Options | None = None,
    dtype: str | None = None,
    bits: int | None = None,
    limits: Limits = _FREE,
) -> Setup:
    """As `prepare`, for `part` of a scene that is open."""
    options = options or Options()
    METHODS[method].check(scene, options)
    pixels = fused_pixels(scene, part, dtype, bits)
    return Setup(scene, method, pixels, _plan(scene, part, method, pixels, limits, options), options)


def adopt(setup: Setup, degradation: Degradation) -> Setup:
    """The setup with what is known of the scene: MS lies where its content is, and methods take its kernels.

    As it was where the method takes neither.
    """
    if not METHODS[setup.method].calibrated:
        return setup
    scene, plan = setup.scene.aligned(degradation.shift), setup.plan
    plan = _plan(scene, plan.area, setup.method, setup.pixels, plan.limits, setup.options, degradation)
    return replace(setup, scene=scene, plan=plan, degradation=degradation)


def _plan(
    scene: Scene,
    part: Area,
    method: str,
    pixels: Pixels,
    limits: Limits,
    options: Options,
    degradation: Degradation | None = None,
) -> Plan:
    how = METHODS[method]
    rules = how.size_rules(scene, degradation, options)
    lighter = {}
    if how.diffuses:
        lighter = {FALLBACK_METHOD: METHODS[FALLBACK_METHOD].size_rules(scene, degradation, options)}
    return make_plan(scene, part, rules, pixels.dtype, tensors=how.tensors, limits=limits, lighter=lighter)


def write_fused(
    setup: Setup, output: SceneWriter, tell: Tell, progress: ProgressCallback | None = None
) -> int:
    """Fuse into `output`, which is complete afterwards; the number of tiles that held valid pixels."""
    plan = setup.plan
    with gdal_settings(plan.cache), plan.within_memory(), output as writer:
        job = METHODS[setup.method].make_job(setup, tell)
        _log.info("%d tiles of %d PAN pixels, %d threads", plan.tile_count, plan.tile, plan.threads)
        filled = stream(job, plan, writer, progress)
        if not filled:
            raise _nothing_valid(setup.scene)
    _log.info("%s is complete", output.path)
    return filled


def choose_options(
    methods: Sequence[str], weights: Sequence[float] | None = None, diffusion: Diffusion | None = None
) -> Options:
    """What is asked of methods; what none of them has a use for is refused."""
    for method in methods:
        _check_choice("--method", method, METHODS)
    named = ", ".join(methods) or "no method"
    if not isinstance(diffusion, Diffusion | None):
        raise UsageError("diffusion", repr(diffusion), "a geosharp.Diffusion", "write Diffusion(model=...)")
    if diffusion is not None:
        if not any(METHODS[method].diffuses for method in methods):
            found = f"{named}, with --model, --steps, --seed, --consistency or --device"
            raise UsageError("--method", found, "hfreqdiff", f"leave these out: of no use for {named}")
        find_model(diffusion.model)
    if weights is not None and not any(METHODS[method].weighted for method in methods):
        taking = ", ".join(name for name, other in METHODS.items() if other.weighted)
        remedy = "leave --weights out: others learn theirs"
        raise UsageError("--weights", f"weights for {named}", f"--method {taking}", remedy)
    return Options(weights, diffusion)


def _check_calibration(method: str | None, choice: FilePath | Calibration) -> None:
    """Refuse a calibration that there is not, or that the method has no use for."""
    check_choice(choice)
    if method in METHODS and not METHODS[method].calibrated and choice not in WORDS:
        taking = ", ".join(name for name, other in METHODS.items() if other.calibrated)
        remedy = f"leave --calibration out: {method} takes none"
        raise UsageError("--calibration", f"a calibration for {method}", f"--method {taking}", remedy)


def preliminary_notes(setup: Setup) -> tuple[str, ...]:
    """What a user should know of a fusion before it begins."""
    scene, pixels = setup.scene, setup.pixels
    theirs, limits = scene.value_range, pixels.limits
    notes = [*setup.notes, *setup.options.settings.notes, *scene.notes]
    if limits is not None and theirs is None:
        notes.append(
            f"MS is {scene.dtype}: values are rounded to whole numbers and clipped to {pixels.dtype}'s "
            f"{limits[0]:.0f} to {limits[1]:.0f}"
        )
    elif limits is not None and theirs is not None and (theirs[0] < limits[0] or theirs[1] > limits[1]):
        notes.append(
            f"MS is {scene.dtype}: values beyond {limits[0]:.0f} to {limits[1]:.0f} are clipped, which is "
            f"what the result's {pixels.dtype} holds"
        )
    return tuple(notes)


class _Notes:
    """What a user should know: told at once, and kept for the result."""

    def __init__(self, tell: Tell | None) -> None:
        self.told: list[str] = []
        self._tell = tell

    def add(self, *texts: str) -> None:
        for text in texts:
            self.told.append(text)
            if self._tell is not None:
                self._tell(text)


def _nothing_valid(scene: Scene) -> PairError:
    return PairError(
        f"{scene.pan.name} and {scene.ms[0].name}",
        "not one pixel of the result would be valid",
        "pixels that are valid in both, inside the area",
        "check --area and the no-data values (geosharp info shows them)",
    )


def _check_choice(flag: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise UsageError(flag, f"'{value}'", f"one of {', '.join(choices)}", "choose one of these")


def _lineage(setup: Setup, chosen: Mapping[str, object], learnt: Learnt | None) -> dict[str, str]:
    """How the result is made: tags, with the arguments that decide its pixels as JSON.

    chosen: what the user asked for, None where it was left open.
    """
    scene, method = setup.scene, setup.method
    parameters = {name: value for name, value in chosen.items() if value is not None}
    parameters |= {"method": method, **METHODS[method].facts(setup.options)}
    # Decides no pixel, but whoever looks for seams must know where they would be.
    parameters["tile"] = setup.plan.tile
    tags = {
        "GEOSHARP_VERSION": __version__,
        "GEOSHARP_METHOD": method,
        "GEOSHARP_SENSOR": f"{scene.sensor.title} ({scene.sensor_reason})",
    }
    if learnt is None:
        for name in ("calibration", "align"):
            parameters.pop(name, None)
    else:
        tags["GEOSHARP_CALIBRATION"] = json.dumps(learnt.facts)
    return tags | {"GEOSHARP_PARAMETERS": json.dumps(parameters, sort_keys=True, default=str)}
