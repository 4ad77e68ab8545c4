"""Fine-tune a model on a user's own scenes, and tell whether it is worth using."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from geosharp.calibration import Learnt, learn
from geosharp.document import make_document
from geosharp.errors import OutputError, PairError, UsageError
from geosharp.hfreqdiff.checkpoint import RATIOS, Model, serialise
from geosharp.hfreqdiff.models import SUFFIX, find_device, find_model, open_model
from geosharp.hfreqdiff.network import PRESETS, HFreqdiff
from geosharp.notes import Notes, Tell
from geosharp.quality.scores import METRICS
from geosharp.raster.environment import gdal_settings
from geosharp.raster.identity import Bands
from geosharp.raster.output.scratch import scratch
from geosharp.raster.output.target import alone
from geosharp.raster.output.text import check_text, write_bytes
from geosharp.raster.pairing import Scenes, name_pairs
from geosharp.raster.scene import Scene, open_scene
from geosharp.raster.source import FilePath
from geosharp.raster.vendors import Pair
from geosharp.tuning.account import tell_origin, tell_outcome, tell_scene
from geosharp.tuning.ground import Ground, halve, hide_across, prepare
from geosharp.tuning.identity import hash_files, identify, settings_in
from geosharp.tuning.judge import Scores, hold_contest
from geosharp.tuning.processes import joined
from geosharp.tuning.recipe import Recipe, from_nothing
from geosharp.tuning.store import Store
from geosharp.tuning.tune import Look, ProgressCallback, Tuned, tune
from geosharp.tuning.verdict import FEWEST, Verdict

NOTHING = "none"
_CACHE = 128 * 2**20
_NONE = Verdict(False, "", ())


@dataclass(frozen=True)
class TrainResult:
    """path: of the model, None where it is no better than its base (where it has none: the best classical
    method) and was not to be kept; verdict: in words; gains: dB over that one at each place it was judged by;
    protocols: scores on places kept aside, means over scenes, by protocol, by name and by metric; looks: on
    the way; step: of the weights; steps: made; facts: what the model's header tells; first: False in the
    processes that torchrun has started beside the first, which have neither scores nor a path."""

    path: Path | None
    better: bool
    verdict: str
    protocols: Mapping[str, Mapping[str, Mapping[str, float]]]
    looks: tuple[Look, ...]
    step: int
    steps: int
    seconds: float
    facts: Mapping[str, Any]
    notes: tuple[str, ...]
    gains: tuple[float, ...] = ()
    first: bool = True

    def as_json(self) -> dict[str, Any]:
        """What `geosharp train --json` prints; facts are in the model's header, which models shows."""
        names = ("better", "verdict", "gains", "protocols", "looks", "step", "steps", "seconds", "notes")
        return make_document("train/1", {"out": self.path} | {name: getattr(self, name) for name in names})


def train(
    scenes: Scenes,
    out: FilePath,
    *,
    base: FilePath = "base",
    steps: int | None = None,
    hours: float | None = None,
    seed: int = 0,
    device: str = "auto",
    align: bool = True,
    bands: Bands | None = None,
    sensor: FilePath | None = None,
    keep: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    on_note: Tell | None = None,
) -> TrainResult:
    """Fine-tune `base` on scenes and write it to `out`, a safetensors file, if that makes it better.

    scenes: (PAN, MS) pairs, MS one file or one per band; or a folder, in which names tell pairs, or a CSV
    with columns pan and ms. base: a shipped model by its name, a file, or "none" to learn from nothing.
    steps, or hours (0.1 by default). align: whether MS goes where calibration finds its content. bands,
    sensor: of every scene, as in `fuse`. keep: write it though it is no better. A run that is stopped leaves
    its state beside `out`; the same call goes on there, to the same weights. Under torchrun each process
    takes its share. Raises a GeosharpError that says what to do.
    """
    start = time.perf_counter()
    named, notes = name_pairs(scenes)
    pairs = _once(named)
    if len(pairs) < len(named):
        notes.append(f"{len(named)} scenes, {len(pairs)} of them different: each is learnt from once")
    out = Path(out)
    recipe = Recipe(steps=steps, hours=hours, seed=seed)
    if os.fspath(base) == NOTHING:
        recipe = from_nothing(recipe)
    found = _find_base(base)
    table = scenes if isinstance(scenes, str | os.PathLike) else None
    inputs = [name for pan, ms in pairs for name in (pan, *ms)]
    inputs += [os.fspath(name) for name in (table, found, sensor) if name is not None]
    check_text(out, (SUFFIX,), overwrite=overwrite, inputs=inputs)
    where = find_device(device)
    network, model = _open_base(found, seed)
    opened = [open_scene(pan, ms, bands=bands, sensor=sensor) for pan, ms in pairs]
    notes += _check_scenes(opened, RATIOS if model is None else model.header.ratios)
    with joined(where) as processes, ExitStack() as stack:
        if processes.first:
            stack.enter_context(alone(out))
        said = Notes(on_note if processes.first else None)
        said.add(*notes)
        if model is None:
            said.add("it starts from nothing: the best classical method is its rival, not the shipped models")
        if model is not None and model.header.sigma_data is not None:
            said.add("the new model has no draws: --steps 1 only, no --uncertainty")
        hashes = [hash_files(scene) for scene in opened] if processes.first else None
        identity = None
        if hashes is not None:
            identity = identify(opened, hashes, model, recipe, align=align) | _sensor_file(opened)
        store = Store.beside(out, identity)
        store.check()  # Another run's is refused before there is any work.
        needed = "room for two files per scene, together about half as large as its MS"
        remedy = "set TMPDIR to a folder with more room, or train on fewer scenes"
        folder = stack.enter_context(scratch(needed, remedy))
        stack.enter_context(gdal_settings(_CACHE))
        learnt = [_learn(scene, align, said, len(opened) > 1) for scene in opened]
        with folder.told():
            grounds, overlapping = hide_across(_prepare(opened, learnt, folder.path, seed))
        if overlapping:
            said.add(f"{overlapping} scenes overlap: what one keeps aside is hidden in the others, too")
        said.add(_tell_start(recipe, grounds, where))
        tuned = tune(
            grounds,
            network,
            recipe,
            where,
            store=store,
            processes=processes,
            progress=progress,
            tell=said.add,
        )
        if identity is None or hashes is None:
            return _result(tuned, start, said, first=False)
        means, verdict = hold_contest(
            grounds, network, tuned.network, where, based=model is not None, taken=tuned.taken
        )
        told = [
            tell_scene(scene, digests, known.facts, ground)
            for scene, digests, known, ground in zip(opened, hashes, learnt, grounds, strict=True)
        ]
        settings = settings_in(identity) | {"base": Path(base).name}
        facts = tell_origin("train", told, model, settings) | tell_outcome(tuned, means, verdict)
        facts["seconds"] = round(tuned.seconds, 1)
        written = verdict.better or keep
        if written:
            ratios = RATIOS if model is None else model.header.ratios
            _write(out, tuned.network, facts, ratios, overwrite=overwrite)
            store.discard()
        else:
            said.add(f"kept in {store.path}: the same command with --keep writes it; remove it to train anew")
    return _result(tuned, start, said, out if written else None, means, facts, verdict)


def _result(
    tuned: Tuned,
    start: float,
    said: Notes,
    path: Path | None = None,
    means: Mapping[str, Scores] = MappingProxyType({}),
    facts: Mapping[str, Any] = MappingProxyType({}),
    verdict: Verdict = _NONE,
    *,
    first: bool = True,
) -> TrainResult:
    return TrainResult(
        path=path,
        better=verdict.better,
        verdict=verdict.text,
        protocols={
            protocol: {name: scores[protocol] for name, scores in means.items()} for protocol in METRICS
        },
        looks=tuned.looks,
        step=tuned.step,
        steps=tuned.steps,
        seconds=time.perf_counter() - start,
        facts=facts,
        notes=tuple(said.told),
        gains=verdict.gains,
        first=first,
    )


def state_beside(out: FilePath) -> Path:
    """Where a run that was stopped leaves its state."""
    return Store.beside(Path(out), {}).path


def _once(pairs: Sequence[Pair]) -> list[Pair]:
    """Each pair once: places of one scene are one evidence, and may not choose here and judge there."""
    return list({tuple(map(os.path.realpath, (pan, *ms))): (pan, ms) for pan, ms in pairs}.values())


def _find_base(base: FilePath) -> Path | None:
    """The file of the model to start from; None where there is to be none."""
    if os.fspath(base) == NOTHING:
        return None
    try:
        return find_model(base)
    except UsageError as error:
        needed = f"{error.needed}, or {NOTHING}"
        raise UsageError("--base", error.found, needed, error.remedy) from error


def _open_base(base: Path | None, seed: int) -> tuple[HFreqdiff, Model | None]:
    """The network to start from, and the model it is of; None where it starts from nothing."""
    if base is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return HFreqdiff(PRESETS["small"]).eval(), None
    model = open_model(base, torch.device("cpu"))
    return model.network, model


def _sensor_file(scenes: Sequence[Scene]) -> dict[str, str]:
    """What tells runs with other sensor files apart; all scenes are of one, or of none."""
    origin = scenes[0].sensor.origin
    return {} if origin is None else {"sensor file": origin.digest}


def _check_scenes(scenes: Sequence[Scene], ratios: tuple[float, float]) -> list[str]:
    """Refuse scenes at ratios that the base does not serve; notes on what scenes differ in."""
    for scene in scenes:
        if not all(ratios[0] <= ratio <= ratios[1] for ratio in scene.relation.ratio):
            found = " x ".join(f"{ratio:g}" for ratio in dict.fromkeys(scene.relation.ratio))
            raise PairError(
                f"{scene.pan.name} and {scene.ms[0].name}",
                f"{found} PAN pixels an MS pixel",
                f"{ratios[0]:g} to {ratios[1]:g} of them, which the network serves",
                "leave this scene out" if len(scenes) > 1 else "train on scenes of such a ratio",
            )
    notes = [f"{scene.pan.name}: {note}" for scene in scenes for note in scene.notes]
    kinds = {
        "sensors": {scene.sensor.title for scene in scenes},
        "ratios": {f"{scene.relation.ratio[0]:.3g}" for scene in scenes},
        "numbers of bands": {str(len(scene.bands)) for scene in scenes},
    }
    for what, values in kinds.items():
        if len(values) > 1:
            notes.append(
                f"scenes of {len(values)} {what} ({', '.join(sorted(values))}): one model learns all"
            )
    return notes


def _learn(scene: Scene, align: bool, said: Notes, several: bool) -> Learnt:
    learnt = learn(scene, align=align)
    name = f"{scene.pan.name}: " if several else ""
    said.add(f"{name}{scene.sensor.title}, calibration {learnt.summary}")
    for note in learnt.notes:
        said.add(f"{name}{note}")
    return learnt


def _prepare(scenes: Sequence[Scene], learnt: Sequence[Learnt], folder: Path, seed: int) -> list[Ground]:
    grounds = []
    for number, (scene, known) in enumerate(zip(scenes, learnt, strict=True)):
        place = folder / str(number)
        place.mkdir()
        ground = prepare(scene, known.degradation, place, errors=known.errors, seed=seed, scenes=len(scenes))
        grounds.append(ground)
    return grounds


def _tell_start(recipe: Recipe, grounds: Sequence[Ground], device: torch.device) -> str:
    """How many steps hours are is told once they are timed."""
    held = _count_held(grounds)
    blocks = held + sum(len(ground.places.taught) for ground in grounds)
    choosing, judging = map(_count_held, halve(grounds))
    length = "" if recipe.steps is None else f" for {recipe.steps} steps"
    kept = f"{held} of {blocks} places are kept aside"
    if held < FEWEST:
        use = f"too few to tell what is better: give more scenes, or larger ones, for {FEWEST}"
    elif judging == held:
        use = "they choose the weights and judge them"
    else:
        use = f"{choosing} choose the weights at looks on the way, {judging} others judge them at the end"
    return f"learning{length} on {device.type}; {kept}: {use}"


def _count_held(grounds: Sequence[Ground]) -> int:
    return sum(len(ground.places.held) for ground in grounds)


def _write(
    out: Path, network: HFreqdiff, facts: Mapping[str, Any], ratios: tuple[float, float], *, overwrite: bool
) -> None:
    try:
        # Draws went around another mean.
        content = serialise(network, None, facts, ratios)
        write_bytes(out, content, (SUFFIX,), overwrite=overwrite)
    except OutputError as error:
        remedy = "make room, or pass --overwrite where a file is in its place: the same command ends the run"
        raise OutputError(out, error.found, error.needed, remedy) from error
