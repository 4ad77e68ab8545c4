"""How findings read as text: whether a pair is fit to fuse, and whether all works here."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geosharp.checkup.check import Checkup
    from geosharp.diagnosis import Diagnosis
    from geosharp.finding import Finding

_WIDTH = 110
# Of the columns left of the text: levels, and subjects.
_LEVELS = 9


def format_checkup(checkup: Checkup) -> str:
    """A paragraph a finding, the map of shifts, and the verdict."""
    lines = [*_format_findings(checkup.findings)]
    if checkup.shift_map:
        lines += ["", "where MS lies on PAN, place by place, in PAN pixels (? not known, . nothing there)"]
        lines += checkup.shift_map
    warnings = _count(checkup.findings, "warning")
    verdict = "fit to fuse" if checkup.fit else "not fit to fuse"
    return "\n".join([*lines, "", verdict + (f", with {warnings}" if checkup.fit and warnings else "")])


def format_diagnosis(diagnosis: Diagnosis) -> str:
    """A paragraph a finding, and the verdict."""
    warnings = _count(diagnosis.findings, "warning")
    verdict = "geosharp works here" if diagnosis.works else "something does not work here"
    tail = f", with {warnings}" if diagnosis.works and warnings else ""
    return "\n".join([*_format_findings(diagnosis.findings), "", verdict + tail])


def _count(findings: Iterable[Finding], level: str) -> str:
    count = sum(finding.level == level for finding in findings)
    return "" if count == 0 else f"{count} {level}{'s' if count > 1 else ''}"


def _format_findings(findings: Sequence[Finding]) -> Iterator[str]:
    margin = max((len(finding.subject) for finding in findings), default=0) + 2
    for finding in findings:
        head = f"{finding.level:<{_LEVELS}}{finding.subject:<{margin}}"
        yield from _wrap(finding.text, head, " " * len(head))
        if finding.advice:
            indent = " " * len(head)
            yield from _wrap(finding.advice, f"{indent}-> ", f"{indent}   ")


def _wrap(text: str, first: str, following: str) -> list[str]:
    """Lines that break between words alone: names of files stay whole, to be taken over."""
    clean = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return textwrap.wrap(
        clean,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )
