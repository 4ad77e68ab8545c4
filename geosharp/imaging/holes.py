"""Holes in an image, filled from their rims."""

from __future__ import annotations

import torch
from torch import Tensor

from geosharp.imaging.resample import UP_RADIUS

# Pixels into a hole that are filled, so that interpolation beside it never reads no-data: registration can
# put pixels just beyond the rim.
FILL_REACH = UP_RADIUS + 1


def fill_holes(x: Tensor, valid: Tensor | None) -> Tensor:
    """Give invalid pixels the mean of their valid neighbours, ring by ring inwards, FILL_REACH rings deep.

    `valid` has the bands of `x`, or one for all.
    """
    if valid is None:
        return x
    holes = (valid == 0).any(0)
    if not holes.any():
        return x
    rows, cols = (_reach(holes.any(dim)) for dim in (1, 0))
    filled = x.clone()
    filled[:, rows, cols] = _fill_rings(x[:, rows, cols], valid[:, rows, cols])
    return filled


def _reach(holes: Tensor) -> slice:
    """The part of a line that filling its `holes` reads and writes: they and their rim."""
    at = torch.nonzero(holes)
    return slice(max(int(at[0]) - 1, 0), int(at[-1]) + 2)


def _fill_rings(x: Tensor, valid: Tensor) -> Tensor:
    x = x * valid
    for _ in range(FILL_REACH):
        weight = _box_sum(valid)
        x = torch.where(valid > 0, x, _box_sum(x) / weight.clamp(min=1.0))
        valid = (weight > 0).float()
    return x


def _box_sum(x: Tensor) -> Tensor:
    """Sum over each pixel's 3 x 3 neighbourhood, zero outside, in a fixed order."""
    x = torch.nn.functional.pad(x, (0, 0, 1, 1))
    x = x[:, :-2] + x[:, 1:-1] + x[:, 2:]
    x = torch.nn.functional.pad(x, (1, 1))
    return x[:, :, :-2] + x[:, :, 1:-1] + x[:, :, 2:]
