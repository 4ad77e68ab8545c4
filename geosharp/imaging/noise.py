"""Noise addressed by seed and absolute pixel: the same whatever the tiling, the batch or the device.

Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter in, four
words out, no state.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from geosharp.imaging.resample import Span

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def normal_noise(
    seed: int, bands: int, spans: tuple[Span, Span], draw: int = 0, device: torch.device | str = "cpu"
) -> Tensor:
    """Standard normal (band, row, col) float32 of PAN pixels `spans`; draw: which of many such fields.

    Words are the same on all devices; logarithm and cosine may differ in the last bit between them.
    """
    rows, cols = (torch.arange(span.start, span.stop, device=device) & _WORD for span in spans)
    rows, cols = rows[:, None].expand(-1, len(cols)), cols[None].expand(len(rows), -1)
    key = (seed & _WORD, seed >> 32 & _WORD)
    fields: list[Tensor] = []
    for first in range(0, bands, 4):
        counter = (rows, cols, torch.full_like(rows, first // 4), torch.full_like(rows, draw & _WORD))
        a, b, c, d = (word.double().add_(0.5).mul_(2.0**-32) for word in philox(counter, key))
        fields += [*_box_muller(a, b), *_box_muller(c, d)]
    return torch.stack(fields[:bands]).float()


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Four words a counter, each 0 to 2^32 - 1 in int64."""
    a, b, c, d = counter
    for number in range(_ROUNDS):
        one, two = ((k + number * step) & _WORD for k, step in zip(key, _WEYL, strict=True))
        # Products wrap around in int64 with the bits of unsigned ones.
        low, high = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            (high >> 32 & _WORD) ^ b ^ one,
            high & _WORD,
            (low >> 32 & _WORD) ^ d ^ two,
            low & _WORD,
        )
    return a, b, c, d


def _box_muller(one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    """Two uniform (0, 1) -> two independent standard normal."""
    radius = one.log_().mul_(-2).sqrt_()
    angle = two.mul_(2 * math.pi)
    return radius * angle.cos(), radius * angle.sin()
