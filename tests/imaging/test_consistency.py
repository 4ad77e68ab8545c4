from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from geosharp.imaging.classic import Optics, Pair, cut
from geosharp.imaging.consistency import back_project, context
from geosharp.imaging.degradation import degrade_bands
from geosharp.imaging.resample import Axis, Gain, Span, Spans, down_radius
from tests.made import texture

SHAPE = (200, 190)  # PAN pixels
OFFSET = (0.4, -0.7)
ROUND = ((0.3, 0.3), (0.3, 0.3))
UNEVEN = ((0.1, 0.3), (0.45, 0.2))  # per band, along (rows, cols)
CENTRE = (Span(75, 120), Span(70, 115))


def make_pair(ratio: float = 4.0, gains: tuple[Gain, ...] = ROUND) -> tuple[Pair, Optics]:
    """A smooth MS that goes beyond PAN on all sides; PAN's values play no part."""
    optics = Optics((Axis(ratio, OFFSET[0]), Axis(ratio, OFFSET[1])), gains, gains[0])
    ms_spans = tuple(Span(-4, math.ceil(size / ratio) + 4) for size in SHAPE)
    rows, cols = (torch.arange(span.start, span.stop)[:, None] for span in ms_spans)
    waves = [torch.sin(rows / (3 + band) + band) + torch.cos(cols.T / 4 - band) for band in range(len(gains))]
    ms = 200 * torch.stack(waves)
    pair = Pair(torch.zeros(1, *SHAPE), ms, whole(), (ms_spans[0], ms_spans[1]), None, None)
    return pair, optics


def make_fused(bands: int = 2) -> Tensor:
    return torch.stack([torch.from_numpy(texture(SHAPE, band)) * 800 - 400 for band in range(bands)])


def whole() -> Spans:
    return Span(0, SHAPE[0]), Span(0, SHAPE[1])


def inside(optics: Optics, steps: int) -> Spans:
    """The PAN pixels that so many steps can correct."""
    rows, cols = (reach * steps for reach in context(optics))
    return Span(rows, SHAPE[0] - rows), Span(cols, SHAPE[1] - cols)


def around(target: Spans, optics: Optics, steps: int) -> Spans:
    """`target` and the context of so many steps."""
    rows, cols = (reach * steps for reach in context(optics))
    return Span(target[0].start - rows, target[0].stop + rows), Span(
        target[1].start - cols, target[1].stop + cols
    )


def misfit(fused: Tensor, spans: Spans, pair: Pair, optics: Optics) -> Tensor:
    """MS - D(fused) at the MS pixels whose kernels lie in PAN pixels `spans` as a whole."""
    low = []
    for span, axis, along in zip(spans, optics.axes, zip(*optics.gains, strict=True), strict=True):
        reach = max(down_radius(gain, axis.ratio) for gain in along)
        first = (span.start + reach - axis.offset) / axis.ratio - 0.5
        last = (span.stop - reach - axis.offset) / axis.ratio - 0.5
        low.append(Span(math.ceil(first), math.floor(last) + 1))
    at = (low[0], low[1])
    seen, _ = degrade_bands(fused, None, spans, at, optics.axes, optics.gains, 1.0)
    return cut(pair.ms, pair.ms_spans, at) - seen


def correct(fused: Tensor, pair: Pair, optics: Optics, target: Spans, steps: int) -> Tensor:
    return back_project(fused, whole(), pair, optics, target, steps)


def hole(pair: Pair, rows: slice, cols: slice, *, pan: bool = False, band: int | None = None) -> Pair:
    """The pair without PAN or MS pixels, these counted from where its arrays begin."""
    valid = torch.ones_like(pair.pan if pan else pair.ms)
    valid[slice(None) if band is None else band, rows, cols] = 0
    if pan:
        return replace(pair, pan=pair.pan * valid, pan_valid=valid)
    return replace(pair, ms=pair.ms * valid, ms_valid=valid)


def covered(pair: Pair, optics: Optics, target: Spans) -> Tensor:
    """(band, row, col) over PAN pixels `target`: which are valid in PAN and in the MS pixel around."""
    pan = [torch.arange(span.start, span.stop) for span in target]
    rows, cols = (
        torch.floor((at + 0.5 - axis.offset) / axis.ratio).long() - held.start
        for at, axis, held in zip(pan, optics.axes, pair.ms_spans, strict=True)
    )
    valid = torch.ones_like(pair.ms) if pair.ms_valid is None else pair.ms_valid
    valid = valid[:, rows[:, None], cols[None]]
    return (valid if pair.pan_valid is None else valid * cut(pair.pan_valid, pair.pan_spans, target)) > 0


HOLES: dict[str, Callable[[Pair], Pair]] = {
    "none": lambda pair: pair,
    "PAN": lambda pair: hole(pair, slice(85, 99), slice(80, 83), pan=True),
    "MS": lambda pair: hole(pair, slice(26, 29), slice(27, 29)),
    "one band and PAN": lambda pair: hole(
        hole(pair, slice(25, 30), slice(26, 28), band=1), slice(0, 80), slice(0, 76), pan=True
    ),
}


@pytest.mark.parametrize("ratio", [2.0, 3.0, 3.7, 4.0])
@pytest.mark.parametrize("steps", [1, 2])
def test_an_image_that_reproduces_ms_is_left_alone(ratio: float, steps: int) -> None:
    pair, optics = make_pair(ratio, UNEVEN)
    fused, rim = make_fused(), around(whole(), optics, 3)
    rows, cols = (-span.start for span in rim)
    padded = torch.nn.functional.pad(fused, (cols, cols, rows, rows))
    ms, _ = degrade_bands(padded, None, rim, pair.ms_spans, optics.axes, optics.gains, 1.0)
    target = inside(optics, steps)
    corrected = correct(fused, replace(pair, ms=ms), optics, target, steps)
    assert torch.allclose(corrected, cut(fused, whole(), target), atol=2e-3)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 3.7, 4.0])
@pytest.mark.parametrize("gains", [ROUND, UNEVEN])
def test_every_step_brings_the_image_nearer_to_ms(ratio: float, gains: tuple[Gain, ...]) -> None:
    pair, optics = make_pair(ratio, gains)
    target = inside(optics, 3)
    left = []
    for steps in range(4):
        corrected = correct(make_fused(), pair, optics, target, steps)
        left.append(misfit(corrected, target, pair, optics).square().mean((1, 2)).sqrt())
    for before, after in pairwise(left):
        assert (after < 0.8 * before).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_what_ms_has_more_everywhere_is_passed_on_entirely(steps: int) -> None:
    pair, optics = make_pair(3.7)
    target, fused = inside(optics, steps), make_fused()
    brighter = replace(pair, ms=pair.ms + 250)
    change = correct(fused, brighter, optics, target, steps) - correct(fused, pair, optics, target, steps)
    assert torch.allclose(change, torch.tensor(250.0), atol=2e-3)


def test_no_step_is_no_change() -> None:
    pair, optics = make_pair()
    fused = make_fused()
    assert torch.equal(correct(fused, pair, optics, CENTRE, 0), cut(fused, whole(), CENTRE))


def test_the_image_given_stays_as_it_is() -> None:
    pair, optics = make_pair()
    pair, fused = HOLES["PAN"](pair), make_fused()
    before = fused.clone()
    correct(fused, pair, optics, CENTRE, 2)
    assert torch.equal(fused, before)


@pytest.mark.parametrize("holes", HOLES)
@pytest.mark.parametrize("ratio", [2.0, 3.7])
def test_a_tile_and_its_contexts_give_the_pixels_of_the_whole(holes: str, ratio: float) -> None:
    pair, optics = make_pair(ratio, UNEVEN)
    pair, fused, target = HOLES[holes](pair), make_fused(), inside(optics, 2)
    expected = cut(correct(fused, pair, optics, target, 2), target, CENTRE)
    spans = around(CENTRE, optics, 2)
    alone = back_project(cut(fused, whole(), spans), spans, pair, optics, CENTRE, 2)
    assert torch.allclose(alone, expected, atol=2e-3)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 3.7, 4.0])
@pytest.mark.parametrize("steps", [1, 2])
def test_what_lies_beyond_the_contexts_changes_no_bit(ratio: float, steps: int) -> None:
    pair, optics = make_pair(ratio, UNEVEN)
    fused = make_fused()
    beyond = torch.full_like(fused, 1e6)
    rows, cols = around(CENTRE, optics, steps)
    beyond[:, rows.start : rows.stop, cols.start : cols.stop] = cut(fused, whole(), (rows, cols))
    expected = correct(fused, pair, optics, CENTRE, steps)
    assert torch.equal(correct(beyond, pair, optics, CENTRE, steps), expected)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 3.7, 4.0])
def test_some_pixel_needs_the_context_nearly_to_its_rim(ratio: float) -> None:
    pair, optics = make_pair(ratio, UNEVEN)
    pair, changed = replace(pair, ms=torch.zeros_like(pair.ms)), [False, False]
    for at in range(80, 92):
        pixel = Span(at, at + 1), Span(at, at + 1)
        spans = around(pixel, optics, 1)
        rim = torch.zeros(2, *(span.stop - span.start for span in spans))
        for axis in (0, 1):
            lit = rim.clone()
            lit.narrow(axis + 1, 0, 2).fill_(1e6)
            changed[axis] |= bool(back_project(lit, spans, pair, optics, pixel, 1).any())
    assert all(changed)


@pytest.mark.parametrize("holes", ["PAN", "MS", "one band and PAN"])
def test_invalid_pixels_never_leak(holes: str) -> None:
    pair, optics = make_pair(3.7, UNEVEN)
    pair, fused, target = HOLES[holes](pair), make_fused(), inside(optics, 2)
    kept = covered(pair, optics, whole())
    there = cut(kept, whole(), target)
    assert not there.all()
    expected = correct(fused, pair, optics, target, 2)[there]
    ms = pair.ms if pair.ms_valid is None else pair.ms.masked_fill(pair.ms_valid == 0, math.nan)
    hidden = correct(fused.masked_fill(~kept, math.nan), replace(pair, ms=ms), optics, target, 2)[there]
    assert torch.equal(hidden, expected)


def test_a_lost_ms_pixel_is_no_measurement_though_a_wide_kernel_sees_round_it() -> None:
    pair, optics = make_pair(gains=((0.02, 0.02), (0.02, 0.02)))
    pair, fused = hole(pair, slice(28, 29), slice(28, 29)), make_fused()
    assert pair.ms_valid is not None
    expected = correct(fused, pair, optics, CENTRE, 1)
    hidden = replace(pair, ms=pair.ms.masked_fill(pair.ms_valid == 0, math.nan))
    assert torch.equal(correct(fused, hidden, optics, CENTRE, 1), expected)


def test_bands_with_different_masks_are_corrected_as_if_alone() -> None:
    complete, optics = make_pair(3.7, UNEVEN)
    pair, fused, target = HOLES["one band and PAN"](complete), make_fused(), inside(optics, 2)
    together = correct(fused, pair, optics, target, 2)
    assert pair.ms_valid is not None
    for band in range(2):
        own = slice(band, band + 1)
        single = replace(pair, ms=pair.ms[own], ms_valid=pair.ms_valid[own])
        alone = replace(optics, gains=optics.gains[own])
        assert torch.allclose(correct(fused[own], single, alone, target, 2), together[own], atol=2e-3)


def test_one_mask_for_all_bands_is_that_mask_for_each() -> None:
    pair, optics = make_pair()
    pair, fused = HOLES["MS"](pair), make_fused()
    assert pair.ms_valid is not None
    shared = replace(pair, ms_valid=pair.ms_valid[:1])
    assert torch.equal(correct(fused, shared, optics, CENTRE, 2), correct(fused, pair, optics, CENTRE, 2))


@pytest.mark.parametrize("holes", ["PAN", "MS", "one band and PAN"])
def test_beside_a_hole_an_offset_is_passed_on_between_not_at_all_and_entirely(holes: str) -> None:
    pair, optics = make_pair(3.7, UNEVEN)
    pair = HOLES[holes](pair)
    flat = torch.full_like(pair.ms, 100.0)
    pair = replace(pair, ms=flat if pair.ms_valid is None else flat * pair.ms_valid)
    target = inside(optics, 1)
    change = correct(torch.zeros(2, *SHAPE), pair, optics, target, 1)[covered(pair, optics, target)]
    assert float(change.min()) > -1e-3
    assert float(change.max()) < 100.001
    assert float((change > 99.999).float().mean()) > 0.5


@pytest.mark.parametrize("holes", ["PAN", "MS"])
def test_far_from_a_hole_nothing_is_felt_of_it(holes: str) -> None:
    complete, optics = make_pair()
    fused = make_fused()
    far = Span(75, 95), Span(140, 150)
    expected = correct(fused, complete, optics, far, 1)
    assert torch.allclose(correct(fused, HOLES[holes](complete), optics, far, 1), expected, atol=1e-3)
