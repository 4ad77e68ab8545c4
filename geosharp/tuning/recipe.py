"""How long and how a network is tuned."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from geosharp.errors import UsageError

DEFAULT_HOURS = 0.1
MOST_STEPS = 10**7
# Largest learning rates: of convolutions between features, and of all else.
_TUNING, _FROM_NOTHING = (5e-4, 5e-4), (2e-3, 1e-3)


@dataclass(frozen=True)
class Recipe:
    """steps, or hours from which they follow: one of them; batch: patches of a step; side: MS pixels of a
    patch, margin: of its rim, where the network is padded and nothing is learnt; views: patches at full
    resolution of a step, whose misfit to the MS counts `misfit`, and whose distance from the base's result
    `anchor` times as much as the error of examples; rates: see _TUNING; checks: how often, spread over the
    run, results on places kept aside are looked at; patience: after how many looks without anything better it
    ends. Raises UsageError by the flag."""

    steps: int | None = None
    hours: float | None = None
    seed: int = 0
    batch: int = 4
    side: int = 96
    margin: int = 12
    views: int = 1
    misfit: float = 1.0
    anchor: float = 0.1
    rates: tuple[float, float] = _TUNING
    checks: int = 10
    patience: int = 5

    def __post_init__(self) -> None:
        if self.steps is not None and self.hours is not None:
            raise UsageError("--steps and --hours", "both", "one of them", "leave one out")
        if self.steps is None and self.hours is None:
            object.__setattr__(self, "hours", DEFAULT_HOURS)
        if self.steps is not None and not (type(self.steps) is int and 1 <= self.steps <= MOST_STEPS):
            needed = f"a whole number from 1 to {MOST_STEPS}"
            raise UsageError("--steps", repr(self.steps), needed, "take 1000 for a first look")
        if self.hours is not None and not 0 < self.hours < math.inf:
            raise UsageError("--hours", repr(self.hours), "a number above 0", "take 0.1, six minutes")
        if type(self.seed) is not int or not 0 <= self.seed < 2**63:
            raise UsageError("--seed", repr(self.seed), "a whole number from 0 to 2^63 - 1", "take 0")

    @property
    def identity(self) -> dict[str, str]:
        """What must be the same for a run to go on where it stopped, as text by name."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}


def from_nothing(recipe: Recipe) -> Recipe:
    """The recipe for a network that knows nothing yet: it learns faster, and stays near nothing."""
    return replace(recipe, rates=_FROM_NOTHING, anchor=0.0)
