"""The scripts that train, score and describe a model, on made data."""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from geosharp.cli.app import app
from geosharp.hfreqdiff.checkpoint import save
from tests.hfreqdiff.made_model import make_model, make_network
from tests.made import make_pair, texture

EXAMPLES = Path(__file__).parents[2] / "examples"
Script = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Import a script by name."""
    for folder in ("benchmarks", "experiments"):
        monkeypatch.syspath_prepend(str(EXAMPLES / folder))
    return importlib.import_module


def test_orthogonal_has_singular_values_near_one(script: Script) -> None:
    orthogonal = script("muon").orthogonal
    torch.manual_seed(0)
    for shape in ((8, 40), (40, 8), (16, 16)):
        found = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert 0.5 < float(found.min()) <= float(found.max()) < 1.3


def test_muon_goes_downhill_and_leaves_alone_what_has_no_gradient(script: Script) -> None:
    torch.manual_seed(0)
    weights, idle = torch.nn.Parameter(torch.randn(6, 4, 3, 3)), torch.nn.Parameter(torch.ones(2, 2))
    wanted, before = torch.randn(6, 4, 3, 3), idle.clone()
    optimiser = script("muon").Muon([weights, idle], lr=0.1, weight_decay=0.0)
    first = float((weights.detach() - wanted).square().mean())
    for _ in range(100):
        weights.grad = None
        (weights - wanted).square().mean().backward()
        optimiser.step()
    assert float((weights.detach() - wanted).square().mean()) < 0.1 * first
    assert torch.equal(idle, before)


def test_the_rate_is_held_and_falls_at_the_end(script: Script) -> None:
    rate_at = script("pretrain").rate_at
    assert [rate_at(progress) for progress in (0.0, 0.01, 0.5, 0.69, 0.85, 1.0)] == pytest.approx(
        [0.01, 1, 1, 1, 0.5, 0.01]
    )


def test_native_scores_every_method_against_the_truth(
    script: Script,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    native = script("native")
    chips = np.stack(
        [[40 + 150 * texture((96, 96), 9 * chip + band) for band in range(3)] for chip in range(5)]
    )
    names = [f"{script('simulate').HELD_OUT[0]}_2020/{chip}" for chip in range(4)] + ["elsewhere/4"]
    for name in native.SOURCES:
        np.savez(tmp_path / f"{name}.npz", ms=chips.astype("uint8"), name=names)
    assert {name: len(held) for name, held in native.load_held_out(tmp_path).items()} == dict.fromkeys(
        native.SOURCES, 4
    )
    monkeypatch.setattr(script("padm_planted"), "SIDE", 192)
    arguments = [
        "--data",
        tmp_path,
        "--cases",
        1,
        "--model",
        make_model(tmp_path),
        "--markdown",
        tmp_path / "t.md",
    ]
    monkeypatch.setattr("sys.argv", ["native.py", *map(str, arguments)])
    native.main()
    text = capsys.readouterr().out
    assert (tmp_path / "t.md").read_text() == text
    row = next(line for line in text.splitlines() if line.startswith("| naip_urban_native"))
    found = dict(zip(native.METHODS, (float(cell) for cell in row.split("|")[4:9]), strict=True))
    assert found["glp"] > found["exp"] + 1
    best = max(value for name, value in found.items() if name != "hfreqdiff")
    assert float(row.split("|")[9]) == pytest.approx(found["hfreqdiff"] - best, abs=0.011)


def test_leads_are_over_the_best_classical_method(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ikonos_urban").mkdir()
    make_pair(tmp_path / "ikonos_urban", pan_shape=(320, 320))
    scores = tmp_path / "scores.json"
    arguments = ["--data", tmp_path, "--scenes", "ikonos_urban", "--json", scores]
    arguments += ["--methods", "gsa,glp,glp-hpm,hfreqdiff", "--model", make_model(tmp_path)]
    monkeypatch.setattr("sys.argv", ["quality.py", *map(str, arguments)])
    script("quality").main()
    lines = capsys.readouterr().out.splitlines()
    leads, mean = ([float(cell) for cell in lines[at].split("|")[2:8]] for at in (-2, -1))
    reduced, full = (
        json.loads(scores.read_text())["ikonos_urban"]["protocols"][p] for p in ("reduced", "full")
    )
    assert leads == mean
    theirs = [reduced[name]["psnr"] for name in ("gsa", "glp", "glp-hpm")]
    assert leads[0] == pytest.approx(reduced["hfreqdiff"]["psnr"] - max(theirs), abs=6e-4)
    share = full["hfreqdiff"]["reprojection_ergas"] / full["glp"]["reprojection_ergas"]
    assert leads[4] == pytest.approx(share, abs=6e-3)


def test_the_cpu_benchmark_prints_a_row_for_each_count_of_bands(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cpu, model = script("cpu"), make_model(tmp_path)

    def run_here(command: list[str], log: Path) -> object:
        """As run_once, but in this process."""
        start = time.perf_counter()
        assert command[:3] == [sys.executable, "-m", "geosharp"]
        done = CliRunner().invoke(app, command[3:])
        assert done.exit_code == 0, done.output
        return cpu.Run(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    monkeypatch.setattr(cpu, "run_once", run_here)
    monkeypatch.setattr(cpu, "TILE", 64)
    # The benchmark's own pair takes seconds to make.
    monkeypatch.setattr(cpu, "make_pair", lambda folder, size: make_pair(folder, pan_shape=(size, size)))
    monkeypatch.setattr("sys.argv", ["cpu.py", "--size", "128", "--rounds", "1", "--models", str(model)])
    cpu.main()
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith(f"| {model}")]
    assert [int(row[2]) for row in rows] == [4, 8]
    assert all(float(row[3]) > 0 and float(row[7]) > 100 for row in rows)


def test_a_card_tells_what_the_header_and_the_scores_tell(script: Script, tmp_path: Path) -> None:
    path = tmp_path / "hfreqdiff-tiny.safetensors"
    training = {"stage": "mean", "preset": "small", "bf16": "False", "seed": "3", "rate": "0.002"}
    training |= {"other_rate": "0.001", "loss": "charbonnier", "steps_done": 1234, "minutes_done": 90.0}
    facts = {
        "training": training,
        "gain_on_held_out_places_db": {"all": 1.25, "ratio 2": 1.5},
        "sources": {"naip": 0.3, "s2": 0.7},
        "held_out_places": ["rio"],
    }
    save(path, make_network(), None, facts)
    card = script("model_card").write_card(path, "| bench |\n", "| native |\n")
    for told in ("# hfreqdiff-tiny", "1,234 steps", "1.5 hours", "1.25 dB", "naip 30%", "imagery of rio"):
        assert told in card
    assert "--stage mean --preset small --seed 3 --rate 0.002" in card
    assert "bf16" not in card
    assert "not learnt" in card
    assert card.index("| bench |") < card.index("| native |")
    drawn = {**training, "stage": "draws", "steps_done": 77, "before": training}
    facts |= {"training": drawn, "gain_on_held_out_places_db": {"all": 1.25, "draws": 0.85}}
    save(path, make_network(), 0.21, facts)
    card = script("model_card").write_card(path, "", "")
    assert card.index("1,234 steps") < card.index("--stage draws") < card.index("77 steps")
    assert "0.850; the truth lies about the mean by\n  0.210" in card


def test_throughput_measures_all_four_on_the_same_tiles(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    throughput, model = script("throughput"), make_model(tmp_path)
    made: list[int] = []

    def make(folder: Path, size: int) -> tuple[Path, Path]:
        made.append(size)
        return make_pair(tmp_path, pan_shape=(size, size))

    monkeypatch.setattr(throughput, "make_pair", make)
    monkeypatch.setitem(throughput._PEAK_SIDE, "cpu", 128)
    arguments = ["--tile", "64", "--tiles", "2", "--rounds", "1", "--device", "cpu", "--model", str(model)]
    monkeypatch.setattr("sys.argv", ["throughput.py", *arguments])
    throughput.main()
    text = capsys.readouterr().out
    assert made == [4 * 64]
    assert "tiles of 64 with a halo of" in text
    rows = {cells[1].strip(): cells for line in text.splitlines() if len(cells := line.split("|")) > 4}
    speeds = {name: float(rows[name][2]) for name in ("network", "engine", "fuse", "copy")}
    assert all(speed > 0 for speed in speeds.values())
    assert rows["copy"][4].strip() == "-"
    assert rows[min(("network", "copy"), key=speeds.__getitem__)][3].strip() == "100%"


def test_the_engine_that_reads_nothing_gives_each_tile_the_same_pixels(
    script: Script, tmp_path: Path
) -> None:
    throughput = script("throughput")
    asked = script("geosharp").Diffusion(model=make_model(tmp_path), device="cpu")
    pair = make_pair(tmp_path, pan_shape=(256, 256))
    bench = throughput.prepare(pair, tmp_path, 64, 2, asked)
    job = throughput._FromMemory(throughput.METHODS["hfreqdiff"].make_job(bench.setup, print))
    reader = job.open_reader()
    tiles = list(bench.setup.plan.tiles())
    assert len(tiles) == 4
    one, *others = (job.compute(tile, reader.read(tile)).data for tile in tiles)
    reader.close()
    for other in others:
        np.testing.assert_array_equal(other, one)


def test_precision_holds_a_way_against_the_cpus(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    precision, model = script("precision"), make_model(tmp_path)
    (tmp_path / "ikonos_urban").mkdir()
    make_pair(tmp_path / "ikonos_urban", pan_shape=(320, 320))
    arguments = ["--data", str(tmp_path), "--scenes", "ikonos_urban", "--model", str(model)]
    monkeypatch.setattr("sys.argv", ["precision.py", *arguments, "--ways", "cpu:fp32,cpu:bf16"])
    precision.main()
    same, half = (line.split("|") for line in capsys.readouterr().out.splitlines() if "ikonos" in line)
    assert [cell.strip() for cell in same[2:8]] == [
        "cpu, fp32",
        "+0.0000",
        "+0.00000",
        "0.0",
        "0.00000%",
        "yes",
    ]
    assert half[2].strip() == "cpu, bf16"
    assert 0 < float(half[5]) < 20


def test_gain_is_told_for_each_blur(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by_blur, simulate = script("by_blur"), script("simulate")
    chips = np.stack(
        [[40 + 150 * texture((96, 96), 9 * chip + band) for band in range(4)] for chip in range(3)]
    )
    for name in simulate.MIX:
        np.savez(tmp_path / f"{name}.npz", ms=chips.astype("uint8"), name=[f"{simulate.HELD_OUT[0]}/1"] * 3)
    monkeypatch.setattr(simulate, "RATIOS", dict(simulate.RATIOS))
    monkeypatch.setattr(simulate, "GAINS", simulate.GAINS)
    monkeypatch.setattr(by_blur, "GAINS", (0.05, 0.5))
    arguments = ["--data", str(tmp_path), "--model", str(make_model(tmp_path)), "--batches", "2"]
    monkeypatch.setattr("sys.argv", ["by_blur.py", *arguments])
    by_blur.main()
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [float(row[1]) for row in rows] == [0.05, 0.5]
    assert rows[0][2] != rows[1][2]
