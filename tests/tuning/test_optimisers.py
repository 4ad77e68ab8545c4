"""Steps are as large as their rate says, and downhill."""

from __future__ import annotations

import pytest
import torch

from geosharp.tuning.optimisers import AdamW, Muon, orthogonal

OPTIMISERS = [Muon, AdamW]


def weight(value: float = 0.0) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.full((4, 3, 3, 3), value))


def gradient(size: float) -> torch.Tensor:
    return size * torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", [(8, 8), (6, 20), (20, 6)])
def test_singular_values_come_close_to_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0)) @ torch.diag(
        torch.logspace(-1, 1, shape[1])
    )
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.4
    assert values.max() < 1.4


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_a_step_is_as_large_as_the_rate_says_whatever_the_gradient(kind: type[Muon]) -> None:
    moved = []
    for size in (1e-3, 1.0, 1e3):
        parameter = weight()
        parameter.grad = gradient(size)
        kind([parameter]).step(1e-2)
        moved.append(parameter.detach())
    assert moved[0].abs().max() < 0.05
    assert moved[0].norm() > 0.01
    for other in moved[1:]:
        assert torch.allclose(moved[0], other, atol=1e-4)


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_it_goes_downhill_and_from_nothing_moves_by_decay_alone(kind: type[Muon]) -> None:
    parameter = weight(1.0)
    optimiser = kind([parameter])
    for _ in range(400):
        parameter.grad = parameter.detach() - 0.5
        optimiser.step(0.02)
    assert (parameter - 0.5).abs().max() < 0.2
    still = weight(1.0)
    still.grad = torch.zeros_like(still)
    kind([still]).step(1.0)
    assert torch.allclose(still, torch.full_like(still, 0.99))
