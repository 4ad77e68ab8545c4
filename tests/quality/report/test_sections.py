"""The still parts of the page hold every number and label that was given, as text."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from geosharp.quality.report.content import Fact
from geosharp.quality.report.sections import show_facts, show_histograms, show_maps, show_scores, show_seams
from geosharp.quality.survey.maps import Maps
from tests.quality.report.made import SCORES, SEAMS, make_histogram


class Rows(HTMLParser):
    """Cells of every table row: (class of the cell, its text), after the row's own class."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[tuple[str, list[tuple[str, str]]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("class") or ""
        if tag == "tr":
            self.rows.append((kind, []))
        if tag in ("th", "td"):
            self.rows[-1][1].append((kind, ""))

    def handle_data(self, text: str) -> None:
        if self.rows and self.rows[-1][1]:
            kind, so_far = self.rows[-1][1][-1]
            self.rows[-1][1][-1] = (kind, so_far + text)


def test_a_table_marks_the_reported_row_and_the_best_of_each_column() -> None:
    html = show_scores(replace(SCORES, note=""))
    head, exp, gsa, glp = Rows(html.partition("</table>")[0]).rows
    assert [text for _, text in head[1]] == [
        "Method",
        "ERGAS ↓lower is better",
        "HQNR ↑higher is better",
        "SAM [°] ↓lower is better",
    ]
    assert exp == ("", [("", "exp"), ("", "3.50"), ("", "0.9000"), ("", "2.00")])
    assert gsa == ("", [("", "gsa"), ("", "2.40"), ("best", "0.9510"), ("", "2.00")])
    assert glp == ("reported", [("", "glp"), ("best", "2.10"), ("best", "0.9500"), ("", "2.00")])
    for metric in SCORES.metrics:
        assert metric.meaning in html
    assert "2.10: better than exp and gsa." in html


def test_maps_tell_their_size_and_scale() -> None:
    values = np.array([[3.0, -4.0], [np.nan, 0.0]])
    html = show_maps(Maps("Against MS", {"red": values, "nir": values * np.nan}, True, "DN"), -4, 4, 7)
    assert f"RMS {np.sqrt(25 / 3):.4g} DN" in html
    assert "no value" in html
    assert "<span>-4 DN</span>" in html
    assert "<span>4 DN</span>" in html
    assert html.count('data-group="7"') == 2
    assert 'data-legend="7"' in html


def test_seams_are_told_with_their_numbers_and_drawn_where_there_is_a_profile() -> None:
    html = show_seams(SEAMS)
    for text in ("No seam", "256 PAN pixels", "12.3 DN", "12.25 DN", "0.1 DN", "0.50", "<svg"):
        assert text in html
    assert "<svg" not in show_seams(replace(SEAMS, profile=()))


def test_facts_without_lines_have_no_title() -> None:
    html = show_facts({"Scene": (Fact("Sensor", "WorldView-2"),), "Lineage": ()})
    assert "<h3>Scene</h3>" in html
    assert "<dt>Sensor</dt><dd>WorldView-2</dd>" in html
    assert "Lineage" not in html


def test_every_text_is_escaped() -> None:
    evil = "<img src=x onerror='alert(1)'>"
    metrics = tuple(replace(each, title=evil, meaning=evil, unit=evil) for each in SCORES.metrics)
    rows = tuple(replace(row, method=evil) for row in SCORES.rows)
    shown = [
        show_scores(replace(SCORES, title=evil, note=evil, metrics=metrics, rows=rows)),
        show_maps(Maps(evil, {evil: np.ones((2, 2))}, True, evil, evil), -1, 1, 0),
        show_seams(replace(SEAMS, unit=evil)),
        show_facts({"Scene": (Fact(evil, evil),)}),
        show_histograms([replace(make_histogram("red"), band=evil)], evil),
    ]
    for html in shown:
        assert "<img" not in html
        assert "&lt;img" in html


def test_what_was_not_measured_is_not_told() -> None:
    nothing = replace(SEAMS, at_borders=math.nan, spread=math.nan, z=math.nan, profile=())
    assert "nan" not in show_seams(nothing)
    assert "12.25 DN" in show_seams(nothing)
    assert "inf" not in show_seams(replace(SEAMS, z=math.inf))


def test_histograms_tell_their_unit() -> None:
    assert "units of MS" in show_histograms([make_histogram("red")], "units of MS")
    assert "DN" not in show_histograms([make_histogram("red")], "units of MS")
