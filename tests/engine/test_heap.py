"""Freed memory goes back to the system."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from geosharp.engine import heap


def resident_mb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def test_holes_in_the_heap_are_given_back() -> None:
    if not heap.trim():
        pytest.skip(f"no malloc_trim on {sys.platform}: the system's allocator decides")
    # Small enough to lie in the heap; the last one keeps its top where it is.
    blocks = [np.ones(8 * 1024) for _ in range(2000)]
    full = resident_mb()
    del blocks[:-1]
    heap.trim()
    assert resident_mb() < full - 60
    assert blocks[0].sum() == 8 * 1024


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    heap._malloc_trim.cache_clear()
    assert not heap.trim()
    heap._malloc_trim.cache_clear()
