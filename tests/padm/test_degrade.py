"""PDegradeNet: a blur that keeps levels, and slopes that are those of its values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from geosharp.imaging.resample import nyquist_sigma
from geosharp.padm.degrade import FreeDegradeNet, PDegradeNet, gain_of, weigh_gaussian
from geosharp.padm.sample import Sample


def test_a_gain_is_that_of_its_variance() -> None:
    assert gain_of(nyquist_sigma(0.3, 2.5) ** 2, 2.5) == pytest.approx(0.3)


@pytest.mark.parametrize(("gain", "ratio"), [(0.1, 4.0), (0.4, 2.5)])
def test_a_gaussian_has_its_gain_at_nyquist(gain: float, ratio: float) -> None:
    at = np.arange(-20, 21) + 0.3
    weights = weigh_gaussian(at, gain, ratio)
    assert weights.sum() == pytest.approx(1)
    assert weights @ np.cos(np.pi / ratio * at) == pytest.approx(gain, abs=1e-3)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.3, -2.6)])
def test_weights_are_none_negative_and_sum_to_one(sample: Sample, shift: tuple[float, float]) -> None:
    net = PDegradeNet((9.0, 2.0), shift)
    inside = (..., slice(6, -6), slice(6, -6))
    ones = net(replace(sample, pan=torch.ones_like(sample.pan)))
    torch.testing.assert_close(ones, torch.ones_like(ones))
    impulses = torch.zeros_like(sample.pan)
    impulses[:, 40, 40] = 1
    assert net(replace(sample, pan=impulses)).min() >= 0
    assert net(replace(sample, pan=impulses))[inside].sum() > 0


def test_it_is_a_gaussian_about_the_moved_centre(sample: Sample) -> None:
    variances, shift = (5.0, 11.0), (0.4, -0.9)
    pan = sample.pan[0].double().numpy()
    sides = []
    for axis in range(2):
        centres = sample.centres[axis][0].numpy() + shift[axis]
        weights = np.exp(-0.5 * (np.arange(pan.shape[axis]) - centres[:, None]) ** 2 / variances[axis])
        sides.append(weights / weights.sum(1, keepdims=True))
    expected = sides[0] @ pan @ sides[1].T
    found = PDegradeNet(variances, shift)(sample)[0].detach()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("parameter", range(4))
def test_slopes_are_differences(sample: Sample, parameter: int) -> None:
    at = [6.0, 4.0, 0.3, -0.7]

    def value(step: float) -> torch.Tensor:
        moved = list(at)
        moved[parameter] += step
        with torch.no_grad():
            return PDegradeNet((moved[0], moved[1]), (moved[2], moved[3]))(sample)

    with torch.no_grad():
        found = PDegradeNet((at[0], at[1]), (at[2], at[3])).linearise(sample)
    torch.testing.assert_close(found[:, 0], value(0.0), atol=1e-6, rtol=0)
    difference = (value(0.05) - value(-0.05)) / 0.1
    torch.testing.assert_close(found[:, 1 + parameter], difference, atol=2e-3, rtol=0)


def test_its_parameters_learn_by_gradients_too(sample: Sample) -> None:
    net = PDegradeNet((6.0, 4.0), (0.0, 0.0))
    net(sample).square().sum().backward()
    assert net.variances.grad is not None
    assert net.shift.grad is not None
    assert net.variances.grad.abs().min() > 0


def test_a_free_form_is_its_knots_together(sample: Sample) -> None:
    rng = np.random.default_rng(0)
    weights = rng.random((5, 7))
    net = FreeDegradeNet(weights / weights.sum(), (1.0, 1.5), (0.4, -0.9))
    with torch.no_grad():
        parts = net.linearise(sample)
        assert parts.shape[:2] == (len(sample.rects), 35)
        together = torch.einsum("k,wkrc->wrc", net.weights.flatten().float(), parts)
        torch.testing.assert_close(net(sample), together, atol=1e-5, rtol=0)
        ones = net(replace(sample, pan=torch.ones_like(sample.pan)))
        torch.testing.assert_close(ones, torch.ones_like(ones))


def test_one_knot_is_pan_at_the_moved_centre(sample: Sample) -> None:
    ramp = torch.arange(sample.pan.shape[1], dtype=torch.float32)[:, None].expand_as(sample.pan)
    with torch.no_grad():
        found = FreeDegradeNet(np.ones((1, 1)), (1.0, 1.0), (0.3, 0.0))(replace(sample, pan=ramp))
    expected = sample.centres[0][0].float() + 0.3
    torch.testing.assert_close(found[0, :, 3], expected)
