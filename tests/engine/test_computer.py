"""What is left is what the kernel says, and what is ours of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from geosharp.engine import computer
from geosharp.engine.computer import available_memory, available_room, tell_size


def test_a_container_has_what_is_left_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computer, "_CGROUP", tmp_path)
    whole = available_memory()
    assert whole is None or whole > 0
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert available_memory() == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory() != 3000


def test_a_folder_to_be_made_has_the_room_of_the_one_that_is_there(tmp_path: Path) -> None:
    here, below = (available_room(tmp_path / part) for part in (".", "a/b/c"))
    assert here is not None
    assert below is not None
    assert abs(here - below) < 0.1 * here
    assert available_room(tmp_path / ("a" * 5000)) is None


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 kB"), (3.5 * 2**20, "3.5 MB"), (20 * 2**30, "20 GB"), (9000 * 2**20, "8.8 GB"), (5e3, "5 kB")],
)
def test_sizes_are_told_in_their_unit(size: float, text: str) -> None:
    assert tell_size(size) == text
