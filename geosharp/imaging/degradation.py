"""What a scene's sensor does to PAN pixels to make MS pixels of them: blur, misplace, decimate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from geosharp.imaging.resample import Axis, Span, degrade_valid, down_radius

Spans = tuple[Span, Span]


@dataclass(frozen=True)
class Degradation:
    """gains: per band, the response at MS Nyquist of the kernel from PAN pixels to that band's.

    pan_gain: the same of the kernel that makes a PAN of MS's resolution as sharp as PAN is at its own.
    shift: (down, right) in PAN pixels, where an MS pixel's content lies in PAN, counted from where the
    geotransforms put it.
    """

    gains: tuple[float, ...]
    pan_gain: float
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def mean_gain(self) -> float:
        return sum(self.gains) / len(self.gains)

    def moved(self, axes: tuple[Axis, Axis]) -> tuple[Axis, Axis]:
        """MS -> PAN as the content lies, from `axes` as the geotransforms say."""
        down, right = self.shift
        rows, cols = axes
        return replace(rows, offset=rows.offset + down), replace(cols, offset=cols.offset + right)

    def reach(self, axes: tuple[Axis, Axis]) -> tuple[int, int]:
        """PAN pixels around an MS pixel, (rows, cols), that any of the kernels needs."""
        reach = [
            max(down_radius(gain, axis.ratio) for gain in (*self.gains, self.pan_gain))
            + math.ceil(abs(shift))
            for axis, shift in zip(axes, self.shift, strict=True)
        ]
        return reach[0], reach[1]


def degrade_bands(
    x: Tensor,
    valid: Tensor | None,
    source: Spans,
    target: Spans,
    axes: tuple[Axis, Axis],
    gains: tuple[float, ...],
    least: float,
) -> tuple[Tensor, Tensor | None]:
    """PAN grid -> MS grid, (band, row, col), each band by its own gain; see resample.degrade_valid."""
    bands = [
        degrade_valid(
            x[band : band + 1],
            None if valid is None else valid[band : band + 1],
            source,
            target,
            axes,
            gain,
            least,
        )
        for band, gain in enumerate(gains)
    ]
    low = torch.cat([values for values, _ in bands])
    return low, None if valid is None else torch.cat([seen for _, seen in bands if seen is not None])
