"""Parts that contradict each other are refused where they are put together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geosharp.quality.report.content import Layer, Score, Scores, Spectra, View
from geosharp.quality.survey.samples import Histogram
from geosharp.quality.survey.seams import Seams
from geosharp.raster.grid import Rect
from tests.quality.report.made import FALSE, SCORES, TRUE, grey, make_report, make_view

RECT = Rect(0, 0, 64, 64)


def test_renderings_are_those_of_layers_that_have_several() -> None:
    assert make_report().renderings == (TRUE, FALSE)
    plain = View("All", RECT, (Layer("PAN", {"Grey": grey((8, 8), 0)[None]}),))
    assert make_report(views=(plain,)).renderings == ("Grey",)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((2, 4, 4), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((3, 4, 4), np.float32)],
    ids=["two bands", "no band axis", "floats"],
)
def test_a_layer_takes_pictures_only(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no uint8 picture"):
        Layer("MS", {TRUE: picture})
    with pytest.raises(ValueError, match="has no picture"):
        Layer("MS", {})


def test_a_view_needs_a_rectangle_and_layers_told_apart_by_title() -> None:
    view = make_view("All", RECT)
    for changes in ({"layers": ()}, {"layers": view.layers[:1] * 2}, {"rect": Rect(0, 0, 0, 4)}):
        with pytest.raises(ValueError, match="'All' needs"):
            replace(view, **changes)


def test_what_is_compared_lies_on_one_grid() -> None:
    with pytest.raises(ValueError, match="differ"):
        Spectra(np.zeros((4, 8, 8)), np.zeros((4, 8, 9)))
    with pytest.raises(ValueError, match="red are not on the same bins"):
        Histogram("red", 0, 1, np.zeros(8), np.zeros(9))
    with pytest.raises(ValueError, match="red are not on the same bins"):
        Histogram("red", 1, 1, np.zeros(8), np.zeros(8))


def test_a_row_has_a_value_for_each_metric_and_one_row_is_reported() -> None:
    with pytest.raises(ValueError, match="2 values for 3 metrics"):
        Scores("T", SCORES.metrics, (Score("exp", (1.0, 2.0)),))
    with pytest.raises(ValueError, match="two rows"):
        Scores("T", SCORES.metrics, (SCORES.rows[2], SCORES.rows[2]))


def test_a_profile_has_a_middle() -> None:
    with pytest.raises(ValueError, match="no middle"):
        Seams(256, 1.0, 1.0, 0.1, 0.0, (1.0, 1.0))


def test_a_report_needs_views_told_apart_and_names_for_their_bands() -> None:
    view = make_view("All", RECT)
    for views in ((), (view, view)):
        with pytest.raises(ValueError, match="views of different titles"):
            make_report(views=views)
    with pytest.raises(ValueError, match="4 bands; named: 1"):
        make_report(bands=make_report().bands[:1])
