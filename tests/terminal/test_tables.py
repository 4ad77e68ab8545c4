"""Tables that do not mislead."""

from __future__ import annotations

from pathlib import Path

from geosharp.engine.clock import COMPUTE, FINISH, READ, WAIT_COMPUTE, WRITE, Profile
from geosharp.preflight import inspect
from geosharp.terminal.tables import format_info, format_profile, format_protocols


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
        "all                     11.50  of which 10.00 over tiles: 1 reading, 2 computing, one writing",
        profile.bound,
    ]
