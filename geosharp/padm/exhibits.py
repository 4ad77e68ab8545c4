"""What a picture of a calibration shows: its kernels on PAN pixels, A(MS) and D(PAN), and PAN in small."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geosharp.imaging.computing import computing
from geosharp.padm.align import Floats, PAlignNet
from geosharp.padm.calibration import Calibration
from geosharp.padm.degrade import weigh_gaussian
from geosharp.padm.iterate import Operator
from geosharp.padm.sample import BLUR_REACH, take_sample
from geosharp.padm.table import table_degradation
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader

# Of a thumbnail, at most: pixels along its longer side, and rows of PAN that go into one of its rows.
_LONGEST = 700
_STRIP = 8


@dataclass(frozen=True, eq=False)
class Kernel:
    """weights: (row, col), per PAN pixel; extent: their outer edges (left, right, bottom, top) in PAN pixels
    from where the geotransforms put an MS pixel's centre; shift: (down, right) of its content from there."""

    weights: Floats
    extent: tuple[float, float, float, float]
    shift: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Detail:
    """D(PAN) and A(MS), high-passed: (window, row, col) in DN of PAN; counted: which MS pixels count; rects:
    which ones the windows are."""

    rects: tuple[Rect, ...]
    degraded: Floats
    aligned: Floats
    counted: NDArray[np.bool_]

    @property
    def explained(self) -> float:
        """The share of D(PAN) that A(MS) makes, R2."""
        left = np.square(self.degraded - self.aligned).sum()
        return float(1 - left / np.square(self.degraded).sum())

    @property
    def busiest(self) -> int:
        """The window of most texture."""
        return int(np.square(self.degraded).sum((1, 2)).argmax())


def place_kernel(operator: Operator, scene: Scene) -> Kernel:
    """What the operator takes of the PAN pixels around an MS pixel in the scene's middle, of sum one."""
    sides, edges = [], list[float]()
    for axis, size in enumerate(scene.ms_grid.shape):
        ratio, shift = scene.relation.ratio[axis], operator.shift[axis]
        centre = scene.relation.offset[axis] + ratio * (size // 2 + 0.5)
        first = math.floor(centre + shift - BLUR_REACH * ratio)
        stop = math.ceil(centre + shift + BLUR_REACH * ratio)
        distance = np.arange(first, stop) + 0.5 - centre - shift
        sides.append(weigh_gaussian(distance, operator.gains[axis], ratio))
        edges += [first - centre, stop - centre]
    top, bottom, left, right = edges
    return Kernel(np.outer(*sides), (left, right, bottom, top), operator.shift)


def place_table(scene: Scene) -> Kernel:
    """The same of the sensor's table."""
    return place_kernel(Operator(table_degradation(scene).mean_gain, (0.0, 0.0)), scene)


def place_free_form(calibration: Calibration) -> Kernel | None:
    """The kernel of any form, if there is one."""
    free, shift = calibration.free_form, calibration.operator.shift
    if free is None:
        return None
    weights = np.array(free.kernel)
    tall, wide = np.array(free.spacing) * weights.shape / 2
    extent = (shift[1] - wide, shift[1] + wide, shift[0] + tall, shift[0] - tall)
    return Kernel(weights / math.prod(free.spacing), extent, shift)


def hold_detail(calibration: Calibration, scene: Scene) -> Detail | None:
    """D(PAN) and A(MS) on the windows that calibrations learn from; None where nothing can be held."""
    if not calibration.usable:
        return None
    with computing():
        sample = take_sample(scene)
        if sample is None:
            return None
        low = sample.high_pass(calibration.operator.net(sample.ratio)(sample)[:, None])[:, 0]
        # The sample is standardised, and the calibration's weights are of DN.
        weights = np.array([band.weight or 0.0 for band in calibration.bands]) * np.array(
            sample.constants.stds
        )
        mixed = PAlignNet(weights)(sample.ms).double().numpy()
        degraded = low.double().numpy() * sample.constants.pan_std
        return Detail(sample.rects, degraded, mixed, sample.counted.numpy() > 0)


def read_thumbnail(scene: Scene) -> tuple[Floats, Rect]:
    """PAN in small, (row, col) means of its valid pixels and NaN where there are none; which pixels it shows.

    Of large scenes only some rows are read, and no more than a few at once.
    """
    area = scene.area
    step = math.ceil(max(area.shape) / _LONGEST)
    rows, cols = (max(1, size // step) for size in area.shape)
    height, width = min(step, area.height), min(step, area.width)
    small = np.full((rows, cols), math.nan)
    with SceneReader(scene) as reader:
        for row in range(rows):
            strip = Rect(area.row + row * step, area.col, min(height, _STRIP), cols * width)
            pan, valid = reader.read_pan(strip)
            seen = np.ones(pan.shape, bool) if valid is None else valid
            # Together before they are averaged, as cells of a thumbnail's row.
            values = np.where(seen, pan, 0)[0].astype(np.float64).reshape(strip.height, cols, width)
            count = seen[0].reshape(values.shape).sum((0, 2))
            np.divide(values.sum((0, 2)), count, out=small[row], where=count > 0)
    return small, Rect(area.row, area.col, rows * height, cols * width)
