"""Contestants are judged by the pixels that `fuse` would make of them, on what is kept aside alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from geosharp.engine.compute import Worker
from geosharp.engine.setup import Options
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.imaging.classic import Moments, Optics, Pair
from geosharp.imaging.resample import Spans
from geosharp.imaging.rules import SizeRules
from geosharp.quality.scores import METRICS
from geosharp.raster.grid import Rect
from geosharp.tuning.ground import Ground, with_held
from geosharp.tuning.judge import (
    BASE,
    CLASSICAL,
    TUNED,
    UNTRAINED,
    Contestant,
    _fuse,
    average,
    classic_contestant,
    hold_contest,
    judge,
    judge_places,
    network_contestant,
)
from tests.engine.memory import fuse_in_memory
from tests.hfreqdiff.made_model import make_model, make_network

CPU = torch.device("cpu")


def constant(value: float) -> Contestant:
    """Whatever the scene, so many DN about its bands' means."""

    def enter(optics: Optics, moments: Moments) -> tuple[Worker, SizeRules]:
        def fuse(pair: Pair, target: Spans) -> tuple[torch.Tensor, None]:
            return torch.full((len(pair.ms), *(span.stop - span.start for span in target)), value), None

        return Worker(fuse), SizeRules(1, (0, 0))

    return enter


@pytest.mark.parametrize("who", ["hfreqdiff", "glp"])
def test_pixels_are_those_of_the_engine(ground: Ground, tmp_path: Path, who: str) -> None:
    place = ground.scene.relation.pan_rect(ground.places.held[0]).intersect(ground.scene.area)
    entrant = network_contestant(make_network(), CPU) if who == "hfreqdiff" else classic_contestant(who)
    (read,) = _fuse(ground.scene, ground.optics, ground.moments, entrant, [place])
    found, _ = read(place)
    options = Options(diffusion=Diffusion(str(make_model(tmp_path)), device="cpu"))
    whole = fuse_in_memory(ground.scene, who, 512, options=options if who == "hfreqdiff" else Options())
    # The table's kernels there, the ground's here: near, not the same; another contestant is far.
    wanted = whole.data[:, *place.within(ground.scene.area)]
    apart = np.abs(found.astype(float) - wanted).mean()
    (other,) = _fuse(ground.scene, ground.optics, ground.moments, constant(0.0), [place])
    assert apart < 0.2 * np.abs(other(place)[0].astype(float) - wanted).mean()


def test_every_metric_of_both_protocols_has_a_score(ground: Ground) -> None:
    (scores,) = judge([ground], classic_contestant("glp"))
    assert {protocol: list(found) for protocol, found in scores.items()} == {
        protocol: list(metrics) for protocol, metrics in METRICS.items()
    }
    assert all(math.isfinite(value) for found in scores.values() for value in found.values())


def test_who_injects_detail_is_closer_to_the_truth_than_who_does_not(ground: Ground) -> None:
    flat = average(judge([ground], constant(0.0)))
    for name in CLASSICAL:
        scores = average(judge([ground], classic_contestant(name)))
        assert scores["reduced"]["psnr"] > flat["reduced"]["psnr"] + 6
        assert scores["full"]["hqnr"] > flat["full"]["hqnr"]


def test_nothing_but_what_is_kept_aside_is_fused(ground: Ground) -> None:
    seen: list[Rect] = []

    def enter(optics: Optics, moments: Moments) -> tuple[Worker, SizeRules]:
        def fuse(pair: Pair, target: Spans) -> tuple[torch.Tensor, None]:
            rows, cols = target
            seen.append(Rect(rows.start, cols.start, rows.stop - rows.start, cols.stop - cols.start))
            return torch.zeros(len(pair.ms), *seen[-1].shape), None

        return Worker(fuse), SizeRules(1, (0, 0))

    judge([ground], enter)
    coarse, full = seen
    assert coarse.intersect(ground.places.scored[0]) == coarse
    assert full.intersect(ground.scene.relation.pan_rect(ground.places.held[0])) == full


def test_each_place_has_its_own_score(ground: Ground) -> None:
    (core,) = ground.places.scored
    guard = ground.places.guard
    halves = [Rect(core.row, core.col + at, core.height, core.width // 2) for at in (0, core.width // 2)]
    apart = with_held(ground, tuple(half.grow(guard, guard) for half in halves))
    one, other = judge_places([apart], classic_contestant("glp"))
    assert one != other
    (both,) = judge_places([ground], classic_contestant("glp"))
    assert [both] == [scores["reduced"]["psnr"] for scores in judge([ground], classic_contestant("glp"))]


@pytest.mark.parametrize("based", [True, False])
def test_what_has_no_base_is_held_against_the_best_classical_method(ground: Ground, based: bool) -> None:
    start = make_network()
    means, verdict = hold_contest([ground], start, start, CPU, based=based, taken=True)
    assert list(means) == [BASE if based else UNTRAINED, TUNED, *CLASSICAL]
    best = max(CLASSICAL, key=lambda name: means[name]["reduced"]["psnr"])
    (gain,) = verdict.gains
    rival = BASE if based else best
    assert gain == pytest.approx(means[TUNED]["reduced"]["psnr"] - means[rival]["reduced"]["psnr"])
    assert f"keep {'the base' if based else best} (" in verdict.text
    assert based or gain != 0


def test_means_are_of_the_scenes_that_have_a_score() -> None:
    one = {"reduced": {"psnr": 30.0}, "full": {"hqnr": math.nan}}
    other = {"reduced": {"psnr": 32.0}, "full": {"hqnr": 0.5}}
    assert average([one, other]) == {"reduced": {"psnr": 31.0}, "full": {"hqnr": 0.5}}
