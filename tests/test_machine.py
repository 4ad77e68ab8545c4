"""What programs read is what examples/guide/machine.md says: documents, log lines, the record of a batch."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer.main
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

import geosharp.diagnosis
from geosharp import training
from geosharp.cli import app
from geosharp.diagnosis import Diagnosis
from geosharp.finding import Finding
from geosharp.quality.scores import METRICS
from geosharp.training import TrainResult
from geosharp.tuning.tune import Look, TrainProgress

PAGE = Path(__file__).parents[1] / "examples" / "guide" / "machine.md"
SHARED, *BLOCKS = [
    json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
]
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
LOG, ROW = "--log-json", "batch.jsonl"
# A run for each document of the page: what is asked, and the exit code. Words in braces are files of `scene`.
RUNS: dict[str, tuple[str, int]] = {
    "fuse": ("fuse {pan} {ms} -o {folder}/f.tif -m glp --preview {folder}/f.png --profile -v", 0),
    "batch": ("batch {archive} -o {folder}/out -m exp --scores", 1),
    "plan": ("batch {archive} -o {folder}/out --dry-run", 0),
    "check": ("check {pan} {ms} -m glp", 0),
    "doctor": ("doctor", 1),
    "info": ("info {pan} {ms} -m glp", 0),
    "origin": ("info {fused}", 0),
    "calibrate": ("calibrate {pan} {ms} -o {folder}/c.json", 0),
    "train": ("train {pan} {ms} -o {folder}/m.safetensors", 1),
    "evaluate": ("evaluate {pan} {ms} -m exp --fused {fused} --protocol full --calibration sensor", 0),
    "report": ("report {fused} {pan} {ms} -o {folder}/r.html --calibration sensor", 0),
    "demo": ("demo {folder}/demo --size 256", 0),
    "models": ("models", 0),
    "model": ("models base --verify", 0),
    "sensors": ("sensors", 0),
    "sensor": ("sensors ikonos", 0),
}
# What each command refuses.
REFUSED = {
    "fuse": "fuse no.tif {ms} -o {folder}/f.tif",
    "batch": "batch {folder} -o {folder}/out",
    "check": "check {pan} {ms} -m magic",
    "info": "info no.tif",
    "calibrate": "calibrate no.tif {ms} -o {folder}/c.json",
    "train": "train {pan} {ms} no.tif -o {folder}/m.safetensors",
    "evaluate": "evaluate {pan} {ms} --fused {ms}",
    "report": "report no.tif {pan} {ms} -o {folder}/r.html",
    "demo": "demo {folder}/demo --size 1",
    "models": "models no",
    "sensors": "sensors no",
}


def name_block(block: dict[str, Any]) -> str:
    if "title" in block:
        return str(block["title"])
    return str(block["properties"]["schema"]["const"]).removeprefix("geosharp.").removesuffix("/1")


SCHEMAS = {name_block(block): block for block in BLOCKS}


def check(name: str, told: Any) -> None:
    """Against the page's schema of that name."""
    Draft202012Validator(SHARED | SCHEMAS[name]).validate(told)


def parse(text: str) -> Any:
    return json.loads(text, parse_constant=pytest.fail)


def run(line: str, files: dict[str, Path], *more: str) -> Result:
    return CliRunner().invoke(app, [*(word.format(**files) for word in line.split()), *more])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, made_pair: tuple[Path, Path]) -> dict[str, Path]:
    """A pair, a result of it, and an archive with a pair that is broken and a file of none. Only read."""
    folder = tmp_path_factory.mktemp("made")
    archive = folder / "archive"
    archive.mkdir()
    for file, role in zip(made_pair, ("pan", "ms"), strict=True):
        shutil.copy(file, archive / f"a_{role}.tif")
        (archive / f"b_{role}.tif").write_text("broken")
    (archive / "dem.tif").write_text("of no pair")
    files = {"pan": made_pair[0], "ms": made_pair[1], "archive": archive, "fused": folder / "fused.tif"}
    assert run("fuse {pan} {ms} -o {fused} -m exp -q", files).exit_code == 0
    return files


@pytest.fixture
def scene(made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Files by name, `folder` to write to; a diagnosis and a training without work, and a broken model."""
    broken = tmp_path / "share" / "geosharp" / "models" / "broken.safetensors"
    broken.parent.mkdir(parents=True)
    broken.write_text("broken")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    found = Finding("PROJ", "stop", "no data", "mend it", {"paths": []})
    monkeypatch.setattr(geosharp.diagnosis, "diagnose", lambda: Diagnosis((found,)))
    look = Look(15, 0.25, float("nan"), 0.9, False)

    def train(scenes: Any, out: Path, **settings: Any) -> TrainResult:
        settings["on_note"]("a note")
        settings["progress"](TrainProgress(15, 30, 3.0, float("nan"), look))
        scores = {name: {"base": dict.fromkeys(metrics, float("nan"))} for name, metrics in METRICS.items()}
        return TrainResult(None, False, "no better", scores, (look,), 15, 30, 5.0, {}, ("a note",), (0.25,))

    monkeypatch.setattr(training, "train", train)
    return made | {"folder": tmp_path}


def test_every_command_takes_json_and_says_where_it_is_told() -> None:
    for name, command in COMMANDS.items():
        (flag,) = (parameter for parameter in command.params if "--json" in parameter.opts)
        assert flag.is_flag, name
        assert PAGE.relative_to(PAGE.parents[2]).as_posix() in flag.help
        assert any(LOG in parameter.opts for parameter in command.params) == (name != "sensors")


def test_every_schema_is_whole_and_every_document_has_one() -> None:
    assert len(SCHEMAS) == len(BLOCKS)
    assert set(SCHEMAS) == {*RUNS, LOG, ROW}
    assert {line.split()[0] for line, _ in RUNS.values()} == {*COMMANDS}
    for block in (SHARED, *BLOCKS):
        Draft202012Validator.check_schema(block)
        if block.get("additionalProperties") is False:
            assert set(block["required"]) == {*block["properties"]}, "all keys of a document are always there"


@pytest.mark.parametrize("name", RUNS)
def test_stdout_is_one_document_and_stderr_lines_of_json(scene: dict[str, Path], name: str) -> None:
    line, code = RUNS[name]
    logged = [] if name.startswith("sensor") else [LOG]
    result = run(line, scene, "--json", *logged)
    assert result.exit_code == code, result.output
    told = parse(result.stdout)
    assert result.stdout == json.dumps(told, indent=2) + "\n"
    assert next(iter(told.items())) == ("schema", f"geosharp.{name}/1")
    check(name, told)
    events = [parse(each) for each in result.stderr.splitlines()]
    for event in events:
        check(LOG, event)
    if name in ("fuse", "batch", "calibrate", "train", "evaluate", "report", "demo"):
        assert events[-1]["event"] == "done"
    if "out" in told and code == 0:
        assert Path(told["out"]).is_file()


@pytest.mark.parametrize("command", REFUSED)
def test_a_refusal_leaves_stdout_empty_and_says_one_thing(scene: dict[str, Path], command: str) -> None:
    plain = run(REFUSED[command], scene, "--json")
    assert plain.exit_code in (1, 2)
    assert plain.stdout == ""
    assert plain.stderr.splitlines()[-1].startswith("geosharp: ")
    if command != "sensors":
        logged = run(REFUSED[command], scene, "--json", LOG)
        assert (logged.exit_code, logged.stdout) == (plain.exit_code, "")
        event = parse(logged.stderr.splitlines()[-1])
        check(LOG, event)
        assert (event["event"], event["exit_code"]) == ("error", plain.exit_code)


def test_a_page_that_fails_after_the_fusion_leaves_stdout_empty(
    scene: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("geosharp.reporting.report", fail)
    given = "fuse {pan} {ms} -o {folder}/f.tif -m exp --report {folder}/r.html"
    assert run(given, scene, "--json").stdout == ""
    assert (scene["folder"] / "f.tif").exists()


def test_rows_of_a_batch_are_its_record(scene: dict[str, Path]) -> None:
    told = parse(run(RUNS["batch"][0], scene, "--json").stdout)
    assert (told["done"], told["skipped"], told["failed"]) == (1, 0, 1)
    lines = (scene["folder"] / "out" / "batch.jsonl").read_text("utf-8").splitlines()
    for line in lines:
        check(ROW, parse(line))
    assert sorted(lines) == sorted(json.dumps(row) for row in told["rows"])


def test_what_a_run_says_is_in_its_document(scene: dict[str, Path]) -> None:
    given = "fuse {pan} {ms} -o {folder}/f.tif -m glp --bands 3,1 --dtype uint8 --report {folder}/f.html"
    told, page = parse(run(given, scene, "--json").stdout), str(scene["folder"] / "f.html")
    assert (told["bands"], told["dtype"], told["report"]) == (["band3", "band1"], "uint8", page)
    assert (told["grid"]["crs"], told["grid"]["width"], told["grid"]["height"]) == ("EPSG:32633", 256, 256)
    assert told["grid"]["transform"] == [1, 0, 500000, 0, -1, 4600000]
    assert len(told["warnings"]) == 1
    model = parse(run("models base", scene, "--json").stdout)
    given = "fuse {pan} {ms} -o {folder}/g.tif --area 500000,4599936,500064,4600000"
    used = parse(run(given, scene, "--json").stdout)
    assert (used["model"], used["model_sha256"]) == ("base", model["sha256"])
