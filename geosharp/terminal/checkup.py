"""How findings read as text: whether a pair is fit to fuse, and whether all works here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from geosharp.terminal.text import count_words, wrap

if TYPE_CHECKING:
    from geosharp.checkup.check import Checkup
    from geosharp.diagnosis import Diagnosis
    from geosharp.finding import Finding

# Of the columns left of the text: levels, and subjects.
_LEVELS = 9
_MAP = "where MS lies on PAN, place by place, in PAN pixels (? not known, . nothing there)"


def format_checkup(checkup: Checkup) -> str:
    """A paragraph a finding, the map of shifts, and the verdict."""
    lines = [*_format_findings(checkup.findings)]
    if checkup.shift_map:
        lines += ["", *wrap(_MAP)]
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
    return count_words(count, level) if count else ""


def _format_findings(findings: Sequence[Finding]) -> Iterator[str]:
    margin = max((len(finding.subject) for finding in findings), default=0) + 2
    for finding in findings:
        head = f"{finding.level:<{_LEVELS}}{finding.subject:<{margin}}"
        yield from wrap(finding.text, head, " " * len(head))
        if finding.advice:
            indent = " " * len(head)
            yield from wrap(finding.advice, f"{indent}-> ", f"{indent}   ")
