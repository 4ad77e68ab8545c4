"""The methods by name: what each asks of the tiler, and how it becomes a job.

torch is imported when a method that needs it is used: Brovey starts without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geosharp.engine.setup import Setup
from geosharp.engine.stream import Job
from geosharp.imaging.rules import SizeRules
from geosharp.raster.brovey import check_brovey
from geosharp.raster.scene import Scene

if TYPE_CHECKING:
    from geosharp.imaging.degradation import Degradation

DEFAULT_METHOD = "glp"
# Below this correlation of details a band is said to have little in common with PAN.
_LITTLE = 0.3
# MS pixels below which what was learnt is said to be uncertain.
_ENOUGH = 1000
# Whole numbers up to here are exact in float32.
_EXACT = 2**24

Tell = Callable[[str], None]
Weights = Sequence[float]


@dataclass(frozen=True)
class Method:
    """tensors: whether it computes with torch; weighted: whether it takes weights; calibrated: whether it
    takes a degradation, and MS aligned. check refuses scenes and weights that it cannot work with; make_job
    decides what is global for the scene, and tells what a user should know."""

    tensors: bool
    weighted: bool
    calibrated: bool
    check: Callable[[Scene, Weights | None], None]
    size_rules: Callable[[Scene, Degradation | None], SizeRules]
    make_job: Callable[[Setup, Tell], Job]


def _check_brovey(scene: Scene, weights: Weights | None) -> None:
    check_brovey(scene.pan, scene.ms, len(scene.bands), weights)


def _brovey_rules(scene: Scene, degradation: Degradation | None) -> SizeRules:
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
    return BroveyJob(scene, setup.weights, plan.area, pixels, plan.threads)


def _check_nothing(scene: Scene, weights: Weights | None) -> None:
    """Whatever opens as a scene can be fused."""


def _injection_rules(scene: Scene, degradation: Degradation | None) -> SizeRules:
    from geosharp.engine.tensors import optics_of
    from geosharp.imaging.classic import size_rules
    from geosharp.padm.table import table_degradation

    return size_rules(optics_of(scene, degradation or table_degradation(scene)))


def _make_injection(setup: Setup, tell: Tell) -> Job:
    from geosharp.engine.inject import InjectionJob
    from geosharp.engine.sampling import sample_moments

    scene = setup.scene
    limits = scene.value_range
    if scene.dtype == "float64" or (limits is not None and max(-limits[0], limits[1]) > _EXACT):
        tell(f"{scene.dtype} pixels are computed in float32, which holds about seven digits")
    moments = sample_moments(scene, setup.known_degradation)
    if moments.count < _ENOUGH:
        tell(f"only {moments.count} valid MS pixels to learn from: the gains are uncertain")
    for band, correlation in zip(scene.bands, moments.detail_correlation(), strict=True):
        if correlation < _LITTLE and setup.method != "exp":
            tell(
                f"{band.name}: its detail has little in common with PAN's (correlation {correlation:.2f}), "
                "so it gets little of it"
            )
    return InjectionJob(setup, moments)


_INJECTION = Method(
    tensors=True,
    weighted=False,
    calibrated=True,
    check=_check_nothing,
    size_rules=_injection_rules,
    make_job=_make_injection,
)
METHODS = {
    "exp": replace(_INJECTION, calibrated=False),
    "brovey": Method(
        tensors=False,
        weighted=True,
        calibrated=False,
        check=_check_brovey,
        size_rules=_brovey_rules,
        make_job=_make_brovey,
    ),
    "gsa": _INJECTION,
    "glp": _INJECTION,
    "glp-hpm": _INJECTION,
}
