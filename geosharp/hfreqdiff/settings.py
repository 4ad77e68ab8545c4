"""What a user asks of the diffusion model. Knows no tensors, so that asking costs nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from geosharp.errors import UsageError

DEFAULT_MODEL = "base"
DEVICES = ("auto", "cpu", "cuda")
MOST_STEPS = 16
# Of a draw that only the uncertainty is from.
DRAW_STEPS = 4
DEFAULT_DRAWS = 8
MOST_DRAWS = 256
MOST_CONSISTENCY = 8


@dataclass(frozen=True)
class Diffusion:
    """model: a shipped one by its name, or a safetensors file; steps: 1 for the mean, more for a draw around
    it that takes so many; seed: of draws; consistency: rounds that pull the result to what MS measured;
    device: auto takes a GPU where there is one; draws: of which the uncertainty is told, none by default.
    Raises UsageError by the flag."""

    model: str | os.PathLike[str] = DEFAULT_MODEL
    steps: int = 1
    seed: int = 0
    consistency: int = 1
    device: str = "auto"
    draws: int = 0

    def __post_init__(self) -> None:
        model: object = self.model
        if not isinstance(model, str | os.PathLike) or not os.fspath(model):
            raise UsageError(
                "--model", repr(self.model), "a name or a file", f"{DEFAULT_MODEL} is the default"
            )
        _check_whole("--steps", self.steps, 1, MOST_STEPS, "1 gives the mean, 4 a draw with its detail")
        _check_whole("--seed", self.seed, 0, 2**63 - 1, "take 0")
        _check_whole(
            "--consistency", self.consistency, 0, MOST_CONSISTENCY, "0 leaves it out, 1 is the default"
        )
        if self.draws:
            check_draws(self.draws)
        check_device(self.device)

    @property
    def drawn(self) -> bool:
        """Whether the result is a draw rather than the mean."""
        return self.steps > 1

    @property
    def draw_steps(self) -> int:
        """Steps of every draw: as many as the result's, or what serves for its uncertainty."""
        return self.steps if self.drawn else DRAW_STEPS

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of what is asked for."""
        if self.drawn or self.draws or self.seed == Diffusion.seed:
            return ()
        return ("--seed does nothing with --steps 1: nothing is drawn",)

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return Path(self.model).name


def check_device(name: str) -> None:
    if name not in DEVICES:
        needed = f"one of {', '.join(DEVICES)}"
        raise UsageError("--device", repr(name), needed, "choose one of these")


def check_draws(draws: int) -> None:
    remedy = f"leave it out: --uncertainty takes {DEFAULT_DRAWS} by default"
    _check_whole("--draws", draws, 2, MOST_DRAWS, remedy)


def _check_whole(flag: str, value: object, least: int, most: int, remedy: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(flag, repr(value), f"a whole number from {least} to {most}", remedy)
