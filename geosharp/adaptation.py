"""Adapt a model to the one scene that is being fused: `train`, short, taken where it makes it better."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geosharp.calibration import Learnt
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Progress, ProgressCallback
from geosharp.errors import InputError, OutputError, PairError, ResourceError
from geosharp.hfreqdiff.checkpoint import Header, Model, serialise
from geosharp.hfreqdiff.models import SUFFIX
from geosharp.hfreqdiff.network import HFreqdiff
from geosharp.notes import Tell
from geosharp.raster.environment import gdal_settings
from geosharp.raster.output.scratch import scratch
from geosharp.raster.output.text import write_bytes
from geosharp.raster.source import FilePath
from geosharp.tuning.account import tell_origin, tell_outcome, tell_scene
from geosharp.tuning.ground import Ground, prepare
from geosharp.tuning.identity import hash_files
from geosharp.tuning.judge import hold_contest
from geosharp.tuning.learner import WARM_UP, learns
from geosharp.tuning.recipe import MOST_STEPS, Recipe
from geosharp.tuning.tune import TrainProgress, tune
from geosharp.tuning.verdict import FEWEST, Verdict

# Weights times bands times steps that two cores (2.1 GHz, AVX-512) learn in a minute. Published: time is
# told in steps by this alone, so that the same command gives the same bits however busy the machine is.
WORK_A_MINUTE = 2e8
# How often results are looked at on the way: looks take as long however short the run.
_LOOKS = 5
# What learning takes, measured: before the first patch, and of each band of the base model's patches.
_MEMORY, _MEMORY_A_BAND = 420 * 2**20, 36 * 2**20


@dataclass(frozen=True)
class Adapted:
    """setup: with the adapted model where it is better, else as it was; content: of that model's file, None
    where there is none; facts: for the result's tags."""

    setup: Setup
    content: bytes | None
    facts: Mapping[str, Any]


def adapt(setup: Setup, learnt: Learnt, tell: Tell, progress: ProgressCallback | None = None) -> Adapted:
    """Let a copy of the setup's model learn from its scene, and take it if it is better on places kept aside.

    The whole scene, whatever part of it is fused. learnt: how the scene came about. tell: hears what comes of
    it, also where the scene teaches nothing and the model stays as it was. The same scene, model, minutes and
    seed give the same weights on the same kind of machine.
    """
    _check_memory(setup)
    base = setup.options.model
    recipe = plan_recipe(setup, base.network)
    name = setup.options.settings.name
    told = {"steps": recipe.steps, "base_sha256": base.digest, "better": False}
    needed = "room for two files, together about half as large as the MS"
    remedy = "set TMPDIR to a folder with more room, or leave --adapt out"
    try:
        with scratch(needed, remedy) as folder, gdal_settings(setup.plan.cache):
            with folder.told():
                ground = prepare(
                    setup.scene,
                    learnt.degradation,
                    folder.path,
                    errors=learnt.errors,
                    seed=recipe.seed,
                )
            _check_places(setup, ground)
            tell(
                f"adapting {name} to the scene: {recipe.steps} steps, about {setup.options.adapt:g} minutes "
                "of two cores, and a look at places kept aside whether that is better"
            )
            network, facts, verdict = _learn(setup, base, ground, recipe, learnt, progress)
    except (PairError, InputError) as error:
        reason = f"nothing can be learnt from this scene ({error.found}; needed: {error.needed})"
        tell(f"adaptation: {reason}: {name} fuses it as it is")
        return Adapted(setup, None, {**told, "verdict": reason})
    told |= {key: facts[key] for key in ("step_of_weights", "verdict", "gains")}
    if not verdict.better:
        tell(f"adaptation: {verdict.text}: {name} fuses the scene as it is")
        return Adapted(setup, None, told)
    tell(f"adaptation: {verdict.text}")
    # Draws went around the base's mean.
    content = serialise(network, None, facts, base.header.ratios)
    digest = hashlib.sha256(content).hexdigest()
    header = Header(network.architecture, None, facts, base.header.ratios)
    options = replace(setup.options, adapted=Model(network, header, digest))
    return Adapted(replace(setup, options=options), content, {**told, "better": True})


def plan_recipe(setup: Setup, network: HFreqdiff) -> Recipe:
    """The minutes as steps."""
    minutes, bands = setup.options.adapt, len(setup.scene.bands)
    assert minutes is not None
    weights = sum(each.numel() for name, each in network.named_parameters() if learns(name))
    # Fewer than the rate takes to grow teach nothing.
    steps = min(max(round(WORK_A_MINUTE * minutes / (weights * bands)), WARM_UP), MOST_STEPS)
    return Recipe(steps=steps, seed=setup.options.settings.seed, checks=_LOOKS)


def keep(adapted: Adapted, path: FilePath, tell: Tell, *, overwrite: bool) -> Path | None:
    """Write the adapted model to `path`, which was checked before; None, and why, where there is none."""
    if adapted.content is None:
        tell(f"{path} is not written: there are no better weights to keep")
        return None
    try:
        write_bytes(Path(path), adapted.content, (SUFFIX,), overwrite=overwrite)
    except OutputError as error:
        raise OutputError(
            path, error.found, error.needed, f"{error.remedy}, or leave --save-model out"
        ) from error
    tell(f"{path} holds the adapted weights: --model takes them, for this scene and others of its kind")
    return Path(path)


def _check_memory(setup: Setup) -> None:
    """Refuse to learn in less memory than that takes."""
    limit, needed = setup.plan.limits.max_memory, _MEMORY + len(setup.scene.bands) * _MEMORY_A_BAND
    if limit is not None and limit < needed:
        raise ResourceError(
            "--max-memory",
            f"{limit / 2**20:.0f} MB",
            f"about {needed / 2**20:.0f} MB to learn from {len(setup.scene.bands)} bands with --adapt",
            "give that, fewer --bands, or leave --adapt out",
        )


def _check_places(setup: Setup, ground: Ground) -> None:
    """Refuse what nobody could judge in the end."""
    if len(ground.places.held) < FEWEST:
        raise PairError(
            setup.scene.pan.name,
            f"{len(ground.places.held)} of the {FEWEST} places that tell what is better",
            "a larger scene, or one with fewer holes",
            "leave --adapt out",
        )


def _learn(
    setup: Setup,
    base: Model,
    ground: Ground,
    recipe: Recipe,
    learnt: Learnt,
    progress: ProgressCallback | None,
) -> tuple[HFreqdiff, dict[str, Any], Verdict]:
    """The network that has learnt, what it tells of itself, and whether it is better."""
    device, scene = setup.options.device, setup.scene
    tuned = tune([ground], base.network, recipe, device, progress=_shown(progress, recipe, scene.area.area))
    means, verdict = hold_contest(
        [ground], base.network, tuned.network, device, based=True, taken=tuned.taken
    )
    scenes = [tell_scene(scene, hash_files(scene), learnt.facts, ground)]
    minutes, name = f"{setup.options.adapt:g}", setup.options.settings.name
    settings = recipe.identity | {"minutes": minutes, "base": name}
    facts = tell_origin("fuse --adapt", scenes, base, settings) | tell_outcome(tuned, means, verdict)
    return tuned.network, facts, verdict


def _shown(
    progress: ProgressCallback | None, recipe: Recipe, total: int
) -> Callable[[TrainProgress], None] | None:
    """Steps as a share of the scene's pixels, from before the first look, which takes its time."""
    if progress is None:
        return None
    steps = recipe.steps or 0

    def show(done: TrainProgress) -> None:
        pixels = round(total * done.step / steps)
        progress(Progress("adapt", done.step, steps, pixels, total, done.seconds))

    show(TrainProgress(0, steps, 0.0, float("nan")))
    return show
