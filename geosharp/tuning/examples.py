"""Pairs to learn from: D(MS) and D(PAN), with the scene's own D, and the MS that is to be found.

What the network is shown is made by the functions that inference uses, with the constants of the scene at
reduced resolution. What is kept aside is a hole: nothing of it is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from geosharp.engine.tensors import to_pair
from geosharp.hfreqdiff.conditions import base, conditions, constants_of, describe
from geosharp.imaging.classic import Optics, Pair, cut, ms_spans_around
from geosharp.imaging.degradation import degrade_bands
from geosharp.imaging.resample import Axis, Gain, Spans, nyquist_sigma, spans
from geosharp.raster.grid import Rect, Relation
from geosharp.raster.scene import Patch, SceneReader
from geosharp.tuning.ground import Ground
from geosharp.tuning.places import hide

# Share of a kernel that must lie on valid pixels for what it gives to count.
_LEAST = 0.9
# What is known of the shift, in PAN pixels, and of a kernel's width, relatively, is taken to be wrong by no
# less and no more than this (standard deviations): real bands differ, and a few windows can look too sure.
_SHIFT_ERROR, _WIDTH_ERROR = (0.05, 0.3), (0.02, 0.1)
# Noise, in standard deviations of a band: from, to.
_NOISE = (1e-4, 1e-2)
_GAINS = (0.01, 0.9)


@dataclass(frozen=True)
class Example:
    """shown (band, channel, row, col), described (band, descriptor), missing (band, row, col), the truth less
    the additive prior in units of the band, and counted (band, row, col), 1 where it is known, else 0."""

    shown: Tensor
    described: Tensor
    missing: Tensor
    counted: Tensor


@dataclass(frozen=True)
class Variation:
    """How an example differs from what the scene gives: offset (rows, cols) of the coarse grid; error of the
    shift in PAN pixels, of kernels' widths as a factor; noise in units of the bands; flips and a turn."""

    offset: tuple[float, float]
    shift_error: tuple[float, float]
    widths: tuple[float, float]
    noise: float
    flips: tuple[bool, bool]
    turned: bool


class GroundReader:
    """Open handles on a ground's files, for one thread; fine: on the scene itself."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.fine, self._coarse = SceneReader(ground.scene), SceneReader(ground.coarse)

    def close(self) -> None:
        self.fine.close()
        self._coarse.close()

    def read(self, rect: Rect) -> Patch:
        """MS and PAN of its resolution over MS pixels `rect`; what is kept aside is invalid."""
        ms, ms_valid = self.fine.read_ms(rect)
        pan, pan_valid = self._coarse.read_pan(rect)
        ms_valid = hide(ms_valid, ms.shape, rect, self.ground.hidden)
        pan_valid = hide(pan_valid, pan.shape, rect, self.ground.hidden)
        return Patch(pan, ms, rect, rect, pan_valid, ms_valid)


def draw_place(ground: Ground, side: int, rng: np.random.Generator) -> Rect:
    """MS pixels of a patch, about a place that is learnt from."""
    taught = ground.places.taught
    block = taught[rng.integers(len(taught))]
    row, col = (start + rng.integers(block.height) - side // 2 for start in (block.row, block.col))
    return Rect(int(row), int(col), side, side)


def draw_variation(ground: Ground, rng: np.random.Generator) -> Variation:
    """At random, within what the scene's calibration is sure of."""
    errors = ground.errors or (math.inf, math.inf, None, None)
    widths, moved = [], []
    for gain, gain_error, shift_error in zip(
        ground.degradation.mean_gain, errors[:2], errors[2:], strict=True
    ):
        # The width goes with the root of -ln gain.
        relative = gain_error / (2 * gain * -math.log(gain))
        widths.append(math.exp(rng.normal(0.0, _clip(relative, _WIDTH_ERROR))))
        moved.append(rng.normal(0.0, _clip(shift_error, _SHIFT_ERROR)))
    rows, cols = (float(rng.uniform(0, ratio)) for ratio in ground.scene.relation.ratio)
    low, high = (math.log(noise) for noise in _NOISE)
    down, right, turned = (bool(rng.integers(2)) for _ in range(3))
    noise = math.exp(rng.uniform(low, high))
    return Variation((rows, cols), (moved[0], moved[1]), (widths[0], widths[1]), noise, (down, right), turned)


def make_example(reader: GroundReader, target: Rect, varied: Variation, rng: np.random.Generator) -> Example:
    """What the network is shown and is to find of MS pixels `target`, as they would be one level down."""
    ground = reader.ground
    told, constants = _optics(ground, varied), constants_of(ground.coarse_moments)
    fine, pair = _observe(reader, target, told, varied, rng)
    shown = conditions(pair, told, constants, spans(target))
    wanted = cut(fine.ms, fine.ms_spans, spans(target)) / constants.scale[:, None, None]
    counted = torch.ones_like(wanted)
    for valid in (fine.ms_valid, fine.pan_valid):
        if valid is not None:
            counted *= cut(valid, fine.ms_spans, spans(target))
    if pair.ms_valid is not None:
        counted *= _under(pair.ms_valid, pair.ms_spans, target, told.axes)
    described = describe(_turn(told) if varied.turned else told, constants)
    parts = (shown, (wanted - base(shown)) * counted, counted)
    shown, missing, counted = (_orient(part, varied) for part in parts)
    return Example(shown, described, missing, counted)


def _observe(
    reader: GroundReader, target: Rect, told: Optics, varied: Variation, rng: np.random.Generator
) -> tuple[Pair, Pair]:
    """The pixels around `target`, MS at PAN's resolution; and what a coarser sensor would see of them."""
    moments = reader.ground.coarse_moments
    down, right = (
        replace(axis, offset=axis.offset + error)
        for axis, error in zip(told.axes, varied.shift_error, strict=True)
    )
    wider, broader = varied.widths
    gains = tuple((_widen(rows, wider), _widen(cols, broader)) for rows, cols in told.gains)
    low_spans = ms_spans_around(spans(target), told.axes)
    patch = reader.read(_fine_pixels_under(low_spans, told, gains))
    centres, pan_centre = moments.centres
    fine = to_pair(patch, torch.from_numpy(centres).float(), torch.tensor([pan_centre], dtype=torch.float32))
    there = None if fine.ms_valid is None else fine.ms_valid.expand_as(fine.ms)
    low, seen = degrade_bands(fine.ms, there, fine.ms_spans, low_spans, (down, right), gains, _LEAST)
    deviations = torch.from_numpy(np.sqrt(np.maximum(np.diag(moments.cov), 0))).float()
    low = low + varied.noise * deviations[: moments.bands, None, None] * _normal(low.shape, rng)
    pan = fine.pan + varied.noise * deviations[-1] * _normal(fine.pan.shape, rng)
    coarse = Pair(
        pan=pan if fine.pan_valid is None else pan * fine.pan_valid,
        ms=low if seen is None else low * seen,
        pan_spans=fine.pan_spans,
        ms_spans=low_spans,
        pan_valid=fine.pan_valid,
        ms_valid=seen,
    )
    return fine, coarse


def _optics(ground: Ground, varied: Variation) -> Optics:
    """The scene's, with the coarse grid where the variation puts it."""
    optics = ground.coarse_optics
    rows, cols = (Axis(axis.ratio, offset) for axis, offset in zip(optics.axes, varied.offset, strict=True))
    return replace(optics, axes=(rows, cols))


def _fine_pixels_under(low: Spans, told: Optics, true_gains: tuple[Gain, ...]) -> Rect:
    """The pixels that all kernels, the true ones and those told, need for coarse pixels `low`."""
    (rows, cols), (down, right) = low, told.axes
    relation = Relation((down.ratio, right.ratio), (down.offset, right.offset))
    coarse = Rect(rows.start, cols.start, rows.stop - rows.start, cols.stop - cols.start)
    reach = [
        max(one, other) for one, other in zip(told.reach, replace(told, gains=true_gains).reach, strict=True)
    ]
    # An error of the shift, too, which is far less than two pixels.
    return relation.pan_rect(coarse).grow(reach[0] + 2, reach[1] + 2)


def _under(low: Tensor, low_spans: Spans, target: Rect, axes: tuple[Axis, Axis]) -> Tensor:
    """The coarse pixel around each of `target`: (band, row, col)."""
    rows, cols = (
        torch.from_numpy(
            np.floor((np.arange(part.start, part.stop) + 0.5 - axis.offset) / axis.ratio).astype(int)
            - span.start
        )
        for span, axis, part in zip(low_spans, axes, spans(target), strict=True)
    )
    return low[:, rows[:, None], cols[None]]


def _orient(x: Tensor, varied: Variation) -> Tensor:
    dims = [dim for dim, flip in zip((-2, -1), varied.flips, strict=True) if flip]
    flipped = x.flip(dims) if dims else x
    return (flipped.transpose(-1, -2) if varied.turned else flipped).contiguous()


def _turn(optics: Optics) -> Optics:
    """Rows for columns."""
    (down, right), (rows, cols) = optics.axes, optics.mean_gain
    return Optics((right, down), tuple((b, a) for a, b in optics.gains), (cols, rows))


def _widen(gain: float, factor: float) -> float:
    """The gain at Nyquist of a Gaussian so many times as wide."""
    # At a ratio of pi the width is the root of -2 ln gain.
    width = nyquist_sigma(gain, math.pi) * factor
    return min(max(math.exp(-(width**2) / 2), _GAINS[0]), _GAINS[1])


def _normal(shape: torch.Size, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(tuple(shape), np.float32))


def _clip(value: float | None, limits: tuple[float, float]) -> float:
    """Within the limits; the largest where nobody knows."""
    return limits[1] if value is None or not math.isfinite(value) else min(max(value, limits[0]), limits[1])
