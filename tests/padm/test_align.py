"""PAlignNet: the mix of bands nearest to PAN degraded, never with less than nothing of a band."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geosharp.padm.align import PAlignNet, fit_response


def problem(seed: int, bands: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(bands, 40)) + 2 * rng.normal(size=40)
    target = rng.normal(size=bands) @ values + rng.normal(size=40)
    return values @ values.T, values @ target


@pytest.mark.parametrize("seed", range(20))
def test_no_other_non_negative_mix_is_nearer(seed: int) -> None:
    cov, cross = problem(seed)
    weights = fit_response(cov, cross)
    assert (weights >= 0).all()
    slope = cov @ weights - cross
    # Karush, Kuhn and Tucker: level in the weights that are free, uphill in those that are not.
    tolerance = 1e-6 * np.abs(cross).max()
    assert np.abs(slope[weights > 0]).max(initial=0) < tolerance
    assert (slope > -tolerance).all()


def test_it_is_least_squares_where_that_is_positive() -> None:
    cov, _ = problem(1)
    planted = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    np.testing.assert_allclose(fit_response(cov, cov @ planted), planted, rtol=1e-6)


def test_a_band_that_shows_nothing_weighs_nothing() -> None:
    cov, cross = problem(2)
    cov[3], cov[:, 3], cross[3] = 0, 0, 0
    assert fit_response(cov, cross)[3] == 0
    assert not fit_response(np.zeros((3, 3)), np.zeros(3)).any()


def test_two_bands_that_are_one_share() -> None:
    cov, cross = np.ones((2, 2)), np.ones(2)
    assert fit_response(cov, cross).sum() == pytest.approx(1, abs=1e-6)


def test_it_mixes_bands() -> None:
    ms = torch.rand(3, 2, 5, 4)
    mixed = PAlignNet(np.array([0.25, 2.0]))(ms)
    torch.testing.assert_close(mixed, 0.25 * ms[:, 0] + 2 * ms[:, 1])
