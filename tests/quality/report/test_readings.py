"""Sentences say what the numbers say, and call nothing a win that lies within the noise."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from geosharp.quality.report.content import Score, Scores
from geosharp.quality.report.readings import find_leaders, read_metric, read_seams
from geosharp.quality.scores import Metric, format_value
from tests.quality.report.made import SCORES, SEAMS

LOWER = Metric("ERGAS", "", "lower", "", 2, relative_noise=0.008)


def make_scores(metric: Metric, *values: float) -> Scores:
    """The last method is the reported one."""
    names = ("exp", "gsa", "glp", "model")[-len(values) :]
    rows = [Score(name, (value,), name == "model") for name, value in zip(names, values, strict=True)]
    return Scores("T", (metric,), tuple(rows))


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ((3.0, 2.0, 2.5), {1}),
        ((3.0, 2.0, 2.015), {1, 2}),
        ((3.0, 2.0, 2.017), {1}),
        ((2.0, 2.001, 2.002), set()),
        ((math.nan, 2.0, 3.0), {1}),
        ((math.inf, 2.0, 3.0), {1}),
        ((math.nan, math.nan, 3.0), set()),
    ],
)
def test_the_best_leads_by_more_than_the_noise(values: tuple[float, ...], best: set[int]) -> None:
    assert find_leaders(make_scores(LOWER, *values), 0) == best
    absolute = replace(LOWER, better="higher", noise=0.016, relative_noise=0.0)
    assert find_leaders(make_scores(absolute, *(-value for value in values)), 0) == best


def test_a_reading_names_those_beaten_those_level_and_those_ahead() -> None:
    assert read_metric(SCORES, 0) == "2.10: better than exp and gsa."
    assert read_metric(SCORES, 1) == "0.9500: better than exp, level with gsa."
    assert read_metric(SCORES, 2) == "2.00°: level with exp and gsa."
    assert read_metric(make_scores(LOWER, 1.0, 3.0, 2.0), 0) == "2.00: better than glp, worse than gsa."
    assert read_metric(make_scores(LOWER, 1.0, 2.0, 3.0, 4.0), 0) == "4.00: worse than exp, gsa and glp."
    assert read_metric(make_scores(replace(LOWER, unit="dB"), 1.0), 0) == "1.00 dB."


def test_what_has_no_value_is_told_with_the_reason() -> None:
    metric = replace(LOWER, absent="a band of the MS is zero on average")
    assert read_metric(make_scores(metric, 1.0, math.nan), 0) == f"n/a: {metric.absent}."
    assert read_metric(make_scores(metric, 1.0, math.inf), 0) == f"∞: {metric.absent}."
    closeness = replace(LOWER, better="higher", noise=0.07, relative_noise=0.0, unit="dB")
    assert read_metric(make_scores(closeness, 40.0, math.inf), 0) == "∞ dB: better than glp."
    assert read_metric(make_scores(metric, math.inf, 1.0), 0) == "1.00."


def test_there_is_no_reading_without_a_reported_method() -> None:
    assert read_metric(replace(SCORES, rows=SCORES.rows[:2]), 0) == ""


def test_values_have_the_decimals_of_their_metric() -> None:
    assert [format_value(value, LOWER) for value in (1.005, 12, math.nan, math.inf)] == [
        "1.00",
        "12.00",
        "n/a",
        "∞",
    ]


@pytest.mark.parametrize(
    ("z", "verdict"),
    [
        (0.5, "No seam"),
        (-2.9, "No seam"),
        (3.1, "Seams can be measured"),
        (-4, "smoother"),
        (math.nan, "Not measured: too few lines"),
        (math.inf, "that is no chance (steps elsewhere do not vary)"),
        (-math.inf, "smoother"),
    ],
)
def test_a_seam_is_named_when_chance_does_not_explain_it(z: float, verdict: str) -> None:
    assert verdict in read_seams(replace(SEAMS, z=z))


def test_without_a_border_nothing_is_measured() -> None:
    assert "no border" in read_seams(replace(SEAMS, at_borders=math.nan, z=math.nan))
