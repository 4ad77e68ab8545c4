"""A diffusion model small enough to be fast, every part of which has a say in the result."""

from __future__ import annotations

from pathlib import Path

import torch

from geosharp.hfreqdiff import checkpoint
from geosharp.hfreqdiff.network import Architecture, HFreqdiff

TINY = Architecture(width=8, encoder_blocks=1, mean_blocks=1, draw_blocks=1)
# The truth about the mean of a model that has learnt to draw, in units of the band.
SIGMA_DATA = 0.1


def make_network(seed: int = 0) -> HFreqdiff:
    """As if trained: layers that begin silent speak."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = HFreqdiff(TINY)
        with torch.no_grad():
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(0, 0.1)
    return network.requires_grad_(False).eval()


def make_model(folder: Path, *, sigma_data: float | None = SIGMA_DATA, seed: int = 0) -> Path:
    """The file of such a model; sigma_data: None for one that has not learnt to draw."""
    path = folder / f"tiny-{seed}-{'mean' if sigma_data is None else 'draws'}.safetensors"
    checkpoint.save(path, make_network(seed), sigma_data, {"made": "by code"})
    return path
