"""PAlignNet: MS -> what PAN would see of it at MS resolution."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]


class PAlignNet(nn.Module):
    """A spectral response: the mix of bands, with non-negative weights, that is nearest to PAN degraded.

    Pointwise in space, so that it cannot take over blur from the degradation; where PAN lies on MS is the
    degradation's shift, see PDegradeNet.
    """

    weights: Tensor

    def __init__(self, weights: Floats) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights.copy()))

    def forward(self, ms: Tensor) -> Tensor:
        """(..., band, row, col) -> (..., row, col)."""
        return torch.einsum("b,...brc->...rc", self.weights.to(ms.dtype), ms)


def fit_response(cov: Floats, cross: Floats) -> Floats:
    """The w >= 0 that minimises w' cov w - 2 w' cross; 0 for bands that show nothing.

    Lawson and Hanson's active sets ("Solving Least Squares Problems", 1974) on the normal equations, with
    all weights freed at once that rise at least half as steeply as the steepest.
    """
    power = np.diag(cov)
    scale = np.sqrt(np.where(power > 1e-12 * max(power.max(initial=0.0), 1e-300), power, np.inf))
    # Of unit power, and firm where two bands are one.
    cov, cross = cov / np.outer(scale, scale) + 1e-9 * np.eye(len(scale)), cross / scale
    weights, free = np.zeros(len(cross)), np.zeros(len(cross), bool)
    least = 1e-9 * np.abs(cross).max(initial=0.0)
    for _ in range(10 * len(cross)):
        slope = np.where(free, -np.inf, cross - cov @ weights)
        steepest = slope.max(initial=-np.inf)
        if steepest <= least:
            break
        free |= slope >= 0.5 * steepest
        weights = _retreat(cov, cross, weights, free)
    return weights / scale


def _retreat(cov: Floats, cross: Floats, weights: Floats, free: NDArray[np.bool_]) -> Floats:
    """From `weights` to least squares over the free ones, freezing (in place) what would turn negative."""
    while True:
        target = np.zeros_like(weights)
        # By torch: NumPy's own threads wait for one another five times as long as the work takes.
        among = torch.from_numpy(cov[np.ix_(free, free)]), torch.from_numpy(cross[free])
        target[free] = torch.linalg.solve(*among).numpy()
        negative = free & (target <= 0)
        if not negative.any():
            return target
        share = (weights[negative] / (weights[negative] - target[negative])).min()
        weights = weights + share * (target - weights)
        free &= ~(negative & (weights <= 1e-12))
        weights = np.where(free, weights, 0.0)
