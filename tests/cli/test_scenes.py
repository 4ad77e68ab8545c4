"""The commands that look at scenes: info and calibrate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from geosharp import load_calibration
from geosharp.cli import app
from geosharp.hfreqdiff.checkpoint import load
from geosharp.raster.scene import Scene
from tests.hfreqdiff.made_model import make_model
from tests.padm.planted import plant


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return plant(tmp_path_factory.mktemp("planted"), gains=(0.15, 0.4), shift=(1.5, 0.0), dtype="uint16")


@pytest.fixture(scope="module")
def pair(scene: Scene) -> tuple[str, str]:
    return scene.pan.name, scene.ms[0].name


def test_calibrate_tells_what_it_found_beside_what_is_published(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "c.json"
    result = run("calibrate", *pair, "-o", out)
    assert result.exit_code == 0
    found = load_calibration(out)
    assert "with the assumed values" in result.stdout
    known = run("calibrate", *pair, "-o", tmp_path / "of_ikonos.json", "--sensor", "ikonos")
    assert "with the published values" in known.stdout
    for band in found.bands:
        row = next(line.split() for line in result.stdout.splitlines() if line.split()[:1] == [band.name])
        assert row[1:4] == [f"{band.gains[0]:.3f}", f"{band.gains[1]:.3f}", "0.300"]
    assert "verdict      converged" in result.stdout
    assert "+1.5" in result.stdout
    # A shift of more than a pixel is worth a word.
    assert "note: MS lies 1.5" in result.stderr


def test_calibrate_without_alignment_moves_nothing(pair: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    assert run("calibrate", *pair, "-o", out, "--no-align", "-q").exit_code == 0
    assert load_calibration(out).operator.shift == (0.0, 0.0)


def test_a_plot_is_a_picture(pair: tuple[str, str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    out, plot = tmp_path / "c.json", tmp_path / "c.png"
    assert run("calibrate", *pair, "-o", out, "--plot", plot, "-q").exit_code == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    again = run("calibrate", *pair, "-o", tmp_path / "other.json", "--plot", plot, "-q")
    assert (again.exit_code, (tmp_path / "other.json").exists()) == (1, False)
    assert "exists" in again.stderr


def test_what_calibrate_saves_is_what_fuse_and_the_rest_take(pair: tuple[str, str], tmp_path: Path) -> None:
    saved, out = tmp_path / "c.json", tmp_path / "out.tif"
    assert run("calibrate", *pair, "-o", saved, "-q").exit_code == 0
    assert run("fuse", *pair, "-o", out, "--calibration", saved, "-q").exit_code == 0
    chosen = "--calibration", saved, "--method", "exp", "--protocol", "full", "-q"
    told = json.loads(run("evaluate", *pair, "--fused", out, "--json", *chosen).stdout)
    assert told["calibration"]["source"] == "c.json"
    assert told["degradation"]["shift"] == list(load_calibration(saved).operator.shift)


@pytest.mark.parametrize("command", ["fuse", "evaluate", "report"])
def test_a_calibration_that_is_none_is_one_line(pair: tuple[str, str], tmp_path: Path, command: str) -> None:
    broken, out = tmp_path / "broken.json", tmp_path / "out.tif"
    broken.write_text("{}")
    if command == "report":
        assert run("fuse", *pair, "-o", out, "--method", "exp", "-q").exit_code == 0
    arguments = {
        "fuse": ["fuse", *pair, "-o", out],
        "evaluate": ["evaluate", *pair],
        "report": ["report", out, *pair, "-o", tmp_path / "r.html"],
    }[command]
    result = run(*arguments, "--calibration", broken)
    assert result.exit_code == 1
    assert f"{broken}: JSON, but no calibration" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "r.html").exists()
    assert out.exists() == (command == "report")


def test_info_names_the_model_and_what_it_runs_on(pair: tuple[str, str], tmp_path: Path) -> None:
    model = make_model(tmp_path)
    shown = run("info", *pair, "--model", model, "--device", "cpu", "--seed", 7)
    assert f"model        {model} ({load(model).digest[:8]}) on cpu\n" in shown.stdout
    assert shown.stderr == "note: --seed does nothing with --steps 1: nothing is drawn\n"
    assert "\nmodel " not in run("info", *pair, "--method", "exp").stdout
