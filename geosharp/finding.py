"""What a user should know of a pair, or of this installation, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from geosharp.errors import GeosharpError

Level = Literal["ok", "note", "warning", "stop"]
# From the best to the worst.
LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    subject: what, in a word or two that never change; level: note where there is something to know, warning
    where results may be the worse for it, stop where work would fail or be of no use; text: what was found;
    advice: what to do, empty where all is well; facts: the figures behind it, JSON-ready.
    """

    subject: str
    level: Level
    text: str
    advice: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.level == "ok") == bool(self.advice):
            raise ValueError(f"{self.subject}: advice is for what is not ok, and for all of that")

    @property
    def told(self) -> str:
        """In a line."""
        return f"{self.subject}: {self.text}" + (f": {self.advice}" if self.advice else "")


def refuse(subject: str, error: GeosharpError) -> Finding:
    """The error that would end the work, found before it begins."""
    return Finding(subject, "stop", f"{error.subject}: {error.found}; needed: {error.needed}", error.remedy)


def find_worst(findings: Iterable[Finding]) -> Level:
    """The worst level among them, ok where there are none."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")
