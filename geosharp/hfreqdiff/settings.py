"""What a user asks of the diffusion model. Knows no tensors, so that asking costs nothing."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from geosharp.errors import UsageError

DEFAULT_MODEL = "base"
DEVICES = ("auto", "cpu", "cuda", "cuda:0", "cuda:0,1")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3}(,\d{1,3})*)?")
PRECISIONS = ("fp32", "bf16")
MOST_STEPS = 16
# What computing a tile consists of, for whoever takes its time.
STAGES = PRIOR, NETWORK, CONSISTENCY = "prior", "network", "back-projection"
# Of a draw that only the uncertainty is from.
DRAW_STEPS = 4
DEFAULT_DRAWS = 8
MOST_DRAWS = 256
MOST_CONSISTENCY = 8
# Of adapting to a scene.
DEFAULT_MINUTES = 2.0
MOST_MINUTES = 1440.0


@dataclass(frozen=True)
class Diffusion:
    """model: a shipped one by its name, or a safetensors file; steps: 1 for the mean, more for a draw around
    it that takes so many; seed: of draws; consistency: rounds that pull the result to what MS measured;
    device: auto takes a GPU where there is one, cuda:0,1 takes the GPUs of these numbers; draws: of which the
    uncertainty is told, none by default; precision: fp32, or bf16 for convolutions of 8 bits of mantissa.
    Raises UsageError by the flag."""

    model: str | os.PathLike[str] = DEFAULT_MODEL
    steps: int = 1
    seed: int = 0
    consistency: int = 1
    device: str = "auto"
    draws: int = 0
    precision: str = "fp32"

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
        if self.precision not in PRECISIONS:
            found, needed = repr(self.precision), f"one of {', '.join(PRECISIONS)}"
            raise UsageError("--precision", found, needed, f"take {PRECISIONS[0]}, the default")

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
        """Of the model as the user named it, without its folder."""
        return Path(self.model).name


def check_device(name: object) -> None:
    if not isinstance(name, str) or not _DEVICE.fullmatch(name):
        needed = f"{', '.join(DEVICES)} or more of their numbers"
        raise UsageError("--device", repr(name), needed, "choose one of these; auto is the default")


def check_draws(draws: int) -> None:
    remedy = f"leave it out: --uncertainty takes {DEFAULT_DRAWS} by default"
    _check_whole("--draws", draws, 2, MOST_DRAWS, remedy)


def check_adapt(minutes: object, diffusion: Diffusion) -> None:
    """Refuse a time that is none, and what adapted weights do not give: draws went around the base's mean."""
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= MOST_MINUTES:
        needed = f"minutes above 0, {MOST_MINUTES:g} at most"
        raise UsageError("--adapt", repr(minutes), needed, f"take {DEFAULT_MINUTES:g} for a first look")
    for flag, asked in ((f"--steps {diffusion.steps}", diffusion.drawn), ("--uncertainty", diffusion.draws)):
        if asked:
            needed = "the mean alone, as adapted weights give no draws"
            raise UsageError("--adapt", f"with {flag}", needed, "leave one of them out")


def _check_whole(flag: str, value: object, least: int, most: int, remedy: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(flag, repr(value), f"a whole number from {least} to {most}", remedy)
