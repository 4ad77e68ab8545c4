"""PDegradeNet: PAN -> what it would show at MS resolution."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from geosharp.imaging.resample import nyquist_sigma
from geosharp.padm.align import Floats
from geosharp.padm.sample import Sample


class PDegradeNet(nn.Module):
    """A Gaussian blur, its own along rows and columns, and decimation to MS pixels.

    variances: of the blur in PAN pixels squared, (rows, cols). shift: (down, right) in PAN pixels, where an
    MS pixel's content lies, counted from where the geotransforms put it; registration is had here, where it
    only moves the kernel and needs no interpolation of MS. The kernel is non-negative and sums to one.
    """

    variances: Tensor
    shift: Tensor

    def __init__(self, variances: tuple[float, float], shift: tuple[float, float]) -> None:
        super().__init__()
        self.variances = nn.Parameter(torch.tensor(variances, dtype=torch.float64))
        self.shift = nn.Parameter(torch.tensor(shift, dtype=torch.float64))

    def forward(self, sample: Sample) -> Tensor:
        """D(PAN) on the sample's MS pixels, (window, row, col)."""
        rows, cols = (self._weights(sample, axis)[:, 0] for axis in range(2))
        return rows @ sample.pan @ cols.mT

    def linearise(self, sample: Sample) -> Tensor:
        """D(PAN), and its derivatives by the two variances and the two shifts: (window, 5, row, col)."""
        rows, cols = (self._weights(sample, axis, slopes=True) for axis in range(2))
        # The product over PAN's columns is the dear one: once for each of what rows are combined with.
        right = [sample.pan @ part.mT for part in cols.unbind(1)]
        row, row_blur, row_move = rows.unbind(1)
        pairs = ((row, 0), (row_blur, 0), (row, 1), (row_move, 0), (row, 2))
        return torch.stack([left @ right[part] for left, part in pairs], 1)

    def _weights(self, sample: Sample, axis: int, slopes: bool = False) -> Tensor:
        """Weights (window, 1, MS pixel, PAN pixel) along an axis.

        slopes: also their derivatives by variance and by shift, (window, 3, MS pixel, PAN pixel).
        """
        variance = self.variances[axis]
        pixels = torch.arange(sample.pan.shape[1 + axis], dtype=torch.float64)
        distance = pixels - (sample.centres[axis] + self.shift[axis])[:, :, None]
        # Beyond six standard deviations only denormal numbers are left, which cost fifty times the time.
        far = distance**2 > 36 * variance
        weights = torch.softmax((-0.5 * distance**2 / variance).masked_fill(far, -torch.inf), 2)[:, None]
        if not slopes:
            return weights.float()
        moves = torch.stack([0.5 * (distance / variance) ** 2, distance / variance], 1)
        moved = weights * (moves - (weights * moves).sum(3, keepdim=True))
        return torch.cat([weights, moved], 1).float()


class FreeDegradeNet(nn.Module):
    """A blur of any form and decimation: what PDegradeNet's Gaussian is held against.

    weights: (row, col), of knots about an MS pixel's centre, non-negative and of sum one; spacing: of the
    knots in PAN pixels, (rows, cols), PAN being linear between its pixels; shift: as PDegradeNet counts it.
    """

    weights: Tensor

    def __init__(self, weights: Floats, spacing: tuple[float, float], shift: tuple[float, float]) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights.copy()))
        self.spacing, self.shift = spacing, shift

    def forward(self, sample: Sample) -> Tensor:
        """D(PAN) on the sample's MS pixels, (window, row, col)."""
        rows, cols = self._tents(sample, 0), self._tents(sample, 1)
        right = torch.einsum("ij,wjmp->wimp", self.weights.to(cols.dtype), cols)
        return (rows @ sample.pan[:, None] @ right.mT).sum(1)

    def linearise(self, sample: Sample) -> Tensor:
        """D(PAN) by each knot alone, (window, knot, row, col), knots row by row."""
        rows, cols = self._tents(sample, 0), self._tents(sample, 1)
        # All knots of an axis in one product take a quarter of the time of one by one.
        left = rows.flatten(1, 2) @ sample.pan
        both = left @ cols.flatten(1, 2).mT
        knots = both.reshape(len(both), *rows.shape[1:3], *cols.shape[1:3])
        return knots.transpose(2, 3).flatten(1, 2)

    def _tents(self, sample: Sample, axis: int) -> Tensor:
        """Weights (window, knot, MS pixel, PAN pixel) of each knot along an axis, of sum one."""
        count, spacing = self.weights.shape[axis], self.spacing[axis]
        knots = spacing * (torch.arange(count, dtype=torch.float64) - (count - 1) / 2)
        pixels = torch.arange(sample.pan.shape[1 + axis], dtype=torch.float64)
        centres = sample.centres[axis][:, None] + self.shift[axis] + knots[:, None]
        tents = (1 - (pixels - centres[..., None]).abs() / spacing).clamp(min=0)
        # Beyond PAN there is nothing, and no such MS pixel counts.
        return (tents / tents.sum(3, keepdim=True).clamp(min=1e-9)).float()


def weigh_gaussian(at: NDArray[np.floating], gain: float, ratio: float) -> Floats:
    """The Gaussian of that gain at MS Nyquist: weights, of sum one, so many PAN pixels from its centre."""
    weights = np.exp(-0.5 * (at / nyquist_sigma(gain, ratio)) ** 2)
    return np.asarray(weights / weights.sum())


def gain_of(variance: float, ratio: float) -> float:
    """The response at MS Nyquist of the Gaussian of that variance in PAN pixels squared."""
    return math.exp(-0.5 * variance * (math.pi / ratio) ** 2)
