from __future__ import annotations

import pytest
import torch

from geosharp.hfreqdiff.subbands import COUNT, SUBBAND, SUBBANDS, haar, join, split


def of(image: torch.Tensor) -> torch.Tensor:
    """Energy of each of the 7 sub-bands of (row, col)."""
    coefficients = split(image[None, None], haar())[0].square().sum((1, 2))
    return torch.zeros(SUBBANDS).index_add(0, torch.tensor(SUBBAND), coefficients)


@pytest.mark.parametrize("rotation", [haar(), None], ids=["haar", "unshuffle"])
def test_joining_undoes_splitting(rotation: torch.Tensor | None) -> None:
    x = torch.randn(2, 1, 12, 20, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(join(split(x, rotation), rotation), x, atol=1e-6)


def test_haar_is_orthonormal() -> None:
    assert torch.allclose(haar() @ haar().T, torch.eye(COUNT), atol=1e-6)


def test_channels_stay_apart_and_in_order() -> None:
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    parts = [split(x[:, channel : channel + 1], haar()) for channel in range(3)]
    assert torch.allclose(split(x, haar()), torch.cat(parts, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("along", "period", "subband"),
    [
        ("none", 1, 0),
        ("cols", 4, 1),
        ("rows", 4, 2),
        ("both", 4, 3),
        ("cols", 2, 4),
        ("rows", 2, 5),
        ("both", 2, 6),
    ],
)
def test_each_frequency_and_direction_has_its_sub_band(along: str, period: int, subband: int) -> None:
    wave = torch.where(torch.arange(16) % period < period / 2, 1.0, -1.0)
    flat = torch.ones(16)
    image = torch.outer(
        wave if along in ("rows", "both") else flat, wave if along in ("cols", "both") else flat
    )
    energy = of(image)
    assert int(energy.argmax()) == subband
    assert float(energy[subband]) == pytest.approx(256)
