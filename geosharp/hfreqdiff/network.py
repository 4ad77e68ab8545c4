"""The network: conditions of a tile -> the mean of what is missing from the prior, and draws around it.

Bands are items of a batch that share weights; what they have in common goes through a mean over bands, so
that one network serves any number of them in any order. All is convolutions of 3 x 3 at a quarter of PAN's
resolution, without statistics over space: a pixel depends on no more than `reach` PAN pixels around it.
Padded, results are as large as the tile, and made up where their context lies outside it: for training.
Unpadded, every convolution uses up one pixel on each side of what it is given: what comes out is the inner
part, which depends on nothing but the tile, and the rest is never computed.

Tensors are (scene, band, channel, row, col) outside and (item, channel, row, col) inside, an item being a
band of a scene, the bands of a scene one after the other.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from geosharp.hfreqdiff import subbands
from geosharp.hfreqdiff.conditions import ADDITIVE, CHANNELS, DESCRIPTORS, MODULATED
from geosharp.imaging.resample import middle
from geosharp.imaging.rules import SizeRules

# The standard deviation of what is missing from the prior, in units of the band.
MEAN_SCALE = 0.15
_EMBEDDING = 32
_FREQUENCIES = 8


@dataclass(frozen=True)
class Architecture:
    """What a network is built from, as its checkpoint's header tells.

    width: channels of a band; *_blocks: of two convolutions each; fusion, modulation: whether it has
    ConditionFusionBlocks, a BandAwareModulationBlock.
    """

    width: int = 64
    encoder_blocks: int = 2
    mean_blocks: int = 5
    draw_blocks: int = 3
    transform: Literal["haar", "unshuffle"] = "haar"
    fusion: bool = True
    modulation: bool = True


PRESETS = {
    "base": Architecture(),
    "small": Architecture(width=48, encoder_blocks=1, mean_blocks=3, draw_blocks=2),
}


@dataclass(frozen=True)
class Encoded:
    """What depends on the conditions alone: computed once for a tile, whatever the steps and draws.

    features (item, channel, row, col), embedding (item, channel), details: the priors' sub-bands (item,
    prior * 16, row, col), which the encoder's margin is still around where nothing is padded.
    """

    features: Tensor
    embedding: Tensor
    details: Tensor
    count: int  # bands of a scene
    padded: bool


class HFreqdiff(nn.Module):
    """Mean and draws share the encoder; each has a trunk of its own: learning draws leaves the mean."""

    rotation: Tensor | None

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        # Made anew rather than saved.
        rotation = subbands.haar() if a.transform == "haar" else None
        self.register_buffer("rotation", rotation, persistent=False)
        self.embed = nn.Sequential(
            nn.Linear(DESCRIPTORS, _EMBEDDING), nn.SiLU(), nn.Linear(_EMBEDDING, _EMBEDDING)
        )
        self.stem = nn.Conv2d(CHANNELS * subbands.COUNT, a.width, 3)
        self.encoder = Trunk(a.width, a.encoder_blocks, fusion=False)
        self.mean_trunk = Trunk(a.width, a.mean_blocks, a.fusion)
        self.mean_head = Head(a)
        self.embed_noise = nn.Linear(2 * _FREQUENCIES, _EMBEDDING)
        self.draw_stem = nn.Conv2d(subbands.COUNT, a.width, 1)
        self.draw_trunk = Trunk(a.width, a.draw_blocks, a.fusion)
        self.draw_head = Head(a)

    @property
    def encoder_margin(self) -> int:
        """PAN pixels on each side of a tile that encoding uses up."""
        return subbands.BLOCK * (1 + 2 * self.architecture.encoder_blocks)

    @property
    def mean_margin(self) -> int:
        """PAN pixels on each side of a tile that its mean lacks: the encoder's and its own."""
        return self.encoder_margin + _margin(self.mean_trunk)

    @property
    def draw_margin(self) -> int:
        """PAN pixels on each side of the noisy residuals that every `draw` uses up."""
        return _margin(self.draw_trunk)

    @property
    def reach(self) -> int:
        """PAN pixels on each side that a pixel of the mean, or of one step's draw, may depend on."""
        # Margins are of whole blocks; a pixel may be at the far side of its own.
        return max(self.mean_margin, self.encoder_margin + self.draw_margin) + subbands.BLOCK - 1

    @property
    def size_rules(self) -> SizeRules:
        """What one step asks of a tile, beside what its conditions need."""
        return SizeRules(subbands.BLOCK, (self.reach, self.reach))

    def encode(self, shown: Tensor, descriptors: Tensor, padded: bool = True) -> Encoded:
        """Conditions (scene, band, channel, row, col), sides multiples of 4; descriptors (scene, band, _).

        padded: whether `mean` and `draw` are as large as what they are given, or lack their margins.
        """
        _check_sides(shown.shape[-2:], 0 if padded else self.encoder_margin)
        count, items = shown.shape[1], shown.flatten(0, 1)
        embedding = self.embed(descriptors.flatten(0, 1))
        split = subbands.split(items, self.rotation)
        details = torch.cat([split.chunk(CHANNELS, 1)[of] for of in (ADDITIVE, MODULATED)], 1)
        features = _near(self.stem, split, padded)
        del split  # It is larger than what follows, and would be there to the end.
        features = self.encoder(features, None, embedding, count, padded)
        return Encoded(features, embedding, details, count, padded)

    def mean(self, encoded: Encoded) -> Tensor:
        """The expected truth less the additive prior, in units of the band: (scene, band, row, col).

        Unpadded it is `mean_margin` smaller on each side than what was encoded.
        """
        e = encoded
        sides = [side * subbands.BLOCK for side in e.details.shape[-2:]]
        _check_sides(sides, 0 if e.padded else self.mean_margin)
        features = self.mean_trunk(e.features, e.features, e.embedding, e.count, e.padded)
        made = self.mean_head(features, e.embedding, e.details)
        return MEAN_SCALE * self._joined(made, e.count)

    def draw(self, encoded: Encoded, noisy: Tensor, level: Tensor) -> Tensor:
        """What diffusion calls F: (scene, band, row, col) scaled noisy residuals around the mean -> the same.

        level: (scene,), the logarithm of the noise as diffusion scales it. The residuals may be of the middle
        of what was encoded alone; unpadded the result is `draw_margin` smaller than they on each side.
        """
        _check_sides(noisy.shape[-2:], 0 if encoded.padded else self.draw_margin)
        waves = level[:, None] * torch.exp(
            torch.linspace(math.log(0.5), math.log(16.0), _FREQUENCIES, device=level.device)
        )
        noise = self.embed_noise(torch.cat([waves.sin(), waves.cos()], 1))
        embedding = encoded.embedding + noise.repeat_interleave(encoded.count, 0)
        split = subbands.split(noisy.flatten(0, 1)[:, None], self.rotation)
        # Without a ConditionFusionBlock this is where a draw learns of the conditions.
        features = self.draw_stem(split) + _centre(encoded.features, split)
        features = self.draw_trunk(features, encoded.features, embedding, encoded.count, encoded.padded)
        made = self.draw_head(features, embedding, encoded.details)
        return self._joined(made, encoded.count)

    def _joined(self, made: Tensor, count: int) -> Tensor:
        return _by_scene(subbands.join(made, self.rotation)[:, 0], count)


class Trunk(nn.Module):
    """Blocks one after the other, before each of which bands hear of each other and of the conditions."""

    def __init__(self, width: int, blocks: int, fusion: bool) -> None:
        super().__init__()
        self.residuals = nn.ModuleList(Residual(width) for _ in range(blocks))
        self.exchanges = nn.ModuleList(Exchange(width) for _ in range(blocks))
        self.fusions = nn.ModuleList(ConditionFusionBlock(width) for _ in range(blocks if fusion else 0))

    def forward(
        self, x: Tensor, conditions: Tensor | None, embedding: Tensor, count: int, padded: bool
    ) -> Tensor:
        for number, (exchange, residual) in enumerate(zip(self.exchanges, self.residuals, strict=True)):
            x = exchange(x, count)
            if self.fusions:
                x = self.fusions[number](x, conditions)
            x = residual(x, embedding, padded)
        return x


class Residual(nn.Module):
    """x + two convolutions of it, with gain and offset from the embedding between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3)
        self.modulate = nn.Linear(_EMBEDDING, 2 * width)
        self.second = nn.Conv2d(width, width, 3)
        with torch.no_grad():
            self.second.weight.mul_(0.2)

    def forward(self, x: Tensor, embedding: Tensor, padded: bool) -> Tensor:
        gain, offset = self.modulate(embedding)[:, :, None, None].chunk(2, 1)
        inner = _near(self.first, nn.functional.silu(x), padded)
        # Where nothing is learnt one piece of memory serves three times.
        spare = None if torch.is_grad_enabled() else inner
        inner = torch.addcmul(offset, inner, 1 + gain, out=spare)
        inner = nn.functional.silu(inner, inplace=spare is not None)
        made = _near(self.second, inner, padded)
        return made.add_(_centre(x, made))


class Exchange(nn.Module):
    """What bands tell each other: a mixture of their mean's channels, added to each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = _silent(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor, count: int) -> Tensor:
        told: Tensor = self.mix(_mean_over_bands(x, count))
        return (_by_scene(x, count) + told[:, None]).flatten(0, 1)


class ConditionFusionBlock(nn.Module):
    """CFB: the encoded conditions, fused into the features before every block.

    The paper does not publish it; here a projection that starts at zero, so that training starts from the
    network without it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fuse = _silent(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        result: Tensor = self.fuse(_centre(conditions, x)).add_(x)
        return result


class Head(nn.Module):
    """Features -> 16 sub-bands, modulated or as they come."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.project = _silent(nn.Conv2d(a.width, subbands.COUNT, 1))
        self.modulate = BandAwareModulationBlock(a.width) if a.modulation else None

    def forward(self, x: Tensor, embedding: Tensor, details: Tensor) -> Tensor:
        features = nn.functional.silu(x)
        made: Tensor = self.project(features)
        if self.modulate is not None:
            made = self.modulate(made, features, embedding, details)
        return made


class BandAwareModulationBlock(nn.Module):
    """BAMB: each frequency sub-band is opened by its own gate, from the noise level and the conditions.

    The paper does not publish it; here the gates are on what the network made and on the details of the two
    priors, pixel by pixel: a choice between the priors for each frequency. It starts as no modulation at all.
    """

    gate_of: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.local = _silent(nn.Conv2d(width, 3 * subbands.SUBBANDS, 1))
        self.overall = nn.Linear(_EMBEDDING, 3 * subbands.SUBBANDS)
        nn.init.zeros_(self.overall.weight)
        nn.init.zeros_(self.overall.bias)
        self.register_buffer("gate_of", torch.tensor(subbands.SUBBAND), persistent=False)

    def forward(self, made: Tensor, features: Tensor, embedding: Tensor, details: Tensor) -> Tensor:
        gates = self.local(features) + self.overall(embedding)[:, :, None, None]
        own, added, multiplied = (part[:, self.gate_of] for part in gates.chunk(3, 1))
        first, second = _centre(details, made).chunk(2, 1)
        # Details are in units of the band, what is made in units of MEAN_SCALE.
        result: Tensor = made + own * made + (added * first + multiplied * second) / MEAN_SCALE
        return result


def _near(layer: nn.Conv2d, x: Tensor, padded: bool) -> Tensor:
    """A convolution of 3 x 3: as large as `x`, with zeros around it, or one pixel smaller on each side."""
    return nn.functional.conv2d(x, layer.weight, layer.bias, padding=int(padded))


def _margin(trunk: Trunk) -> int:
    """PAN pixels on each side that the trunk's convolutions use up."""
    return subbands.BLOCK * 2 * len(trunk.residuals)


def _centre(x: Tensor, like: Tensor) -> Tensor:
    """The middle of `x`, as large as `like`; no copy."""
    (height, width), (rows, cols) = x.shape[-2:], like.shape[-2:]
    if height < rows or width < cols or (height - rows) % 2 or (width - cols) % 2:
        raise ValueError(f"{rows} x {cols} blocks are not the middle of {height} x {width}")
    return middle(x, like.shape)


def _check_sides(sides: Sequence[int], margin: int) -> None:
    """Raise unless (rows, cols) of PAN pixels are whole blocks, some of which the margin leaves."""
    if any(side % subbands.BLOCK or side <= 2 * margin for side in sides):
        needed = f"multiples of {subbands.BLOCK} above {2 * margin}"
        raise ValueError(f"{sides[0]} x {sides[1]} PAN pixels, where {needed} are needed")


def _mean_over_bands(items: Tensor, count: int) -> Tensor:
    """(item, ...) -> (scene, ...). A chain of sums, which runs several times faster than a reduction."""
    return functools.reduce(torch.add, _by_scene(items, count).unbind(1)) / count


def _by_scene(items: Tensor, count: int) -> Tensor:
    """(item, ...) -> (scene, band, ...)."""
    return items.reshape(-1, count, *items.shape[1:])


def _silent(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with weights of zero: training starts as if it were not there."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
