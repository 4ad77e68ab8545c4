"""The base weights' recipe, made tiny: it learns, goes on where it stopped, and never meets rasterio."""

from __future__ import annotations

import importlib
import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from geosharp.hfreqdiff.checkpoint import load, read_header
from tests.made import texture

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "experiments" / "pretrain.py"
BLOCKED = f"""
import runpy, sys
for name in ("rasterio", "shapely", "typer", "rich"):
    sys.modules[name] = None
sys.path.insert(0, {str(SCRIPT.parent)!r})
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
SMALL = "--preset small --width 8 --mean-blocks 1 --draw-blocks 1 --scenes 2 --side 32"
SMALL += " --margin 4 --threads 1 --device cpu --log-every 1 --unseen 2"


@pytest.fixture(scope="module")
def imagery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chips like those of pretrain/, two places each, one of them held out."""
    sys.path.insert(0, str(SCRIPT.parent))
    simulate, spectra = map(importlib.import_module, ("simulate", "spectra"))
    sys.path.remove(str(SCRIPT.parent))
    folder = tmp_path_factory.mktemp("pretrain")
    for number, name in enumerate(simulate.MIX):
        bands = len(spectra.WAVELENGTHS.get(name, range(3)))
        chips = np.stack(
            [
                [30 + 180 * texture((48, 48), 50 * number + 11 * chip + band) for band in range(bands)]
                for chip in range(4)
            ]
        )
        names = [f"here/{chip}" for chip in range(3)] + [f"{simulate.HELD_OUT[0]}_2020/0"]
        np.savez(folder / f"{name}.npz", ms=chips.astype("uint16" if number % 2 else "uint8"), name=names)
    return folder


Run = Callable[..., None]


@pytest.fixture
def run(imagery: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the recipe in this process, to a folder with arguments: `stopped` runs it where rasterio is not."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))

    def start(out: Path, *arguments: str) -> None:
        monkeypatch.setattr("sys.argv", command(imagery, out, *arguments))
        runpy.run_path(str(SCRIPT), run_name="__main__")

    yield start
    # Training takes numbers too small to matter for zero.
    torch.set_flush_denormal(False)


def command(imagery: Path, out: Path, *arguments: str) -> list[str]:
    return [str(SCRIPT), "--data", str(imagery), "--out", str(out), *SMALL.split(), *arguments]


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def stopped(imagery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 4 steps that stopped after 2. Shared: copy it, never write it."""
    out = tmp_path_factory.mktemp("runs") / "stopped"
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *command(imagery, out, "--steps", "4", "--stop-after", "2")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def resumed(run: Run, stopped: Path, tmp_path: Path) -> Path:
    """The folder of the same run once it has gone on to its end."""
    out = shutil.copytree(stopped, tmp_path / "resumed")
    run(out, "--steps", "4")
    return out


@pytest.mark.slow
def test_a_run_that_goes_on_ends_as_one_that_never_stopped(run: Run, resumed: Path, tmp_path: Path) -> None:
    run(tmp_path / "whole", "--steps", "4")
    folders = tmp_path / "whole", resumed
    whole, ended = (load(folder / "hfreqdiff-small-mean.safetensors") for folder in folders)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, ended.network.state_dict()[name]), name
    assert [line["step"] for line in lines(resumed) if "loss" in line] == list(range(4))


@pytest.mark.slow
def test_draws_leave_the_mean_as_it_is(run: Run, stopped: Path, tmp_path: Path) -> None:
    start = stopped / "hfreqdiff-small-mean.safetensors"
    run(tmp_path, "--steps", "2", "--stage", "draws", "--start", str(start))
    mean, drawn = load(start), load(tmp_path / "hfreqdiff-small.safetensors")
    residual = mean.header.facts["gain_on_held_out_places_db"]["residual"]
    assert drawn.header.sigma_data == pytest.approx(residual, rel=1e-3)
    assert drawn.header.facts["training"]["before"] == mean.header.facts["training"]
    assert 0 < drawn.header.facts["gain_on_held_out_places_db"]["draws"] < 10
    after = drawn.network.state_dict()
    changed = {
        name for name, value in mean.network.state_dict().items() if not torch.equal(value, after[name])
    }
    assert changed
    assert all(name.startswith(("draw_", "embed_noise")) for name in changed)


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_what_was(
    run: Run, stopped: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(stopped, tmp_path / "spoilt")
    path = out / "state.pt"
    state = torch.load(path, weights_only=True)
    state["network"]["stem.bias"][0] = float("nan")
    torch.save(state, path)
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="the loss is nan at step 2"):
        run(out, "--steps", "4")
    assert path.read_bytes() == before
    assert read_header(out / "hfreqdiff-small-mean.safetensors")


@pytest.mark.slow
def test_another_run_does_not_go_on_in_the_same_folder(run: Run, stopped: Path) -> None:
    with pytest.raises(SystemExit, match="other seed"):
        run(stopped, "--steps", "4", "--seed", "2")


@pytest.mark.slow
def test_the_mean_of_checkpoints_is_weight_for_weight_and_says_of_what(
    imagery: Path, stopped: Path, resumed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    first, last = (folder / "hfreqdiff-small-mean.safetensors" for folder in (stopped, resumed))
    out = tmp_path / "mean.safetensors"
    importlib.import_module("average").average([first, last], out, imagery, batches=2)
    one, two, mean = (load(path) for path in (first, last, out))
    for name, value in mean.network.state_dict().items():
        between = (one.network.state_dict()[name] + two.network.state_dict()[name]) / 2
        torch.testing.assert_close(value, between)
    training = mean.header.facts["training"]
    assert training["averaged_with"] == [{"sha256": one.digest, "steps_done": 2}]
    assert training["steps_done"] == 4
    gains = [each.header.facts["gain_on_held_out_places_db"]["residual"] for each in (one, two, mean)]
    assert len(set(gains)) == 3
