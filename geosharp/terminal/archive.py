"""How an archive reads as text: what a batch would do, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geosharp.archive.batch import BatchResult, Plan

_STATES = ("done", "skipped", "failed")
# Scores that the summary has the mean of, by their titles.
_SCORES = {"hqnr": "HQNR", "d_lambda": "D_lambda", "d_s": "D_s"}


def format_plan(plan: Plan) -> str:
    """A line for each scene, and one for each file that is left out; names whole, to be taken over."""
    # MS may be many files: last, it makes no other line longer.
    rows = [("result", "paired", "PAN", "MS")]
    rows += [(row.out, row.paired, row.pan, ", ".join(row.ms)) for row in plan.rows]
    lines = _format_columns(rows)
    if plan.listing.strays:
        left = [("left out", "because")] + [(stray.file, stray.why) for stray in plan.listing.strays]
        lines += ["", *_format_columns(left)]
    return "\n".join(lines)


def format_batch(result: BatchResult) -> str:
    """How many scenes came to what and how fast, and those that failed with the reason."""
    counts = {state: sum(row.state == state for row in result.rows) for state in _STATES}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    rate = f", {_rate(result.pixels, result.seconds)} MPix/s" if result.pixels else ""
    scenes = "1 scene" if len(result.rows) == 1 else f"{len(result.rows)} scenes"
    lines = [f"{scenes} in {result.seconds:.0f} s: {told}{rate}"]
    table = [("", "scenes", "seconds", "MPix", "MPix/s")]
    for state in (state for state in _STATES if counts[state]):
        rows = [row for row in result.rows if row.state == state]
        seconds, pixels = sum(row.seconds for row in rows), sum(row.pixels for row in rows)
        speed = (f"{pixels:.1f}", _rate(pixels, seconds)) if pixels else ("", "")
        table.append((state, str(len(rows)), f"{seconds:.1f}" if seconds else "", *speed))
    lines += _format_columns(table, right=True)
    for name, title in _SCORES.items():
        if values := [row.scores[name] for row in result.rows if name in row.scores]:
            lines.append(f"{title} {sum(values) / len(values):.3f} on average of {len(values)}")
    lines += [f"  {row.name}: {row.error}" for row in result.failed]
    if result.failed:
        lines.append("--retry-failed tries these again")
    return "\n".join(lines)


def _rate(pixels: float, seconds: float) -> str:
    return f"{pixels / max(seconds, 1e-9):.2g}"


def _format_columns(rows: Sequence[Sequence[str]], *, right: bool = False) -> list[str]:
    """Cells below one another; right: all but the first column are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if right and at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
