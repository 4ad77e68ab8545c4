"""The command line as a shell and a script meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from typer.testing import CliRunner, Result

import geosharp
from geosharp.cli import app
from geosharp.hfreqdiff.checkpoint import load
from tests.hfreqdiff.made_model import make_model
from tests.made import ORIGIN, make_pair, write_raster


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("arguments", [["--version"], ["-q", "--version"]])
def test_version(arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (0, f"geosharp {geosharp.__version__}\n")


@pytest.mark.parametrize("command", ["fuse", "info", "calibrate", "evaluate", "report", "demo"])
def test_help_says_what_is_accepted_with_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: geosharp {command}" in " ".join(result.stdout.split())


def test_the_path_goes_to_stdout_and_the_rest_to_stderr(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    out = tmp_path / "out.tif"
    result = run("fuse", *made_pair, "-o", out)
    assert result.exit_code == 0
    assert result.stdout == f"{out}\n"
    assert "hfreqdiff: 256 x 256 pixels" in result.stderr


@pytest.mark.parametrize("where", ["before", "after"])
def test_quiet_before_and_after_the_command(tmp_path: Path, made_pair: tuple[Path, Path], where: str) -> None:
    out = tmp_path / "out.tif"
    quiet = ("-q", "fuse") if where == "before" else ("fuse", "-q")
    result = run(*quiet, *made_pair, "-o", out)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{out}\n", "")


def test_log_json_is_lines_of_json_up_to_done(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    out = tmp_path / "out.tif"
    result = run("fuse", *made_pair, "-o", out, "--log-json", "--tile", 128)
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert {event["event"] for event in events[:-1]} == {"progress"}
    assert events[-1]["event"] == "done"
    progress = [event for event in events if event["event"] == "progress" and event["stage"] == "fuse"]
    assert progress[-1]["pixels"] == progress[-1]["total_pixels"] == 256 * 256
    assert events[-1]["path"] == str(out)


def test_a_log_says_done_once_also_with_a_page(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    out, page = tmp_path / "out.tif", tmp_path / "out.html"
    given = "-m", "exp", "--report", page, "--calibration", "sensor"
    result = run("fuse", *made_pair, "-o", out, *given, "--log-json")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert [event["path"] for event in events if event["event"] == "done"] == [str(out)]
    assert events[-1]["event"] == "done"
    told = run("fuse", *made_pair, "-o", out, *given, "--overwrite").stderr
    assert "exp: 256 x 256 pixels in" in told
    assert "report: " in told


def test_options_reach_the_result(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    out, preview = tmp_path / "out.tif", tmp_path / "out.png"
    result = run(
        *("fuse", *made_pair, "-o", out, "--bands", "3, 1", "--dtype", "float32", "--preview", preview),
        *("--co", "COMPRESS=DEFLATE", "--area", "500010,4599850,500150,4599990", "--max-memory", "1.5G"),
        *("--sensor", "ikonos", "--method", "gsa", "--threads", 1, "--no-overviews", "--no-mask"),
    )
    assert result.exit_code == 0, result.stderr
    with rasterio.open(out) as fused:
        assert (fused.count, fused.dtypes[0], fused.shape) == (2, "float32", (140, 140))
        assert fused.profile["compress"] == "deflate"
        parameters = json.loads(fused.tags()["GEOSHARP_PARAMETERS"])
    assert parameters["bands"] == ["3", "1"]
    assert parameters["method"] == "gsa"
    assert preview.read_bytes().startswith(b"\x89PNG")


def test_info_as_json_and_as_a_table(made_pair: tuple[Path, Path]) -> None:
    seen = json.loads(run("info", *made_pair, "--json").stdout)
    assert seen["ratio"] == [4.0, 4.0]
    assert seen["pan"]["size"] == [256, 256]
    assert seen["plan"]["output_shape"] == [4, 256, 256]
    table = run("info", *made_pair).stdout
    for word in ("sensor", "256 x 256", "ratio", "tiles", "EPSG:32633"):
        assert word in table


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fuse", "no.tif", "{ms}", "-o", "{out}"], 1, "no.tif: no such file"),
        (["fuse", "{ms}", "{pan}", "-o", "{out}"], 1, "{ms}: 4 bands"),
        (["fuse", "{pan}", "{pan}", "-o", "{out}"], 1, "only 1 times finer"),
        (["fuse", "{pan}", "{ms}"], 2, "--out"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--method", "magic"], 2, "--method: 'magic'"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--metod", "glp"], 2, "--metod"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--co", "COMPRESS"], 2, "--co: 'COMPRESS'"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--max-memory", "lots"], 2, "--max-memory: 'lots'"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--max-memory", "1M"], 1, "--max-memory"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--weights", "a,b"], 2, "--weights: 'a,b'"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--area", "1,2,3"], 2, "--area"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--area", "1,2,3,4"], 1, "--area"),
        (["fuse", "{pan}", "{ms}", "-o", "{ms}", "--overwrite"], 2, "same file"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}x"], 2, "suffix"),
        (["fuse", "--adapt", "{pan}", "{ms}", "-o", "{out}", "--steps", "4"], 2, "--adapt: with --steps 4"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--adapt", "0"], 2, "--adapt: 0.0"),
        (["fuse", "{pan}", "{ms}", "-o", "{out}", "--save-model", "{out}.safetensors"], 2, "--save-model"),
        (["info", "no.tif", "{ms}"], 1, "no.tif: no such file"),
        (["demo", "{pan}"], 1, "pan.tif"),
        (["demo", "{out}-demo", "--size", "17"], 2, "--size: 17"),
    ],
)
def test_bad_usage_is_one_line_and_writes_nothing(
    tmp_path: Path, made_pair: tuple[Path, Path], arguments: list[str], code: int, message: str
) -> None:
    names = {"pan": made_pair[0], "ms": made_pair[1], "out": tmp_path / "out.tif"}
    result = run(*(argument.format(**names) for argument in arguments))
    assert result.exit_code == code
    assert "Traceback" not in result.stderr
    assert message.format(**names).replace("suffix", "ends in") in " ".join(result.stderr.split())
    if result.stderr.startswith("geosharp: "):
        assert result.stderr.count("\n") == 1
        assert "needed: " in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_demo_makes_everything_it_tells_of(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    result = run("demo", folder, "--size", 256)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{folder / 'fused.tif'}\n"
    assert sorted(p.name for p in folder.iterdir()) == [
        "before_after.png",
        "fused.tif",
        "ms.tif",
        "pan.tif",
        "truth.tif",
    ]
    assert "PSNR" in result.stderr
    assert run("demo", folder, "--size", 256).exit_code == 1
    assert run("-q", "demo", folder, "--size", 256, "--overwrite").stderr == ""


def geosharp_process(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "geosharp", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(
    # Once with torch.
    ("how", "method"),
    [(signal.SIGINT, "exp"), (signal.SIGTERM, "brovey"), (signal.SIGKILL, "brovey")],
)
def test_a_killed_run_leaves_nothing_visible_and_the_next_one_cleans(
    tmp_path: Path, how: signal.Signals, method: str
) -> None:
    rng = np.random.default_rng(0)
    pan = write_raster(tmp_path / "pan.tif", rng.integers(1, 2000, (1, 1024, 1024)).astype("uint16"))
    coarse = rng.integers(1, 2000, (3, 256, 256)).astype("uint16")
    ms = write_raster(tmp_path / "ms.tif", coarse, transform=from_origin(*ORIGIN, 4, 4))
    folder = tmp_path / "results"
    folder.mkdir()
    out = folder / "out.tif"
    process = geosharp_process("fuse", pan, ms, "-o", out, "--tile", 64, "--threads", 1, "--method", method)
    deadline = time.monotonic() + 60
    while not list(folder.iterdir()) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(how)
    _, stderr = process.communicate(timeout=60)
    left = [p.name for p in folder.iterdir()]
    if process.returncode == 0:
        pytest.skip("the run was over before the signal came")
    assert out.name not in left
    if how != signal.SIGKILL:
        assert process.returncode == 130
        assert b"interrupted" in stderr
        assert b"Traceback" not in stderr
        assert left == []
    else:
        assert all(name.startswith(".out.tif.") for name in left)
    assert run("-q", "fuse", pan, ms, "-o", out, "--method", method).exit_code == 0
    assert [p.name for p in folder.iterdir()] == ["out.tif"]


def test_brovey_never_imports_torch(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    code = (
        "import sys; from geosharp import fuse; fuse(*sys.argv[1:4], method='brovey'); "
        "sys.exit(3 if 'torch' in sys.modules else 0)"
    )
    command = [sys.executable, "-c", code, *map(str, made_pair), str(tmp_path / "out.tif")]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Names of models in the arguments below, and their files."""
    folder = tmp_path_factory.mktemp("models")
    damaged = folder / "damaged.safetensors"
    damaged.write_bytes(make_model(folder, seed=2).read_bytes()[:-8])
    return {"model": make_model(folder), "mean": make_model(folder, sigma_data=None), "damaged": damaged}


def test_a_models_options_reach_the_result(
    tmp_path: Path, made_pair: tuple[Path, Path], models: dict[str, Path]
) -> None:
    out = tmp_path / "out.tif"
    result = run(
        *("fuse", *made_pair, "-o", out, "--method", "hfreqdiff", "--model", models["model"], "--steps", 2),
        *("--seed", 5, "--consistency", 2, "--device", "cpu", "--calibration", "sensor"),
        *("--area", "500010,4599900,500110,4599990"),
    )
    assert result.exit_code == 0, result.stderr
    assert "hfreqdiff: 100 x 90 pixels" in result.stderr
    with rasterio.open(out) as fused:
        parameters = json.loads(fused.tags()["GEOSHARP_PARAMETERS"])
    told = {"steps": 2, "seed": 5, "consistency": 2, "device": "cpu", "method": "hfreqdiff"}
    assert parameters.items() >= told.items()
    assert parameters["model"] == str(models["model"])
    assert parameters["model_sha256"] == load(models["model"]).digest


@pytest.mark.parametrize("command", ["fuse", "info"])
def test_a_method_by_name_is_refused_where_the_default_gives_way(tmp_path: Path, command: str) -> None:
    pair = make_pair(tmp_path, pan_shape=(128, 128), ratio=8)
    target = ["-o", tmp_path / "out.tif"] if command == "fuse" else []
    default = run(command, *pair, *target)
    assert default.exit_code == 0
    assert "note: glp takes the place of hfreqdiff: 8 PAN pixels an MS pixel" in default.stderr
    named = run(command, *pair, *target, *(["--overwrite"] if target else []), "-m", "hfreqdiff")
    assert named.exit_code == 1
    assert "8 PAN pixels an MS pixel; needed: 1.5 to 6.5" in named.stderr
    assert "Take --method glp" in named.stderr


@pytest.mark.parametrize("command", ["fuse", "info", "evaluate"])
def test_a_model_that_there_is_not_is_refused_before_torch_is_imported(tmp_path: Path, command: str) -> None:
    target = ["-o", str(tmp_path / "out.tif")] if command == "fuse" else []
    arguments = [command, "pan.tif", "ms.tif", *target, "--model", "no-such"]
    code = (
        "import sys\nfrom geosharp.cli import main\ntry:\n    main()\n"
        "except SystemExit as stop:\n    sys.exit(3 if 'torch' in sys.modules else stop.code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("geosharp: --model: 'no-such': no such model and no such file")


def test_info_tells_the_plan_of_a_model(made_pair: tuple[Path, Path], models: dict[str, Path]) -> None:
    def plan(*arguments: object) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("info", *made_pair, "--json", *arguments).stdout)["plan"]
        return found

    glp = plan("--method", "glp", "--tile", 101)
    chosen = "--method", "hfreqdiff", "--model", models["model"], "--tile", 101
    mean, draw = plan(*chosen), plan(*chosen, "--steps", 4)
    assert (glp["tile"], mean["tile"], mean["method"]) == (101, 104, "hfreqdiff")
    assert glp["halo"] < mean["halo"] < draw["halo"]


@pytest.mark.parametrize("command", ["fuse", "evaluate"])
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--steps", "0"], 2, "--steps: 0; needed: a whole number from 1 to 16"),
        (["--steps", "65"], 2, "--steps: 65"),
        (["--steps", "1.5"], 2, "--steps"),
        (["--seed", "-1"], 2, "--seed: -1"),
        (["--consistency", "-1"], 2, "--consistency: -1"),
        (["--device", "tpu"], 2, "--device: 'tpu'"),
        (["--device", "cuda"], 1, "--device cuda: "),
        (["--model", "no-such"], 2, "--model: 'no-such': no such model and no such file"),
        (["--model", "{folder}"], 2, "--model: '{folder}': is a folder"),
        (["--model", "{damaged}"], 1, "{damaged}: no safetensors file, or a damaged one"),
        (["--model", "{mean}", "--steps", "4"], 2, "--steps 4: the model {mean.name} gives the mean alone"),
        (["--method", "glp"], 2, "--method: glp, with --model"),
    ],
)
def test_a_model_that_cannot_serve_is_one_line_and_writes_nothing(
    tmp_path: Path,
    made_pair: tuple[Path, Path],
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    names = {**models, "folder": tmp_path}
    given = [argument.format(**names) for argument in arguments]
    target = ["-o", tmp_path / "out.tif"] if command == "fuse" else []
    # The last of an option counts.
    chosen = ["--method", "hfreqdiff", "--model", models["model"], *given]
    result = run(command, *made_pair, *target, *chosen)
    assert result.exit_code == code
    assert "Traceback" not in result.stderr
    assert message.format(**names) in " ".join(result.stderr.split())
    if result.stderr.startswith("geosharp: "):
        assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
