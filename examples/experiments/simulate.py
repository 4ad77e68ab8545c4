"""Scenes of known truth from openly licensed imagery, made in batches on the training device.

The chips of a source are the truth on PAN's grid. PAN is a mix of their bands, also of ones that are not
shown, slightly blurred; MS is the truth through a Gaussian of its own for each band, misplaced and
decimated; both get noise and are quantised. What is told of the kernel is wrong by about as much as what PADM
finds, and what a method learns of a scene comes from few pixels. Several patches are of one simulated scene.

Blur, decimation and interpolation are those of geosharp.imaging.resample, as dense matrices of many scenes at
once; all else that the network is shown comes from geosharp.hfreqdiff.conditions itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matrices import (
    GAUSS_RADIUS,
    LEAST_GAIN,
    MOST_GAIN,
    PAN_BLUR,
    Kernels,
    Matrices,
    context_of,
    displacement,
    gaussian,
    mirror,
    resample,
    resampling,
    sigma_of,
)
from spectra import BANDS, Draws, observe
from torch import Tensor

from geosharp.hfreqdiff.conditions import Constants, assemble, base, descriptors

# Share of each source in training: 45 % NAIP's towns, 37 % Sentinel-2, 13 % Landsat and prairie, 5 % RGB.
MIX = {
    "naip_urban_native": 0.30,
    "naip_urban_2x": 0.15,
    "s2_oscd_10m": 0.17,
    "s2_oscd_20m_4band": 0.08,
    "s2_oscd_20m_10band": 0.07,
    "s2_eotdl_10m": 0.05,
    "landsat_tm_6band": 0.08,
    "landsat_pucallpa_90m": 0.02,
    "naip_prairie_5m": 0.03,
    "ucmerced_2x": 0.03,
    "neon_forest_2x": 0.02,
}
# Places, whatever the source, that no network is trained on.
HELD_OUT = ("claremont", "eureka", "dubai", "rio", "milano", "pisa", "Taizhou", "TEAK")
RATIOS = {2: 0.3, 3: 0.15, 4: 0.55}
# Nyquist gain of the kernel from PAN to MS: from, to; standard deviation of its logarithm along an axis and
# between bands; error of what is told of its width, for a scene and for a band.
GAINS = (0.03, 0.6)
AXIS_JITTER = BAND_JITTER = 0.12
TOLD_ERROR, TOLD_BAND_ERROR = 0.08, 0.03
# PAN pixels: registration error of a scene; of its bands, at most: real bands lie up to 0.9 pixels apart, and
# calibration finds one shift for all; of the truth's bands against PAN.
SCENE_SHIFT, BAND_SHIFT, TRUTH_SHIFT = 0.15, 0.3, 0.08
# Share of scenes that are soft, and the standard deviation of their blur in PAN pixels, at most: a sensor may
# see less than its pixels could hold, and PAN and truth of reduced resolution have gone through a kernel.
SOFT, SOFTNESS = 0.5, 1.0


@dataclass(frozen=True)
class Source:
    """chips: (chip, band, row, col) int16 or uint8; top: the DN that counts as 1; places: chips of each."""

    name: str
    chips: Tensor
    top: float
    places: list[Tensor]


@dataclass(frozen=True)
class Batch:
    """shown (patch, band, channel, row, col), described (patch, band, descriptor), and what is to be found:
    missing (patch, band, row, col), the truth less the additive prior in units of the band."""

    source: str
    ratio: float
    shown: Tensor
    described: Tensor
    missing: Tensor


def load_sources(folder: Path, held_out: bool, device: torch.device) -> list[Source]:
    """The chips of the places that are held out, or of all others, in the memory of `device`."""
    sources = []
    for name in MIX:
        with np.load(folder / f"{name}.npz") as data:
            chips, names = data["ms"], [str(name).split("/")[0].split("_")[0] for name in data["name"]]
        kept = [index for index, place in enumerate(names) if (place in HELD_OUT) == held_out]
        if not kept:
            continue
        top = float(np.percentile(chips, 99.5))
        by_place: dict[str, list[int]] = {}
        for at, index in enumerate(kept):
            by_place.setdefault(names[index], []).append(at)
        narrow = chips[kept] if chips.dtype == np.uint8 else chips[kept].astype(np.int16)
        places = [torch.tensor(at, device=device) for at in by_place.values()]
        sources.append(Source(name, torch.from_numpy(narrow).to(device), top, places))
    return sources


class Simulator:
    """Batches of simulated scenes."""

    def __init__(self, sources: Sequence[Source], device: torch.device) -> None:
        self._sources = list(sources)
        self._shares = torch.tensor([MIX[source.name] for source in sources])
        self._device = device
        self._draws = Draws(torch.Generator(device), device)
        # What decides shapes is drawn where no device is waited for.
        self._choices = torch.Generator()

    def batch(self, seed: int, scenes: int, patches: int, side: int) -> Batch:
        """`patches` patches of `side` PAN pixels of each of `scenes` scenes, all of one source and ratio.

        `seed` alone decides which: a run goes on where it stopped.
        """
        self._draws.generator.manual_seed(seed)
        self._choices.manual_seed(seed)
        source = self._sources[self._choose(self._shares)]
        ratio = list(RATIOS)[self._choose(torch.tensor(list(RATIOS.values())))]
        bands = 1 + self._choose(torch.tensor(BANDS))
        context = context_of(ratio)
        reach = math.ceil(GAUSS_RADIUS * SOFTNESS)
        ground = self._ground(source, scenes, patches, side + 2 * (context + reach))
        shown, pan = observe(source.name, self._soften(ground, reach), bands, self._draws)
        shown = self._displace(shown)
        kernels = self.kernels(scenes, bands, ratio)
        return self._observe(source.name, shown, pan, kernels, side, context)

    def _observe(
        self, name: str, truth: Tensor, pan: Tensor, kernels: Kernels, side: int, context: int
    ) -> Batch:
        """truth, (scene, patch, band, row, col), and pan, one band, reach `context` pixels further."""
        down, told_down, up = resampling(kernels, side, context)
        pixels = torch.arange(pan.shape[-1], device=self._device, dtype=torch.float32)
        soft = gaussian(pixels, kernels.blur[:, None, None], pixels)
        pan = self._sense(resample(pan, (soft, soft)))
        ms = self._sense(resample(truth, down))
        low = resample(pan, told_down)
        constants, centres, pan_centre = self._learn(ms, low)
        inner = slice(context, context + side)
        ms, low = ms - centres[..., None, None], low - pan_centre[..., None, None]
        pan = pan[..., inner, inner] - pan_centre[..., None, None]
        shown, described = present(pan, ms, low, up, kernels, constants)
        wanted = (truth[..., inner, inner] - centres[..., None, None]) / constants.scale[..., None, None]
        parts = (part.flatten(0, 1) for part in (shown, described, wanted - base(shown)))
        return Batch(name, kernels.ratio, *parts)

    def _ground(self, source: Source, scenes: int, patches: int, side: int) -> Tensor:
        """(scene, patch, band, row, col), about 0 to 1, all patches of a scene from one place.

        Beyond a chip's edge lies its mirror image.
        """
        total, *size = source.chips.shape[1:]
        sizes = torch.tensor([len(place) for place in source.places], dtype=torch.float32)
        chips, rows, cols = [], [], []
        for _ in range(scenes):
            place = source.places[self._choose(sizes)]
            chips.append(place[self._draws.integers(len(place), patches)])
        turned = bool(self._choose(torch.ones(2)))
        for lines, length in ((rows, size[0]), (cols, size[1])):
            start = self._draws.integers(max(length - side // 2, 1), scenes, patches) - side // 4
            ahead = torch.arange(side, device=self._device)
            line = start[..., None] + ahead
            back = self._draws.integers(2, scenes, patches)[..., None] > 0
            lines.append(mirror(torch.where(back, line.flip(-1), line), length))
        taken = source.chips[
            torch.stack(chips)[:, :, None, None, None],
            torch.arange(total, device=self._device)[:, None, None],
            rows[0][:, :, None, :, None],
            cols[0][:, :, None, None, :],
        ]
        ground = taken.float() / source.top
        return ground.transpose(-1, -2) if turned else ground

    def _soften(self, ground: Tensor, reach: int) -> Tensor:
        """(scene, patch, band, row, col) less `reach` pixels at each edge, blurred where a scene is soft."""
        sigma = SOFTNESS * self._draws.uniform(len(ground)) * (self._draws.uniform(len(ground)) < SOFT)
        pixels = torch.arange(ground.shape[-1], device=self._device, dtype=torch.float32)
        soft = gaussian(pixels[reach:-reach], sigma.clamp(min=0.05)[:, None, None], pixels)
        return resample(ground, (soft, soft))

    def _displace(self, truth: Tensor) -> Tensor:
        """Each band a little aside of PAN."""
        scenes, _, bands, *shape = truth.shape
        rows, cols = (displacement(TRUTH_SHIFT * self._draws.normal(scenes, bands), count) for count in shape)
        return resample(truth, (rows, cols))

    def kernels(self, scenes: int, bands: int, ratio: float) -> Kernels:
        draws = self._draws
        low, high = (math.log(gain) for gain in GAINS)
        gain = low + (high - low) * draws.uniform(scenes, 1, 1)
        gain = gain + AXIS_JITTER * draws.normal(scenes, 1, 2) + BAND_JITTER * draws.normal(scenes, bands, 1)
        sigmas = sigma_of(gain.exp().clamp(LEAST_GAIN, MOST_GAIN), ratio)
        error = TOLD_ERROR * draws.normal(scenes, 1, 2) + TOLD_BAND_ERROR * draws.normal(scenes, bands, 2)
        limits = [float(sigma_of(torch.tensor(gain), ratio)) for gain in (MOST_GAIN, LEAST_GAIN)]
        told = (sigmas * error.exp()).clamp(*limits)
        apart = BAND_SHIFT * draws.uniform(scenes, 1, 1) ** 2
        shift = SCENE_SHIFT * draws.normal(scenes, 1, 2) + apart * draws.normal(scenes, bands, 2)
        offset = ratio * (draws.uniform(scenes, 2) - 0.5)
        blur = draws.uniform(scenes).mul(PAN_BLUR).clamp(min=0.05)
        return Kernels(ratio, blur, sigmas, told, offset, shift)

    def _sense(self, x: Tensor) -> Tensor:
        """(scene, patch, band, row, col) with noise and quantisation of its own for each scene."""
        deviation = x.std((1, 3, 4), keepdim=True).clamp(min=1e-4)
        noise = torch.exp(math.log(1e-3) + math.log(40.0) * self._draws.uniform(len(x), 1, 1, 1, 1))
        x = x + deviation * noise * self._draws.normal(*x.shape)
        step = deviation * torch.exp2(-(4.5 + 6 * self._draws.uniform(len(x), 1, 1, 1, 1)))
        return torch.round(x / step) * step

    def _learn(self, ms: Tensor, low: Tensor) -> tuple[Constants, Tensor, Tensor]:
        """What a method learns of each scene from MS and D_b(PAN), (scene, patch, band, row, col) both.

        Constants and the bands' centres, (scene, 1, band), and PAN's centre (scene, 1, 1). A scene is more
        than these patches: its scale and centre may be other than theirs.
        """
        over = (1, 3, 4)
        means, low_means = ms.mean(over), low.mean(over)
        a, b = ms - means[:, None, :, None, None], low - low_means[:, None, :, None, None]
        scale, low_scale = ((x**2).mean(over).sqrt().clamp(min=1e-4) for x in (a, b))
        one, two = (torch.cat([x.diff(dim=4).flatten(3), x.diff(dim=3).flatten(3)], 3) for x in (a, b))
        cross = (one * two).sum((1, 3))
        own = ((one**2).sum((1, 3)) * (two**2).sum((1, 3))).sqrt().clamp(min=1e-12)
        correlation = (a * b).mean(over) / (scale * low_scale)
        spread = torch.exp(0.25 * self._draws.normal(len(ms), 1))
        gain = torch.exp(0.05 * self._draws.normal(*scale.shape))
        moved = 0.2 * self._draws.normal(len(ms), 1)
        means = means + moved * scale
        low_means = low_means + moved * correlation * low_scale
        constants = Constants(
            (scale * spread)[:, None],
            means[:, None],
            (low_scale * spread / gain)[:, None],
            correlation[:, None],
            (cross / own)[:, None],
        )
        return constants, means[:, None], low_means.mean(1)[:, None, None]

    def _choose(self, shares: Tensor) -> int:
        """An index, drawn with these chances; on the CPU, so that nothing waits for a device."""
        drawn = torch.rand(1, generator=self._choices) * shares.sum()
        return min(int(torch.searchsorted(shares.cumsum(0), drawn)), len(shares) - 1)


def present(
    pan: Tensor, ms: Tensor, low: Tensor, up: Matrices, kernels: Kernels, constants: Constants
) -> tuple[Tensor, Tensor]:
    """What the network is shown and told of centred patches, (scene, patch, band, row, col).

    pan: on PAN's grid; ms, low: on MS's, which `up` interpolates; constants: (scene, 1, band).
    """
    shown = assemble(resample(ms, up), pan, resample(low, up), constants)
    ratio = torch.full((len(ms), 1), float(kernels.ratio), device=ms.device)
    described = descriptors(kernels.told[:, None], ratio, constants)
    return shown, described.expand(-1, ms.shape[1], -1, -1)
