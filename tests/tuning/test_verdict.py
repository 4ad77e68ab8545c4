"""Better is closer to the truth and no worse where there is none, beyond the noise of the scores."""

from __future__ import annotations

import math

from geosharp.tuning.verdict import closer, harms, is_better


def scores(psnr: float, hqnr: float = 0.95, d_lambda: float = 0.01) -> dict[str, dict[str, float]]:
    return {"reduced": {"psnr": psnr}, "full": {"hqnr": hqnr, "d_lambda": d_lambda}}


BASE = scores(30.0)


def test_a_gain_beyond_the_noise_is_better() -> None:
    assert is_better(scores(30.1), BASE)
    assert not is_better(scores(30.05), BASE)
    assert not is_better(BASE, BASE)
    assert not is_better(scores(29.0, hqnr=0.99), BASE)


def test_no_gain_makes_up_for_harm_at_full_resolution() -> None:
    assert not is_better(scores(35.0, hqnr=0.94), BASE)
    assert not is_better(scores(35.0, d_lambda=0.02), BASE)
    assert is_better(scores(35.0, hqnr=0.948), BASE)


def test_scores_that_are_absent_decide_nothing() -> None:
    absent = scores(30.0, math.nan, math.nan)
    assert not harms(scores(31.0), absent)
    assert not harms(absent, BASE)
    assert closer(scores(math.nan), BASE) == 0
    assert not is_better(scores(math.nan), BASE)
