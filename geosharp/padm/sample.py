"""What PADM learns from: windows spread over a scene, standardised, with what counts in them."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geosharp.imaging.radiometry import to_float
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Patch, Scene, SceneReader

# Of a window's side, at most: MS pixels, and PAN pixels.
_SIDE = 64
_PAN_SIDE = 512
# Of windows along an axis: what they differ by tells how sure the result is.
_LEAST_CELLS = 2
_WINDOWS = 64
_LATTICES = 3  # at most, each with twice as many windows along an axis
_ENOUGH = 20_000  # MS pixels that count; windows are added until they are so many
Floats = NDArray[np.float64]
# MS pixels read, what is around them, and which of them count.
Read = tuple[Rect, Patch, NDArray[np.bool_]]
# How far a kernel may reach from where the geotransforms put an MS pixel's centre, in MS pixels (its blur)
# and in PAN pixels (its shift).
BLUR_REACH = 2.5
SHIFT_REACH = 5
# Standard deviation, in MS pixels, of the Gaussian that is taken away for a high-pass.
_LOW_PASS = 4.0


@dataclass(frozen=True)
class Constants:
    """Means and standard deviations in DN over the sample: of each band, and of PAN."""

    means: tuple[float, ...]
    stds: tuple[float, ...]
    pan_mean: float
    pan_std: float


@dataclass(frozen=True, eq=False)
class Sample:
    """Parts of a scene, all of one size, standardised by the scene's constants; float32.

    rects: their MS pixels; pan (window, row, col), zero where invalid, reaches further; centres: per axis
    (window, MS pixel), or (1, MS pixel) for all alike, where the geotransforms put MS pixels' centres in
    `pan`, in its pixels; ms (window, band, row, col), high-passed; counted (window, row, col): 1 where MS and
    all of PAN in a kernel's reach are valid and unsaturated, else 0; ratio: PAN pixels per MS pixel.
    """

    rects: tuple[Rect, ...]
    pan: Tensor
    centres: tuple[Tensor, Tensor]
    ms: Tensor
    counted: Tensor
    constants: Constants
    ratio: tuple[float, float]

    @property
    def count(self) -> int:
        """How many MS pixels count."""
        return int(self.counted.sum(dtype=torch.float64))

    def high_pass(self, x: Tensor, low_pass: float = _LOW_PASS) -> Tensor:
        """(window, any, row, col) on MS pixels, less its low-pass over the pixels that count; 0 elsewhere.

        low_pass: standard deviation of that Gaussian in MS pixels.
        """
        rows, cols = (_gaussian(size, low_pass) for size in x.shape[-2:])
        counted = self.counted[:, None]
        kept, weight = x * counted, (rows @ counted @ cols).clamp(min=1e-6)
        return (kept - rows @ kept @ cols / weight) * counted

    def thin(self, most: int) -> Sample:
        """At most so many of the windows, evenly chosen."""
        if len(self.rects) <= most:
            return self
        return self.pick(np.unique(np.linspace(0, len(self.rects) - 1, most).round().astype(int)).tolist())

    def pick(self, chosen: list[int]) -> Sample:
        """These windows alone."""
        rows, cols = self.centres
        return replace(
            self,
            rects=tuple(self.rects[index] for index in chosen),
            pan=self.pan[chosen],
            centres=(rows if len(rows) == 1 else rows[chosen], cols if len(cols) == 1 else cols[chosen]),
            ms=self.ms[chosen],
            counted=self.counted[chosen],
        )


def take_sample(scene: Scene) -> Sample | None:
    """Windows on a lattice over what PAN and MS share; a finer one while too few pixels count.

    None where not one pixel counts.
    """
    halo = [math.ceil(BLUR_REACH * ratio) + SHIFT_REACH for ratio in scene.relation.ratio]
    read: list[Read] = []
    with SceneReader(scene) as reader:
        for lattice in itertools.islice(_spread(scene), _LATTICES):
            for rect in lattice:
                patch = reader.read(scene.relation.pan_rect(rect), (halo[0], halo[1]))
                if patch is None:
                    continue
                patch = _without_saturated(scene, patch)
                seen = _counted(scene, patch, rect)
                if seen.any():
                    read.append((rect, patch, seen))
            if sum(int(seen.sum()) for _, _, seen in read) >= _ENOUGH:
                break
    if not read:
        return None
    read = heapq.nlargest(_WINDOWS, read, key=lambda each: int(each[2].sum()))
    read.sort(key=lambda each: (each[0].row, each[0].col))
    return _standardise(scene, read, _constants(read, len(scene.bands)))


def fits_kernels(scene: Scene) -> bool:
    """Whether PAN is as large as a kernel's reach around any MS pixel at all."""
    area = scene.relation.ms_rect(scene.area).intersect(scene.ms_grid.rect)
    spans = (area.row, area.stop_row), (area.col, area.stop_col)
    for axis, (first, stop) in enumerate(spans):
        ratio = scene.relation.ratio[axis]
        centres = scene.relation.offset[axis] + ratio * (np.arange(first, stop) + 0.5) - 0.5
        reach = BLUR_REACH * ratio + SHIFT_REACH
        if not ((centres - reach > -1) & (centres + reach < scene.grid.shape[axis])).any():
            return False
    return True


def _spread(scene: Scene) -> Iterator[list[Rect]]:
    """MS windows of one size, row by row: a coarse lattice, then what lies between, finer and finer."""
    area = scene.relation.ms_rect(scene.area).intersect(scene.ms_grid.rect)
    longest = [min(_SIDE, math.ceil(_PAN_SIDE / ratio)) for ratio in scene.relation.ratio]
    cells = [
        min(size, max(_LEAST_CELLS, math.ceil(size / side)))
        for size, side in zip(area.shape, longest, strict=True)
    ]
    sides = [size // n for size, n in zip(area.shape, cells, strict=True)]
    per_axis = max(1, round(math.sqrt(_WINDOWS)))
    # A long strip has its windows along it.
    most = [max(per_axis, _WINDOWS // max(1, min(n, per_axis))) for n in reversed(cells)]
    seen: set[tuple[int, int]] = set()
    while len(seen) < cells[0] * cells[1]:
        picks = [
            np.unique(np.linspace(0, n - 1, min(n, m)).round().astype(int))
            for n, m in zip(cells, most, strict=True)
        ]
        fresh = [(row, col) for row in picks[0].tolist() for col in picks[1].tolist()]
        fresh = [cell for cell in fresh if cell not in seen]
        seen.update(fresh)
        yield [
            Rect(area.row + row * area.height // cells[0], area.col + col * area.width // cells[1], *sides)
            for row, col in fresh
        ]
        most = [2 * m for m in most]


def _without_saturated(scene: Scene, patch: Patch) -> Patch:
    """The patch with saturated pixels marked invalid."""
    ranges = [scene.ms[band.source].value_range for band in scene.bands]
    tops = np.array([math.inf if limits is None else limits[1] for limits in ranges])
    ms_valid = patch.ms < tops[:, None, None]
    limits = scene.pan.value_range
    pan_valid = patch.pan < (math.inf if limits is None else limits[1])
    return replace(
        patch,
        ms_valid=ms_valid if patch.ms_valid is None else ms_valid & patch.ms_valid,
        pan_valid=pan_valid if patch.pan_valid is None else pan_valid & patch.pan_valid,
    )


def _counted(scene: Scene, patch: Patch, rect: Rect) -> NDArray[np.bool_]:
    """MS pixels of `rect` that are valid in all bands, as is PAN wherever a kernel reaches."""
    assert patch.ms_valid is not None
    assert patch.pan_valid is not None
    seen = patch.ms_valid[:, *rect.within(patch.ms_rect)].all(0)
    bad = ~patch.pan_valid[0]
    for axis, centre in enumerate(_centres(scene, patch, rect)):
        reach = BLUR_REACH * scene.relation.ratio[axis] + SHIFT_REACH
        first = np.ceil(centre - reach).astype(int)
        stop = np.floor(centre + reach).astype(int) + 1
        total = np.concatenate([np.zeros_like(bad.take([0], axis), int), np.cumsum(bad, axis)], axis)
        bad = total.take(stop, axis) > total.take(first, axis)
    return np.asarray(seen & ~bad)


def _centres(scene: Scene, patch: Patch, rect: Rect) -> list[Floats]:
    """Per axis, the MS pixels' centres in pixels of the patch's PAN, 0 at the centre of the first."""
    centres = []
    for axis, (first, corner) in enumerate(((rect.row, patch.pan_rect.row), (rect.col, patch.pan_rect.col))):
        pixels = np.arange(first, first + rect.shape[axis], dtype=np.float64)
        on_pan = scene.relation.offset[axis] + scene.relation.ratio[axis] * (pixels + 0.5)
        centres.append(on_pan - 0.5 - corner)
    return centres


def _constants(read: list[Read], bands: int) -> Constants:
    """Over the MS pixels that count, and the PAN pixels read with them."""
    sums, squares, count = np.zeros(bands + 1), np.zeros(bands + 1), 0
    first: Floats | None = None
    for rect, patch, seen in read:
        ms = patch.ms[:, *rect.within(patch.ms_rect)][:, seen].astype(np.float64)
        pan = patch.pan[patch.pan_valid].astype(np.float64)
        if first is None:
            first = np.array([*ms.mean(1), pan.mean()])
        share = ms.shape[1]
        less = [*(ms - first[:-1, None]), pan - first[-1]]
        sums += share * np.array([values.mean() for values in less])
        squares += share * np.array([np.square(values).mean() for values in less])
        count += share
    assert first is not None
    shift = sums / count
    means, stds = first + shift, np.sqrt(np.maximum(squares / count - shift**2, 0))
    return Constants(tuple(means[:-1].tolist()), tuple(stds[:-1].tolist()), float(means[-1]), float(stds[-1]))


def _standardise(scene: Scene, read: list[Read], constants: Constants) -> Sample:
    stds = torch.tensor(constants.stds)
    pans, bands, centres = [], [], []
    for rect, patch, _ in read:
        pan = to_float(patch.pan, patch.pan_valid, torch.tensor([constants.pan_mean]))[0]
        ms = to_float(patch.ms, patch.ms_valid, torch.tensor(constants.means))
        pans.append(pan / (constants.pan_std or 1.0))
        bands.append(ms[:, *rect.within(patch.ms_rect)] / torch.where(stds > 0, stds, 1.0)[:, None, None])
        centres.append([torch.from_numpy(centre) for centre in _centres(scene, patch, rect)])
    sample = Sample(
        rects=tuple(rect for rect, _, _ in read),
        pan=_stack(pans),
        centres=(_alike([rows for rows, _ in centres]), _alike([cols for _, cols in centres])),
        ms=torch.stack(bands),
        counted=torch.from_numpy(np.stack([seen for _, _, seen in read])).float(),
        constants=constants,
        ratio=scene.relation.ratio,
    )
    return replace(sample, ms=sample.high_pass(sample.ms))


def _stack(images: list[Tensor]) -> Tensor:
    """One tensor of images whose sizes differ by the pixel that a broken ratio brings: zeros beyond."""
    height, width = (max(image.shape[axis] for image in images) for axis in range(2))
    pad = torch.nn.functional.pad
    return torch.stack([pad(x, (0, width - x.shape[1], 0, height - x.shape[0])) for x in images])


def _alike(centres: list[Tensor]) -> Tensor:
    """All windows' centres, or the first's alone where they lie alike in all: at integer ratios."""
    together = torch.stack(centres)
    return together[:1] if torch.equal(together, together[:1].expand_as(together)) else together


def _gaussian(size: int, std: float) -> Tensor:
    at = torch.arange(size, dtype=torch.float32)
    distance = ((at[:, None] - at) / std).abs()
    # Farther off only denormal numbers are left, which double the time.
    return torch.exp(-0.5 * distance**2) * (distance < 6)
