"""Every script under examples/ runs, and what it measures holds."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "examples" / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> object:
    """Import a benchmark by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def run(name: str, *arguments: object) -> str:
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("method", ["exp", "glp"])
def test_geometry_is_exact(tmp_path: Path, script: object, method: str) -> None:
    geometry = script("geometry")  # type: ignore[operator]
    errors = geometry.measure(tmp_path, method)
    assert errors.pop(geometry.OTHER_CRS) < 0.02
    assert set(errors) == set(geometry.ALIGNED)
    assert max(errors.values()) < 1e-3


def test_brovey_keeps_pans_grid_in_every_pair(tmp_path: Path, script: object) -> None:
    # Brovey multiplies: coordinates come back only where PAN's low resolution is its own mean.
    geometry = script("geometry")  # type: ignore[operator]
    assert set(geometry.measure(tmp_path, "brovey")) == {*geometry.ALIGNED, geometry.OTHER_CRS}


def test_tiling_script_finds_no_tile(made_pair: tuple[Path, Path]) -> None:
    lines = run("tiling", *made_pair).splitlines()
    assert len(lines) == 1 + 5 * 2
    for line in lines[1:]:
        if not line.startswith("brovey"):
            assert line.split()[-9:].count("0.0e+00") == 3, line


def test_speed_script_prints_its_tables(tmp_path: Path) -> None:
    text = run("speed", "--size", 512, "--rounds", 1, "--methods", "brovey,glp", "--folder", tmp_path)
    for row in ("brovey", "glp", "bare loop", "engine that copies"):
        assert row in text


def test_memory_script_prints_a_row_per_size(tmp_path: Path) -> None:
    text = run("memory", "--sizes", "256,512", "--method", "exp", "--folder", tmp_path)
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["256", "512"]
