"""How an archive reads as text: what a batch would do, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from geosharp.terminal.text import clean, count_words, format_rate, wrap

if TYPE_CHECKING:
    from geosharp.archive.batch import BatchResult, Plan
    from geosharp.archive.ledger import Row
    from geosharp.archive.outlook import Outlook

_STATES = ("done", "skipped", "failed")
# Scores that the summary has the mean of, by their titles.
_SCORES = {"hqnr": "HQNR", "d_lambda": "D_lambda", "d_s": "D_s"}


def format_plan(plan: Plan) -> str:
    """A paragraph for each scene, those that cannot be fused last; one for each file that is left out; and
    how many there are. Names are whole, a line each, to be taken over."""
    scenes = list(zip(plan.rows, plan.outlooks, strict=True))
    unfit = [(row, outlook) for row, outlook in scenes if outlook.unfit]
    lines = [*_format_scenes((row, outlook) for row, outlook in scenes if not outlook.unfit)]
    if unfit:
        lines += ["cannot be fused:", "", *_format_scenes(unfit)]
    if strays := plan.listing.strays:
        lines.append("left out:")
        for stray in strays:
            lines += wrap(f"{stray.file}: {stray.why}", "  ", "      ")
        lines.append("")
    return "\n".join([*lines, *wrap(_count_plan(plan))])


def _format_scenes(scenes: Iterable[tuple[Row, Outlook]]) -> Iterator[str]:
    for row, outlook in scenes:
        yield clean(row.name)
        yield from wrap(f"{row.paired}{_format_sizes(outlook)}", "  ", "  ")
        yield clean(f"  PAN {row.pan}")
        yield from (clean(f"  MS  {name}") for name in row.ms)
        if outlook.unfit:
            yield from wrap(f"why {outlook.unfit}", "  ", "      ")
        else:
            yield clean(f"  ->  {row.out}")
        yield ""


def _format_sizes(outlook: Outlook) -> str:
    if outlook.pan_size is None or outlook.ms_size is None or outlook.ratio is None:
        return "" if outlook.unfit else "; not looked at"
    (width, height), (ms_width, ms_height) = outlook.pan_size, outlook.ms_size
    ratio = " x ".join(f"{each:.6g}" for each in dict.fromkeys(outlook.ratio))
    bands = count_words(len(outlook.bands or ()), "band")
    return f"; PAN {width} x {height}, MS {ms_width} x {ms_height}, {bands}, ratio {ratio}"


def _count_plan(plan: Plan) -> str:
    """How many scenes there are, how large, and what becomes of them."""
    pixels = (
        sum(width * height for width, height in (each.pan_size or (0, 0) for each in plan.outlooks)) / 1e6
    )
    size = f", {pixels:.3g} MPix of PAN" if pixels else ""
    counts = {
        "cannot be fused": sum(bool(each.unfit) for each in plan.outlooks),
        "not looked at": sum(each.pan_size is None and not each.unfit for each in plan.outlooks),
    }
    told = [f"{count} {what}" for what, count in counts.items() if count]
    if strays := plan.listing.strays:
        told.append(f"{count_words(len(strays), 'file')} left out")
    return ", ".join([count_words(len(plan.rows), "scene") + size, *told])


def format_batch(result: BatchResult, record: Path) -> str:
    """How many scenes came to what and how fast; which failed, and where the reasons and notes are."""
    counts = {state: sum(row.state == state for row in result.rows) for state in _STATES}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    rate = f", {format_rate(result.pixels, result.seconds)}" if result.pixels else ""
    lines = [f"{count_words(len(result.rows), 'scene')} in {result.seconds:.0f} s: {told}{rate}"]
    table = [("", "scenes", "seconds", "MPix", "")]
    for state in (state for state in _STATES if counts[state]):
        rows = [row for row in result.rows if row.state == state]
        seconds, pixels = sum(row.seconds for row in rows), sum(row.pixels for row in rows)
        speed = (f"{pixels:.3g}", format_rate(pixels, seconds)) if pixels else ("", "")
        table.append((state, str(len(rows)), f"{seconds:.1f}" if seconds else "", *speed))
    lines += _format_columns(table)
    for name, title in _SCORES.items():
        if values := [row.scores[name] for row in result.rows if name in row.scores]:
            lines.append(f"{title} {sum(values) / len(values):.3f} on average of {len(values)}")
    if result.failed:
        lines += wrap(", ".join(row.name for row in result.failed), "failed: ", "        ")
        lines += wrap(
            "--retry-failed tries these again; so does the same command where a file or option has changed"
        )
    if noted := sum(row.state == "done" and bool(row.warnings) for row in result.rows):
        lines.append(f"notes on {count_words(noted, 'scene')} are in {record}")
    return "\n".join(lines)


def _format_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells below one another; all but the first column are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
