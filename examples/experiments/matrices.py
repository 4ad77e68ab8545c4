"""Blur, decimation and interpolation of many simulated scenes at once, as dense matrices.

Weight for weight those of geosharp.imaging.resample, which serves one scene a time, on any device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# MS pixels around a patch that are simulated as well, so that interpolation and learning have them.
_MARGIN = 4
GAUSS_RADIUS = 4.0
# The bounds of a Nyquist gain.
LEAST_GAIN, MOST_GAIN = 0.02, 0.7
# PAN's own blur is at most this standard deviation in PAN pixels.
PAN_BLUR = 0.6

Matrices = tuple[Tensor, Tensor]  # (scene, band, output, input) along rows, along columns


@dataclass(frozen=True)
class Kernels:
    """Between PAN and MS pixels of a batch, along (rows, cols). blur: (scene,) of PAN; sigmas, told: (scene,
    band, 2), from PAN to MS, all in PAN pixels; offset: (scene, 2), the first edge of MS pixel 0 as the
    geotransforms have it; shift: (scene, band, 2), what they do not tell."""

    ratio: float
    blur: Tensor
    sigmas: Tensor
    told: Tensor
    offset: Tensor
    shift: Tensor


def sigma_of(gain: Tensor, ratio: float) -> Tensor:
    """Standard deviation in PAN pixels of the Gaussian whose response at MS Nyquist is `gain`."""
    return ratio / math.pi * (-2 * gain.log()).sqrt()


def context_of(ratio: float) -> int:
    """PAN pixels around a patch that its MS and their interpolation depend on."""
    widest = float(sigma_of(torch.tensor(LEAST_GAIN), ratio))
    return math.ceil((_MARGIN + 1) * ratio + GAUSS_RADIUS * math.hypot(widest, PAN_BLUR)) + 1


def mirror(index: Tensor, length: int) -> Tensor:
    """Pixel numbers beyond [0, length) -> those of the mirror image in it."""
    index = index % (2 * length)
    return torch.minimum(index, 2 * length - 1 - index)


def resample(x: Tensor, matrices: Matrices) -> Tensor:
    """(scene, patch, band, row, col) by a matrix for the rows and one for the columns of each band."""
    rows, cols = matrices
    return rows[:, None] @ x @ cols[:, None].transpose(-1, -2)


def resampling(kernels: Kernels, side: int, context: int) -> tuple[Matrices, Matrices, Matrices]:
    """PAN -> MS as it is, PAN -> MS as it is told, and MS -> PAN.

    PAN pixels are [-context, side + context), or [0, side) as a result; MS pixels those that these need.
    """
    device = kernels.offset.device
    pan = torch.arange(-context, side + context, device=device, dtype=torch.float32)
    ms = torch.arange(-_MARGIN - 1, math.ceil(side / kernels.ratio) + _MARGIN, device=device)
    down, told, up = [], [], []
    for axis in range(2):
        offset = kernels.offset[:, axis, None, None]
        centre = offset + kernels.ratio * (ms + 0.5) - 0.5
        wide = torch.hypot(kernels.sigmas[..., axis], kernels.blur[:, None])[..., None]
        down.append(gaussian(centre + kernels.shift[:, :, axis, None], wide, pan))
        told.append(gaussian(centre, kernels.told[..., axis, None], pan))
        at = (pan[context : context + side] + 0.5 - offset) / kernels.ratio - 0.5
        up.append(keys((at[..., None] - ms).abs()))
    return (down[0], down[1]), (told[0], told[1]), (up[0], up[1])


def displacement(shift: Tensor, count: int) -> Tensor:
    """(..., count, count): pixels -> what lies `shift` pixels further, by interpolation."""
    pixels = torch.arange(count, device=shift.device, dtype=torch.float32)
    return keys((pixels[:, None] + shift[..., None, None] - pixels).abs())


def gaussian(centre: Tensor, sigma: Tensor, pixels: Tensor) -> Tensor:
    """Weights (..., output, input) that sum to one, cut at four standard deviations."""
    distance = (pixels - centre[..., None]) / sigma[..., None]
    weights = torch.exp(-0.5 * distance**2) * (distance.abs() <= GAUSS_RADIUS)
    return weights / weights.sum(-1, keepdim=True)


def keys(s: Tensor) -> Tensor:
    """Keys' cubic convolution kernel of support 3 at distance s, fourth order (IEEE ASSP 29, 1981)."""
    near = (4 / 3 * s - 7 / 3) * s**2 + 1
    middle = ((-7 / 12 * s + 3) * s - 59 / 12) * s + 2.5
    far = ((1 / 12 * s - 2 / 3) * s + 1.75) * s - 1.5
    return torch.where(s <= 1, near, torch.where(s <= 2, middle, far * (s <= 3)))
