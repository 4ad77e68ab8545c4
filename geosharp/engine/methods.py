"""The methods by name: what each asks of the tiler, and how it becomes a job.

torch is imported when a method that needs it is used: Brovey starts without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from geosharp.engine.setup import Options, Setup
from geosharp.engine.stream import Job
from geosharp.errors import PairError, UsageError
from geosharp.imaging.rules import SizeRules
from geosharp.notes import Tell
from geosharp.raster.brovey import check_brovey
from geosharp.raster.scene import Scene

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from geosharp.hfreqdiff.checkpoint import Model
    from geosharp.imaging.classic import Moments, Optics, Pair
    from geosharp.imaging.degradation import Degradation
    from geosharp.imaging.resample import Spans

DEFAULT_METHOD = "hfreqdiff"
# What serves a scene that hfreqdiff does not fit.
FALLBACK_METHOD = "glp"
# Below this correlation of details a band is said to have little in common with PAN, or nothing.
_NOTHING = 0.1
_LITTLE = 0.3
# MS pixels below which what was learnt is said to be uncertain.
_ENOUGH = 1000
# Whole numbers up to here are exact in float32.
_EXACT = 2**24


@dataclass(frozen=True)
class Method:
    """tensors: whether it computes with torch; weighted: whether it takes weights; calibrated: whether it
    takes a degradation, and MS aligned; diffuses: whether it takes a diffusion model. check refuses scenes
    and options that it cannot work with; facts: of what decides its pixels, for the lineage; make_job decides
    what is global for the scene, and tells what a user should know."""

    tensors: bool
    weighted: bool
    calibrated: bool
    diffuses: bool
    check: Callable[[Scene, Options], None]
    size_rules: Callable[[Scene, Degradation | None, Options], SizeRules]
    make_job: Callable[[Setup, Tell], Job]
    facts: Callable[[Options], dict[str, object]] = lambda _: {}


def _check_brovey(scene: Scene, options: Options) -> None:
    check_brovey(scene.pan, scene.ms, len(scene.bands), options.weights)


def _brovey_rules(scene: Scene, degradation: Degradation | None, options: Options) -> SizeRules:
    # GDAL reads around a tile by itself.
    return SizeRules(1, (0, 0))


def _make_brovey(setup: Setup, tell: Tell) -> Job:
    from geosharp.engine.brovey import BroveyJob

    scene, pixels, plan = setup.scene, setup.pixels, setup.plan
    if np.issubdtype(np.dtype(pixels.dtype), np.floating) and scene.value_range is not None:
        tell(f"brovey computes in MS's {scene.dtype}, so that its values are whole numbers")
    if scene.pan.dtype != scene.dtype:
        tell(
            f"brovey takes PAN's {scene.pan.dtype} and MS's {scene.dtype} DN to be on one scale; "
            "if they are not, take another method"
        )
    if scene.value_range is not None and scene.value_range[0] < 0:
        tell("brovey multiplies DN, which for negative ones makes no sense: take another method if there are")
    return BroveyJob(scene, setup.options.weights, plan.area, pixels, plan.threads)


def _check_nothing(scene: Scene, options: Options) -> None:
    """Whatever opens as a scene can be fused."""


def _injection_rules(scene: Scene, degradation: Degradation | None, options: Options) -> SizeRules:
    from geosharp.imaging.classic import size_rules

    return size_rules(_find_optics(scene, degradation))


def _find_optics(scene: Scene, degradation: Degradation | None) -> Optics:
    """Those of the sensor's table as long as nothing is learnt."""
    from geosharp.engine.tensors import optics_of
    from geosharp.padm.table import table_degradation

    return optics_of(scene, degradation or table_degradation(scene))


def _make_injection(setup: Setup, tell: Tell) -> Job:
    from geosharp.engine.compute import TensorJob, Worker
    from geosharp.imaging import classic

    moments = _learn_moments(setup, tell)
    injection = classic.METHODS[setup.method](moments)
    optics = _find_optics(setup.scene, setup.degradation)

    def fuse(pair: Pair, target: Spans) -> tuple[Tensor, None]:
        return classic.inject(pair, injection, optics, target), None

    return TensorJob(setup, moments, [Worker(fuse)])


def _learn_moments(setup: Setup, tell: Tell) -> Moments:
    """The scene's moments, and what a user should know of them."""
    from geosharp.engine.sampling import sample_moments

    scene = setup.scene
    limits = scene.value_range
    if scene.dtype == "float64" or (limits is not None and max(-limits[0], limits[1]) > _EXACT):
        tell(f"{scene.dtype} pixels are computed in float32, which holds about seven digits")
    moments = sample_moments(scene, setup.known_degradation)
    if moments.count < _ENOUGH:
        tell(f"only {moments.count} valid MS pixels to learn from: the gains are uncertain")
    names = [band.name for band in scene.bands]
    if setup.method != "exp" and (note := _tell_foreign(names, moments.detail_correlation().tolist())):
        tell(note)
    return moments


def _tell_foreign(bands: Sequence[str], correlations: Sequence[float]) -> str | None:
    """Whose detail is not PAN's, by its correlation with that."""
    if all(correlation < _NOTHING for correlation in correlations):
        return (
            "no band's detail has anything in common with PAN's: they show different ground, or nothing but "
            "noise; look at both side by side"
        )
    little = {
        band: correlation
        for band, correlation in zip(bands, correlations, strict=True)
        if correlation < _LITTLE
    }
    if not little:
        return None
    its, they = ("its", "it gets") if len(little) == 1 else ("their", "they get")
    found = " to ".join(dict.fromkeys(f"{edge:.2f}" for edge in (min(little.values()), max(little.values()))))
    return (
        f"{', '.join(little)}: {its} detail has little in common with PAN's (correlation {found}), so {they} "
        "little of it"
    )


def _check_diffusion(scene: Scene, options: Options) -> None:
    settings, header = options.settings, options.model.header
    least, most = header.ratios
    if not all(least <= ratio <= most for ratio in scene.relation.ratio):
        found = " x ".join(f"{ratio:g}" for ratio in dict.fromkeys(scene.relation.ratio))
        raise PairError(
            f"{scene.pan.name} and {scene.ms[0].name}",
            f"{found} PAN pixels an MS pixel",
            f"{least:g} to {most:g} of them for the model {settings.name}",
            f"take --method {FALLBACK_METHOD}, and no option that only a model takes, such as --steps",
        )
    if (settings.drawn or settings.draws) and header.sigma_data is None:
        flag, remedy = f"--steps {settings.steps}", "take --steps 1, or another --model"
        if not settings.drawn:
            flag, remedy = "--uncertainty", "leave it out, or take another --model"
        found = f"the model {settings.name} gives the mean alone"
        raise UsageError(flag, found, "a model that has learnt to draw", remedy)


def _diffusion_facts(options: Options) -> dict[str, object]:
    settings = options.settings
    seeded = settings.drawn or settings.draws or options.adapt is not None
    drawn: dict[str, object] = {"seed": settings.seed} if seeded else {}
    if settings.draws:
        drawn |= {"draws": settings.draws, "draw_steps": settings.draw_steps}
    if options.adapt is not None:
        drawn["adapt"] = options.adapt
    return {
        "model": os.fspath(settings.model),
        "model_sha256": options.model.digest,
        "steps": settings.steps,
        **drawn,
        "consistency": settings.consistency,
        "precision": settings.precision,
        "device": options.device.type,
    }


def _diffusion_rules(scene: Scene, degradation: Degradation | None, options: Options) -> SizeRules:
    from geosharp.hfreqdiff.sharpen import size_rules

    return size_rules(options.model.network, _find_optics(scene, degradation), options.settings)


def _make_diffusion(setup: Setup, tell: Tell) -> Job:
    from geosharp.engine.compute import TensorJob, Worker
    from geosharp.hfreqdiff.sharpen import Sharpener

    options, moments = setup.options, _learn_moments(setup, tell)
    optics = _find_optics(setup.scene, setup.degradation)

    def employ(device: torch.device, model: Model) -> Worker:
        time = partial(setup.clock.time, gpu=device.type == "cuda")
        return Worker(Sharpener(model, optics, moments, options.settings, device, time).sharpen, device)

    return TensorJob(setup, moments, [employ(device, model) for device, model in options.models])


_INJECTION = Method(
    tensors=True,
    weighted=False,
    calibrated=True,
    diffuses=False,
    check=_check_nothing,
    size_rules=_injection_rules,
    make_job=_make_injection,
)
METHODS = {
    "hfreqdiff": Method(
        tensors=True,
        weighted=False,
        calibrated=True,
        diffuses=True,
        check=_check_diffusion,
        size_rules=_diffusion_rules,
        make_job=_make_diffusion,
        facts=_diffusion_facts,
    ),
    "exp": replace(_INJECTION, calibrated=False),
    "brovey": Method(
        tensors=False,
        weighted=True,
        calibrated=False,
        diffuses=False,
        check=_check_brovey,
        size_rules=_brovey_rules,
        make_job=_make_brovey,
    ),
    "gsa": _INJECTION,
    "glp": _INJECTION,
    "glp-hpm": _INJECTION,
}
