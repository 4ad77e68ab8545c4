"""Single bands: their own sharpness where PAN shows them, the scene's where it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geosharp.padm.bands import fit_bands
from geosharp.padm.iterate import Operator
from geosharp.padm.sample import take_sample
from tests.padm.planted import make_ground, plant

PER_BAND = [(0.30, 0.20), (0.36, 0.24), (0.25, 0.167), (0.30, 0.20)]


def test_bands_that_pan_shows_have_their_own_gains(tmp_path: Path) -> None:
    ground = make_ground(256, 4, common=0.99)
    sample = take_sample(plant(tmp_path, gains=PER_BAND, ground=ground, size=256))
    assert sample is not None
    fits = fit_bands(sample, Operator((0.3, 0.2), (0.0, 0.0)))
    np.testing.assert_allclose([fit.gains for fit in fits], PER_BAND, atol=0.02)
    assert min(fit.explained for fit in fits) > 0.9


def test_a_band_that_pan_does_not_show_has_the_scenes(tmp_path: Path) -> None:
    ground = make_ground(256, 4, common=0.99)
    ground[3] = make_ground(256, 1, seed=9)[0]
    gains = [*PER_BAND[:3], (0.1, 0.1)]
    sample = take_sample(plant(tmp_path, gains=gains, ground=ground, weights=(0.3, 0.3, 0.4, 0.0), size=256))
    assert sample is not None
    fit = fit_bands(sample, Operator((0.3, 0.2), (0.0, 0.0)))[3]
    assert fit.explained < 0.1
    assert fit.gains == pytest.approx((0.3, 0.2), abs=0.01)


def test_slopes_are_the_bands_detail_per_detail_of_pan(tmp_path: Path) -> None:
    ground = make_ground(256, 1).repeat(4, 0) * np.array([1.0, 2.0, 0.5, 1.0])[:, None, None]
    sample = take_sample(plant(tmp_path, ground=ground, weights=(1.0, 0, 0, 0)))
    assert sample is not None
    fits = fit_bands(sample, Operator((0.3, 0.3), (0.0, 0.0)))
    stds = np.array(sample.constants.stds) / sample.constants.pan_std
    np.testing.assert_allclose([fit.slope for fit in fits] * stds, [1.0, 2.0, 0.5, 1.0], rtol=0.01)
