"""Muon: momentum whose update is made orthogonal, for the weights of convolutions (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from geosharp.tuning.optimisers import orthogonal

_MOMENTUM = 0.95
# Updates as large as AdamW's at the same rate (Liu et al. 2025).
_SCALE = 0.2


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["weight_decay"])

    def _move(self, parameter: Tensor, rate: float, decay: float) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(parameter.grad, 1 - _MOMENTUM)
        update = parameter.grad.lerp(momentum, _MOMENTUM).flatten(1)
        parameter.mul_(1 - rate * decay)
        update = orthogonal(update) * (_SCALE * max(update.shape) ** 0.5)
        parameter.add_(update.reshape(parameter.shape), alpha=-rate)
