"""What is shown: tables that do not mislead, silence where it was asked for."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from geosharp.engine.stream import Progress
from geosharp.errors import InputError
from geosharp.preflight import inspect
from geosharp.terminal import Terminal, format_info, format_protocols


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
    monkeypatch.setattr("geosharp.terminal.time.monotonic", lambda: next(clock))
    with Terminal(quiet=False, log_json=False).progress() as progress:
        assert progress is not None
        progress(Progress("fuse", 1, 4, 10_000_000, 40_000_000, 1.0))
        progress(Progress("fuse", 2, 4, 20_000_000, 40_000_000, 2.0))
        progress(Progress("fuse", 3, 4, 30_000_000, 40_000_000, 3.0))
    assert capfd.readouterr().err == "fuse: 50%, 10.0 MPix/s, 2 s left\n"


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


def test_what_is_logged_is_shown_where_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("geosharp.engine")
    logger.info("unheard")
    with Terminal(quiet=False, log_json=False).logged(shown=True):
        logger.info("heard")
    with Terminal(quiet=False, log_json=False).logged(shown=False):
        logger.warning("unheard")
    assert capfd.readouterr().err == "geosharp: heard\n"


def test_tables_hold_what_is_asked_for_and_star_the_best() -> None:
    scores = {"exp": {"d_rho": 0.5, "hqnr": 0.8}, "glp": {"d_rho": 0.1, "hqnr": 0.8}}
    text = format_protocols({"full": scores}, {"full": ["d_rho", "hqnr"]})
    lines = text[text.index("HQNR") :].splitlines()
    headings, directions = lines[0].split(), lines[1].split()
    assert dict(zip(headings, directions, strict=True)) == {"HQNR": "higher", "D_rho": "lower"}
    assert [line.split() for line in lines[3:5]] == [["exp", "0.800", "0.500"], ["glp", "0.800", "0.100*"]]


def test_info_shows_what_was_found(made_pair: tuple[Path, Path]) -> None:
    seen = inspect(*made_pair)
    seen["ms"][0]["nodata"] = ["-inf", 3.0, 3.0, None]
    lines = format_info(seen).splitlines()
    assert f"about {seen['plan']['memory_mb']} MB" in lines[-2]
    assert lines[-1].endswith("256 x 256 x 4 uint16, 0.5 MB before compression")
    assert "no-data -inf, 3," in lines[2]
    assert not any(line.startswith("part") for line in lines)
    seen["plan"]["pan_pixels"] = {"row": 1, "col": 2, "height": 3, "width": 4}
    assert "\npart         4 x 3 PAN pixels from row 1, column 2\n" in format_info(seen)
