from __future__ import annotations

import dataclasses
import math
from functools import cache

import numpy as np
import pytest
import torch

from geosharp.imaging.classic import METHODS, Injection, Moments, Optics, inject
from geosharp.imaging.resample import Axis, Span
from tests.imaging.synthetic import Synthetic, direct_moments, make_synthetic, psnr
from tests.made import texture

WITH_DETAIL = ["gsa", "glp", "glp-hpm"]
LINEAR = ["exp", "gsa", "glp"]


@cache
def odd_scene() -> Synthetic:
    """A non-integer ratio, half a pixel off, two kernels, holes in PAN and in MS."""
    scene = make_synthetic(ratio=4.000245, offset=(0.5, -0.5), gains=(0.3, 0.15, 0.3))
    pan_valid = np.ones(scene.pair.pan.shape, bool)
    pan_valid[:, 120:160, 100:131] = False
    pan_valid[:, 90, 200] = False
    pan_valid[:, :, :60] = False
    ms_valid = np.ones(scene.pair.ms.shape, bool)
    ms_valid[:, 30:34, 40:55] = False
    ms_valid[1, 20:23, 20:23] = False
    return scene.with_masks(pan_valid, ms_valid)


@cache
def plain_scene() -> Synthetic:
    return make_synthetic()


def swapped(x: np.ndarray, order: list[int]) -> np.ndarray:
    """Moments' rows of the bands put into another order."""
    b = len(order)
    index = [*order, *(b + i for i in order), 2 * b]
    return x[index] if x.ndim == 1 else x[np.ix_(index, index)]


def rescaled(moments: Moments, by: float) -> Moments:
    return Moments(moments.count, moments.means * by, moments.cov * by**2, moments.detail_cov * by**2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tile", [64, 100, 33])
def test_tiles_of_any_size_give_the_bits_of_the_whole(method: str, tile: int) -> None:
    scene = odd_scene()
    injection = METHODS[method](scene.moments)
    assert torch.equal(scene.fuse_in_tiles(injection, tile), scene.fuse(injection))


@pytest.mark.parametrize("method", METHODS)
def test_constant_bands_stay_constant(method: str) -> None:
    truth = plain_scene().truth.copy()
    truth[1] = 700.0
    scene = make_synthetic(truth=truth)
    fused = scene.fuse(METHODS[method](scene.moments))
    assert float(fused[1].abs().max()) < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_pan_adds_nothing(method: str) -> None:
    scene = plain_scene()
    means, cov = scene.moments.means.copy(), scene.moments.cov.copy()
    detail = scene.moments.detail_cov.copy()
    cov[3:], cov[:, 3:], detail[3:], detail[:, 3:] = 0, 0, 0, 0
    flat = dataclasses.replace(scene.pair, pan=torch.zeros_like(scene.pair.pan))
    scene = dataclasses.replace(scene, pair=flat, moments=Moments(100, means, cov, detail))
    assert torch.equal(scene.fuse(METHODS[method](scene.moments)), scene.fuse(METHODS["exp"](scene.moments)))


@pytest.mark.parametrize("method", METHODS)
def test_dn_times_three_give_three_times_the_result(method: str) -> None:
    scene = plain_scene()
    fused = scene.fuse(METHODS[method](scene.moments))
    pair = dataclasses.replace(scene.pair, pan=3 * scene.pair.pan, ms=3 * scene.pair.ms)
    scaled = dataclasses.replace(scene, pair=pair, moments=rescaled(scene.moments, 3))
    again = scaled.fuse(METHODS[method](scaled.moments))
    assert torch.allclose(again, 3 * fused, rtol=1e-5, atol=2e-2)


@pytest.mark.parametrize("method", LINEAR)
def test_dn_plus_a_hundred_only_move_the_centres(method: str) -> None:
    """What is injected is centred: the shift is in the means alone, which no linear method may use."""
    scene = plain_scene()
    moved = dataclasses.replace(scene.moments, means=scene.moments.means + 100)
    shifted = dataclasses.replace(scene, moments=moved)
    assert torch.equal(shifted.fuse(METHODS[method](moved)), scene.fuse(METHODS[method](scene.moments)))


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_bands_does_not_matter(method: str) -> None:
    scene, order = odd_scene(), [2, 0, 1]
    fused = scene.fuse(METHODS[method](scene.moments))
    moments = Moments(
        scene.moments.count,
        swapped(scene.moments.means, order),
        swapped(scene.moments.cov, order),
        swapped(scene.moments.detail_cov, order),
    )
    assert scene.pair.ms_valid is not None
    pair = dataclasses.replace(scene.pair, ms=scene.pair.ms[order], ms_valid=scene.pair.ms_valid[order])
    optics = dataclasses.replace(scene.optics, gains=tuple(scene.optics.gains[i] for i in order))
    other = Synthetic(scene.truth, pair, optics, moments)
    assert torch.allclose(other.fuse(METHODS[method](moments)), fused[order], rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("method", WITH_DETAIL)
def test_where_pan_is_a_mix_of_the_bands_its_detail_is_a_gain(method: str) -> None:
    scene = make_synthetic(mix=(0.2, 0.5, 0.3))
    truth = scene.truth_at()
    plain = psnr(scene.fuse(METHODS["exp"](scene.moments)), truth)
    assert psnr(scene.fuse(METHODS[method](scene.moments)), truth) > plain + 3


def test_gsa_finds_the_mix_that_pan_is() -> None:
    scene = make_synthetic(mix=(0.2, 0.5, 0.3))
    weights = METHODS["gsa"](scene.moments).spectral
    assert weights is not None
    np.testing.assert_allclose(weights, (0.2, 0.5, 0.3), atol=1e-3)


@pytest.mark.parametrize("method", WITH_DETAIL)
def test_a_single_band_that_is_pan_itself_becomes_pan(method: str) -> None:
    truth = 200 + 1000 * texture((224, 240), 3, (2, 5, 20)).astype(np.float64)[None]
    scene = make_synthetic(truth=truth, gains=(0.3,))
    fused = scene.fuse(METHODS[method](scene.moments))
    plain = scene.fuse(METHODS["exp"](scene.moments))
    assert psnr(fused, scene.truth_at()) > psnr(plain, scene.truth_at()) + 15


@pytest.mark.parametrize("method", ["glp", "glp-hpm"])
def test_the_result_degraded_is_near_the_ms(method: str) -> None:
    scene = plain_scene()
    rows, cols = scene.whole()
    fused = scene.fuse(METHODS[method](scene.moments)).double().numpy()
    image = np.zeros(scene.truth.shape)
    image[:, rows.start : rows.stop, cols.start : cols.stop] = fused
    from tests.imaging.synthetic import degrade_exactly

    inside = tuple(Span(math.ceil(s.start / 4) + 6, s.stop // 4 - 6) for s in (rows, cols))
    low = degrade_exactly(image, (inside[0], inside[1]), 4.0, (0.0, 0.0), 0.3)
    (top, left) = (span.start for span in scene.pair.ms_spans)
    ms = scene.pair.ms[
        :, inside[0].start - top : inside[0].stop - top, inside[1].start - left : inside[1].stop - left
    ]
    error = np.sqrt(np.mean((low - ms.numpy()) ** 2))
    assert error < 0.06 * float(ms.std())


def test_exp_never_looks_at_pan() -> None:
    scene = plain_scene()
    injection = METHODS["exp"](scene.moments)
    other = dataclasses.replace(scene, pair=dataclasses.replace(scene.pair, pan=scene.pair.pan * torch.nan))
    assert torch.equal(other.fuse(injection), scene.fuse(injection))


@pytest.mark.parametrize("method", ["gsa", "glp"])
def test_the_offset_that_the_grids_state_is_worth_decibels(method: str) -> None:
    """Landsat's grids: MS begins half a PAN pixel above and to the right of PAN."""
    scene = make_synthetic(ratio=2.0, offset=(-0.5, 0.5), mix=(0.2, 0.5, 0.3))
    injection = METHODS[method](scene.moments)
    there = psnr(scene.fuse(injection), scene.truth_at())
    blind = dataclasses.replace(
        scene, optics=dataclasses.replace(scene.optics, axes=(Axis(2.0, 0.0), Axis(2.0, 0.0)))
    )
    assert there > psnr(blind.fuse(injection), scene.truth_at()) + 4


def test_modulation_is_for_bands_that_share_pans_detail_and_have_a_positive_mean() -> None:
    truth = plain_scene().truth.copy()
    truth[0] -= truth[0].mean() + 50
    truth[2] = 500 + 100 * np.random.default_rng(5).normal(size=truth[2].shape)
    scene = make_synthetic(truth=truth, mix=(0.3, 0.7, 0.0))
    injection, additive = METHODS["glp-hpm"](scene.moments), METHODS["glp"](scene.moments)
    assert injection.levels is not None
    assert np.isnan(injection.levels).tolist() == [True, False, True]
    np.testing.assert_array_equal(injection.gains[[0, 2]], additive.gains[[0, 2]])
    fused, expected = scene.fuse(injection), scene.fuse(additive)
    assert torch.allclose(fused[[0, 2]], expected[[0, 2]], atol=1e-2)
    assert not torch.allclose(fused[1], expected[1], atol=1.0)


@pytest.mark.parametrize("along", [0, 1])
def test_detail_counts_in_either_direction(along: int) -> None:
    """Stripes have no differences along themselves; bands that share them share detail all the same."""
    wave = np.sin(np.arange(64) / 2)
    values = np.broadcast_to(wave[:, None] if along == 0 else wave[None], (3, 64, 64))
    assert direct_moments(values).detail_correlation().tolist() == pytest.approx([1.0])


def test_modulation_stays_finite_and_bounded_over_the_darkest_ground() -> None:
    """PAN far brighter than its own low resolution over a dark MS: by eight at the most."""
    scene = plain_scene()
    spans = scene.whole()
    moments = dataclasses.replace(scene.moments, means=np.full(7, 100.0))
    pan = scene.pair.pan * 0 - 100
    pan[:, 150, 160] = 1e6
    pair = dataclasses.replace(scene.pair, pan=pan, ms=scene.pair.ms * 0 - 99)
    other = dataclasses.replace(scene, pair=pair, moments=moments)
    fused = other.fuse(METHODS["glp-hpm"](moments), spans)
    assert torch.isfinite(fused).all()
    assert float((fused + 100).max()) <= 8 * 1.01


@pytest.mark.parametrize("level", [-2.0, -1.0, -0.97, 0.0, 5.0])
def test_modulation_changes_nothing_where_pan_has_no_detail_however_dark(level: float) -> None:
    scene = plain_scene()
    injection = METHODS["glp-hpm"](scene.moments)
    assert injection.levels is not None
    dark = float((injection.levels / injection.gains)[0])
    flat = dataclasses.replace(scene.pair, pan=torch.full_like(scene.pair.pan, level * dark))
    fused = dataclasses.replace(scene, pair=flat).fuse(injection)
    assert torch.allclose(fused, scene.fuse(METHODS["exp"](scene.moments)), atol=0.05)


def test_modulation_does_not_turn_noise_over_black_into_detail() -> None:
    scene = plain_scene()
    injection = METHODS["glp-hpm"](scene.moments)
    assert injection.levels is not None
    dark = float((injection.levels / injection.gains)[0])
    noise = torch.randn(scene.pair.pan.shape, generator=torch.Generator().manual_seed(0))
    black = dataclasses.replace(scene.pair, pan=dark * (0.001 * noise - 1))
    fused = dataclasses.replace(scene, pair=black).fuse(injection)[0]
    plain = scene.fuse(METHODS["exp"](scene.moments))[0]
    assert float((fused - plain).std()) < 0.05 * float(injection.levels[0])


@pytest.mark.parametrize("method", METHODS)
def test_holes_in_a_flat_image_leave_no_trace(method: str) -> None:
    """Far from the centres, where a hole that is not filled deep enough would show."""
    scene = odd_scene()
    assert scene.pair.pan_valid is not None
    assert scene.pair.ms_valid is not None
    injection = METHODS[method](scene.moments)
    # GSA takes for detail whatever the mix of the bands does not explain.
    level = 500 if injection.spectral is None else 400 * float(injection.spectral.sum())
    flat = dataclasses.replace(scene.pair, pan=level * scene.pair.pan_valid, ms=400 * scene.pair.ms_valid)
    fused = dataclasses.replace(scene, pair=flat).fuse(injection)[valid_pan_pixels(scene)]
    assert float((fused - 400).abs().max()) < 0.01


def test_collinear_bands_share_the_weight() -> None:
    truth = plain_scene().truth[[0, 0, 1]]
    scene = make_synthetic(truth=truth, mix=(0.25, 0.25, 0.5))
    injection = METHODS["gsa"](scene.moments)
    assert injection.spectral is not None
    np.testing.assert_allclose(injection.spectral, (0.25, 0.25, 0.5), atol=2e-3)
    assert np.isfinite(injection.gains).all()
    fused = scene.fuse(injection)
    assert torch.allclose(fused[0], fused[1], atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("huge", [1e6, 1e20])
def test_what_the_masks_hide_changes_no_bit(method: str, huge: float) -> None:
    """radiometry zeroes hidden pixels; here they are the mask's own to hide, in PAN and in MS alike."""
    scene = odd_scene()
    pan_valid, ms_valid = scene.pair.pan_valid, scene.pair.ms_valid
    assert pan_valid is not None
    assert ms_valid is not None
    injection = METHODS[method](scene.moments)
    expected = scene.fuse(injection)
    # MS only: PAN under the mask is zero by contract, see Pair.
    ms = torch.where(ms_valid > 0, scene.pair.ms, torch.tensor(huge))
    other = dataclasses.replace(scene, pair=dataclasses.replace(scene.pair, ms=ms))
    valid = valid_pan_pixels(scene)
    assert torch.equal(other.fuse(injection)[valid], expected[valid])


@pytest.mark.parametrize("method", METHODS)
def test_beside_a_hole_the_result_is_near_that_of_the_complete_image(method: str) -> None:
    complete = make_synthetic(ratio=4.000245, offset=(0.5, -0.5), gains=(0.3, 0.15, 0.3))
    holed = odd_scene()
    injection = METHODS[method](complete.moments)
    expected, fused = complete.fuse(injection), holed.fuse(injection)
    valid = valid_pan_pixels(holed)
    error = (fused - expected).abs()[valid]
    spread = float(expected.std())
    # The worst pixel borders on two holes; on the whole nothing is seen.
    assert float(error.max()) < 1.0 * spread
    assert float(error.square().mean().sqrt()) < 0.03 * spread
    assert float((error == 0).float().mean()) > 0.5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_lone_stripe_of_pan_is_no_worse_than_interpolation(method: str, width: int) -> None:
    """Much of the kernel never meets PAN there: what it does meet must do."""
    scene = make_synthetic(mix=(0.2, 0.5, 0.3))
    pan_valid = np.zeros(scene.pair.pan.shape, bool)
    pan_valid[:, :, 158 : 158 + width] = True
    rows = scene.whole()[0]
    stripe = (rows, Span(158, 158 + width))
    fused = scene.with_masks(pan_valid, None).fuse(METHODS[method](scene.moments), stripe)
    plain = scene.fuse(METHODS["exp"](scene.moments), stripe)
    assert psnr(fused, scene.truth_at(stripe)) > psnr(plain, scene.truth_at(stripe)) - 0.1


def valid_pan_pixels(scene: Synthetic) -> torch.Tensor:
    """(band, row, col) over the whole: PAN is valid and so is the MS pixel around it."""
    rows, cols = scene.whole()
    assert scene.pair.pan_valid is not None
    assert scene.pair.ms_valid is not None
    valid = scene.pair.pan_valid[:, rows.start : rows.stop, cols.start : cols.stop] > 0
    at = [
        torch.floor((torch.arange(s.start, s.stop) + 0.5 - a.offset) / a.ratio).long() - m.start
        for s, a, m in zip((rows, cols), scene.optics.axes, scene.pair.ms_spans, strict=True)
    ]
    inside = [(i >= 0) & (i < n) for i, n in zip(at, scene.pair.ms.shape[1:], strict=True)]
    at = [i.clamp(0, n - 1) for i, n in zip(at, scene.pair.ms.shape[1:], strict=True)]
    seen = scene.pair.ms_valid[:, at[0][:, None], at[1][None]] > 0
    return valid & seen & inside[0][:, None] & inside[1][None]


def test_methods_know_nothing_but_the_moments() -> None:
    moments = plain_scene().moments
    for method in METHODS.values():
        made = method(moments)
        assert isinstance(made, Injection)
        assert made.gains.shape == (3,)


def test_detail_is_taken_from_pan_pixel_by_pixel() -> None:
    """A step of one PAN pixel shows up at that pixel, times the gain."""
    optics = Optics((Axis(4.0, 0.0), Axis(4.0, 0.0)), ((0.3, 0.3),), (0.3, 0.3))
    scene = make_synthetic(truth=np.zeros((1, 160, 160)), gains=(0.3,))
    pan = torch.zeros(1, 160, 160)
    pan[0, 80, 83] = 1.0
    pair = dataclasses.replace(scene.pair, pan=pan)
    fused = inject(
        pair, Injection(np.array([2.0]), spectral=np.array([1.0])), optics, (Span(75, 86), Span(75, 90))
    )
    assert fused.argmax() == 5 * 15 + 8
    assert float(fused.max()) == pytest.approx(2.0)
