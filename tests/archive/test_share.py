"""Processes side by side get cores and memory that are there, and are as many as fit."""

from __future__ import annotations

import pytest

from geosharp.archive import share
from geosharp.archive.share import share_computer

GB = 2**30


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 cores and 10 GB, of which 8 are for us."""
    monkeypatch.setattr(share, "available_cores", lambda: 16)
    monkeypatch.setattr(share, "available_memory", lambda: 10 * GB)


@pytest.mark.usefixtures("computer")
@pytest.mark.parametrize(
    ("workers", "max_memory", "expected"),
    [
        (1, None, (1, 16, None)),
        (3, None, (3, 5, None)),
        (4, None, (4, 4, 2 * GB)),
        (2, 3 * GB, (2, 8, 3 * GB // 2)),
        (40, None, (11, 1, 8 * GB // 11)),
        (4, 100 * 2**20, (1, 16, 100 * 2**20)),
    ],
)
def test_cores_and_memory_are_shared(
    workers: int, max_memory: int | None, expected: tuple[int, int, int | None]
) -> None:
    found = share_computer(workers, max_memory)
    assert (found.workers, found.threads, found.memory) == expected
    assert bool(found.note) == (found.workers < workers)


@pytest.mark.usefixtures("computer")
def test_what_a_user_asks_of_each_stays() -> None:
    found = share_computer(4, None)
    assert found.give({"threads": 1, "method": "glp"}) == {
        "threads": 1,
        "method": "glp",
        "max_memory": 2 * GB,
    }
    assert found.give({"max_memory": GB}) == {"threads": 4, "max_memory": GB}
    assert share_computer(1, None).give({}) == {"threads": 16}
