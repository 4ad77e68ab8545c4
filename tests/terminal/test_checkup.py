"""Findings are read as a table of paragraphs, and end in a verdict."""

from __future__ import annotations

from geosharp.checkup.check import Checkup
from geosharp.diagnosis import Diagnosis
from geosharp.finding import Finding
from geosharp.terminal.checkup import format_checkup, format_diagnosis

FINE = Finding("overlap", "ok", "all of it")
WARNED = Finding("time gap", "warning", "an hour", "pair images of one pass")
STOPPED = Finding("pair", "stop", "no overlap", "check both")


def test_each_finding_is_a_line_and_its_advice_another() -> None:
    lines = format_checkup(Checkup(("pan", "ms"), (FINE, WARNED), (" 0.0",))).splitlines()
    assert lines[:3] == [
        "ok       overlap   all of it",
        "warning  time gap  an hour",
        "                   -> pair images of one pass",
    ]
    assert lines[-3:] == [" 0.0", "", "fit to fuse, with 1 warning"]


def test_the_verdict_is_the_worst() -> None:
    ends = {
        "fit to fuse": (FINE,),
        "fit to fuse, with 2 warnings": (WARNED, WARNED),
        "not fit to fuse": (WARNED, STOPPED),
    }
    for end, findings in ends.items():
        assert format_checkup(Checkup(("pan", "ms"), findings)).splitlines()[-1] == end
    assert format_diagnosis(Diagnosis((FINE,))).endswith("\ngeosharp works here")
    assert format_diagnosis(Diagnosis((WARNED,))).endswith("\ngeosharp works here, with 1 warning")
    assert format_diagnosis(Diagnosis((STOPPED,))).endswith("\nsomething does not work here")


def test_findings_fit_a_narrow_terminal(columns: int) -> None:
    told = Finding("registration map", "warning", "word " * 40, "word " * 40)
    for text in (
        format_checkup(Checkup(("pan", "ms"), (told,), (" 0.0",))),
        format_diagnosis(Diagnosis((told,))),
    ):
        assert columns - 10 < max(map(len, text.splitlines())) <= columns


def test_long_texts_break_between_words_and_commands_to_the_terminal_go() -> None:
    name = "/a/" + "b-" * 100
    told = Finding("pair", "note", f"{'word ' * 40}{name} \x1b[31m", "look")
    lines = format_checkup(Checkup(("pan", "ms"), (told,))).splitlines()
    assert any(name in line for line in lines)
    assert "\x1b" not in "".join(lines)
    assert all(len(line) <= 110 or name in line for line in lines)
