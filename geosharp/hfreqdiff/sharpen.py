"""A model on one scene: a tile's PAN and MS in, the fused tile out."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from geosharp.hfreqdiff.checkpoint import Model
from geosharp.hfreqdiff.conditions import CHANNELS, base, conditions, constants_of, describe
from geosharp.hfreqdiff.diffusion import denoise, multistep, schedule
from geosharp.hfreqdiff.network import Encoded, HFreqdiff
from geosharp.hfreqdiff.settings import CONSISTENCY, NETWORK, PRIOR, Diffusion
from geosharp.hfreqdiff.subbands import BLOCK
from geosharp.imaging import classic, consistency
from geosharp.imaging.classic import Moments, Optics, Pair, cut
from geosharp.imaging.noise import normal_noise
from geosharp.imaging.resample import Span, Spans, grow, middle
from geosharp.imaging.rules import SizeRules

# How many copies of conditions and of features are held at once, at most, and of a band where it is drawn.
_COPIES_SHOWN, _COPIES_FEATURES, _COPIES_DRAWN = 4, 6, 10


# Counts what is done within to one of settings.STAGES.
Timer = Callable[[str], AbstractContextManager[None]]


def _untimed(stage: str) -> AbstractContextManager[None]:
    return nullcontext()


class Sharpener:
    """Holds what is global for the scene; serves any number of threads."""

    def __init__(
        self,
        model: Model,
        optics: Optics,
        moments: Moments,
        settings: Diffusion,
        device: torch.device,
        time: Timer = _untimed,
    ) -> None:
        self._network, self._sigma_data = model.network, model.header.sigma_data
        self._optics, self._settings, self._device, self._time = optics, settings, device, time
        constants = constants_of(moments)
        self._described = describe(optics, constants)[None].to(device)
        self._constants = constants.to(device)

    def sharpen(self, pair: Pair, target: Spans) -> tuple[Tensor, Tensor | None]:
        """(band, row, col) centred DN of PAN pixels `target`, undefined where PAN or MS is invalid; the pair,
        and what comes of it, on the model's device.

        And, where the settings ask for draws, their spread in DN: their root mean square around the mean.
        """
        tile = self._expect(pair, target)
        draw = self._draw(tile, 0) if self._settings.drawn else None
        if draw is not None and not self._settings.draws:
            return draw.contiguous(), None
        mean = self._finish(tile, tile.mean)
        fused = mean if draw is None else draw
        spread = self._spread(tile, mean, draw) if self._settings.draws else None
        return fused.contiguous(), spread

    def _expect(self, pair: Pair, target: Spans) -> _Tile:
        """The conditions of a tile, encoded, and its mean before it is made to agree with MS."""
        wanted, rounds = target, self._settings.consistency
        if rounds:
            rows, cols = consistency.context(self._optics)
            wanted = grow(target, (rounds * rows, rounds * cols))
        spans = _align(wanted)
        trunk = _trunk_margin(self._network, self._settings)
        encoder = self._network.encoder_margin
        encoded_spans = grow(spans, (trunk, trunk))
        seen = grow(encoded_spans, (encoder, encoder))
        with self._time(PRIOR):
            shown = conditions(pair, self._optics, self._constants, seen)[None]
        shape = [span.stop - span.start for span in spans]
        with self._time(NETWORK), self._casting():
            encoded = self._network.encode(shown, self._described, padded=False)
            missing = self._network.mean(encoded).float()
        mean = middle(base(shown), shape) + middle(missing, shape)
        return _Tile(pair, target, spans, encoded, encoded_spans, mean[0])

    def _casting(self) -> AbstractContextManager[object]:
        """How the network computes; all else is float32."""
        if self._settings.precision == "fp32":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    def _finish(self, tile: _Tile, fused: Tensor) -> Tensor:
        """What is fused in units of the bands, in DN and in agreement with MS."""
        fused, rounds = fused * self._constants.scale[:, None, None], self._settings.consistency
        if not rounds:
            return cut(fused, tile.spans, tile.target)
        with self._time(CONSISTENCY):
            return consistency.back_project(fused, tile.spans, tile.pair, self._optics, tile.target, rounds)

    def _draw(self, tile: _Tile, number: int) -> Tensor:
        """A result that the truth might be: the mean and a draw around it."""
        assert self._sigma_data is not None
        sigma_data, network, encoded = self._sigma_data, self._network, tile.encoded
        noise = normal_noise(
            self._settings.seed, encoded.count, tile.encoded_spans, number, device=self._device
        )

        def draw(x: Tensor, level: Tensor) -> Tensor:
            with self._casting():
                return network.draw(encoded, x, level).float()

        def denoiser(x: Tensor, sigma: Tensor) -> Tensor:
            return denoise(draw, x, sigma, sigma_data)

        with self._time(NETWORK):
            drawn = multistep(denoiser, noise[None], schedule(self._settings.draw_steps, sigma_data))
        return self._finish(tile, tile.mean + middle(drawn, tile.mean.shape)[0])

    def _spread(self, tile: _Tile, mean: Tensor, first: Tensor | None) -> Tensor:
        """first: the first draw, where it is made."""
        squares = torch.zeros_like(mean)
        for number in range(self._settings.draws):
            draw = first if number == 0 and first is not None else self._draw(tile, number)
            squares.add_((draw - mean).square_())
        return squares.div_(self._settings.draws).sqrt_()


@dataclass(frozen=True)
class _Tile:
    """mean: (band, row, col) in units of the bands over PAN pixels `spans`, which begin
    and end at multiples of BLOCK and reach as far beyond `target` as back-projection needs."""

    pair: Pair
    target: Spans
    spans: Spans
    encoded: Encoded
    encoded_spans: Spans
    mean: Tensor


def size_rules(network: HFreqdiff, optics: Optics, settings: Diffusion) -> SizeRules:
    """What fusing a tile asks for around it: conditions, the network in all its steps, consistency."""
    margin = network.encoder_margin + _trunk_margin(network, settings) + BLOCK - 1
    rows, cols = (
        shown + margin + settings.consistency * reach
        for shown, reach in zip(classic.size_rules(optics).halo, consistency.context(optics), strict=True)
    )
    features = network.architecture.width / BLOCK**2
    copies = _COPIES_DRAWN if settings.drawn or settings.draws else 0
    work = 4 * (_COPIES_SHOWN * CHANNELS + _COPIES_FEATURES * features + copies)
    return SizeRules(BLOCK, (rows, cols), math.ceil(work), beside=4 if settings.draws else 0)


def _trunk_margin(network: HFreqdiff, settings: Diffusion) -> int:
    """PAN pixels a side that the trunks use up beyond what they give."""
    drawn = settings.draw_steps * network.draw_margin if settings.drawn or settings.draws else 0
    return max(network.mean_margin - network.encoder_margin, drawn)


def _align(spans: Spans) -> Spans:
    """The smallest spans around these that begin and end at multiples of BLOCK."""
    rows, cols = (Span(span.start // BLOCK * BLOCK, -(-span.stop // BLOCK) * BLOCK) for span in spans)
    return rows, cols
