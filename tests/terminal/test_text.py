"""Text is as wide as the terminal that it goes to, and whole where none is."""

from __future__ import annotations

import pytest

from geosharp.terminal.text import clean, count_words, find_width, format_rate, wrap


def test_a_terminals_width_counts_and_a_pipe_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert find_width() > 1000
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert find_width() == 80


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_lines_end_where_the_terminal_does_or_reading_is_hard(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    lines = wrap("many words " * 40, "why ", "    ")
    assert min(columns, 110) - 10 < max(map(len, lines)) <= min(columns, 110)
    assert [line[:5] for line in lines] == ["why m"] + [
        "    m" if "    m" in line else "    w" for line in lines[1:]
    ]


def test_names_stay_whole_and_nothing_commands_the_terminal() -> None:
    name = "/a/" + "b-" * 100
    assert wrap(f"see {name}", width=60) == ["see", name]
    assert clean("a\x1b[31m\nb") == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    ("pixels", "seconds", "told"),
    [
        (0.48, 20.0, "0.024"),
        (0.004, 1.0, "0.004"),
        (3.14159, 1.0, "3.1"),
        (512.0, 4.0, "128"),
        (9.96, 1.0, "10"),
    ],
)
def test_rates_have_two_digits_whatever_their_size(pixels: float, seconds: float, told: str) -> None:
    assert format_rate(pixels, seconds) == f"{told} MPix/s"


def test_one_is_no_plural() -> None:
    assert [count_words(count, "note") for count in (0, 1, 2)] == ["0 notes", "1 note", "2 notes"]
