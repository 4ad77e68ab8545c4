"""Every script under examples/ runs, and what it measures holds."""

from __future__ import annotations

import functools
import importlib
import json
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from rasterio.transform import from_origin

from tests.made import ORIGIN, make_pair, write_raster

BENCHMARKS = Path(__file__).parents[1] / "examples" / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> object:
    """Import a benchmark by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where benchmarks keep the pairs that they make, each of which takes seconds."""
    return tmp_path_factory.mktemp("pairs")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a benchmark prints, given arguments."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def start(name: str, *arguments: object) -> str:
        monkeypatch.setattr("sys.argv", [f"{name}.py", *map(str, arguments)])
        runpy.run_path(str(BENCHMARKS / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return start


@pytest.mark.parametrize("method", ["exp", "glp"])
def test_geometry_is_exact(tmp_path: Path, script: object, method: str) -> None:
    geometry = script("geometry")  # type: ignore[operator]
    errors = geometry.measure(tmp_path, method)
    assert errors.pop(geometry.OTHER_CRS) < 0.02
    assert set(errors) == set(geometry.ALIGNED)
    assert max(errors.values()) < 1e-3


def test_brovey_is_as_exact(tmp_path: Path, script: object, monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = script("geometry")  # type: ignore[operator]
    # PAN is the sum of MS's bands: so weighted, Brovey leaves their coordinates as they are.
    monkeypatch.setattr(geometry, "fuse", functools.partial(geometry.fuse, weights=[1, 1]))
    errors = geometry.measure(tmp_path, "brovey")
    assert errors.pop(geometry.OTHER_CRS) < 0.02
    assert set(errors) == set(geometry.ALIGNED)
    assert max(errors.values()) < 1e-3


def test_tiling_script_finds_no_tile(
    script: object,
    made_pair: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiling = script("tiling")  # type: ignore[operator]
    # The sizes between are beyond this scene's: the whole again.
    monkeypatch.setattr(tiling, "TILES", (128, 65536))
    monkeypatch.setattr(tiling, "calibrate", functools.cache(tiling.calibrate))
    monkeypatch.setattr("sys.argv", ["tiling.py", *map(str, made_pair)])
    tiling.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 6 * 2
    for line in lines[1:]:
        if line.startswith("hfreqdiff float32"):
            # Convolutions add in another order in tiles of another size.
            assert float(line.split()[-1]) < 1e-3, line
        else:
            assert line.split()[-3] == "0.0e+00", line


@pytest.mark.parametrize("ratio", [1.5, 3.0])
def test_brovey_rounds_alike_in_every_tile(tmp_path: Path, script: object, ratio: float) -> None:
    # Halves are frequent and sums in float64 inexact: the last bit of a position decides how they round.
    rng = np.random.default_rng(8)
    pan = write_raster(tmp_path / "p.tif", rng.integers(20, 60, (1, 720, 660)).astype("int16"), nodata=0)
    shape = (2, int(720 / ratio), int(660 / ratio))
    place = from_origin(*ORIGIN, ratio, ratio)
    ms = rng.integers(20, 60, shape).astype("int16")
    ms[:, 100:120, 100:120] = 0
    tiling = script("tiling")  # type: ignore[operator]
    found = tiling.differing(
        pan, write_raster(tmp_path / "m.tif", ms, nodata=0, transform=place), "brovey", None, tmp_path
    )
    assert set(found.values()) == {(0.0, 0.0)}


def test_speed_script_prints_its_tables(run: Callable[..., str], pairs: Path) -> None:
    text = run("speed", "--size", 256, "--rounds", 1, "--methods", "glp", "--folder", pairs)
    for row in ("glp ", "glp, calibrating", "bare loop", "engine that copies"):
        assert f"\n{row}" in text


@pytest.mark.parametrize(
    ("sizes", "what"), [("256,512", ["--method", "brovey"]), ("256", ["--command", "calibrate"])]
)
def test_memory_script_prints_a_row_per_size(
    run: Callable[..., str], pairs: Path, sizes: str, what: list[str]
) -> None:
    text = run("memory", "--sizes", sizes, *what, "--folder", pairs)
    assert [line.split()[0] for line in text.splitlines()[2:]] == sizes.split(",")


def test_kills_script_finds_the_same_bytes(run: Callable[..., str]) -> None:
    row = run("kills", "--kills", 2, "--size", 512, "--method", "brovey").splitlines()[-1]
    assert [int(cell) for cell in row.split("|")[1:3]] == [2, 2]
    assert row.split("|")[-2].strip() == "0"


def test_quality_script_scores_every_method_by_both_protocols(
    tmp_path: Path, script: object, run: Callable[..., str]
) -> None:
    quality = script("quality")  # type: ignore[operator]
    (tmp_path / "ikonos_urban").mkdir()
    make_pair(tmp_path / "ikonos_urban", pan_shape=(384, 384))
    scores = tmp_path / "scores.json"
    arguments = ["--data", tmp_path, "--scenes", "ikonos_urban", "--methods", "exp,glp", "--json", scores]
    text = run("quality", *arguments)
    assert text.count("| ikonos_urban | glp |") == 2
    assert text.count("| exp |") == 3
    told = json.loads(scores.read_text())["ikonos_urban"]
    assert told["degradation"] == {"gains": [[0.5, 0.5]] * 4, "pan_gain": [0.5, 0.5], "shift": [0.5, 0.25]}
    assert run("quality", *arguments) == text
    known = json.loads(quality.TABLE.read_text())
    assert all(0.02 <= scene["gain"] <= 0.7 and len(scene["shift"]) == 2 for scene in known.values())


def test_what_a_gpu_has_to_show_is_one_command(tmp_path: Path) -> None:
    """Each of its scripts has a test of its own; here each is found, and a failure is told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    fake = folder / "python"
    fake.write_text('#!/bin/sh\necho "$@" | grep -v bf16\n')
    fake.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "GEOSHARP_DATA": str(tmp_path), "DEVICE": "cuda"}
    command = ["bash", str(BENCHMARKS / "on_gpu.sh"), str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert list(told) == ["tests", "throughput-fp32", "throughput-bf16", "precision", "training"]
    assert [name for name, what in told.items() if "FAILED" in what] == ["throughput-bf16", "precision"]
    for log in (tmp_path / "out").iterdir():
        for word in log.read_text().split():
            assert not word.endswith(".py") or (BENCHMARKS.parents[1] / word).exists()
