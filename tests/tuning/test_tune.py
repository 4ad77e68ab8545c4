"""A run ends where it should, goes on where it stopped, and never takes what is worse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from geosharp.errors import InputError
from geosharp.hfreqdiff.network import HFreqdiff
from geosharp.quality.scores import METRICS
from geosharp.raster.grid import Rect
from geosharp.tuning import tune as module
from geosharp.tuning.batches import Batch
from geosharp.tuning.ground import Ground, with_held
from geosharp.tuning.judge import Scores, judge, network_contestant
from geosharp.tuning.learner import Learner
from geosharp.tuning.recipe import MOST_STEPS, Recipe
from geosharp.tuning.store import Store
from geosharp.tuning.tune import Look, TrainProgress, Tuned, tune
from tests.hfreqdiff.made_model import make_network
from tests.tuning.made_ground import TINY

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that cost nothing, and find the better the further weights have moved."""
    start = make_network().state_dict()

    def judge(grounds: Sequence[Ground], network: HFreqdiff) -> list[Scores]:
        moved = sum((value - start[name]).norm().item() for name, value in network.state_dict().items())
        return scores(30 + moved, 0.9)

    monkeypatch.setattr(module, "network_contestant", lambda network, device: network)
    monkeypatch.setattr(module, "judge", judge)


def scores(psnr: float, hqnr: float) -> list[Scores]:
    names = {protocol: dict.fromkeys(metrics, 1.0) for protocol, metrics in METRICS.items()}
    return [{"reduced": names["reduced"] | {"psnr": psnr}, "full": names["full"] | {"hqnr": hqnr}}]


def run(
    ground: Ground, recipe: Recipe = TINY, store: Store | None = None, stop_after: int | None = None
) -> tuple[Tuned, list[TrainProgress]]:
    told: list[TrainProgress] = []

    def tell(progress: TrainProgress) -> None:
        told.append(progress)
        if progress.step == stop_after:
            raise KeyboardInterrupt

    return tune([ground], make_network(), recipe, CPU, store=store, progress=tell), told


@contextmanager
def judged(monkeypatch: pytest.MonkeyPatch, found: Sequence[tuple[float, float]]) -> Iterator[None]:
    """Looks find these (PSNR, HQNR), one after the other; the first is the base's."""
    left = iter(found)
    with monkeypatch.context() as patch:
        patch.setattr(module, "judge", lambda grounds, network: scores(*next(left)))
        yield
    assert next(left, None) is None


def same(one: Tuned, other: Tuned) -> bool:
    state = other.network.state_dict()
    return all(torch.equal(value, state[name]) for name, value in one.network.state_dict().items())


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_run_goes_on_where_it_was_stopped_to_the_same_weights(
    ground: Ground, tmp_path: Path, stop_after: int
) -> None:
    through, _ = run(ground)
    store = Store.beside(tmp_path / "m.safetensors", {})
    with pytest.raises(KeyboardInterrupt):
        run(ground, store=store, stop_after=stop_after)
    resumed, told = run(ground, store=store)
    assert [progress.step for progress in told] == list(range(stop_after + 1, 5))
    assert same(through, resumed)
    assert through.looks == resumed.looks
    assert not same(through, run(ground, replace(TINY, seed=1))[0])


@pytest.mark.parametrize("lacking", ["loss", "looks", "step"])
def test_a_state_that_lacks_something_is_told_as_damaged(
    ground: Ground, tmp_path: Path, lacking: str
) -> None:
    store = Store.beside(tmp_path / "m.safetensors", {})
    with pytest.raises(KeyboardInterrupt):
        run(ground, store=store, stop_after=1)
    stored = store.read()
    assert stored is not None
    del stored.facts[lacking]
    store.keep(stored.tensors, stored.facts)
    with pytest.raises(InputError, match=f"cannot be read.*{lacking}"):
        run(ground, store=store)


def test_a_run_that_has_ended_does_nothing_more(ground: Ground, tmp_path: Path) -> None:
    store = Store.beside(tmp_path / "m.safetensors", {})
    first, _ = run(ground, store=store)
    again, told = run(ground, store=store)
    assert told == []
    assert same(first, again)
    assert first.looks == again.looks


def test_progress_counts_steps_and_looks_come_at_their_times(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    with judged(monkeypatch, [(30, 0.9), (31, 0.9), (32, 0.91)]):
        tuned, told = run(ground)
    assert [(p.step, p.steps, p.look is not None) for p in told] == [
        (1, 4, False),
        (2, 4, True),
        (3, 4, False),
        (4, 4, True),
    ]
    assert [look.gain for look in tuned.looks] == [1.0, 2.0]
    assert (tuned.step, tuned.steps, tuned.taken) == (4, 4, True)


def test_the_best_look_is_taken_not_the_last(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    with judged(monkeypatch, [(30, 0.9), (31, 0.9)]):
        half, _ = run(ground, replace(TINY, steps=2, checks=1, rates=(1e-3, 1e-3)))
    with judged(monkeypatch, [(30, 0.9), (31, 0.9), (30.5, 0.95)]):
        tuned, _ = run(ground)
    assert tuned.step == half.step == 2
    assert tuned.taken


def test_what_harms_at_full_resolution_is_not_taken(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    with judged(monkeypatch, [(30, 0.9), (35, 0.85), (36, 0.8)]):
        tuned, _ = run(ground)
    assert not any(look.best for look in tuned.looks)
    assert (tuned.taken, tuned.step) == (False, 4)  # to be looked at, not to be used


def test_it_ends_early_where_nothing_gets_better(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(TINY, steps=40, checks=20, patience=2)
    said: list[str] = []
    with judged(monkeypatch, [(30, 0.9), (31, 0.9), (30.9, 0.9), (30.9, 0.9)]):
        tuned = tune([ground], make_network(), recipe, CPU, tell=said.append)
    assert tuned.steps == 6
    assert tuned.step == 2
    assert said == ["ended at step 6 of 40: 2 looks found nothing better"]


def test_a_loss_that_is_no_number_ends_it_with_the_last_good_state(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.beside(tmp_path / "m.safetensors", {})
    learn = Learner.learn

    def break_down(learner: Learner, batch: Batch, steps: int) -> float | None:
        if learner.step == 3:
            batch = Batch([replace(each, missing=each.missing / 0) for each in batch.examples], [])
        return learn(learner, batch, steps)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "learn", break_down)
        with pytest.raises(InputError, match="no number"):
            run(ground, store=store)
    kept = store.read()
    assert kept is not None
    assert kept.facts["step"] == 3
    assert all(value.isfinite().all() for value in kept.tensors.values())
    assert same(run(ground, store=store)[0], run(ground)[0])


def test_a_stop_amid_a_step_keeps_the_state_before(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.beside(tmp_path / "m.safetensors", {})
    move = Learner._move

    def stop(learner: Learner, progress: float) -> None:
        if learner.step == 3:
            learner.moving = True
            raise KeyboardInterrupt
        move(learner, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "_move", stop)
        with pytest.raises(KeyboardInterrupt):
            run(ground, store=store)
    kept = store.read()
    assert kept is not None
    assert kept.facts["step"] == 2  # of the look
    assert same(run(ground, store=store)[0], run(ground)[0])


@pytest.mark.parametrize("step", [2, 4])
def test_a_look_that_is_cut_short_is_made_by_who_goes_on(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    through, told = run(ground)
    store = Store.beside(tmp_path / "m.safetensors", {})
    look = module._Run.look

    def stop(begun: module._Run) -> Look:
        if begun.learner.step == step:
            raise KeyboardInterrupt
        return look(begun)

    with monkeypatch.context() as patch:
        patch.setattr(module._Run, "look", stop)
        with pytest.raises(KeyboardInterrupt):
            run(ground, store=store)
    resumed, again = run(ground, store=store)
    assert [(p.step, p.loss, p.look) for p in again] == [(p.step, p.loss, p.look) for p in told[step - 1 :]]
    assert through.looks == resumed.looks
    assert same(through, resumed)


def test_what_two_decimals_do_not_show_is_not_taken(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    with judged(monkeypatch, [(30, 0.9), (30.004, 0.9), (30.008, 0.9)]):
        tuned, _ = run(ground)
    assert [look.best for look in tuned.looks] == [False, True]


def test_a_run_that_has_learnt_nothing_leaves_no_state(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which would be in the way of the other seed or base that the message asks for."""
    store = Store.beside(tmp_path / "m.safetensors", {})
    monkeypatch.setattr(Learner, "learn", lambda *_: None)
    with pytest.raises(InputError, match="at step 1: a loss that is no number"):
        run(ground, store=store)
    assert not store.path.exists()


def test_hours_become_steps_once_these_are_timed(ground: Ground) -> None:
    tuned, told = run(ground, Recipe(hours=1e-5, batch=1, side=32, margin=4, checks=1))
    assert tuned.steps == told[-1].steps > 12
    assert [progress.steps for progress in told[:11]] == [0] * 11


SHORT = Recipe(hours=1e-5, batch=1, side=32, margin=4, checks=1)


def test_steps_are_told_once_they_are_known_and_so_is_what_the_hours_do_not_allow(ground: Ground) -> None:
    said: list[str] = []
    tuned = tune([ground], make_network(), SHORT, CPU, tell=said.append)
    (text,) = said
    assert text.startswith(f"learning for {tuned.steps} steps, about ")
    assert "longer than --hours" in text


def until_counted(ground: Ground, hours: float, store: Store | None = None) -> list[int]:
    """How many steps there are to be, as progress tells, up to the first time that this is known."""
    told: list[int] = []

    def stop(progress: TrainProgress) -> None:
        told.append(progress.steps)
        if progress.steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune([ground], make_network(), replace(SHORT, hours=hours), CPU, store=store, progress=stop)
    return told


def test_no_hours_are_too_many_to_be_counted_in_steps(ground: Ground) -> None:
    assert until_counted(ground, 1e308)[-1] == MOST_STEPS


def test_steps_are_timed_anew_by_who_goes_on(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine may be slower, and the base has been judged again meanwhile."""
    store = Store.beside(tmp_path / "m.safetensors", {})
    with pytest.raises(KeyboardInterrupt):
        run(ground, SHORT, store, stop_after=11)
    clock = iter(range(10**6))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))
    counted = until_counted(ground, 1.0, store)
    assert counted[:-1] == [0] * 11
    # By this clock a step takes as many seconds as it looks at it, three: neither more nor fewer are timed.
    assert counted[-1] == pytest.approx(3600 / 3, rel=0.1)


def test_steps_that_are_counted_outlive_a_kill(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timed anew they would be others, and so would the weights."""
    store = Store.beside(tmp_path / "m.safetensors", {})

    def die(begun: module._Run) -> None:
        if begun.steps is not None:
            raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(module._Run, "conclude", die)
        with pytest.raises(SystemExit):
            tune([ground], make_network(), SHORT, CPU, store=store)
    kept = store.read()
    assert kept is not None
    assert run(ground, SHORT, store)[0].steps == kept.facts["steps"]


def test_looks_are_of_the_places_that_choose(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def judge(grounds: Sequence[Ground], network: HFreqdiff) -> list[Scores]:
        seen.append([each.places.held for each in grounds])
        return scores(30.0, 0.9)

    monkeypatch.setattr(module, "judge", judge)
    places = tuple(Rect(0, 8 * at, 8, 8) for at in range(8))
    tune([with_held(ground, places)], make_network(), replace(TINY, steps=1), CPU)
    assert seen == [[places[::2]]] * 2


def test_looks_are_by_the_engine_and_the_base_is_the_first(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "network_contestant", network_contestant)
    monkeypatch.setattr(module, "judge", judge)
    still, _ = run(ground, replace(TINY, steps=1, checks=1, rates=(0.0, 0.0)))
    assert [look.gain for look in still.looks] == [0.0]
    assert still.looks[0].hqnr == still.looks[0].base_hqnr
    (scores,) = judge([ground], network_contestant(make_network(), CPU))
    assert still.looks[0].hqnr == scores["full"]["hqnr"]
    assert not still.taken
