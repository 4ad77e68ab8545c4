"""`geosharp train`: what it prints, what it says, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from geosharp import training
from geosharp.cli import app
from geosharp.cli.training import format_table
from geosharp.errors import UsageError
from geosharp.quality.scores import METRICS
from geosharp.training import TrainResult, state_beside
from geosharp.tuning import scalars
from geosharp.tuning.judge import BASE, TUNED
from geosharp.tuning.tune import Look, TrainProgress

Train = Callable[..., TrainResult]


def result(path: Path | None, better: bool = True, first: bool = True) -> TrainResult:
    protocols = {
        protocol: {
            BASE: dict.fromkeys(metrics, 0.5),
            TUNED: dict.fromkeys(metrics, 0.4) | {"psnr": 31.5, "hqnr": 0.9},
        }
        for protocol, metrics in METRICS.items()
    }
    return TrainResult(
        path, better, "better than the base: use it", protocols, (), 20, 30, 5.0, {}, (), first=first
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the command asks of the library; `answer` in it is what that gives back."""
    told: dict[str, Any] = {"answer": result(tmp_path / "m.safetensors")}

    def train(scenes: Any, out: Path, **settings: Any) -> TrainResult:
        told.update(scenes=scenes, out=out, **settings)
        settings["on_note"]("a note")
        look = Look(15, 0.25, 0.91, 0.9, True)
        settings["progress"](TrainProgress(15, 30, 3.0, 0.1234, look))
        if isinstance(told["answer"], BaseException):
            raise told["answer"]
        return told["answer"]  # type: ignore[no-any-return]

    monkeypatch.setattr(training, "train", train)
    return told


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def test_flags_become_arguments(asked: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    chosen = "--bands", "4, nir", "--sensor", "mine.toml"
    done = run("p", "m", "-o", out, "--base", "x", "--steps", 7, "--seed", 3, "--keep", "--no-align", *chosen)
    assert done.exit_code == 0
    assert asked["scenes"] == [("p", "m")]
    wanted = {"out": out, "base": "x", "steps": 7, "hours": None, "seed": 3, "keep": True, "align": False}
    wanted |= {"bands": ["4", "nir"], "sensor": "mine.toml"}
    assert {name: asked[name] for name in wanted} == wanted


def test_scores_and_verdict_and_path_go_to_stdout_and_the_rest_to_stderr(
    asked: dict[str, Any], tmp_path: Path
) -> None:
    done = run("p", "m", "-o", tmp_path / "m.safetensors")
    lines = done.stdout.splitlines()
    assert lines[-1] == str(tmp_path / "m.safetensors")
    assert lines[-2] == "better than the base: use it"
    (row,) = (line for line in lines if line.split()[:1] == [TUNED] and "31.50" in line)
    assert "31.50*" in row
    assert "a note" in done.stderr
    look = "places kept aside: +0.25 dB, HQNR 0.9100 (before 0.9000): taken"
    assert f"step 15 of 30, loss 0.1234, 3 s left; {look}" in done.stderr.splitlines()


def test_tensorboard_hears_of_the_same_steps(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, float, int]] = []

    class Writer:
        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def flush(self) -> None: ...
        def close(self) -> None: ...

    monkeypatch.setattr(scalars, "find_writer", lambda: lambda folder, step: Writer())
    folder = tmp_path / "curves"
    done = run("p", "m", "-o", tmp_path / "m.safetensors", "--tensorboard", folder)
    assert done.exit_code == 0
    assert folder.is_dir()
    assert ("loss", 0.1234, 15) in written
    assert "step 15 of 30" in done.stderr


def test_tensorboard_that_is_not_installed_is_told_before_any_work(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    done = run("p", "m", "-o", tmp_path / "m.safetensors", "--tensorboard", tmp_path / "curves")
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("geosharp: --tensorboard: ")
    assert "pip install 'geosharp[tensorboard]'" in line
    assert "scenes" not in asked
    assert not list(tmp_path.iterdir())


def test_scores_show_their_directions_and_units_in_80_columns() -> None:
    lines = format_table(result(None)).splitlines()
    reduced, full = (number for number, line in enumerate(lines) if "PSNR" in line or "D_rho" in line)
    assert lines[reduced + 1].split() == ["dB", "°", "lower", "higher"]
    assert lines[full + 1].split() == ["higher", *["lower"] * 4]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("scenes", [1, 2])
def test_scores_are_called_means_where_there_are_several_scenes(scenes: int) -> None:
    text = format_table(replace(result(None), facts={"scenes": [{}] * scenes}))
    assert ("means over scenes" in text) == (scenes > 1)


def test_what_is_not_written_ends_with_1(asked: dict[str, Any], tmp_path: Path) -> None:
    asked["answer"] = result(None, better=False)
    done = run("p", "m", "-o", tmp_path / "m.safetensors")
    assert done.exit_code == 1
    assert TUNED in done.stdout
    assert str(tmp_path) not in done.stdout


def test_other_processes_say_nothing(asked: dict[str, Any], tmp_path: Path) -> None:
    asked["answer"] = result(None, first=False)
    done = run("p", "m", "-o", tmp_path / "m.safetensors")
    assert (done.exit_code, done.stdout) == (0, "")


def test_ctrl_c_says_how_to_go_on(asked: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    asked["answer"] = KeyboardInterrupt()
    state_beside(out).touch()
    done = run("p", "m", "-o", out)
    assert done.exit_code == 130
    assert str(state_beside(out)) in done.stderr
    assert "the same command goes on" in done.stderr


def test_json_tells_each_look(asked: dict[str, Any], tmp_path: Path) -> None:
    done = run("p", "m", "-o", tmp_path / "m.safetensors", "--log-json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    (progress,) = (event for event in events if event["event"] == "progress")
    assert (progress["step"], progress["steps"], progress["gain"], progress["best"]) == (15, 30, 0.25, True)
    assert events[-1]["event"] == "done"
    assert events[-1]["better"] is True


def test_refusals_are_one_line(asked: dict[str, Any], tmp_path: Path) -> None:
    asked["answer"] = UsageError("--base", "'x'", "a model", "check it")
    done = run("p", "m", "-o", tmp_path / "m.safetensors")
    assert done.exit_code == 2
    assert "geosharp: --base: 'x'" in done.stderr
    odd = run("p", "m", "q", "-o", tmp_path / "m.safetensors")
    assert odd.exit_code == 2
    assert "SCENES" in odd.stderr


def test_a_folder_or_a_table_is_handed_on_as_it_is(asked: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path, "-o", tmp_path / "m.safetensors")
    assert asked["scenes"] == str(tmp_path)
