"""Charts show the numbers: heights follow the counts, positions the axis, and text stays text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from geosharp.quality.report.charts import draw_histogram, draw_seams
from geosharp.quality.survey.samples import Histogram
from tests.quality.report.made import SEAMS, make_histogram


def points(chart: ET.Element, kind: str) -> np.ndarray:
    (shape,) = [each for each in chart.iter() if kind in each.get("class", "").split()]
    return np.array([pair.split(",") for pair in shape.get("points", "").split()], float)


def labels(chart: ET.Element) -> list[tuple[float, str]]:
    return [(float(text.get("x", "")), text.text or "") for text in chart.iter("text")]


def test_equal_shares_lie_on_each_other_whatever_the_number_of_pixels() -> None:
    chart = ET.fromstring(draw_histogram(make_histogram("red")))
    np.testing.assert_allclose(points(chart, "ms")[1:-1], points(chart, "fused"))


def test_heights_are_proportional_to_shares() -> None:
    ms, fused = np.array([1, 3, 0, 0]), np.array([0, 0, 2, 2])
    chart = ET.fromstring(draw_histogram(Histogram("red", 0, 4, ms, fused)))
    y = points(chart, "ms")[:, 1]
    heights = (y[0] - y)[1:-1:2]
    np.testing.assert_allclose(heights / heights.max(), [1 / 3, 1, 0, 0], atol=0.01)
    other = (y[0] - points(chart, "fused")[:, 1])[::2]
    np.testing.assert_allclose(other / heights.max(), [0, 0, 2 / 3, 2 / 3], atol=0.01)


def test_many_bins_are_merged_without_losing_any() -> None:
    counts = np.zeros(4096)
    counts[[1, 4095]] = 1
    chart = ET.fromstring(draw_histogram(Histogram("red", 0, 1, counts, counts)))
    line = points(chart, "fused")
    assert len(line) <= 200
    assert line[0, 1] == pytest.approx(line[-1, 1], abs=3)
    assert line[0, 1] < line[100, 1]


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1000), (93, 1107), (-2.5, 3.7), (0.0, 0.004), (59_000, 65_535)]
)
def test_ticks_are_round_and_stand_where_they_say(low: float, high: float) -> None:
    flat = np.ones(10)
    ticks = labels(ET.fromstring(draw_histogram(Histogram("red", low, high, flat, flat))))
    assert 2 <= len(ticks) <= 6
    for x, text in ticks:
        assert (x - 8) / 284 == pytest.approx((float(text) - low) / (high - low), abs=0.005)


def test_the_border_stands_in_the_middle_and_higher_steps_stand_higher() -> None:
    profile = (1.0, 1.1, 2.0, 0.9, 1.0)
    chart = ET.fromstring(draw_seams(replace(SEAMS, elsewhere=1.0, spread=0.05, profile=profile)))
    dots = list(chart.iter("circle"))
    heights = [-float(dot.get("cy", "")) for dot in dots]
    assert np.argsort(heights, kind="stable").tolist() == np.argsort(profile, kind="stable").tolist()
    assert [dot.get("class") for dot in dots] == ["dot", "dot", "dot border", "dot", "dot"]
    assert [text for _, text in labels(chart)][:3] == ["-2 px", "border", "+2 px"]


def test_a_flat_profile_without_spread_is_drawn() -> None:
    chart = ET.fromstring(draw_seams(replace(SEAMS, elsewhere=1.0, spread=0.0, profile=(1.0, 1.0, 1.0))))
    assert len(list(chart.iter("circle"))) == 3


def test_text_stays_text() -> None:
    name = '"><script>alert(1)</script>'
    chart = ET.fromstring(draw_histogram(replace(make_histogram("red"), band=name)))
    assert name in chart.get("aria-label", "")
    seams = ET.fromstring(draw_seams(replace(SEAMS, unit="<b>")))
    assert any("<b>" in (title.text or "") for title in seams.iter("title"))


@pytest.mark.parametrize("level", [12.3456, 1.2345e-5, 123456.0])
def test_numbers_beside_the_seams_end_inside_the_chart(level: float) -> None:
    chart = ET.fromstring(
        draw_seams(replace(SEAMS, elsewhere=level, spread=level / 50, profile=(level,) * 3))
    )
    width = float(chart.get("viewBox", "").split()[2])
    beside = [(x, text) for x, text in labels(chart) if x > 290 and not text.endswith("px")]
    assert len(beside) == 3
    # A digit of 10.5 px is 5.9 px wide.
    assert all(x + 5.9 * len(text) <= width for x, text in beside)


def test_levels_that_coincide_are_told_once() -> None:
    chart = ET.fromstring(draw_seams(replace(SEAMS, elsewhere=0.0, spread=0.0, profile=(0.0, 15.0, 0.0))))
    assert [text for x, text in labels(chart) if x > 290 and not text.endswith("px")] == ["0"]
