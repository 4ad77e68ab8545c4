"""A network that learns: losses, optimisers, the running mean of its weights, and all of it as tensors."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby

import torch
from torch import Tensor

from geosharp.hfreqdiff.models import within_device_memory
from geosharp.hfreqdiff.network import HFreqdiff
from geosharp.tuning.batches import Batch
from geosharp.tuning.examples import Example
from geosharp.tuning.optimisers import AdamW, Muon, Optimiser
from geosharp.tuning.processes import Processes
from geosharp.tuning.recipe import Recipe
from geosharp.tuning.views import View

_EMA = 0.999
_MOST_GRADIENT = 1.0
# Steps in which the rate grows to all of it.
WARM_UP = 20
# What the rate falls to, as a share of the largest.
_LAST = 0.01


class Learner:
    """One step after another; `step` counts those done. The trunk that draws stays as it is."""

    def __init__(
        self, network: HFreqdiff, recipe: Recipe, device: torch.device, processes: Processes
    ) -> None:
        self.step = 0
        # Backwards through the convolutions takes twice as long on a CPU with channels last.
        self._layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self.network = _copy(network, device, self._layout).train()
        self._base = _copy(network, device, self._layout).requires_grad_(False)
        self.running = {name: value.clone() for name, value in self.network.state_dict().items()}
        self._recipe, self._device, self._processes = recipe, device, processes
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(learns(name))
        self._learnt = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        # There from the start: a process may have no part in a batch.
        self._gradients = [torch.zeros_like(parameter) for parameter in self._learnt]
        for parameter, gradient in zip(self._learnt, self._gradients, strict=True):
            parameter.grad = gradient
        self._optimisers = _make_optimisers(self.network)
        self.moving = False

    def learn(self, batch: Batch, steps: int) -> float | None:
        """One step of `steps`; the loss of the batch over all processes, None where it is no number: then
        nothing has changed."""
        for gradient in self._gradients:
            gradient.zero_()
        total = torch.zeros((), device=self._device)
        with within_device_memory("the patches of a step"), _repeatable(self._device):
            for loss in self._losses(batch):
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
        self._processes.add_up([*self._gradients, total])
        norm = torch.nn.utils.clip_grad_norm_(self._learnt, _MOST_GRADIENT)
        if not math.isfinite(float(total) + float(norm)):
            return None
        self._move(self.step / steps)
        return float(total)

    def averaged(self) -> HFreqdiff:
        """The network with the running mean of its weights, for inference."""
        network = _copy(self.network, self._device, torch.channels_last)
        network.load_state_dict(self.running)
        return network.requires_grad_(False).eval()

    def tensors(self) -> dict[str, Tensor]:
        """All that is needed to go on, by name."""
        return {
            f"{part}.{name}": value for part, held in self._parts().items() for name, value in held.items()
        }

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """Go on from what `tensors` gave."""
        for part, held in self._parts().items():
            for name, value in held.items():
                value.copy_(tensors[f"{part}.{name}"])
        self.step = step

    def _parts(self) -> dict[str, dict[str, Tensor]]:
        optimisers = {type(optimiser).__name__: optimiser.state for optimiser in self._optimisers}
        return {"network": self.network.state_dict(), "running": self.running, **optimisers}

    def _losses(self, batch: Batch) -> Iterator[Tensor]:
        """Whose sum over all processes is the loss."""
        for _, group in groupby(sorted(batch.examples, key=_bands), key=_bands):
            yield self._error(list(group)) / self._recipe.batch
        for view in batch.views:
            yield self._misfit(view.to(self._device)) / self._recipe.views

    def _error(self, group: list[Example]) -> Tensor:
        """Of pairs of as many bands, all together."""
        shown, described, missing, counted = (
            torch.stack([getattr(example, name) for example in group]).to(self._device)
            for name in ("shown", "described", "missing", "counted")
        )
        error = (self._mean(self.network, shown, described) - missing) * counted
        return charbonnier(self._inner(error)).mean((1, 2, 3)).sum()

    def _misfit(self, view: View) -> Tensor:
        """What a result at full resolution lacks of the MS, and how far it is from the base's."""
        shown, described = view.shown[None], view.described[None]
        mean = self._mean(self.network, shown, described)[0]
        misfit = charbonnier((view.degrade(view.prior + mean) - view.measured) * view.counted).mean()
        with torch.no_grad():
            before = self._mean(self._base, shown, described)[0]
        return (
            self._recipe.misfit * misfit
            + self._recipe.anchor * charbonnier(self._inner(mean - before)).mean()
        )

    def _mean(self, network: HFreqdiff, shown: Tensor, described: Tensor) -> Tensor:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            return network.mean(network.encode(shown, described)).float()

    def _inner(self, x: Tensor) -> Tensor:
        margin = self._recipe.margin
        return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]

    def _move(self, progress: float) -> None:
        """One step of the optimisers. Only in here is the state of two minds."""
        self.moving = True
        for optimiser, rate in zip(self._optimisers, self._recipe.rates, strict=True):
            optimiser.step(rate * rate_at(self.step, progress))
        self.step += 1
        weight = max(1 - _EMA, 9 / (self.step + 9))
        for name, value in self.network.state_dict().items():
            self.running[name].lerp_(value, weight)
        self.moving = False


def learns(name: str) -> bool:
    """Whether the parameter of that name does; what draws stays as it is."""
    return not ("draw" in name or "noise" in name)


def charbonnier(error: Tensor) -> Tensor:
    """Squares below this error, absolute values above."""
    return torch.sqrt(error**2 + 0.03**2) - 0.03


def rate_at(step: int, progress: float) -> float:
    """Share of the largest rate: a warm-up, and half a cosine down to a hundredth. `progress` from 0 to 1."""
    fall = _LAST + (1 - _LAST) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return min((step + 1) / WARM_UP, 1.0) * fall


def _make_optimisers(network: HFreqdiff) -> list[Optimiser]:
    """Muon for the convolutions between features, AdamW for all else."""
    inner: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            (inner if parameter.ndim == 4 and "head" not in name else others).append(parameter)
    return [Muon(inner), AdamW(others)]


def _copy(network: HFreqdiff, device: torch.device, layout: torch.memory_format) -> HFreqdiff:
    copied = copy.deepcopy(network)
    copied.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    return copied


def _bands(example: Example) -> int:
    return len(example.shown)


def _repeatable(device: torch.device) -> AbstractContextManager[None]:
    """The same batch gives the same gradients, to the bit, on a GPU, too."""
    if device.type == "cpu":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
