from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from geosharp.imaging import resample
from geosharp.imaging.resample import UP_RADIUS, Axis, Span, degrade, degrade_valid, down_radius, upsample
from tests.imaging.synthetic import degrade_exactly

RATIOS = [2.0, 3.0, 4.0, 4.000245, 1.7, 16.0]
AXES = [
    (Axis(2.0, -0.5), Axis(2.0, 0.5)),
    (Axis(4.0, 0.0), Axis(4.0, 0.0)),
    (Axis(4.000245, 0.37), Axis(4.000245, -1.25)),
    (Axis(1.7, 0.0), Axis(3.3, 0.1)),
    (Axis(16.0, 7.5), Axis(16.0, 0.0)),
]


def noise(bands: int, rows: Span, cols: Span, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(bands, rows.stop - rows.start, cols.stop - cols.start))
    return torch.from_numpy(values.astype(np.float32))


def ms_span(target: Span, axis: Axis) -> Span:
    """Just the MS pixels that PAN pixels `target` are interpolated from."""
    first = (target.start + 0.5 - axis.offset) / axis.ratio - 0.5
    last = (target.stop - 0.5 - axis.offset) / axis.ratio - 0.5
    return Span(math.floor(first) - UP_RADIUS + 1, math.floor(last) + UP_RADIUS + 1)


def pan_span(target: Span, axis: Axis, gain: float) -> Span:
    """The PAN pixels that MS pixels `target` are degraded from."""
    reach = down_radius(gain, axis.ratio)
    first = axis.offset + axis.ratio * (target.start + 0.5)
    last = axis.offset + axis.ratio * (target.stop - 0.5)
    return Span(math.floor(first - reach), math.ceil(last + reach))


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_upsampling_reproduces_cubic_polynomials_of_ms_coordinates(axes: tuple[Axis, Axis]) -> None:
    def cubic(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        v, u = y[:, None] / 8 - 1, x[None] / 8 - 1
        return 1 + 2 * v - u + v * u - v**2 + u**3 - 0.7 * v**3 + 0.3 * u**2 * v**3

    target = (Span(-3, 140), Span(5, 133))
    source = (ms_span(target[0], axes[0]), ms_span(target[1], axes[1]))
    ms = cubic(*(np.arange(s.start, s.stop) + 0.5 for s in source))
    pan = cubic(
        *((np.arange(t.start, t.stop) + 0.5 - a.offset) / a.ratio for t, a in zip(target, axes, strict=True))
    )
    made = upsample(torch.from_numpy(ms.astype(np.float32))[None], source, target, axes)[0].numpy()
    assert np.abs(made - pan).max() < 3e-6 * np.abs(ms).max()


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("offset", [0.0, 0.37])
def test_degradation_weights_are_not_negative_and_sum_to_one(ratio: float, offset: float) -> None:
    gain = 0.3
    axis, target = Axis(ratio, offset), Span(2, 5)
    source = pan_span(target, axis, gain)
    size = source.stop - source.start
    rows_of_ones = torch.eye(size)[:, :, None].expand(size, size, size)
    weights = degrade(rows_of_ones, (source, source), (target, target), (axis, axis), (gain, gain)).double()
    assert float(weights.min()) >= 0
    assert torch.allclose(weights.sum(0), torch.ones(3, 3, dtype=torch.float64), atol=2e-7)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 4.0, 4.000245])
@pytest.mark.parametrize("gain", [0.05, 0.15, 0.3, 0.6])
@pytest.mark.parametrize("along", [0, 1])
def test_a_cosine_at_ms_nyquist_keeps_the_stated_gain(ratio: float, gain: float, along: int) -> None:
    axis, target = Axis(ratio, 0.25), Span(10, 30)
    source = pan_span(target, axis, gain)
    ms = (np.arange(source.start, source.stop) + 0.5 - axis.offset) / ratio
    wave = torch.from_numpy(np.cos(np.pi * (ms - 0.5)).astype(np.float32))
    size = len(wave)
    image = (
        wave[None, :, None].expand(1, size, size) if along == 0 else wave[None, None].expand(1, size, size)
    )
    gains = (gain, 0.7) if along == 0 else (0.7, gain)
    made = degrade(image, (source, source), (target, target), (axis, axis), gains)
    signs = torch.from_numpy((-1.0) ** np.arange(target.start, target.stop)).float()
    kept = made * (signs[:, None] if along == 0 else signs)
    assert float((kept - gain).abs().max()) < 0.01


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_degradation_keeps_the_coordinates_of_a_ramp(axes: tuple[Axis, Axis]) -> None:
    gain, target = 0.25, (Span(-2, 20), Span(3, 41))
    source = (pan_span(target[0], axes[0], gain), pan_span(target[1], axes[1], gain))
    rows, cols = (torch.arange(s.start, s.stop) + 0.5 for s in source)
    ramps = torch.stack(torch.meshgrid(rows, cols, indexing="ij"))
    made = degrade(ramps, source, target, axes, (gain, gain)).double().numpy()
    at = [a.offset + a.ratio * (np.arange(t.start, t.stop) + 0.5) for t, a in zip(target, axes, strict=True)]
    # A kernel cut at four standard deviations is off centre by less than this.
    assert np.abs(made[0] - at[0][:, None]).max() < 2e-3
    assert np.abs(made[1] - at[1][None]).max() < 2e-3


@pytest.mark.parametrize("axes", AXES[:3], ids=str)
def test_degradation_equals_the_dense_gaussian(axes: tuple[Axis, Axis]) -> None:
    gain, target = 0.12, (Span(5, 20), Span(7, 30))
    source = (Span(0, 120), Span(0, 170))
    pan = noise(2, *source)
    made = degrade(pan, source, target, axes, (gain, gain))
    exact = degrade_exactly(
        pan.double().numpy(), target, axes[0].ratio, (axes[0].offset, axes[1].offset), gain
    )
    assert np.abs(made.numpy() - exact).max() < 1e-3


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_upsampling_has_the_same_bits_in_any_tile(axes: tuple[Axis, Axis]) -> None:
    whole = (Span(0, 300), Span(-20, 290))
    source = (ms_span(whole[0], axes[0]), ms_span(whole[1], axes[1]))
    ms = noise(3, *source)
    expected = upsample(ms, source, whole, axes)
    for rows, cols in some_tiles(whole):
        need = (ms_span(rows, axes[0]), ms_span(cols, axes[1]))
        part = upsample(cut(ms, source, need), need, (rows, cols), axes)
        assert torch.equal(part, cut(expected, whole, (rows, cols))), (rows, cols)


@pytest.mark.parametrize("axes", AXES, ids=str)
@pytest.mark.parametrize("gain", [0.05, 0.3])
def test_degradation_has_the_same_bits_in_any_tile(axes: tuple[Axis, Axis], gain: float) -> None:
    whole = (Span(-3, 60), Span(0, 50))
    source = (pan_span(whole[0], axes[0], gain), pan_span(whole[1], axes[1], gain))
    pan = noise(1, *source)
    expected = degrade(pan, source, whole, axes, (gain, gain))
    for rows, cols in some_tiles(whole):
        need = (pan_span(rows, axes[0], gain), pan_span(cols, axes[1], gain))
        part = degrade(cut(pan, source, need), need, (rows, cols), axes, (gain, gain))
        assert torch.equal(part, cut(expected, whole, (rows, cols))), (rows, cols)


@pytest.mark.parametrize(("ratio", "gain"), [(4.0, None), (2.0, None), (4.0, 0.1), (3.0, 0.3), (1.5, 0.5)])
def test_all_blocks_in_one_product_are_those_one_by_one(ratio: float, gain: float | None) -> None:
    """As devices whose every call costs are given them; blocks are cut at both ends."""
    axis, target = Axis(ratio, -0.37), Span(150, 407) if gain is None else Span(37, 101)
    block = 128 if gain is None else 16
    scale = 1 / ratio if gain is None else ratio
    source = Span(int(target.start * scale) - 60, int(target.stop * scale) + 60)
    x = torch.randn(3, source.stop - source.start, 41, generator=torch.Generator().manual_seed(0))
    rows = resample._along_rows(x, source, target, block, axis, gain)
    at_once = resample._at_once(x, source, target, block, axis, gain, 1).transpose(2, 3).flatten(1, 2)
    torch.testing.assert_close(at_once, rows, rtol=0, atol=1e-5)
    turned = x.transpose(1, 2).contiguous()
    cols = resample._along_cols(turned, source, target, block, axis, gain)
    at_once = resample._at_once(turned, source, target, block, axis, gain, 2).flatten(2)
    torch.testing.assert_close(at_once, cols, rtol=0, atol=1e-5)


def test_blocks_that_are_no_whole_inputs_apart_have_weights_of_their_own() -> None:
    assert resample._whole_step(128, Axis(4.000245, 0.0), None) is None
    assert resample._whole_step(16, Axis(4.0, 0.3), 0.2) == 64
    assert resample._whole_step(128, Axis(3.0, 0.3), None) is None


def test_an_output_that_needs_more_than_the_source_is_refused() -> None:
    axes = (Axis(4.0, 0.0), Axis(4.0, 0.0))
    target = (Span(0, 64), Span(0, 64))
    enough = (ms_span(target[0], axes[0]), ms_span(target[1], axes[1]))
    upsample(noise(1, *enough), enough, target, axes)
    for short in (Span(enough[0].start + 1, enough[0].stop), Span(enough[0].start, enough[0].stop - 1)):
        for spans in ((short, enough[1]), (enough[0], short)):
            with pytest.raises(ValueError, match="need inputs beyond"):
                upsample(noise(1, *spans), spans, target, axes)
    source = (Span(0, 64), Span(0, 64))
    with pytest.raises(ValueError, match="need inputs beyond"):
        degrade(noise(1, *source), source, (Span(0, 16), Span(4, 12)), axes, (0.3, 0.3))


def some_tiles(whole: tuple[Span, Span]) -> list[tuple[Span, Span]]:
    """Tiles of all sizes, down to single rows, columns and pixels, at any place."""
    rng = np.random.default_rng(7)

    def span(outer: Span, longest: int) -> Span:
        size = int(rng.integers(1, longest + 1))
        start = int(rng.integers(outer.start, outer.stop - size + 1))
        return Span(start, start + size)

    sizes = [(1, 1), (1, 30), (30, 1), (2, 2), (40, 40), (40, 3), (50, 50)]
    return [(span(whole[0], high), span(whole[1], wide)) for high, wide in sizes for _ in range(4)]


def cut(x: torch.Tensor, have: tuple[Span, Span], want: tuple[Span, Span]) -> torch.Tensor:
    (rows, cols), (top, left) = want, (have[0].start, have[1].start)
    return x[:, rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]


def test_degrading_what_is_valid_ignores_the_rest_and_keeps_its_bits() -> None:
    axes, gain = (Axis(4.0, 0.5), Axis(3.7, -1.25)), 0.3
    source, target = (Span(-40, 90), Span(-40, 90)), (Span(0, 10), Span(0, 12))
    x = torch.from_numpy(np.random.default_rng(5).normal(size=(2, 130, 130)).astype(np.float32))
    valid = torch.ones(1, 130, 130)
    valid[:, 60:, 50:80] = 0
    whole, _ = degrade_valid(x, None, source, target, axes, (gain, gain), 0.5)
    level, seen = degrade_valid(7 * valid, valid, source, target, axes, (gain, gain), 0.5)
    kept, _ = degrade_valid(x * valid, valid, source, target, axes, (gain, gain), 0.5)
    assert seen is not None
    assert 0 < seen.mean() < 1
    torch.testing.assert_close(level[seen > 0], torch.full_like(level[seen > 0], 7.0))
    assert torch.equal(kept[:, :2], whole[:, :2])
    assert not torch.equal(kept, whole)
