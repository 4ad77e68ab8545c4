"""What a scene's sensor does to PAN pixels to make MS pixels of them: blur, misplace, decimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from geosharp.imaging.resample import Axis, Gain, Spans, degrade_valid, down_radius


@dataclass(frozen=True)
class Degradation:
    """gains: per band, the response at MS Nyquist (rows, cols) of the kernel from PAN pixels to that band's.

    pan_gain: the same of the kernel that makes a PAN of MS's resolution as sharp as PAN is at its own.
    shift: (down, right) in PAN pixels, where an MS pixel's content lies in PAN, counted from where the
    geotransforms put it; see Scene.aligned.
    """

    gains: tuple[Gain, ...]
    pan_gain: Gain
    shift: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def alike(cls, gains: Sequence[float], pan_gain: float, shift: tuple[float, float] = (0.0, 0.0)) -> Self:
        """Of kernels that are along rows as they are along columns."""
        return cls(tuple((gain, gain) for gain in gains), (pan_gain, pan_gain), shift)

    @property
    def mean_gain(self) -> Gain:
        """Of the kernel that makes PAN as coarse as the bands on the whole."""
        rows, cols = (sum(along) / len(self.gains) for along in zip(*self.gains, strict=True))
        return rows, cols

    @property
    def unshifted(self) -> Self:
        """The same where geotransforms are trusted."""
        return replace(self, shift=(0.0, 0.0))

    def reach(self, axes: tuple[Axis, Axis]) -> tuple[int, int]:
        """PAN pixels around an MS pixel, (rows, cols), that any of the kernels needs."""
        rows, cols = (
            max(down_radius(gain, axis.ratio) for gain in along)
            for along, axis in zip(zip(*self.gains, self.pan_gain, strict=True), axes, strict=True)
        )
        return rows, cols


def degrade_bands(
    x: Tensor,
    valid: Tensor | None,
    source: Spans,
    target: Spans,
    axes: tuple[Axis, Axis],
    gains: tuple[Gain, ...],
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
