"""What is shown on stderr, and silence where it was asked for."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from geosharp.archive.ledger import Row
from geosharp.engine.clock import COMPUTE, WRITE, Profile
from geosharp.engine.stream import Progress
from geosharp.errors import InputError
from geosharp.raster.grid import Grid
from geosharp.terminal.console import Terminal
from geosharp.tuning.tune import Look, TrainProgress


def test_a_quiet_terminal_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(quiet=True, log_json=False)
    terminal.say("warning", "anything")
    with terminal.progress() as progress:
        assert progress is None
    assert capfd.readouterr() == ("", "")


def test_json_lines_hold_the_facts(capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(quiet=False, log_json=True)
    with terminal.progress() as progress:
        assert progress is not None
        progress(Progress("fuse", 1, 4, 25, 100, 2.0))
    event = json.loads(capfd.readouterr().err)
    assert event["message"] == "25%"
    assert (event["tiles"], event["total_tiles"], event["seconds"]) == (1, 4, 2.0)


def test_a_pipe_gets_a_plain_line_every_few_seconds(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1.0, 6.0, 6.0, 7.0])
    monkeypatch.setattr("geosharp.terminal.console.time.monotonic", lambda: next(clock))
    with Terminal(quiet=False, log_json=False).progress() as progress:
        assert progress is not None
        progress(Progress("fuse", 1, 4, 10_000_000, 40_000_000, 1.0))
        progress(Progress("fuse", 2, 4, 20_000_000, 40_000_000, 2.0))
        progress(Progress("fuse", 3, 4, 30_000_000, 40_000_000, 3.0))
    assert capfd.readouterr().err == "fuse: 50%, 10 MPix/s, 2 s left\n"


def test_steps_take_the_place_of_pixels_where_a_model_adapts(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 6.0, 6.0])
    monkeypatch.setattr("geosharp.terminal.console.time.monotonic", lambda: next(clock))
    with Terminal(quiet=False, log_json=False).progress() as progress:
        assert progress is not None
        progress(Progress("adapt", 3, 12, 10_000_000, 40_000_000, 2.0))
    assert capfd.readouterr().err == "adapt: 25%, step 3 of 12, 6 s left\n"


@dataclass(frozen=True)
class Fused:
    """What a summary reads of a FuseResult."""

    grid: Grid
    method: str = "glp"
    seconds: float = 20.0


@pytest.mark.parametrize(
    ("seconds", "rate"), [(0.5, ""), (4.0, "; tiles at 0.12 MPix/s")], ids=["too short to tell", "told"]
)
def test_a_summary_has_the_rate_of_the_tiles_without_what_was_learnt_before(
    seconds: float, rate: str
) -> None:
    terminal = Terminal(quiet=False, log_json=True)
    result: Any = Fused(Grid((400, 1200), None, None))
    assert terminal.summarise(result) == "glp: 1200 x 400 pixels in 20.0 s"
    with terminal.progress() as progress:
        assert progress is not None
        progress(Progress("calibrate", 0, 0, 480_000, 480_000, 15.0))
        progress(Progress("fuse", 1, 1, 480_000, 480_000, seconds))
        progress(Progress("finish", 1, 1, 480_000, 480_000, seconds + 1))
    assert terminal.summarise(result) == f"glp: 1200 x 400 pixels in 20.0 s{rate}"


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"state": "done", "seconds": 17.23}, "done, 17.2 s"),
        ({"state": "done", "seconds": 1, "warnings": ("x", "y")}, "done, 1.0 s, 2 notes"),
        ({"state": "skipped"}, "skipped, is there already"),
        ({"state": "failed", "error": "why"}, "failed, why"),
        ({"state": "failed", "error": "why", "warnings": ("as before",)}, "failed, as before: why"),
    ],
)
def test_a_scene_of_a_batch_is_one_line(
    capfd: pytest.CaptureFixture[str], told: dict[str, Any], line: str
) -> None:
    Terminal(quiet=False, log_json=False).scene_done(Row("a", "p", ("m",), "o", **told), 1, 9)
    assert capfd.readouterr().err == f"[1/9] a: {line}\n"


LOOK = Look(8, 0.25, 0.91, 0.9, False)


def learn(terminal: Terminal) -> None:
    with terminal.learning() as show:
        assert show is not None
        show(TrainProgress(7, 0, 60.0, 0.5))
        show(TrainProgress(8, 40, 160.0, 0.25, LOOK))
        show(TrainProgress(10, 40, 200.0, 0.125))


def test_a_pipe_gets_a_line_for_each_look_at_a_training(capfd: pytest.CaptureFixture[str]) -> None:
    learn(Terminal(quiet=False, log_json=False))
    look = "places kept aside: +0.25 dB, HQNR 0.9100 (before 0.9000): not taken"
    assert capfd.readouterr().err == f"step 8 of 40, loss 0.2500, 11 min left; {look}\n"


def test_json_tells_each_step_of_a_training(capfd: pytest.CaptureFixture[str]) -> None:
    learn(Terminal(quiet=False, log_json=True))
    first, second, _ = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert first == {"event": "progress", "message": "step 7, loss 0.5000", "step": 7, "steps": 0,
                     "loss": 0.5, "seconds": 60.0}  # fmt: skip
    assert {name: second[name] for name in ("gain", "hqnr", "base_hqnr", "best")} == {
        "gain": 0.25, "hqnr": 0.91, "base_hqnr": 0.9, "best": False}  # fmt: skip


def test_a_score_that_nobody_knows_is_null_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    with Terminal(quiet=False, log_json=True).learning() as show:
        assert show is not None
        show(TrainProgress(8, 40, 160.0, 0.25, replace(LOOK, hqnr=math.nan, base_hqnr=math.nan)))
    (line,) = capfd.readouterr().err.splitlines()
    told = json.loads(line, parse_constant=pytest.fail)
    assert (told["gain"], told["hqnr"], told["base_hqnr"]) == (0.25, None, None)


def test_who_watches_a_training_sees_a_bar_below_its_looks(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    learn(Terminal(quiet=False, log_json=False))
    told = capfd.readouterr().err
    look, bar = told.index("+0.25 dB, HQNR"), told.rindex("step 10 of 40, loss 0.1250, 10 min left")
    assert look < bar
    assert told.count("not taken") == 1


def test_a_quiet_terminal_hears_nothing_of_a_training() -> None:
    with Terminal(quiet=True, log_json=True).learning() as show:
        assert show is None


def test_messages_are_not_taken_for_markup(capfd: pytest.CaptureFixture[str]) -> None:
    Terminal(quiet=False, log_json=False).say("note", "/data/[red]scene[/red].tif: fine")
    assert capfd.readouterr().err == "/data/[red]scene[/red].tif: fine\n"


def test_notes_and_errors_are_events_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(quiet=True, log_json=True)
    terminal.note("unheard")
    terminal.fail(InputError("pan.tif", "nothing", "an image", "pass one"))
    (event,) = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert (event["event"], event["exit_code"]) == ("error", 1)
    assert (event["subject"], event["remedy"]) == ("pan.tif", "pass one")
    Terminal(quiet=False, log_json=True).note("heard")
    assert json.loads(capfd.readouterr().err) == {"event": "note", "message": "heard"}


def test_the_last_line_of_a_log_is_for_programs_alone(capfd: pytest.CaptureFixture[str]) -> None:
    Terminal(quiet=False, log_json=False).conclude("scored", path=Path("a.json"))
    assert capfd.readouterr().err == ""
    Terminal(quiet=False, log_json=True).tell("for eyes alone")
    Terminal(quiet=False, log_json=True).conclude("scored", path=Path("a.json"))
    assert json.loads(capfd.readouterr().err) == {"event": "done", "message": "scored", "path": "a.json"}
    Terminal(quiet=False, log_json=False).tell("for eyes alone")
    assert capfd.readouterr().err == "for eyes alone\n"


def test_what_is_logged_is_shown_where_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("geosharp.engine")
    logger.info("unheard")
    with Terminal(quiet=False, log_json=False).logged(shown=True):
        logger.info("heard")
    with Terminal(quiet=False, log_json=False).logged(shown=False):
        logger.warning("unheard")
    assert capfd.readouterr().err == "geosharp: heard\n"


def test_a_profile_is_a_table_or_one_event(capfd: pytest.CaptureFixture[str]) -> None:
    profile = Profile({COMPUTE: 9.0, WRITE: 1.0}, tiles=10.0, wall=12.0, readers=1, threads=1)
    Terminal(quiet=False, log_json=False).profiled(profile)
    assert capfd.readouterr().err.rstrip().endswith(profile.bound)
    Terminal(quiet=False, log_json=True).profiled(profile)
    event = json.loads(capfd.readouterr().err)
    assert event["event"] == "profile"
    assert event["seconds"] == {COMPUTE: 9.0, WRITE: 1.0}
    assert event["message"] == profile.bound
    assert (event["wall"], event["tiles"], event["readers"], event["threads"]) == (12.0, 10.0, 1, 1)
