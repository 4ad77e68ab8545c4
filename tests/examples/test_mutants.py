"""The script of broken rasters: it makes them of every kind, and finds what a run does wrong."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "examples" / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("mutants")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forks")
def test_no_mutant_breaks_geosharp() -> None:
    command = [sys.executable, str(BENCHMARKS / "mutants.py"), "--count", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if line.startswith("| all "))
    counts = [int(cell) for cell in row.split("|")[2:-1]]
    assert sum(counts[:2]) == 16
    assert not any(counts[2:])


@pytest.mark.parametrize(
    ("status", "text", "outcome"),
    [
        (0, "", "done"),
        (1 << 8, "geosharp: a.tif: no", "refused"),
        (1 << 8, "Traceback (most recent call last):\nKeyError", "traceback"),
        (1 << 8, "", "traceback"),
        (11, "", "crashed"),
    ],
)
def test_each_end_is_judged(script: ModuleType, status: int, text: str, outcome: str) -> None:
    assert script.judge(status, text, 0) == outcome
    assert script.judge(0, "", script.BYTES + 1) == "over memory"


def test_a_file_beside_or_half_a_result_is_told(script: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    refused, done = (script.Run(outcome, 0.0, 0, "") for outcome in ("refused", "done"))
    assert script.check_left(out, refused) == refused
    out.write_bytes(b"II*\0")
    assert script.check_left(out, refused).outcome == "half-written"
    assert script.check_left(out, done).outcome == "half-written"
