"""PAN's grid as 16 sub-bands at a quarter of its resolution, and back, without loss.

Two levels of Haar and the unshuffling of 4 x 4 blocks are one and the same up to a rotation of those 16
numbers, so that one matrix tells them apart.
"""

from __future__ import annotations

import torch
from torch import Tensor

# PAN pixels a side of the block that becomes one pixel.
BLOCK = 4
COUNT = BLOCK**2
# Which of the 7 sub-bands each of the 16 Haar coefficients is of: LL, then LH, HL, HH of the coarse level,
# then of the fine one, each with four coefficients.
SUBBAND = (0, 1, 2, 3, *(4,) * 4, *(5,) * 4, *(6,) * 4)
SUBBANDS = max(SUBBAND) + 1


def split(x: Tensor, rotation: Tensor | None) -> Tensor:
    """(item, channel, row, col) on PAN's grid -> (item, channel * 16, row / 4, col / 4).

    rotation: (16, 16) from pixels to sub-bands, None for the pixels themselves.
    """
    folded = torch.nn.functional.pixel_unshuffle(x, BLOCK)
    return folded if rotation is None else _rotate(folded, rotation)


def join(x: Tensor, rotation: Tensor | None) -> Tensor:
    """What `split` took apart."""
    folded = x if rotation is None else _rotate(x, rotation.T)
    return torch.nn.functional.pixel_shuffle(folded, BLOCK)


def haar() -> Tensor:
    """(16, 16): pixels of a 4 x 4 block in reading order -> Haar coefficients, orthonormal."""
    # On the CPU, also where networks are made on the meta device: computing there imports sympy, for seconds.
    fine = _analyse(torch.eye(COUNT, device="cpu").reshape(COUNT, BLOCK, BLOCK))
    coarse = _analyse(fine[0])
    parts = [*coarse, *fine[1:]]
    return torch.cat([part.reshape(COUNT, -1) for part in parts], 1).T.contiguous()


def _analyse(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One level at half the size: (item, row, col) -> LL, LH (differences along a row), HL, HH."""
    a, b, c, d = (x[:, row::2, col::2] for row in (0, 1) for col in (0, 1))
    return (a + b + c + d) / 2, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2


def _rotate(x: Tensor, rotation: Tensor) -> Tensor:
    channels = x.shape[1] // COUNT
    # A grouped convolution keeps whatever memory format `x` has.
    weights = rotation.to(x.dtype).repeat(channels, 1)[:, :, None, None]
    return torch.nn.functional.conv2d(x, weights, groups=channels)
