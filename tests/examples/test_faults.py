"""The script of faults: on a disk that is full in truth, and where a run is killed, --resume completes it."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "examples" / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("faults")


@pytest.fixture
def wanted(script: ModuleType, tmp_path: Path) -> tuple[object, bytes]:
    """A case, and what an undisturbed run makes of it."""
    pan, ms = script.make_pair(tmp_path, 768)
    options = ("--method", "brovey", "--tile", "64", "--threads", "1", "--resume")
    whole = script.Case(pan, ms, tmp_path / "whole.tif", options)
    assert script.run(whole.command()).code == 0
    content = whole.out.read_bytes()
    (tmp_path / "out").mkdir()
    return script.Case(pan, ms, tmp_path / "out" / "out.tif", options), content


def test_a_killed_run_is_completed(script: ModuleType, wanted: tuple[object, bytes]) -> None:
    row = script.kill(*wanted, 5, "killed")
    assert (row.first, row.clear, row.second, row.same, row.left) == ("killed", True, 0, True, ())


def test_a_run_on_a_full_disk_is_told_and_completed(
    script: ModuleType, wanted: tuple[object, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not script.can_mount(tmp_path / "trial"):
        pytest.skip("no small disk can be mounted: that takes root's rights")
    monkeypatch.setattr(script, "MEGABYTES", (1,))
    (row,) = script.fill_disks(tmp_path, *wanted)
    assert (row.first, row.clear, row.second, row.same, row.left) == ("exit 1", True, 0, True, ())
