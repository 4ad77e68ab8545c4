"""A model on one scene: a tile's PAN and MS in, the fused tile out."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from geosharp.hfreqdiff.checkpoint import Model
from geosharp.hfreqdiff.conditions import CHANNELS, base, conditions, constants_of, describe
from geosharp.hfreqdiff.diffusion import denoise, multistep, schedule
from geosharp.hfreqdiff.network import Encoded, HFreqdiff
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.hfreqdiff.subbands import BLOCK
from geosharp.imaging import classic, consistency
from geosharp.imaging.classic import Moments, Optics, Pair, cut
from geosharp.imaging.noise import normal_noise
from geosharp.imaging.resample import Span, Spans, grow, middle
from geosharp.imaging.rules import SizeRules

# How many copies of conditions and of features are held at once, at most.
_COPIES_SHOWN, _COPIES_FEATURES = 4, 6


class Sharpener:
    """Holds what is global for the scene; serves any number of threads."""

    def __init__(
        self, model: Model, optics: Optics, moments: Moments, settings: Diffusion, device: torch.device
    ) -> None:
        self._network, self._sigma_data = model.network, model.header.sigma_data
        self._optics, self._settings, self._device = optics, settings, device
        constants = constants_of(moments)
        self._described = describe(optics, constants)[None].to(device)
        self._constants = constants.to(device)

    def sharpen(self, pair: Pair, target: Spans) -> Tensor:
        """(band, row, col) centred DN of PAN pixels `target`, undefined where PAN or MS is invalid."""
        pair = _on(self._device, pair)
        rounds = self._settings.consistency
        wanted = target
        if rounds:
            rows, cols = consistency.context(self._optics)
            wanted = grow(target, (rounds * rows, rounds * cols))
        spans = _align(wanted)
        fused = self._fuse(pair, spans) * self._constants.scale[:, None, None]
        if rounds:
            fused = consistency.back_project(fused, spans, pair, self._optics, target, rounds)
        else:
            fused = cut(fused, spans, target)
        return fused.contiguous().cpu()

    def _fuse(self, pair: Pair, spans: Spans) -> Tensor:
        """(band, row, col) in units of the bands, on `spans` that begin and end at multiples of BLOCK."""
        trunk, encoder = _trunk_margin(self._network, self._settings), self._network.encoder_margin
        encoded_spans = grow(spans, (trunk, trunk))
        seen = grow(encoded_spans, (encoder, encoder))
        shown = conditions(pair, self._optics, self._constants, seen)[None]
        encoded = self._network.encode(shown, self._described, padded=False)
        shape = [span.stop - span.start for span in spans]
        fused = middle(base(shown), shape) + middle(self._network.mean(encoded), shape)
        if self._settings.draws:
            fused = fused + middle(self._draw(encoded, encoded_spans), shape)
        return fused[0]

    def _draw(self, encoded: Encoded, spans: Spans) -> Tensor:
        """What a draw adds to the mean, (1, band, row, col): less of `spans` with every step."""
        assert self._sigma_data is not None
        sigma_data, network = self._sigma_data, self._network
        noise = normal_noise(self._settings.seed, encoded.count, spans, device=self._device)

        def denoiser(x: Tensor, sigma: Tensor) -> Tensor:
            return denoise(lambda y, level: network.draw(encoded, y, level), x, sigma, sigma_data)

        return multistep(denoiser, noise[None], schedule(self._settings.steps, sigma_data))


def size_rules(network: HFreqdiff, optics: Optics, settings: Diffusion) -> SizeRules:
    """What fusing a tile asks for around it: conditions, the network in all its steps, consistency."""
    margin = network.encoder_margin + _trunk_margin(network, settings) + BLOCK - 1
    rows, cols = (
        shown + margin + settings.consistency * reach
        for shown, reach in zip(classic.size_rules(optics).halo, consistency.context(optics), strict=True)
    )
    features = network.architecture.width / BLOCK**2
    work = 4 * (_COPIES_SHOWN * CHANNELS + _COPIES_FEATURES * features)
    return SizeRules(BLOCK, (rows, cols), math.ceil(work))


def _trunk_margin(network: HFreqdiff, settings: Diffusion) -> int:
    """PAN pixels a side that the trunks use up beyond what they give."""
    drawn = settings.steps * network.draw_margin if settings.draws else 0
    return max(network.mean_margin - network.encoder_margin, drawn)


def _align(spans: Spans) -> Spans:
    """The smallest spans around these that begin and end at multiples of BLOCK."""
    rows, cols = (Span(span.start // BLOCK * BLOCK, -(-span.stop // BLOCK) * BLOCK) for span in spans)
    return rows, cols


def _on(device: torch.device, pair: Pair) -> Pair:
    pan_valid, ms_valid = (
        None if valid is None else valid.to(device) for valid in (pair.pan_valid, pair.ms_valid)
    )
    return replace(
        pair, pan=pair.pan.to(device), ms=pair.ms.to(device), pan_valid=pan_valid, ms_valid=ms_valid
    )
