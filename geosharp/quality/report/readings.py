"""What the numbers of a report say, in sentences."""

from __future__ import annotations

import math

from geosharp.quality.report.content import Scores
from geosharp.quality.scores import compare, find_best, format_value, is_absent
from geosharp.quality.survey.seams import Seams

# Steps at borders differ by chance from those elsewhere; beyond this many deviations it is no chance.
_CERTAIN = 3.0


def find_leaders(scores: Scores, column: int) -> set[int]:
    """Rows that lead in this column by more than the noise."""
    return find_best([score.values[column] for score in scores.rows], scores.metrics[column])


def read_metric(scores: Scores, column: int) -> str:
    """How the reported method stands in this column, against each other method, or why it has no value;
    empty without a reported method."""
    metric = scores.metrics[column]
    reported = next((row for row, score in enumerate(scores.rows) if score.reported), None)
    if reported is None:
        return ""
    own = scores.rows[reported].values[column]
    measured = f"{format_value(own, metric)}{_with_space(metric.unit)}"
    if is_absent(own, metric):
        return f"{format_value(own, metric)}: {metric.absent}."
    words = {"better": "better than", "level": "level with", "worse": "worse than"}
    grouped: dict[str, list[str]] = {word: [] for word in words.values()}
    for row, score in enumerate(scores.rows):
        value = score.values[column]
        if row != reported and not is_absent(value, metric):
            grouped[words[compare(own, value, metric)]].append(score.method)
    parts = [f"{word} {_join(methods)}" for word, methods in grouped.items() if methods]
    return f"{measured}: {_join(parts, ', ')}." if parts else f"{measured}."


def read_seams(seams: Seams) -> str:
    """Whether tile borders can be told from the rest of the picture."""
    steps = f"{_plain(seams.at_borders)} {seams.unit} at tile borders, {_plain(seams.elsewhere)} elsewhere"
    if math.isnan(seams.at_borders):
        return "Not measured: the result has no border between tiles."
    if math.isnan(seams.z):
        return "Not measured: too few lines beside the borders to tell what chance makes."
    z = f"z = {seams.z:.1f}" if math.isfinite(seams.z) else "steps elsewhere do not vary"
    if seams.z >= _CERTAIN:
        return f"Seams can be measured: the mean step is {steps}; that is no chance ({z})."
    if seams.z <= -_CERTAIN:
        return f"Borders are smoother than the rest: the mean step is {steps} ({z})."
    return f"No seam: the mean step is {steps}; a difference that chance explains ({z})."


def _join(names: list[str], last: str = " and ") -> str:
    return last.join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _with_space(unit: str) -> str:
    return unit if unit in ("", "°", "%") else f" {unit}"


def _plain(value: float) -> str:
    return f"{value:.4g}"
