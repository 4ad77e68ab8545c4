"""The loop: learn, look at places kept aside, keep the best; from top to bottom.

At each look the running mean of the weights is judged as `fuse` would use it. It is taken if it is closer to
the truth at reduced resolution than the best so far, by what two decimals show, and no worse than the base at
full resolution, beyond the noise of the scores. The base is the first candidate: where nothing beats it by
more than the noise, it stays the better one. Places that choose are others than those that judge in the end,
where there are enough.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import torch

from geosharp.engine.plan import available_cores
from geosharp.errors import InputError
from geosharp.hfreqdiff.network import HFreqdiff
from geosharp.notes import Tell
from geosharp.quality.scores import METRICS
from geosharp.tuning.batches import Batch, Batches
from geosharp.tuning.ground import Ground, halve
from geosharp.tuning.judge import average, judge, network_contestant
from geosharp.tuning.learner import WARM_UP, Learner
from geosharp.tuning.processes import Processes
from geosharp.tuning.recipe import MOST_STEPS, Recipe
from geosharp.tuning.store import Store, Stored
from geosharp.tuning.verdict import LEAST_GAIN, closer, harms

# Steps by which an hour is told in steps, without the first, in which memory is found.
_TIMED, _FIRST = 10, 2
# Seconds after which the state is kept, whatever the looks.
_KEEP_EVERY = 300.0
_ALONE = Processes()
_MOST_READERS = 8


@dataclass(frozen=True)
class TrainProgress:
    """How far a run is: `step` of `steps`, 0 while their number is not known, after `seconds`; loss: of this
    step, NaN where none was made. look: at a look, dB over the base at reduced resolution, HQNR and the
    base's, and whether it is the best so far."""

    step: int
    steps: int
    seconds: float
    loss: float
    look: Look | None = None


@dataclass(frozen=True)
class Look:
    """step: after which; gain: dB over the base; hqnr, base_hqnr; best: whether it is taken."""

    step: int
    gain: float
    hqnr: float
    base_hqnr: float
    best: bool


ProgressCallback = Callable[[TrainProgress], None]


@dataclass(frozen=True)
class Tuned:
    """network: that of the best look, the last one where none was taken; looks: all of them, in their order;
    taken: whether any was; step: of its weights; steps: made; seconds of learning."""

    network: HFreqdiff
    looks: tuple[Look, ...]
    taken: bool
    step: int
    steps: int
    seconds: float


def tune(
    grounds: Sequence[Ground],
    base: HFreqdiff,
    recipe: Recipe,
    device: torch.device,
    *,
    store: Store | None = None,
    processes: Processes = _ALONE,
    progress: ProgressCallback | None = None,
    tell: Tell | None = None,
) -> Tuned:
    """Let a copy of `base` learn from the grounds; `base` stays as it is.

    store: keeps the run, which goes on where a run with the same store stopped, to the same weights. What
    stops it (Ctrl-C, a loss that is no number) leaves the last good state there. tell: hears how long it
    takes once steps are timed, and why it ends early.
    """
    run = _Run(grounds, base, recipe, device, store, processes, progress, tell)
    run.resume()
    try:
        if run.due:
            run.conclude()
        reading = Batches(grounds, recipe, processes, _count_readers(device, processes))
        with closing(reading.from_step(run.learner.step)) as batches:
            for batch in batches:
                if run.finished:
                    break
                run.learn(batch)
    except KeyboardInterrupt:
        run.keep()
        raise
    return run.result()


def _count_readers(device: torch.device, processes: Processes) -> int:
    """Threads that read batches: a GPU learns from one faster than one thread reads it."""
    if device.type == "cpu":
        return 1
    return max(1, min(available_cores() // processes.size, _MOST_READERS))


@dataclass
class _Run:
    """What changes while learning."""

    grounds: Sequence[Ground]
    base: HFreqdiff
    recipe: Recipe
    device: torch.device
    store: Store | None
    processes: Processes
    progress: ProgressCallback | None
    tell: Tell | None
    looks: list[Look] = field(default_factory=list)
    steps: int | None = None
    seconds: float = 0.0
    loss: float = math.nan

    def __post_init__(self) -> None:
        self.learner = Learner(self.base, self.recipe, self.device, self.processes)
        self.best = {name: value.clone() for name, value in self.learner.running.items()}
        self.steps = self.recipe.steps
        self._choosing, _ = halve(self.grounds)
        self._made = 0
        self._began = time.perf_counter()
        self._kept = self._timed_from = self._began
        start = self._judge(self.learner.averaged())
        self._look_seconds = time.perf_counter() - self._began
        self._base_scores = self._best_scores = start

    @property
    def finished(self) -> bool:
        if self.steps is not None and self.learner.step >= self.steps:
            return True
        return self._looks_in_vain >= self.recipe.patience

    @property
    def due(self) -> bool:
        """Whether the weights are still to be looked at: Ctrl-C may come amid a look."""
        step = self.learner.step
        if self.steps is None or step == 0 or (self.looks and self.looks[-1].step == step):
            return False
        return step >= self.steps or step % self._look_every(self.steps) == 0

    @property
    def _looks_in_vain(self) -> int:
        return next((at for at, look in enumerate(reversed(self.looks)) if look.best), len(self.looks))

    def learn(self, batch: Batch) -> None:
        """One step, and what follows from it."""
        loss = self.learner.learn(batch, self.steps or MOST_STEPS)
        if loss is None:
            self.keep()
            raise InputError(
                f"what was learnt from at step {self.learner.step + 1}",
                "a loss that is no number",
                "finite pixels and weights",
                "look at the scenes (geosharp info), or take another --seed or --base, with another --out",
            )
        self.loss = loss
        self.seconds += time.perf_counter() - self._began
        self._began = time.perf_counter()
        self._made += 1
        if self.steps is None:
            self._count_steps()
        self.conclude()

    def conclude(self) -> None:
        """A look if one is due, and word of the step."""
        look = self.look() if self.due else None
        if look is not None or time.perf_counter() - self._kept > _KEEP_EVERY:
            self.keep()
        if self.progress is not None and self.processes.first:
            self.progress(TrainProgress(self.learner.step, self.steps or 0, self.seconds, self.loss, look))

    def look(self) -> Look:
        """Judge the running mean; it becomes the best if it is."""
        scores = self._judge(self.learner.averaged())
        best = not harms(scores, self._base_scores) and closer(scores, self._best_scores) > LEAST_GAIN
        if best:
            self._best_scores = scores
            self.best = {name: value.clone() for name, value in self.learner.running.items()}
        hqnr, base_hqnr = scores["full"]["hqnr"], self._base_scores["full"]["hqnr"]
        look = Look(self.learner.step, closer(scores, self._base_scores), hqnr, base_hqnr, best)
        self.looks.append(look)
        return look

    def keep(self) -> None:
        """The state on disk, unless there is none yet, or it is of two minds."""
        if self.store is None or not self.processes.first or self.learner.moving or self.learner.step == 0:
            return
        tensors = self.learner.tensors() | {f"best.{name}": value for name, value in self.best.items()}
        facts = {
            "step": self.learner.step,
            "steps": self.steps,
            "seconds": self.seconds,
            "loss": self.loss,
            "best": self._best_scores,
            "looks": [vars(look) for look in self.looks],
        }
        self.store.keep(tensors, facts)
        self._kept = time.perf_counter()

    def resume(self) -> None:
        """Go on from what is kept, if anything is."""
        stored = None if self.store is None else self.store.read()
        if self.store is None or stored is None:
            return
        try:
            self._restore(stored)
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise self.store.damaged(error) from error

    def _restore(self, stored: Stored) -> None:
        self.learner.restore(stored.tensors, stored.facts["step"])
        self.best = {name: stored.tensors[f"best.{name}"].clone() for name in self.best}
        self.steps, self.seconds = stored.facts["steps"], stored.facts["seconds"]
        self.loss = stored.facts["loss"]
        self.looks = [Look(**look) for look in stored.facts["looks"]]
        self._best_scores = stored.facts["best"]

    def result(self) -> Tuned:
        network, step = self.learner.averaged(), self.learner.step
        if self.tell is not None and self.steps is not None and step < self.steps:
            self.tell(
                f"ended at step {step} of {self.steps}: {self._looks_in_vain} looks found nothing better"
            )
        taken = [look.step for look in self.looks if look.best]
        if taken:
            network.load_state_dict(self.best)
        last = taken[-1] if taken else step
        return Tuned(network, tuple(self.looks), bool(taken), last, step, self.seconds)

    def _judge(self, network: HFreqdiff) -> dict[str, dict[str, float]]:
        """Means over grounds; the first process judges, and tells the others."""
        names = [(protocol, metric) for protocol, metrics in METRICS.items() for metric in metrics]
        numbers = [0.0] * len(names)
        if self.processes.first:
            means = average(judge(self._choosing, network_contestant(network, self.device)))
            numbers = [means[protocol][metric] for protocol, metric in names]
        found: dict[str, dict[str, float]] = {protocol: {} for protocol in METRICS}
        agreed = self.processes.agree(numbers, self.device)
        for (protocol, metric), value in zip(names, agreed, strict=True):
            found[protocol][metric] = value
        return found

    def _look_every(self, steps: int) -> int:
        return math.ceil(steps / self.recipe.checks)

    def _count_steps(self) -> None:
        """Once steps are timed, in this process, how many of them fit into the hours."""
        if self._made == _FIRST:
            self._timed_from = time.perf_counter()
        if self._made < _FIRST + _TIMED:
            return
        each = (time.perf_counter() - self._timed_from) / _TIMED
        assert self.recipe.hours is not None
        looks = (self.recipe.checks + 1) * self._look_seconds
        fitting = min((3600 * self.recipe.hours - self.seconds - looks) / each, MOST_STEPS)
        steps = min(self.learner.step + max(int(fitting), WARM_UP), MOST_STEPS)
        self.steps = int(self.processes.agree([steps], self.device)[0])
        self.keep()  # Who goes on after a kill need not time them anew, which would give other weights.
        if self.tell is not None:
            minutes = (self.seconds + (self.steps - self.learner.step) * each + looks) / 60
            longer = ", longer than --hours: fewer teach nothing" if fitting < WARM_UP else ""
            self.tell(f"learning for {self.steps} steps, about {minutes:.2g} minutes{longer}")
