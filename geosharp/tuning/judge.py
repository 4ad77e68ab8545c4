"""What networks and classical methods are worth on places kept aside, by the engine's own path."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from geosharp.engine.compute import TensorJob, Worker
from geosharp.engine.plan import Plan
from geosharp.engine.setup import Setup
from geosharp.hfreqdiff.checkpoint import Header, Model
from geosharp.hfreqdiff.network import HFreqdiff
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.hfreqdiff.sharpen import Sharpener, size_rules
from geosharp.imaging import classic
from geosharp.imaging.classic import Moments, Optics, Pair
from geosharp.imaging.resample import Spans
from geosharp.imaging.rules import SizeRules
from geosharp.quality.coarsening import Read
from geosharp.quality.protocol import FullScoring, ReducedScoring, find_peak
from geosharp.raster.area import Area
from geosharp.raster.content import fused_pixels
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader
from geosharp.raster.source import Array, Mask
from geosharp.tuning.ground import Ground, halve, with_held
from geosharp.tuning.verdict import Verdict, decide

# By protocol ("reduced", "full") and metric, see quality.scores.METRICS.
Scores = Mapping[str, Mapping[str, float]]
# Who is compared in the end: what is learnt, what it started from, and classical methods.
BASE, UNTRAINED, TUNED = "base", "untrained", "fine-tuned"
CLASSICAL = ("gsa", "glp", "glp-hpm")
# Coarse pixels at the rim of a scene that are not scored: their surroundings are not all there.
_BORDER = 2
_MEAN = Diffusion(device="cpu")

# Optics and moments of a scene -> what fuses its tiles, and what that needs around them.
Contestant = Callable[[Optics, Moments], tuple[Worker, SizeRules]]


def network_contestant(network: HFreqdiff, device: torch.device) -> Contestant:
    """The mean, as `fuse` makes it."""
    model = Model(network, Header(network.architecture, None, {}), "")

    def enter(optics: Optics, moments: Moments) -> tuple[Worker, SizeRules]:
        sharpener = Sharpener(model, optics, moments, _MEAN, device)
        return Worker(sharpener.sharpen, device), size_rules(network, optics, _MEAN)

    return enter


def classic_contestant(method: str) -> Contestant:
    """One of CLASSICAL."""

    def enter(optics: Optics, moments: Moments) -> tuple[Worker, SizeRules]:
        injection = classic.METHODS[method](moments)

        def fuse(pair: Pair, target: Spans) -> tuple[Tensor, None]:
            return classic.inject(pair, injection, optics, target), None

        return Worker(fuse), classic.size_rules(optics)

    return enter


def hold_contest(
    grounds: Sequence[Ground],
    start: HFreqdiff,
    tuned: HFreqdiff,
    device: torch.device,
    *,
    based: bool,
    taken: bool,
) -> tuple[dict[str, Scores], Verdict]:
    """Means over scenes by contestant, on the places that judge; and whether `tuned` is better than `start`,
    its base, or, where it is not based on a model, than the best classical method.

    taken: whether it was found better on the places that chose.
    """
    _, judging = halve(grounds)
    # A copy: others may compute with the model on the CPU.
    began = network_contestant(copy.deepcopy(start).to(device), device)
    entrants = {BASE if based else UNTRAINED: began, TUNED: network_contestant(tuned, device)}
    entrants |= {name: classic_contestant(name) for name in CLASSICAL}
    means: dict[str, Scores] = {name: average(judge(judging, each)) for name, each in entrants.items()}
    best = max(CLASSICAL, key=lambda name: means[name]["reduced"]["psnr"])
    rival, named = (BASE, f"the {BASE}") if based else (best, best)
    places = [judge_places(judging, entrants[name]) for name in (TUNED, rival)]
    pairs = list(zip(*places, strict=True))
    return means, decide(means[TUNED], means[rival], named, pairs, taken=taken)


def judge(grounds: Sequence[Ground], contestant: Contestant) -> list[Scores]:
    """Scores on each ground's places kept aside: against its MS one level down, and without a reference."""
    return [
        {"reduced": _judge_reduced(ground, contestant), "full": _judge_full(ground, contestant)}
        for ground in grounds
    ]


def judge_places(grounds: Sequence[Ground], contestant: Contestant) -> list[float]:
    """PSNR against the MS at each place kept aside, of one ground after the other."""
    return [
        _judge_reduced(with_held(ground, (place,)), contestant)["psnr"]
        for ground in grounds
        for place in ground.places.held
    ]


def average(scores: Sequence[Scores]) -> dict[str, dict[str, float]]:
    """The mean over scenes of each score, of those that have one."""
    return {
        protocol: {
            metric: _mean([each[protocol][metric] for each in scores]) for metric in scores[0][protocol]
        }
        for protocol in ("reduced", "full")
    }


def _judge_reduced(ground: Ground, contestant: Contestant) -> dict[str, float]:
    rim = [math.ceil(_BORDER * ratio) for ratio in ground.scene.relation.ratio]
    inner = ground.coarse.area.grow(-rim[0], -rim[1])
    places = [place for core in ground.places.scored if not (place := core.intersect(inner)).empty]
    peak = max((find_peak(ground.scene, place) for place in places), default=0.0)
    scoring = ReducedScoring(ground.scene, peak)
    with SceneReader(ground.scene) as reader:
        fused = _fuse(ground.coarse, ground.coarse_optics, ground.coarse_moments, contestant, places)
        for place, read in zip(places, fused, strict=True):
            scoring.add(reader, read, place)
    return scoring.results()


def _judge_full(ground: Ground, contestant: Contestant) -> dict[str, float]:
    scene = ground.scene
    places = [scene.relation.pan_rect(held).intersect(scene.area) for held in ground.places.held]
    scoring = FullScoring(scene, ground.degradation)
    with SceneReader(scene) as reader:
        fused = _fuse(scene, ground.optics, ground.moments, contestant, places)
        for place, read in zip(places, fused, strict=True):
            scoring.add(reader, read, place)
    return scoring.results()


def _fuse(
    scene: Scene, optics: Optics, moments: Moments, contestant: Contestant, places: Sequence[Rect]
) -> Iterator[Read]:
    """Each place fused as a tile."""
    worker, rules = contestant(optics, moments)
    area = Area(scene.area)
    pixels = fused_pixels(scene, area, None)
    side = max((max(place.shape) for place in places), default=1)
    plan = Plan(area, side, None, rules.halo, readers=1, threads=1, memory=0, cache=0)
    job = TensorJob(Setup(scene, "", pixels, plan), moments, [worker])
    handle = job.open_reader()
    try:
        for place in places:
            patch = handle.read(place)
            fused = None if patch is None else job.compute(place, patch)
            shape = len(scene.bands), *place.shape
            if fused is None:
                yield _reading(place, np.zeros(shape, pixels.dtype), np.zeros(place.shape, bool))
            else:
                yield _reading(place, fused.data, fused.valid)
    finally:
        handle.close()


def _reading(place: Rect, data: Array, valid: Mask | None) -> Read:
    """Reads (band, row, col) `data` of `place`; beyond it nothing is valid."""
    if valid is None:
        valid = np.ones(place.shape, bool)

    def read(rect: Rect) -> tuple[Array, Mask | None]:
        found, seen = np.zeros((len(data), *rect.shape), data.dtype), np.zeros(rect.shape, bool)
        both = rect.intersect(place)
        if not both.empty:
            found[:, *both.within(rect)] = data[:, *both.within(place)]
            seen[both.within(rect)] = valid[both.within(place)]
        return found, None if seen.all() else np.broadcast_to(seen, found.shape)

    return read


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan
