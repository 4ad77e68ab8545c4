from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from geosharp.hfreqdiff.conditions import (
    ADDITIVE,
    CHANNELS,
    DESCRIPTORS,
    DETAIL,
    LOW,
    MODULATED,
    UP,
    base,
    conditions,
    constants_of,
    describe,
)
from geosharp.imaging.classic import METHODS, inject
from geosharp.imaging.resample import Span
from tests.hfreqdiff.scene import make_moments, make_optics, make_pair

TARGET = (Span(8, 72), Span(-4, 52))
PLACES = [
    (4.0, (0.0, 0.0)),
    (2.0, (-0.5, 0.5)),
    (3.0, (0.37, 1.2)),
    (4.000245, (0.25, -0.6)),
    (5.7, (2.0, 0.1)),
]


@pytest.mark.parametrize(("ratio", "offset"), PLACES)
def test_the_priors_are_the_classical_methods(ratio: float, offset: tuple[float, float]) -> None:
    optics, moments = make_optics(ratio, offset), make_moments()
    pair, constants = make_pair(optics, TARGET), constants_of(moments)
    shown = conditions(pair, optics, constants, TARGET)
    assert shown.shape == (3, CHANNELS, 64, 56)
    for method, guess in {
        "exp": shown[:, UP],
        "glp": base(shown),
        "glp-hpm": shown[:, UP] + shown[:, MODULATED],
    }.items():
        fused = inject(pair, METHODS[method](moments), optics, TARGET)
        assert float((guess * constants.scale[:, None, None] - fused).abs().max()) < 2e-3


def test_pan_is_its_low_part_and_its_detail() -> None:
    optics, moments = make_optics(), make_moments()
    pair, constants = make_pair(optics, TARGET), constants_of(moments)
    shown = conditions(pair, optics, constants, TARGET)
    rows, cols = (
        slice(t.start - s.start, t.stop - s.start) for t, s in zip(TARGET, pair.pan_spans, strict=True)
    )
    for band in range(3):
        pan = (shown[band, LOW] + shown[band, DETAIL]) * constants.low_scale[band]
        assert torch.allclose(pan, pair.pan[0, rows, cols], atol=1e-3)


def test_a_tile_is_shown_what_the_whole_is_shown() -> None:
    optics, moments = make_optics(3.0, (0.4, 0.0)), make_moments()
    whole = (Span(0, 96), Span(0, 96))
    pair, constants = make_pair(optics, whole), constants_of(moments)
    tile = conditions(pair, optics, constants, (Span(32, 64), Span(16, 80)))
    assert torch.equal(tile, conditions(pair, optics, constants, whole)[:, :, 32:64, 16:80])


def test_pan_has_no_detail_where_it_is_invalid() -> None:
    optics, moments = make_optics(), make_moments()
    pair, constants = make_pair(optics, TARGET), constants_of(moments)
    valid = torch.ones_like(pair.pan)
    halo = TARGET[0].start - pair.pan_spans[0].start
    valid[:, halo + 10 : halo + 30] = 0
    pair = replace(pair, pan=pair.pan * valid, pan_valid=valid)
    shown = conditions(pair, optics, constants, TARGET)
    assert float(shown[:, [ADDITIVE, MODULATED, DETAIL], 10:30].abs().max()) == 0
    assert float(shown[:, DETAIL, :10].abs().mean()) > 0.1
    assert shown.isfinite().all()


def test_units_are_those_of_the_band() -> None:
    optics, moments = make_optics(), make_moments()
    pair = make_pair(optics, TARGET)
    factor = np.array([10.0, 10, 10, 3, 3, 3, 3])
    louder = replace(
        moments,
        means=moments.means * factor,
        cov=moments.cov * np.outer(factor, factor),
        detail_cov=moments.detail_cov * np.outer(factor, factor),
    )
    one = conditions(pair, optics, constants_of(moments), TARGET)
    scaled = replace(pair, ms=10 * pair.ms, pan=3 * pair.pan)
    other = conditions(scaled, optics, constants_of(louder), TARGET)
    assert torch.allclose(one, other, atol=1e-4)
    assert torch.allclose(describe(optics, constants_of(moments)), describe(optics, constants_of(louder)))


def test_a_flat_band_and_a_flat_pan_are_shown_as_finite_numbers() -> None:
    optics, moments = make_optics(), make_moments()
    flat = replace(moments, cov=moments.cov * 0, detail_cov=moments.detail_cov * 0)
    shown = conditions(make_pair(optics, TARGET), optics, constants_of(flat), TARGET)
    assert shown.isfinite().all()
    assert describe(optics, constants_of(flat)).isfinite().all()


def test_descriptors_tell_ratio_and_width_of_each_kernel() -> None:
    described = describe(
        make_optics(4.0, gains=((0.3, 0.1), (0.5, 0.5), (0.05, 0.3))), constants_of(make_moments())
    )
    assert described.shape == (3, DESCRIPTORS)
    assert described[:, 0].tolist() == pytest.approx([0.9, 0.7, 0.1])
    assert described[:, 2].tolist() == [0.5] * 3
    sigma = 4 / math.pi * math.sqrt(-2 * math.log(0.1))
    assert float(described[0, 4]) == pytest.approx(math.log(sigma))
