"""Several processes that learn as one: each takes its share of every batch, and gradients are summed.

Started by torchrun, which tells each of them its number by RANK and WORLD_SIZE.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """rank: this one's number; size: how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that judges, tells and writes."""
        return self.rank == 0

    def add_up(self, gradients: Iterable[Tensor]) -> None:
        """Give all processes the sum of their gradients."""
        if self.size > 1:
            parts = list(gradients)
            flat = torch.cat([part.flatten() for part in parts])
            torch.distributed.all_reduce(flat)
            for part, total in zip(parts, torch.split(flat, [part.numel() for part in parts]), strict=True):
                part.copy_(total.reshape(part.shape))

    def agree(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        """What the first process says; the others give as many numbers."""
        if self.size == 1:
            return list(numbers)
        told = torch.tensor(numbers, dtype=torch.float64, device=device)
        torch.distributed.broadcast(told, 0)
        return [float(number) for number in told.tolist()]


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun has started, this one alone without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    own = not torch.distributed.is_initialized()
    if own:
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(torch.distributed.get_rank(), torch.distributed.get_world_size())
    finally:
        if own:
            torch.distributed.destroy_process_group()
