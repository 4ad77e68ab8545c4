"""The mutual iteration climbs, and ends where the degradation was planted."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from geosharp.padm.iterate import GAINS, MOST_SHIFT, Operator, explain, fit_align, iterate, take_products
from geosharp.padm.sample import Sample
from tests.padm.conftest import GAINS as PLANTED
from tests.padm.conftest import SHIFT

STARTS = [((0.3, 0.3), (0.0, 0.0)), ((0.02, 0.7), (1.0, -2.0)), ((0.65, 0.05), (2.0, -3.0))]


@pytest.mark.parametrize(("gains", "shift"), STARTS)
def test_it_climbs_to_what_was_planted(
    sample: Sample, gains: tuple[float, float], shift: tuple[float, float]
) -> None:
    fit = iterate(sample, Operator(gains, shift))
    assert fit.converged
    assert fit.operator.apart(Operator(PLANTED, SHIFT))[0] < 0.005
    assert fit.operator.apart(Operator(PLANTED, SHIFT))[1] < 0.02
    losses = [step.align for step in fit.history] + [1 - fit.explained]
    assert all(after <= before + 1e-6 for before, after in itertools.pairwise(losses))
    # PDegradeNet's half-step lowers what PAlignNet's left, and the other way round.
    assert all(step.degrade <= step.align + 1e-6 for step in fit.history)


def test_the_quick_way_explains_as_much(sample: Sample) -> None:
    operator = Operator((0.3, 0.2), (0.5, 0.1))
    long_way = fit_align(take_products(sample, operator.net(sample.ratio)))[1]
    assert explain(sample, operator) == pytest.approx(long_way, abs=1e-6)


def test_what_is_explained_is_a_share(sample: Sample) -> None:
    operator = Operator((0.3, 0.2), (0.5, 0.1))
    weights, explained = fit_align(take_products(sample, operator.net(sample.ratio)))
    low = sample.high_pass(operator.net(sample.ratio)(sample)[:, None])[:, 0].detach()
    mixed = torch.einsum("b,wbrc->wrc", torch.from_numpy(weights).float(), sample.ms)
    left = (low - mixed).square().sum() / low.square().sum()
    assert explained == pytest.approx(1 - float(left), abs=1e-5)


@pytest.mark.parametrize(("gains", "shift"), STARTS)
def test_it_never_leaves_its_bounds(
    sample: Sample, gains: tuple[float, float], shift: tuple[float, float]
) -> None:
    # PAN turned upside down fits nowhere: steps lead anywhere.
    fit = iterate(replace(sample, pan=sample.pan.flip(1)), Operator(gains, shift))
    for step in fit.history:
        assert np.clip(step.operator.gains, *GAINS).tolist() == list(step.operator.gains)
        assert max(map(abs, step.operator.shift)) <= MOST_SHIFT
