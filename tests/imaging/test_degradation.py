from __future__ import annotations

import numpy as np
import pytest
import torch

from geosharp.imaging.degradation import Degradation, degrade_bands
from geosharp.imaging.resample import Axis, Span, degrade

AXES = Axis(4.0, 0.5), Axis(3.7, -1.25)
SOURCE, TARGET = (Span(-60, 110), Span(-60, 110)), (Span(0, 10), Span(0, 12))


def ramp(step_row: float, step_col: float) -> torch.Tensor:
    """PAN pixel centres' coordinates, weighted."""
    rows, cols = (torch.arange(span.start, span.stop) + 0.5 for span in SOURCE)
    return (step_row * rows[:, None] + step_col * cols[None])[None]


def test_content_is_taken_from_where_the_axes_say() -> None:
    low, _ = degrade_bands(ramp(1.0, 100.0), None, SOURCE, TARGET, AXES, ((0.3, 0.3),), 0.5)
    rows, cols = (
        axis.offset + axis.ratio * (np.arange(span.start, span.stop) + 0.5)
        for axis, span in zip(AXES, TARGET, strict=True)
    )
    np.testing.assert_allclose(low[0].numpy(), rows[:, None] + 100 * cols[None], atol=2e-2)


def test_each_band_is_blurred_by_its_own_gain() -> None:
    x = torch.from_numpy(np.random.default_rng(3).normal(size=(2, 170, 170)).astype(np.float32))
    valid = torch.ones_like(x)
    valid[1, 80:, 80:] = 0
    low, seen = degrade_bands(x * valid, valid, SOURCE, TARGET, AXES, ((0.2, 0.3), (0.5, 0.5)), 0.5)
    assert torch.equal(low[:1], degrade(x[:1], SOURCE, TARGET, AXES, (0.2, 0.3)))
    assert not torch.equal(low[:1], degrade(x[:1], SOURCE, TARGET, AXES, (0.3, 0.2)))
    assert seen is not None
    assert bool(seen[0].all())
    assert 0 < seen[1].mean() < 1


@pytest.mark.parametrize("gain", [0.03, 0.3, 0.6])
def test_the_reach_is_enough_along_both_axes(gain: float) -> None:
    how = Degradation(((0.5, gain), (gain, 0.3)), (0.2, 0.2))
    rows, cols = how.reach(AXES)
    need = tuple(
        Span(
            int(axis.offset + axis.ratio * span.start) - reach,
            round(axis.offset + axis.ratio * span.stop) + reach,
        )
        for axis, span, reach in zip(AXES, TARGET, (rows, cols), strict=True)
    )
    x = torch.ones(2, *(span.stop - span.start for span in need))
    low, _ = degrade_bands(x, None, (need[0], need[1]), TARGET, AXES, how.gains, 0.5)
    torch.testing.assert_close(low, torch.ones_like(low))


def test_the_mean_gain_is_that_of_the_bands() -> None:
    assert Degradation(((0.2, 0.1), (0.4, 0.5)), (0.9, 0.9)).mean_gain == pytest.approx((0.3, 0.3))


def test_gains_that_are_alike_are_told_once() -> None:
    how = Degradation.alike([0.2, 0.4], 0.15, (0.5, 0.0))
    assert how == Degradation(((0.2, 0.2), (0.4, 0.4)), (0.15, 0.15), (0.5, 0.0))
    assert how.unshifted == Degradation.alike([0.2, 0.4], 0.15)
