from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geosharp.errors import UsageError
from geosharp.hfreqdiff.settings import (
    DEVICES,
    DRAW_STEPS,
    MOST_CONSISTENCY,
    MOST_DRAWS,
    MOST_STEPS,
    PRECISIONS,
    Diffusion,
)


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"steps": 0}, "--steps: 0"),
        ({"steps": MOST_STEPS + 1}, "--steps: 17"),
        ({"steps": True}, "--steps: True"),
        ({"steps": 1.5}, "--steps: 1.5"),
        ({"seed": -1}, "--seed: -1"),
        ({"seed": 2**63}, "--seed: 9223372036854775808"),
        ({"consistency": -1}, "--consistency: -1"),
        ({"consistency": MOST_CONSISTENCY + 1}, "--consistency: 9"),
        ({"draws": 1}, "--draws: 1"),
        ({"draws": -2}, "--draws: -2"),
        ({"draws": MOST_DRAWS + 1}, "--draws: 257"),
        ({"device": "tpu"}, "--device: 'tpu'"),
        ({"device": "cuda:"}, "--device: 'cuda:'"),
        ({"device": "cuda:0,"}, "--device: 'cuda:0,'"),
        ({"device": "cpu:0"}, "--device: 'cpu:0'"),
        ({"device": None}, "--device: None"),
        ({"precision": "fp16"}, "--precision: 'fp16'"),
        ({"model": ""}, "--model: ''"),
        ({"model": None}, "--model: None"),
    ],
)
def test_what_cannot_be_is_refused_by_its_flag(given: dict[str, Any], flag: str) -> None:
    with pytest.raises(UsageError, match=f"^{flag};") as caught:
        Diffusion(**given)
    assert caught.value.needed
    assert caught.value.remedy


def test_what_can_be_is_taken() -> None:
    for precision in PRECISIONS:
        assert Diffusion(precision=precision).precision == precision
    for device in (*DEVICES, "cuda:3,1,2"):
        Diffusion(steps=MOST_STEPS, seed=2**63 - 1, consistency=MOST_CONSISTENCY, device=device)
    made = [Diffusion(steps=steps) for steps in (1, 2)]
    assert [(each.drawn, each.draw_steps) for each in made] == [(False, DRAW_STEPS), (True, 2)]
    assert [Diffusion(draws=draws).draws for draws in (0, 2, MOST_DRAWS)] == [0, 2, MOST_DRAWS]


def test_a_model_goes_by_its_last_name() -> None:
    names = [Diffusion(model=model).name for model in ("base", "some/mine.safetensors", Path("there/a.b"))]
    assert names == ["base", "mine.safetensors", "a.b"]


def test_a_seed_that_nothing_is_drawn_with_is_worth_a_note() -> None:
    (note,) = Diffusion(seed=3).notes
    assert note == "--seed does nothing with --steps 1: nothing is drawn"
    assert Diffusion().notes == Diffusion(steps=2, seed=3).notes == Diffusion(draws=2, seed=3).notes == ()
