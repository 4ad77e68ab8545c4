from __future__ import annotations

import math
from pathlib import Path

import pytest

from geosharp.quality.protocol import FullScoring, ReducedScoring
from geosharp.quality.reduced import table_degradation
from geosharp.quality.scores import METRICS, Metric, compare, find_best, format_value
from geosharp.raster.scene import open_scene

ERGAS, HQNR = METRICS["reduced"]["ergas"], METRICS["full"]["hqnr"]


def test_every_score_has_its_meaning(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    reduced = ReducedScoring(scene, scene.ms_grid.rect).results()
    full = FullScoring(scene, table_degradation(scene)).results()
    assert list(METRICS["reduced"]) == list(reduced)
    assert list(METRICS["full"]) == list(full)
    for metrics in METRICS.values():
        for metric in metrics.values():
            assert metric.meaning.endswith(".")
            assert (metric.noise > 0) != (metric.relative_noise > 0)


@pytest.mark.parametrize(
    ("own", "other", "metric", "result"),
    [
        (1.0, 1.1, ERGAS, "better"),
        (1.1, 1.0, ERGAS, "worse"),
        (1.0, 1.0079, ERGAS, "level"),
        (1.0, 1.0081, ERGAS, "better"),
        (0.9, 0.8969, HQNR, "better"),
        (0.9, 0.8971, HQNR, "level"),
        (0.8, 0.9, HQNR, "worse"),
        (math.inf, 40.0, METRICS["reduced"]["psnr"], "better"),
        (40.0, math.inf, METRICS["reduced"]["psnr"], "worse"),
        (math.inf, math.inf, METRICS["reduced"]["psnr"], "level"),
        (0.0, 0.0, ERGAS, "level"),
    ],
)
def test_differences_below_the_noise_are_none(own: float, other: float, metric: Metric, result: str) -> None:
    assert compare(own, other, metric) == result


@pytest.mark.parametrize(
    ("values", "metric", "best"),
    [
        ([3.0, 2.0, 4.0], ERGAS, {1}),
        ([0.9, 0.8971, 0.5], HQNR, {0, 1}),
        ([0.9, 0.8971], HQNR, set()),
        ([0.9], HQNR, set()),
        ([math.nan, 0.9, 0.8], HQNR, {1}),
        ([math.nan, 0.9], HQNR, set()),
        ([math.inf, 40.0], METRICS["reduced"]["psnr"], {0}),
        ([], HQNR, set()),
    ],
)
def test_the_best_are_those_that_nothing_beats(values: list[float], metric: Metric, best: set[int]) -> None:
    assert find_best(values, metric) == best


def test_values_are_told_as_precisely_as_they_are_known() -> None:
    assert format_value(32.40567, METRICS["reduced"]["psnr"]) == "32.41"
    assert format_value(0.91234, HQNR) == "0.912"
    assert format_value(math.inf, HQNR) == "∞"
    assert format_value(math.nan, HQNR) == "n/a"
