"""From what is asked for to what is to be done: all of a fusion that is decided before its first tile."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from geosharp.engine.methods import DEFAULT_METHOD, FALLBACK_METHOD, METHODS
from geosharp.engine.plan import Limits, Plan, make_plan
from geosharp.engine.setup import Options, Setup
from geosharp.errors import PairError, UsageError
from geosharp.hfreqdiff.models import find_model
from geosharp.hfreqdiff.settings import Diffusion, check_adapt
from geosharp.raster.area import Area, find_area
from geosharp.raster.ceiling import find_ceiling
from geosharp.raster.content import fused_pixels
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene, open_scene
from geosharp.raster.sensors import UNKNOWN
from geosharp.raster.source import FilePath

if TYPE_CHECKING:
    from geosharp.imaging.degradation import Degradation

Place = FilePath | Sequence[float]

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
EXTENTS = ("intersection", "pan")
_FREE = Limits()

_log = logging.getLogger(__name__)


def prepare(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    *,
    method: str | None = None,
    bands: int | str | Sequence[int | str] | None = None,
    sensor: FilePath | None = None,
    weights: Sequence[float] | None = None,
    diffusion: Diffusion | None = None,
    adapt: float | None = None,
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
    check_among("--extent", extent, EXTENTS)
    if dtype is not None:
        check_among("--dtype", dtype, DTYPES)
    options = choose_options([DEFAULT_METHOD if method is None else method], weights, diffusion, adapt)
    scene = open_scene(pan, ms, bands=bands, sensor=sensor)
    limits = Limits(tile, threads, max_memory)
    return prepare_scene(
        scene, method, options, area=area, extent=extent, dtype=dtype, bits=bits, limits=limits
    )


def prepare_scene(
    scene: Scene,
    method: str | None,
    options: Options,
    *,
    area: Place | None = None,
    extent: str = "intersection",
    dtype: str | None = None,
    bits: int | None = None,
    limits: Limits = _FREE,
) -> Setup:
    """As `prepare`, for a scene that is open, and what `choose_options` gave."""
    notes: tuple[str, ...] = ()
    if method is None:
        method, notes = _choose_method(scene, options)
    _log.info("sensor: %s (%s)", scene.sensor.title, scene.sensor_reason)
    _log.info("MS on PAN: ratio %s, shift %s PAN pixels", scene.relation.ratio, scene.relation.shift)
    whole = scene.area if extent == "intersection" else scene.grid.rect
    part = Area(whole) if area is None else find_area(area, scene.grid, whole)
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


def adopt(setup: Setup, degradation: Degradation | None) -> Setup:
    """The setup with what pixels tell of the scene: the result ends where MS saturates; and, where the method
    takes `degradation`, MS lies where its content is, and the kernels are its."""
    return adopt_known(setup, degradation, _find_ceiling(setup))


def adopt_known(setup: Setup, degradation: Degradation | None, ceiling: int | None) -> Setup:
    """As `adopt`, without a look at pixels. ceiling: of a setup of the same that has adopted."""
    if ceiling is not None:
        setup = _cap(setup, ceiling)
    if degradation is None or not METHODS[setup.method].calibrated:
        return setup
    scene, plan = setup.scene.aligned(degradation.shift), setup.plan
    plan = _plan(scene, plan.area, setup.method, setup.pixels, plan.limits, setup.options, degradation)
    return replace(setup, scene=scene, plan=plan, degradation=degradation)


def _find_ceiling(setup: Setup) -> int | None:
    """Where MS saturates, if results are of its type and go beyond."""
    pixels = setup.pixels
    if pixels.limits is None or pixels.dtype != setup.scene.dtype:
        return None
    ceiling = find_ceiling(setup.scene)
    return None if ceiling is None or ceiling >= pixels.limits[1] else ceiling


def _cap(setup: Setup, ceiling: int) -> Setup:
    """The setup with results clipped at the ceiling, as they are to declared bits."""
    pixels = setup.pixels
    assert pixels.limits is not None
    least, _ = pixels.limits
    return replace(setup, pixels=replace(pixels, limits=(least, float(ceiling))), ceiling=ceiling)


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
    if how.diffuses and not options.settings.draws:
        lighter = {FALLBACK_METHOD: METHODS[FALLBACK_METHOD].size_rules(scene, degradation, options)}
    gpus = options.gpus if how.diffuses else None
    return make_plan(
        scene, part, rules, pixels.dtype, tensors=how.tensors, limits=limits, lighter=lighter, gpus=gpus
    )


def choose_options(
    methods: Sequence[str],
    weights: Sequence[float] | None = None,
    diffusion: Diffusion | None = None,
    adapt: float | None = None,
) -> Options:
    """What is asked of methods; what none of them has a use for is refused."""
    for method in methods:
        check_among("--method", method, METHODS)
    named = ", ".join(methods) or "no method"
    if not isinstance(diffusion, Diffusion | None):
        raise UsageError("diffusion", repr(diffusion), "a geosharp.Diffusion", "write Diffusion(model=...)")
    if adapt is not None:
        diffusion = diffusion or Diffusion()
        check_adapt(adapt, diffusion)
    if diffusion is not None:
        if not any(METHODS[method].diffuses for method in methods):
            found = (
                f"{named}, with --model, --steps, --seed, --consistency, --uncertainty, --adapt, --precision "
                "or --device"
            )
            raise UsageError("--method", found, "hfreqdiff", f"leave these out: of no use for {named}")
        find_model(diffusion.model)
    if weights is not None and not any(METHODS[method].weighted for method in methods):
        taking = ", ".join(name for name, other in METHODS.items() if other.weighted)
        remedy = "leave --weights out: others learn theirs"
        raise UsageError("--weights", f"weights for {named}", f"--method {taking}", remedy)
    return Options(weights, diffusion, adapt)


def preliminary_notes(setup: Setup) -> tuple[str, ...]:
    """What a user should know of a fusion before it begins."""
    scene, pixels = setup.scene, setup.pixels
    theirs, limits = scene.value_range, pixels.limits
    notes = [*setup.notes, *setup.options.notes, *scene.notes, *_tell_trained(setup)]
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


def _tell_trained(setup: Setup) -> tuple[str, ...]:
    """That the sensor file goes with a model that was trained with one, where nothing tells the scene's
    sensor."""
    if not METHODS[setup.method].diffuses or setup.scene.sensor is not UNKNOWN:
        return ()
    files = setup.options.model.header.sensor_files
    return tuple(
        f"{setup.options.settings.name} was trained on {title}, and nothing tells this scene's sensor: if it "
        f"is that one, give --sensor-file {file}"
        for title, file in files.items()
    )


def adopted_notes(setup: Setup) -> tuple[str, ...]:
    """What a user should know of what pixels told, see `adopt`."""
    if setup.ceiling is None:
        return ()
    return (f"MS saturates at {setup.ceiling}: values are clipped there",)


def check_among(flag: str, value: str, choices: Collection[str]) -> None:
    """Refuse what is none of the choices."""
    if value not in choices:
        raise UsageError(flag, f"'{value:.40}'", f"one of {', '.join(choices)}", "choose one of these")
