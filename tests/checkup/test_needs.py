"""Memory is held against what is free, time against rates that are in the README."""

from __future__ import annotations

from pathlib import Path

import pytest

from geosharp.checkup import needs
from geosharp.checkup.needs import check_duration, check_memory, estimate_seconds
from geosharp.engine.methods import METHODS
from geosharp.engine.preparation import prepare
from geosharp.engine.setup import Setup

MB = 2**20


@pytest.fixture
def setup(made_pair: tuple[Path, Path]) -> Setup:
    return prepare(*made_pair, method="glp", threads=2)


@pytest.mark.parametrize(("factor", "level"), [(2.0, "ok"), (1.1, "warning"), (0.9, "stop"), (None, "ok")])
def test_more_memory_than_is_free_is_a_stop(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, factor: float | None, level: str
) -> None:
    free = None if factor is None else int(factor * setup.plan.memory)
    monkeypatch.setattr(needs, "available_memory", lambda: free)
    found = check_memory(setup)
    assert (found.level, found.facts["needed"]) == (level, setup.plan.memory)
    if free is not None and level != "ok":
        assert f"--max-memory {int(0.8 * free / MB)}M" in found.advice


def test_every_method_has_a_rate() -> None:
    for method in METHODS:
        assert estimate_seconds(method, 100.0, 2) > estimate_seconds(method, 1.0, 2) > 0


def test_the_readmes_figures_come_back() -> None:
    # 16384 x 16384 x 4 with glp took 19.9 s; 1 MPix x 4 with base 4.5 s, x 8 7.7 s; all on two cores.
    begin = estimate_seconds("glp", 0.0, 2)
    assert estimate_seconds("glp", 1073.7, 2) - begin == pytest.approx(19.9, rel=0.05)
    for bands, seconds in ((4, 4.5), (8, 7.7)):
        assert estimate_seconds("hfreqdiff", bands, 2) - begin == pytest.approx(seconds, rel=0.12)
    assert estimate_seconds("hfreqdiff", 8, 8) - begin == pytest.approx(7.7 / 4, rel=0.12)


@pytest.mark.parametrize(("rate", "level", "told"), [(50.0, "ok", "seconds"), (1e-5, "note", "hours")])
def test_hours_are_noted(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, rate: float, level: str, told: str
) -> None:
    monkeypatch.setitem(needs._RATES, "glp", rate)
    found = check_duration(setup)
    assert (found.level, told in found.text) == (level, True)
