"""Tables that do not mislead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from geosharp.engine.clock import COMPUTE, FINISH, READ, WAIT_COMPUTE, WRITE, Profile
from geosharp.preflight import inspect
from geosharp.quality.scores import METRICS
from geosharp.terminal.tables import (
    Column,
    format_info,
    format_origin,
    format_profile,
    format_protocols,
    format_table,
)

NAMES = ("exp", "hfreqdiff", "a_result_of_another_tool.tif")


def read_lines(text: str) -> list[str]:
    """Without what makes letters bold or slanted."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


def test_tables_hold_what_is_asked_for_and_star_the_best() -> None:
    scores = {"exp": {"d_rho": 0.5, "hqnr": 0.8}, "glp": {"d_rho": 0.1, "hqnr": 0.8}}
    text = format_protocols({"full": scores}, {"full": ["d_rho", "hqnr"]})
    lines = text[text.index("HQNR") :].splitlines()
    headings, directions = lines[0].split(), lines[1].split()
    assert dict(zip(headings, directions, strict=True)) == {"HQNR": "higher", "D_rho": "lower"}
    assert [line.split() for line in lines[3:5]] == [["exp", "0.800", "0.500"], ["glp", "0.800", "0.100*"]]


def test_rows_can_be_told_apart_in_a_narrow_terminal_and_no_score_is_lost(columns: int) -> None:
    scores = {
        protocol: {name: dict.fromkeys(metrics, 0.1 + place) for place, name in enumerate(NAMES)}
        for protocol, metrics in METRICS.items()
    }
    lines = read_lines(format_protocols(scores))
    assert all(len(line) <= columns for line in lines)
    count = 0
    for line in lines:
        assert "…" not in line
        name, *values = line.split() or [""]
        if name in NAMES:
            assert {value.rstrip("*")[:3] for value in values} == {f"{0.1 + NAMES.index(name):.1f}"}
            count += len(values)
    assert count == len(NAMES) * sum(map(len, METRICS.values()))


def test_a_wide_table_is_one_in_a_pipe_and_a_long_name_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Column("", ["x" * 100, "y"])
    numbers = [Column(f"heading\n{number}", ["1", "2"]) for number in range(20)]
    title, above, _, _, first, second = format_table("title", names, numbers).splitlines()
    assert (title, above.split()) == ("title", ["heading"] * 20)
    assert (first.split(), second.split()) == (["x" * 100, *["1"] * 20], ["y", *["2"] * 20])
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    told = format_table("title", names, numbers)
    assert told.count("x" * 100) == told.count("heading") == 20


def test_what_was_found_is_broken_between_words_in_a_narrow_terminal(
    made_pair: tuple[Path, Path], columns: int
) -> None:
    seen = inspect(*made_pair)
    seen["pan"]["file"], seen["ms"][0]["file"] = "p" * 100, "ms.tif"
    told = {"version": "1", "method": "glp", "facts": {"Note": "words " * 40}, "command": "geosharp fuse"}
    lines = format_info(seen).splitlines() + format_origin(told).splitlines()
    assert [line for line in lines if len(line) > columns] == [f"PAN          {'p' * 100}:"]
    assert sum(line.startswith(" " * 13) for line in lines) > 3


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


def test_a_profile_tells_parts_under_their_whole_and_who_was_at_work() -> None:
    seconds = {
        "prepare": 1.0,
        READ: 2.5,
        WAIT_COMPUTE: 7.0,
        "network": 12.25,
        COMPUTE: 18.0,
        WRITE: 1.5,
        FINISH: 0.5,
    }
    profile = Profile(seconds, tiles=10.0, wall=11.5, readers=1, threads=2)
    assert format_profile(profile).splitlines() == [
        "stage                 seconds  at work",
        "prepare                  1.00",
        "read                     2.50     25%",
        "wait for computing       7.00",
        "compute                 18.00     90%",
        "  network               12.25",
        "write                    1.50     15%",
        "finish                   0.50",
        "all                     11.50  of which 10.00 over tiles",
        "1 reading, 2 computing, one writing",
        profile.bound,
    ]


def test_a_profile_fits_a_narrow_terminal(columns: int) -> None:
    profile = Profile({COMPUTE: 18.0}, tiles=1000.0, wall=11000.5, readers=1, threads=64)
    assert all(len(line) <= columns for line in format_profile(profile).splitlines())
