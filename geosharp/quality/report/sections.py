"""The still parts of the page: each section's content as HTML, every text of it escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from geosharp.quality.report.charts import draw_histogram, draw_seams
from geosharp.quality.report.content import Fact, Scores
from geosharp.quality.report.readings import find_leaders, read_metric, read_seams
from geosharp.quality.scores import format_value
from geosharp.quality.survey.maps import Maps
from geosharp.quality.survey.samples import Histogram
from geosharp.quality.survey.seams import Seams


def show_scores(scores: Scores) -> str:
    """The table, and under it what each column measures and how the reported method stands."""
    best = [find_leaders(scores, column) for column in range(len(scores.metrics))]
    heads = []
    for metric in scores.metrics:
        arrow = "↓" if metric.better == "lower" else "↑"
        unit = f" [{escape(metric.unit)}]" if metric.unit else ""
        heads.append(
            f'<th scope="col">{escape(metric.title)}{unit} <span aria-hidden="true">{arrow}</span>'
            f"<small>{metric.better} is better</small></th>"
        )
    rows = []
    for number, row in enumerate(scores.rows):
        cells = [
            f"<td{_mark('best', number in best[column])}>{format_value(value, metric)}</td>"
            for column, (value, metric) in enumerate(zip(row.values, scores.metrics, strict=True))
        ]
        name = f'<th scope="row">{escape(row.method)}</th>'
        rows.append(f"<tr{_mark('reported', row.reported)}>{name}{''.join(cells)}</tr>")
    readings = []
    for column, metric in enumerate(scores.metrics):
        reading = read_metric(scores, column)
        strong = f"<strong>{escape(reading)}</strong>" if reading else ""
        readings.append(
            f"<div><dt>{escape(metric.title)}</dt><dd>{strong}{escape(metric.meaning)}</dd></div>"
        )
    return (
        f'<h3>{escape(scores.title)}</h3>{_note(scores.note)}<div class="table"><table>'
        f'<thead><tr><th scope="col">Method</th>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="note">Marked: the best of a column; no mark where all differ by less than the noise.</p>'
        f'<dl class="readings">{"".join(readings)}</dl>'
    )


def show_maps(group: Maps, low: float, high: float, number: int) -> str:
    """Canvases that the script paints, on a scale from `low` to `high`. number: of the group in its data."""
    unit, figures = escape(group.unit), []
    for index, (title, values) in enumerate(group.maps.items()):
        known = values[np.isfinite(values)].astype(np.float64)
        size = f"RMS {np.sqrt(np.mean(known**2)):.4g} {unit}" if known.size else "no value"
        label = escape(f"Map of {title}", quote=True)
        figures.append(
            f'<figure class="map"><figcaption><span>{escape(title)}</span><span>{size}</span></figcaption>'
            f'<canvas data-group="{number}" data-map="{index}" role="img" aria-label="{label}"></canvas>'
            "</figure>"
        )
    ends = [f"{value:.3g} {unit}" for value in (low, high)]
    return (
        f"<h3>{escape(group.title)}</h3>{_note(group.note)}"
        f'<p class="legend"><span>{ends[0]}</span><canvas data-legend="{number}" aria-hidden="true"></canvas>'
        f'<span>{ends[1]}</span></p><div class="sheet">{"".join(figures)}</div>'
    )


def show_histograms(histograms: Sequence[Histogram], unit: str) -> str:
    figures = [
        f"<figure><figcaption><span>{escape(each.band)}</span><span>{escape(unit)}</span></figcaption>"
        f"{draw_histogram(each)}</figure>"
        for each in histograms
    ]
    key = '<p class="note"><span class="key ms">MS</span><span class="key fused">result</span></p>'
    return f'{key}<div class="sheet">{"".join(figures)}</div>'


def show_seams(seams: Seams) -> str:
    measured = {
        "Mean step at tile borders": (seams.at_borders, f"{seams.at_borders:.4g} {seams.unit}"),
        "Mean step elsewhere": (seams.elsewhere, f"{seams.elsewhere:.4g} {seams.unit}"),
        "Spread by chance (standard deviation)": (seams.spread, f"{seams.spread:.3g} {seams.unit}"),
        "z": (seams.z, f"{seams.z:.2f}" if math.isfinite(seams.z) else "without bounds"),
    }
    known = [Fact(label, text) for label, (value, text) in measured.items() if not math.isnan(value)]
    facts = Fact("Tile", f"{seams.tile} PAN pixels"), *known
    legend = "Points: mean step from pixel to pixel by distance from the border; shaded: three deviations."
    chart = f'<div>{draw_seams(seams)}<p class="note">{legend}</p></div>' if seams.profile else ""
    verdict = f'<p class="verdict">{escape(read_seams(seams))}</p>'
    return f'{verdict}<div class="seams">{chart}<div class="facts">{_list("", facts)}</div></div>'


def show_facts(lists: Mapping[str, Sequence[Fact]]) -> str:
    """Those lists that hold something, each under its title."""
    return (
        f'<div class="facts">{"".join(_list(title, facts) for title, facts in lists.items() if facts)}</div>'
    )


def _list(title: str, facts: Sequence[Fact]) -> str:
    rows = "".join(f"<dt>{escape(fact.label)}</dt><dd>{escape(fact.value)}</dd>" for fact in facts)
    return f"<div>{f'<h3>{title}</h3>' if title else ''}<dl>{rows}</dl></div>"


def _mark(kind: str, marked: bool) -> str:
    return f' class="{kind}"' if marked else ""


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>' if text else ""
