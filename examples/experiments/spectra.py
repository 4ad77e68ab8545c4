"""What a simulated PAN sees of the ground, and which bands are shown beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Nanometres of each source's bands, in its order; none where the source does not name them.
WAVELENGTHS: dict[str, tuple[float, ...]] = {
    "naip_urban_native": (650, 550, 460, 835),
    "naip_urban_2x": (650, 550, 460, 835),
    "naip_prairie_5m": (650, 550, 460, 835),
    "s2_oscd_10m": (490, 560, 665, 842),
    "s2_oscd_20m_4band": (490, 560, 665, 842),
    "s2_oscd_20m_10band": (490, 560, 665, 705, 740, 783, 842, 865, 1610, 2190),
    "s2_eotdl_10m": (490, 560, 665, 842),
    "landsat_tm_6band": (485, 560, 660, 830, 1650, 2215),
    "ucmerced_2x": (650, 550, 460),
    "neon_forest_2x": (650, 550, 460),
}
# Chances of 1, 2 ... bands: most sensors have four, some eight.
BANDS = (0.04, 0.08, 0.22, 0.42, 0.06, 0.06, 0.06, 0.06)
# Share of scenes whose PAN is a window of the spectrum, as sensors' are, where wavelengths are known; of the
# others it is any mix of bands. Nanometres in which the window begins and ends, and how softly.
LIKE_SENSORS = 0.65
BEGINS, ENDS, SOFTNESS = (400.0, 510.0), (660.0, 920.0), 20.0
# Of any mix: the chance that PAN does not see a band.
SILENT = 0.25
# What PAN sees between and beyond the bands, at most, in standard deviations of what it sees of them. Real
# bands leave 1 to 7 % of it unexplained; a network that never met that solves for a mix that is not there.
UNEXPLAINED = 0.3
_TURNS = 3


@dataclass(frozen=True)
class Draws:
    """Random numbers of one seed, on one device."""

    generator: torch.Generator
    device: torch.device

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator, device=self.device)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)

    def integers(self, stop: int, *shape: int) -> Tensor:
        return torch.randint(stop, shape, generator=self.generator, device=self.device)


def observe(source: str, ground: Tensor, bands: int, draws: Draws) -> tuple[Tensor, Tensor]:
    """The bands that are shown and PAN, (scene, patch, band, row, col), of the ground, about 0 to 1.

    Each scene has a gamma, each of its bands a gain and an offset of its own.
    """
    scenes, _, total, *_ = ground.shape
    gamma = torch.exp(draws.uniform(scenes, 1, 1, 1, 1) * math.log(2.0) - math.log(1.4))
    ground = ground.clamp(min=1e-3) ** gamma
    weights = weigh(WAVELENGTHS.get(source), scenes, total, draws)
    pan = torch.einsum("sb,spbrc->sprc", weights, ground)[:, :, None]
    pan = pan + _look_between(ground, draws) * pan.std((1, 2, 3, 4), keepdim=True)
    ground = _extend(ground, bands, draws)
    order = draws.uniform(scenes, ground.shape[2]).argsort(1)[:, :bands]
    shown = torch.stack([of_scene[:, at] for of_scene, at in zip(ground, order, strict=True)])
    gain = torch.exp(0.4 * draws.normal(scenes, 1, bands, 1, 1))
    offset = 0.4 * draws.uniform(scenes, 1, bands, 1, 1) ** 2
    return gain * (shown + offset), pan


def weigh(wavelengths: tuple[float, ...] | None, scenes: int, total: int, draws: Draws) -> Tensor:
    """(scene, band): shares of the bands in each scene's PAN, which sum to 1."""
    weights = -torch.log(draws.uniform(scenes, total).clamp(min=1e-6))
    weights = weights * (draws.uniform(scenes, total) >= SILENT).float()
    if wavelengths is not None:
        at = torch.tensor(wavelengths, device=draws.device)
        begins, ends = (low + (high - low) * draws.uniform(scenes, 1) for low, high in (BEGINS, ENDS))
        window = torch.sigmoid((at - begins) / SOFTNESS) * torch.sigmoid((ends - at) / SOFTNESS)
        like = window * torch.exp(0.3 * draws.normal(scenes, total))
        weights = torch.where(draws.uniform(scenes, 1) < LIKE_SENSORS, like, weights)
    weights = weights + 1e-3
    return weights / weights.sum(1, keepdim=True)


def _look_between(ground: Tensor, draws: Draws) -> Tensor:
    """(scene, patch, 1, row, col): a crooked function of the bands, the same for all pixels of a scene, as
    materials that look alike in the bands differ beside them."""
    scenes, _, total, *_ = ground.shape
    centred = ground - ground.mean((1, 3, 4), keepdim=True)
    directions = draws.normal(scenes, _TURNS, total)
    along = torch.einsum("skb,spbrc->spkrc", directions, centred)
    turn = draws.normal(scenes, 1, _TURNS, 1, 1) * along.std((1, 3, 4), keepdim=True)
    crooked = (along - turn).abs().mean(2, keepdim=True)
    crooked = crooked - crooked.mean((1, 2, 3, 4), keepdim=True)
    size = UNEXPLAINED * draws.uniform(scenes, 1, 1, 1, 1)
    return size * crooked / crooked.std((1, 2, 3, 4), keepdim=True).clamp(min=1e-4)


def _extend(ground: Tensor, bands: int, draws: Draws) -> Tensor:
    """With mixtures of two of its bands behind them, where more are to be shown than there are."""
    scenes, _, total, *_ = ground.shape
    if (missing := bands - total) <= 0:
        return ground
    one, two = draws.integers(total, scenes, missing), draws.integers(total, scenes, missing)
    share = draws.uniform(scenes, 1, missing, 1, 1)
    firsts, seconds = (
        torch.stack([of_scene[:, at] for of_scene, at in zip(ground, index, strict=True)])
        for index in (one, two)
    )
    return torch.cat([ground, share * firsts + (1 - share) * seconds], 2)
