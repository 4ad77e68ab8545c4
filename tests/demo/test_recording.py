"""Laws of the made satellite: deterministic, 11 bit, of the stated MTF, MS in register with PAN."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from geosharp.demo.ground import make_scene
from geosharp.demo.recording import degrade, observe
from geosharp.errors import UsageError


@cache
def truth() -> np.ndarray:
    return make_scene((192, 256), 2)


def test_pan_is_fine_ms_coarse_and_both_are_11_bit() -> None:
    pan, ms = observe(truth(), ratio=4)
    assert pan.shape == (1, 192, 256)
    assert ms.shape == (4, 48, 64)
    assert pan.dtype == ms.dtype == np.uint16
    assert max(pan.max(), ms.max()) <= 2047
    bright, _ = observe(2 * truth() + 2000)
    assert bright.max() == 2047


def test_the_same_seed_gives_the_same_pair_and_another_other_noise() -> None:
    first, again, other = (observe(truth(), seed=seed) for seed in (1, 1, 2))
    for image, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(image, same)
        assert (image != different).any()


@pytest.mark.parametrize("ratio", [2, 4])
def test_ms_is_the_degraded_truth_within_its_noise(ratio: int) -> None:
    gains, snr = (0.34, 0.32, 0.30, 0.22), 80.0
    _, ms = observe(truth(), ratio=ratio, ms_gains=gains, snr=snr)
    for band, gain, seen in zip(truth(), gains, ms, strict=True):
        clean = degrade(band, gain, ratio)
        sigma = clean.mean() / snr
        error = seen - clean
        assert error.std() == pytest.approx(math.hypot(sigma, 1 / math.sqrt(12)), rel=0.1)
        assert abs(error.mean()) < 0.2 * sigma


def test_without_noise_only_rounding_remains() -> None:
    _, ms = observe(truth(), ms_gains=(0.3,) * 4, snr=math.inf)
    clean = np.stack([degrade(band, 0.3, 4) for band in truth()])
    assert np.abs(ms - clean).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("ratio", [2, 3, 4])
@pytest.mark.parametrize("gain", [0.1, 0.35])
def test_a_wave_at_nyquist_keeps_the_stated_gain(ratio: int, gain: float) -> None:
    col = np.arange(64 * ratio) + 0.5
    # Crests on the coarse pixels' centres.
    wave = np.cos(math.pi * (col / ratio - 0.5))
    seen = degrade(np.tile(wave, (64 * ratio, 1)), gain, ratio)
    assert seen.shape == (64, 64)
    inner = np.abs(seen[16:-16, 16:-16])
    assert inner.min() == pytest.approx(gain, abs=0.01)
    assert inner.max() == pytest.approx(gain, abs=0.01)


@pytest.mark.parametrize("ratio", [1, 2, 3, 4])
def test_degrading_keeps_a_ramp_where_it_is(ratio: int) -> None:
    size = 32 * ratio
    row, col = np.mgrid[:size, :size] + 0.5
    seen = degrade(row + 3 * col, 0.3, ratio)
    coarse_row, coarse_col = (np.mgrid[:32, :32] + 0.5) * ratio
    inner = np.s_[8:-8, 8:-8]
    np.testing.assert_allclose(seen[inner], (coarse_row + 3 * coarse_col)[inner], rtol=1e-5)


def test_pan_is_nearly_but_not_quite_a_mix_of_the_bands() -> None:
    gain = 0.999  # hardly any blur, so that only the spectra differ
    pan, _ = observe(truth(), pan_gain=gain, snr=math.inf)
    mix = np.concatenate([truth().reshape(4, -1), np.ones((1, truth()[0].size))])
    weights, *_ = np.linalg.lstsq(mix.T, pan.ravel().astype(float))
    rest = pan.ravel() - weights @ mix
    explained = 1 - rest.var() / pan.var()
    assert 0.95 < explained < 0.9999


def test_an_even_grey_ground_is_as_bright_to_pan_as_to_ms() -> None:
    pan, ms = observe(np.full((4, 32, 32), 700.0), spectral_weights=(1, 2, 3, 4), snr=math.inf)
    assert (pan == 700).all()
    assert (ms == 700).all()


def test_less_gain_is_a_smoother_pan() -> None:
    sharp, soft = (observe(truth(), pan_gain=gain, snr=math.inf)[0].astype(float) for gain in (0.4, 0.05))
    assert np.abs(np.diff(soft)).mean() < 0.9 * np.abs(np.diff(sharp)).mean()


def test_a_shape_that_the_ratio_does_not_divide_is_told() -> None:
    with pytest.raises(UsageError, match="192 x 256 at ratio 5"):
        observe(truth(), ratio=5)
