"""A scene's statistics from windows spread over it, taken once, before the first tile."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geosharp.engine.tensors import optics_of, to_pair
from geosharp.errors import PairError
from geosharp.imaging.classic import Floats, Moments, Optics, degraded_pan
from geosharp.imaging.computing import computing
from geosharp.imaging.degradation import Degradation
from geosharp.imaging.resample import spans
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Patch, Scene, SceneReader
from geosharp.raster.source import Array, Mask

_WINDOW = 64  # MS pixels a side
_WINDOWS = 100
_ENOUGH = 2000
# Share of a kernel that must lie on valid unsaturated PAN for the pixel to count.
_SEEN = 0.5


def sample_moments(scene: Scene, degradation: Degradation) -> Moments:
    """Moments of the whole scene, whatever part of it is fused: 100 windows, more where they are empty."""
    optics = optics_of(scene, degradation)
    total = _Sums(len(scene.bands))
    with computing(), SceneReader(scene) as reader:
        for windows in _spread(scene):
            for window in windows:
                total.add(reader, window, optics)
            if total.count >= _ENOUGH:
                break
    if total.count < 2:
        raise PairError(
            f"{scene.pan.name} and {scene.ms[0].name}",
            "not one pixel that is valid and unsaturated in both",
            "some common valid pixels",
            "check the no-data values (geosharp info shows them)",
        )
    return total.moments()


def _spread(scene: Scene) -> Iterator[list[Rect]]:
    """MS windows: a coarse lattice over the common area, then what lies between, finer and finer."""
    ms_rect = scene.relation.ms_rect(scene.area).intersect(scene.ms_grid.rect)
    rows, cols = (math.ceil(size / _WINDOW) for size in ms_rect.shape)
    side = max(1, round(math.sqrt(_WINDOWS)))
    seen: set[tuple[int, int]] = set()
    while len(seen) < rows * cols:
        picked = [
            (row, col)
            for row in np.unique(np.linspace(0, rows - 1, min(rows, side)).round().astype(int))
            for col in np.unique(np.linspace(0, cols - 1, min(cols, side)).round().astype(int))
            if (row, col) not in seen
        ]
        seen.update(picked)
        yield [
            Rect(ms_rect.row + row * _WINDOW, ms_rect.col + col * _WINDOW, _WINDOW, _WINDOW).intersect(
                ms_rect
            )
            for row, col in picked
        ]
        side *= 2


class _Sums:
    """Running sums about the first window's centres, for values and for neighbours' differences."""

    def __init__(self, bands: int) -> None:
        size = 2 * bands + 1
        self._centres: tuple[Tensor, Tensor] | None = None
        self.count = 0
        self._sum = np.zeros(size)
        self._square = np.zeros((size, size))
        self._pairs = 0
        self._detail = np.zeros((size, size))

    def add(self, reader: SceneReader, window: Rect, optics: Optics) -> None:
        scene = reader.scene
        patch = reader.read(scene.relation.pan_rect(window), optics.reach)
        if patch is None:
            return
        patch = _without_saturated(patch, scene)
        if self._centres is None:
            self._centres = _centre(patch.ms, patch.ms_valid), _centre(patch.pan, patch.pan_valid)
        values, valid = _at_ms(patch, window, optics, self._centres)
        kept = values[:, valid]
        self.count += kept.shape[1]
        self._sum += kept.sum(1)
        self._square += kept @ kept.T
        down = (values[:, 1:] - values[:, :-1])[:, valid[1:] & valid[:-1]]
        right = (values[:, :, 1:] - values[:, :, :-1])[:, valid[:, 1:] & valid[:, :-1]]
        for steps in (down, right):
            self._pairs += steps.shape[1]
            self._detail += steps @ steps.T

    def moments(self) -> Moments:
        assert self._centres is not None
        ms_centres, pan_centre = self._centres
        centres = torch.cat([ms_centres, pan_centre.expand(len(ms_centres) + 1)]).double().numpy()
        mean = self._sum / self.count
        cov = self._square / self.count - np.outer(mean, mean)
        return Moments(self.count, mean + centres, cov, self._detail / max(self._pairs, 1))


def _at_ms(
    patch: Patch, window: Rect, optics: Optics, centres: tuple[Tensor, Tensor]
) -> tuple[Floats, NDArray[np.bool_]]:
    """MS, D_b(PAN) and D(PAN), less `centres`, on MS pixels `window`, and which pixels count.

    (2B+1, row, col) and (row, col).
    """
    pair = to_pair(patch, *centres)
    low, low_valid = degraded_pan(
        pair, replace(optics, gains=(*optics.gains, optics.mean_gain)), spans(window), _SEEN
    )
    index = (slice(None), *window.within(patch.ms_rect))
    ms = pair.ms[index]
    if len(low) == 1:
        low = low.expand(len(ms) + 1, *low.shape[1:])
    values = torch.cat([ms, low]).double().numpy()
    valid = np.ones(window.shape, bool)
    if patch.ms_valid is not None:
        valid &= patch.ms_valid[index].all(0)
    if low_valid is not None:
        valid &= low_valid.numpy().all(0) > 0
    return values, valid


def _centre(pixels: Array, valid: Mask | None) -> Tensor:
    """About the mean of each band: float32 holds what is left of pixels without it."""
    if valid is None:
        valid = np.ones(pixels.shape, bool)
    means = [
        float(band[seen].mean(dtype=np.float64)) if seen.any() else 0.0
        for band, seen in zip(pixels, valid, strict=True)
    ]
    return torch.tensor(means, dtype=torch.float32)


def _without_saturated(patch: Patch, scene: Scene) -> Patch:
    """The patch with saturated pixels marked invalid."""
    if (limits := scene.pan.value_range) is not None and (hot := patch.pan >= limits[1]).any():
        patch = replace(patch, pan_valid=~hot if patch.pan_valid is None else patch.pan_valid & ~hot)
    if scene.value_range is None:
        return patch
    ranges = [scene.ms[band.source].value_range for band in scene.bands]
    tops = np.array([math.inf if limits is None else limits[1] for limits in ranges])
    if (hot := patch.ms >= tops[:, None, None]).any():
        patch = replace(patch, ms_valid=~hot if patch.ms_valid is None else patch.ms_valid & ~hot)
    return patch
