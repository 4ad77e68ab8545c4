from __future__ import annotations

import math
from pathlib import Path

import pytest

from geosharp.padm.table import table_degradation
from geosharp.quality.protocol import FullScoring, ReducedScoring
from geosharp.quality.scores import METRICS, Metric, compare, find_best, format_value, tell_scores
from geosharp.raster.scene import open_scene

ERGAS, HQNR = METRICS["reduced"]["ergas"], METRICS["full"]["hqnr"]


def test_every_score_has_its_meaning(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    reduced = ReducedScoring(scene, 1000.0).results()
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
        (0.0001, 0.0004, ERGAS, "level"),
        (0.0004, 0.0006, ERGAS, "better"),
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


def test_absurd_values_are_told_by_their_power_of_ten() -> None:
    assert format_value(999_999.0, ERGAS) == "999999.000"
    assert format_value(1.7095158588775e36, ERGAS) == "1.71e+36"
    assert format_value(-2e6, ERGAS) == "-2e+06"


def test_no_best_where_another_is_told_alike() -> None:
    assert find_best([0.0001, 0.0004, 0.3], ERGAS) == {0, 1}
    assert find_best([0.0001, 0.0004], ERGAS) == set()


def full_scores(**changes: float) -> dict[str, float]:
    return {**dict.fromkeys(METRICS["full"], 0.5), **changes}


def test_each_absent_score_is_told_with_its_own_reason() -> None:
    row = full_scores(hqnr=math.nan, d_lambda=math.nan, d_rho=math.nan, reprojection_ergas=math.inf)
    notes = list(tell_scores({"full": {"gsa": full_scores(), "glp": row}}))
    assert notes == [
        "no HQNR, D_lambda: no block of 32 x 32 MS pixels is valid as a whole",
        "no D_rho: PAN is flat wherever a window of an MS pixel's size is valid as a whole",
        "no reprojection ERGAS: a band of the MS is zero on average",
    ]
    perfect = dict.fromkeys(METRICS["reduced"], 1.0) | {"psnr": math.inf}
    assert list(tell_scores({"reduced": {"exp": perfect}})) == []


@pytest.mark.parametrize(("exp", "told"), [(0.9, True), (0.7, False), (0.8, False)])
def test_interpolation_in_the_lead_is_no_proof(exp: float, told: bool) -> None:
    scores = {"full": {"glp": full_scores(hqnr=0.8), "exp": full_scores(hqnr=exp)}}
    notes = list(tell_scores(scores))
    assert len(notes) == told
    assert all("D_rho" in note for note in notes)
    assert all("D_rho" in METRICS["full"][name].meaning for name in ("hqnr", "d_s"))
