"""A terminal of few columns, as find_width and tables see it."""

from __future__ import annotations

import pytest


@pytest.fixture(params=[60, 80])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    count: int = request.param
    monkeypatch.setenv("COLUMNS", str(count))
    monkeypatch.setenv("FORCE_COLOR", "1")
    return count
