"""The rules that the methods state for the tiler are enough, and not much more than enough."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from geosharp.imaging.classic import METHODS, inject, size_rules
from geosharp.imaging.resample import Span
from geosharp.imaging.rules import SizeRules
from tests.imaging.synthetic import Synthetic, cut_pair, make_synthetic


@pytest.fixture(scope="module", params=[(4.000245, (0.5, -0.5)), (2.0, (-0.5, 0.5))], ids=str)
def scene(request: pytest.FixtureRequest) -> Synthetic:
    ratio, offset = request.param
    return make_synthetic(shape=(288, 304), ratio=ratio, offset=offset, gains=(0.3, 0.15, 0.3))


@pytest.mark.parametrize("method", METHODS)
def test_what_lies_beyond_the_halo_changes_no_bit(scene: Synthetic, method: str) -> None:
    injection = METHODS[method](scene.moments)
    rows, cols = scene.whole()
    target = (Span(rows.start + 29, rows.start + 84), Span(cols.start + 25, cols.start + 91))
    expected = scene.fuse(injection, target)
    near = cut_pair(scene.pair, scene.optics, target)
    for which, spans in (("pan", near.pan_spans), ("ms", near.ms_spans)):
        x = getattr(scene.pair, which)
        (top, left) = (span.start for span in getattr(scene.pair, f"{which}_spans"))
        changed = x + 1e4
        inside = (
            slice(spans[0].start - top, spans[0].stop - top),
            slice(spans[1].start - left, spans[1].stop - left),
        )
        changed[:, *inside] = x[:, *inside]
        pair = dataclasses.replace(scene.pair, **{which: changed})
        assert torch.equal(inject(pair, injection, scene.optics, target), expected)


def test_the_halo_is_the_reach_of_both_kernels_and_not_twice_that(scene: Synthetic) -> None:
    rules = size_rules(scene.optics)
    assert isinstance(rules, SizeRules)
    assert rules.multiple == 1
    for reach, axis in zip(rules.halo, scene.optics.axes, strict=True):
        # Seven MS pixels of interpolation and filling, and four standard deviations of the widest Gaussian.
        sigma = axis.ratio / math.pi * math.sqrt(-2 * math.log(min(scene.optics.gains)[0]))
        assert 7 * axis.ratio + 4 * sigma <= reach <= 10 * axis.ratio + 4 * sigma + 2
