"""The script that kills trainings: what it calls the same, and how it times."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

EXPERIMENTS = Path(__file__).parents[2] / "examples" / "experiments"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("train_resume")


def test_tensors_are_the_same_if_all_their_bytes_are(script: ModuleType) -> None:
    one = {"a": torch.tensor([0.0, float("nan")]), "b": torch.ones(2, dtype=torch.bfloat16)}
    assert script.differences(one, {name: value.clone() for name, value in one.items()}) == []
    assert script.differences(one, {**one, "a": torch.tensor([-0.0, float("nan")])}) == ["a"]
    assert script.differences(one, {**one, "b": one["b"].reshape(1, 2)}) == ["b"]
    assert script.differences(one, {"a": one["a"]}) == ["b"]


def test_a_run_is_killed_after_its_first_step_alone(script: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    told = 'import sys, time; print(\'{"event": "progress", "step": 3, "seconds": 2.5}\', file=sys.stderr); '
    cut = 'sys.stderr.write(\'{"event": "prog\'); sys.stderr.flush(); '
    ended = script.run_once([sys.executable, "-c", told + cut], out, 60.0)
    assert (ended.killed, ended.steps, ended.learning, ended.kept) == (False, (3,), 2.5, None)
    killed = script.run_once([sys.executable, "-c", told + cut + "time.sleep(60)"], out, 0.0)
    assert (killed.killed, killed.steps) == (True, (3,))
    with pytest.raises(SystemExit):
        script.run_once([sys.executable, "-c", "raise SystemExit(1)"], out, None)


def test_what_the_loop_takes_beyond_the_bare_step_is_the_data_path(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 0.0

    def batches() -> Iterator[int]:
        nonlocal clock
        while True:
            clock += 1.0
            yield 0

    def step(batch: int) -> None:
        nonlocal clock
        clock += 3.0

    for name in ("perf_counter", "process_time"):
        monkeypatch.setattr(script.time, name, lambda: clock)
    speed = script.time_steps(batches(), step, 2)
    assert [(cost.wall, cost.cpu) for cost in (speed.bare, speed.loop, speed.reading)] == [
        (seconds, seconds) for seconds in (3.0, 4.0, 1.0)
    ]
    assert script.format_speed(speed).endswith("data path: 25.0% of the loop")
