"""How text is fitted to where it is read: the terminal's width, paragraphs, rates."""

from __future__ import annotations

import textwrap

from rich.console import Console

# Columns where no terminal is: what goes into a pipe or a file breaks no line.
_UNBOUND = 9999
# Columns of a paragraph that are still read with ease.
_READABLE = 110


def find_width() -> int:
    """Columns of the terminal that stdout is."""
    shown = Console()
    return shown.width if shown.is_terminal else _UNBOUND


def wrap(text: str, first: str = "", following: str = "", width: int | None = None) -> list[str]:
    """Lines that break between words alone: names of files stay whole, to be taken over. What would command
    the terminal is replaced. width: in columns, by default what is read with ease there."""
    return textwrap.wrap(
        clean(text),
        width or min(find_width(), _READABLE),
        initial_indent=first,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )


def clean(text: str) -> str:
    """One line without what would command the terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def format_rate(pixels: float, seconds: float) -> str:
    """Of pixels in millions, with two digits or more."""
    rate = pixels / max(seconds, 1e-9)
    return f"{rate:.0f} MPix/s" if rate >= 10 else f"{rate:.2g} MPix/s"


def count_words(count: int, word: str) -> str:
    """Such as 1 note, 2 notes."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
