"""A learner learns, leaves draws alone, and goes on from its own tensors as if it had never stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from geosharp.tuning.batches import Batch
from geosharp.tuning.examples import Example
from geosharp.tuning.learner import WARM_UP, Learner, rate_at
from geosharp.tuning.processes import Processes
from geosharp.tuning.recipe import Recipe
from geosharp.tuning.views import View
from tests.hfreqdiff.made_model import make_network
from tests.tuning.made_ground import TINY

CPU = torch.device("cpu")
ALL = slice(None)
ALONE = Processes()
RECIPE = replace(TINY, batch=3, views=2)


def make_batch(seed: int = 0, share: slice = ALL) -> Batch:
    """The share of a process of three examples of two kinds and two views, all of them by default."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    examples = [
        Example(draw(count, 5, 32, 32), draw(count, 6), 0.1 * draw(count, 32, 32), torch.ones(count, 32, 32))
        for count in (3, 2, 3)
    ]
    views = [
        View(
            shown=draw(2, 5, 32, 32),
            described=draw(2, 6),
            measured=draw(2, 4, 5),
            rows=draw(2, 4, 32).softmax(-1),
            cols=draw(2, 5, 32).softmax(-1),
            counted=torch.ones(2, 4, 5),
        )
        for _ in range(2)
    ]
    return Batch(examples[share], views[share])


def make_learner(recipe: Recipe = RECIPE, processes: Processes = ALONE) -> Learner:
    return Learner(make_network(), recipe, CPU, processes)


def weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in learner.network.state_dict().items()}


def test_the_loss_of_a_batch_falls() -> None:
    learner, batch = make_learner(), make_batch()
    losses = [learner.learn(batch, 1000) for _ in range(20)]
    assert losses[0] is not None
    assert losses[-1] is not None
    assert losses[-1] < 0.9 * losses[0]


def test_what_draws_stays_and_all_else_learns() -> None:
    learner = make_learner()
    before = weights(learner)
    for step in range(3):
        learner.learn(make_batch(step), 100)
    moved = {name for name, value in weights(learner).items() if not torch.equal(value, before[name])}
    draws = {name for name in before if "draw" in name or "noise" in name}
    assert draws
    assert moved == set(before) - draws


def test_the_network_it_starts_from_is_left_as_it_is() -> None:
    network = make_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    Learner(network, RECIPE, CPU, ALONE).learn(make_batch(), 10)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_it_goes_on_from_its_tensors_to_the_same_bits() -> None:
    through, first = make_learner(), make_learner()
    for step in range(6):
        through.learn(make_batch(step), 6)
    for step in range(2):
        first.learn(make_batch(step), 6)
    again = make_learner()
    again.restore({name: value.clone() for name, value in first.tensors().items()}, first.step)
    for step in range(2, 6):
        again.learn(make_batch(step), 6)
    for name, value in through.tensors().items():
        assert torch.equal(value, again.tensors()[name]), name


@pytest.mark.parametrize("broken", ["example", "view"])
def test_a_loss_that_is_no_number_changes_nothing(broken: str) -> None:
    learner = make_learner()
    learner.learn(make_batch(), 10)
    before = {name: value.clone() for name, value in learner.tensors().items()}
    batch = make_batch(1)
    if broken == "example":
        batch.examples[1] = replace(batch.examples[1], missing=batch.examples[1].missing * float("nan"))
    else:
        batch.views[0] = replace(batch.views[0], shown=batch.views[0].shown / 0)
    assert learner.learn(batch, 10) is None
    assert learner.step == 1
    assert all(torch.equal(value, before[name]) for name, value in learner.tensors().items())


def test_what_does_not_count_has_no_say() -> None:
    batch = make_batch()
    examples = [
        replace(each, counted=torch.zeros_like(each.counted), missing=each.missing + 7)
        for each in batch.examples
    ]
    views = [
        replace(each, counted=torch.zeros_like(each.counted), measured=each.measured + 7)
        for each in batch.views
    ]
    assert make_learner(replace(RECIPE, anchor=0.0)).learn(Batch(examples, views), 10) == pytest.approx(0.0)


def test_the_anchor_holds_results_at_the_base() -> None:
    """Views alone, whose MS is noise: the more it weighs, the less they move."""
    moved = []
    for anchor in (0.0, 100.0):
        learner = make_learner(replace(RECIPE, anchor=anchor))
        before = weights(learner)["mean_head.project.weight"]
        view = make_batch().views[0]
        start = learner.network.mean(learner.network.encode(view.shown[None], view.described[None]))
        for _ in range(10):
            learner.learn(Batch([], [view, view]), 1000)
        end = learner.network.mean(learner.network.encode(view.shown[None], view.described[None]))
        moved.append(float((end - start).norm().detach()))
        assert not torch.equal(before, weights(learner)["mean_head.project.weight"])
    assert moved[1] < 0.7 * moved[0]


def test_a_process_without_a_part_in_a_batch_takes_part_all_the_same() -> None:
    learner = make_learner()
    assert learner.learn(Batch([], []), 10) == 0
    assert learner.step == 1


def test_the_rate_warms_up_falls_and_never_ends_at_nothing() -> None:
    steps = 200
    rates = [rate_at(step, step / steps) for step in range(steps + 1)]
    assert rates[0] < 0.1
    assert max(rates) == max(rates[WARM_UP - 1 : WARM_UP + 2])
    assert rates[-1] == pytest.approx(0.01)
    assert rates[WARM_UP:] == sorted(rates[WARM_UP:], reverse=True)
    assert rate_at(steps, 7.0) == rates[-1]


def test_the_average_follows_the_weights() -> None:
    learner = make_learner()
    for step in range(5):
        learner.learn(make_batch(step), 5)
    mean, now = learner.averaged().state_dict(), weights(learner)
    start = make_network().state_dict()
    name = "mean_head.project.weight"
    assert 0 < (mean[name] - start[name]).norm() < (now[name] - start[name]).norm()
