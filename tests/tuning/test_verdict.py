"""Better is closer to the truth and no worse where there is none, beyond the noise of the scores."""

from __future__ import annotations

import math

from geosharp.tuning.verdict import closer, decide, harms, is_better


def scores(psnr: float, hqnr: float = 0.95, d_lambda: float = 0.01) -> dict[str, dict[str, float]]:
    return {"reduced": {"psnr": psnr}, "full": {"hqnr": hqnr, "d_lambda": d_lambda}}


BASE = scores(30.0)
# Places whose gains are all alike: nothing is chance.
SURE = (0.1, 0.1, 0.1)


def test_a_gain_beyond_the_noise_is_better() -> None:
    assert is_better(scores(30.1), BASE, SURE)
    assert not is_better(scores(30.05), BASE, SURE)
    assert not is_better(BASE, BASE, SURE)
    assert not is_better(scores(29.0, hqnr=0.99), BASE, SURE)


def test_no_gain_makes_up_for_harm_at_full_resolution() -> None:
    assert not is_better(scores(35.0, hqnr=0.94), BASE, SURE)
    assert not is_better(scores(35.0, d_lambda=0.02), BASE, SURE)
    assert is_better(scores(35.0, hqnr=0.948), BASE, SURE)


def test_scores_that_are_absent_decide_nothing() -> None:
    absent = scores(30.0, math.nan, math.nan)
    assert not harms(scores(31.0), absent)
    assert not harms(absent, BASE)
    assert closer(scores(math.nan), BASE) == 0
    assert not is_better(scores(math.nan), BASE, SURE)


def test_a_gain_that_may_be_chance_is_none() -> None:
    """The mean of these is known to half a dB."""
    unsure = (1.5, -0.5, 0.5, 0.5, 1.5, -0.5)
    assert not is_better(scores(30.3), BASE, unsure)
    assert is_better(scores(30.4), BASE, unsure)


def test_two_places_are_too_few_to_tell() -> None:
    pairs = [(35.0, 30.0)] * 3
    few = decide(scores(35.0), BASE, "the base", pairs[:2], taken=True)
    assert not few.better
    assert few.text.startswith("too few places to tell (3 are needed): keep the base (+5.00 dB; on 2 places,")
    assert decide(scores(35.0), BASE, "the base", pairs, taken=True).better
    assert not decide(scores(35.0), BASE, "the base", [], taken=True).better


def test_the_verdict_tells_what_it_is_of() -> None:
    pairs = [(31.0, 30.0), (30.5, 30.25), (math.inf, math.inf), (33.0, 32.5)]
    found = decide(scores(30.6), BASE, "glp", pairs, taken=True)
    assert found.gains == (1.0, 0.25, 0.5)
    assert found.text == (
        "better than glp: use it (+0.60 dB; on 3 places, +0.25 to +1.00 dB at reduced resolution (PSNR); "
        "HQNR 0.950 against 0.950)"
    )
    untaken = decide(scores(30.6), BASE, "glp", pairs, taken=False)
    assert not untaken.better
    assert untaken.text.startswith(
        "ahead of glp, but no look on the way found it better than it began: keep glp (+0.60 dB; on 3 places,"
    )
    behind = decide(scores(29.9), BASE, "glp", pairs, taken=False)
    assert behind.text.startswith("no better than glp: keep glp (-0.10 dB; on 3 places,")
