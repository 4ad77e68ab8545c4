"""Two ways to go down a gradient, whose state is plain tensors.

Not PyTorch's: the first of those that a process makes loads the compiler, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

_WEIGHT_DECAY = 1e-2
_MOMENTUM = 0.95
# Quintic Newton-Schulz iteration: singular values between 0 and 1 come close to 1 in a few steps.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
# Updates as large as AdamW's at the same rate (Liu et al. 2025).
_SCALE = 0.2
_BETAS, _TINY = (0.9, 0.99), 1e-8


class Optimiser(Protocol):
    """state: tensors by name, changed in place; all there is to it but the rate."""

    state: dict[str, Tensor]

    def step(self, rate: float) -> None:
        """Move the parameters along their gradients, of which all have one."""


class Muon:
    """Momentum whose update is made orthogonal, for the weights of convolutions (Jordan et al. 2024)."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._parameters = list(parameters)
        self.state = {f"momentum.{at}": torch.zeros_like(each) for at, each in enumerate(self._parameters)}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for parameter, momentum in zip(self._parameters, self.state.values(), strict=True):
            gradient = _gradient(parameter)
            momentum.lerp_(gradient, 1 - _MOMENTUM)
            update = orthogonal(gradient.lerp(momentum, _MOMENTUM).flatten(1))
            size = _SCALE * max(update.shape) ** 0.5
            parameter.mul_(1 - rate * _WEIGHT_DECAY)
            parameter.add_(update.reshape(parameter.shape), alpha=-rate * size)


class AdamW:
    """Loshchilov and Hutter, "Decoupled weight decay regularization", 2019."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._parameters = list(parameters)
        self.state = {"steps": torch.zeros((), dtype=torch.float64)}
        for at, each in enumerate(self._parameters):
            self.state |= {f"first.{at}": torch.zeros_like(each), f"second.{at}": torch.zeros_like(each)}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        self.state["steps"] += 1
        steps = float(self.state["steps"])
        slow, slower = _BETAS
        for at, parameter in enumerate(self._parameters):
            gradient = _gradient(parameter)
            first = self.state[f"first.{at}"].lerp_(gradient, 1 - slow)
            second = self.state[f"second.{at}"].lerp_(gradient**2, 1 - slower)
            deviation = (second / (1 - slower**steps)).sqrt_().add_(_TINY)
            parameter.mul_(1 - rate * _WEIGHT_DECAY)
            parameter.addcdiv_(first, deviation, value=-rate / (1 - slow**steps))


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are all about 1."""
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-12)
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        raise ValueError("a parameter without a gradient")
    return parameter.grad
