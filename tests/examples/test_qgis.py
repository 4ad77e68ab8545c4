"""geosharp in QGIS's toolbox: its command is run, heard and stopped; by QGIS itself where there is one."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import rasterio

PLUGIN = Path(__file__).parents[2] / "examples" / "qgis"
# Debian's qgis_process passes an option that it does not know.
QGIS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
needs_qgis = pytest.mark.skipif(QGIS is None, reason="qgis_process is not installed")


@pytest.fixture(scope="module")
def command_line() -> ModuleType:
    spec = importlib.util.spec_from_file_location("command_line", PLUGIN / "command_line.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_program(path: Path, body: str) -> str:
    path.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{body}", "utf-8")
    path.chmod(0o755)
    return str(path)


def test_messages_are_heard_and_output_comes_back(tmp_path: Path, command_line: ModuleType) -> None:
    tells = """
for pixels in (1, 2):
    print(json.dumps({"event": "progress", "pixels": pixels}), file=sys.stderr, flush=True)
print("plain", file=sys.stderr)
print(*sys.argv[1:])
"""
    heard: list[Any] = []
    (tmp_path / "a folder").mkdir()
    program = write_program(tmp_path / "a folder" / "geosharp", tells)
    assert command_line.run(program, ["fuse", "a b.tif"], heard.append) == "fuse a b.tif\n"
    assert heard[:2] == [{"event": "progress", "pixels": 1}, {"event": "progress", "pixels": 2}]
    assert heard[2:] == [{"message": "plain"}]


def test_a_command_may_have_words(command_line: ModuleType) -> None:
    assert command_line.run(f"{sys.executable} -c 'print(1)'", [], lambda _: None) == "1\n"


def test_a_failure_is_told_in_its_own_words(tmp_path: Path, command_line: ModuleType) -> None:
    fails = 'print(json.dumps({"event": "error", "message": "no PAN"}), file=sys.stderr); sys.exit(2)'
    with pytest.raises(command_line.CommandError, match=r"^no PAN$"):
        command_line.run(write_program(tmp_path / "geosharp", fails), [], lambda _: None)
    with pytest.raises(command_line.CommandError, match="exit status 3"):
        command_line.run(write_program(tmp_path / "geosharp", "sys.exit(3)"), [], lambda _: None)


@pytest.mark.parametrize("command", ["", "/nowhere/geosharp"])
def test_a_command_that_is_none_is_told(command_line: ModuleType, command: str) -> None:
    with pytest.raises(command_line.CommandError, match="cannot be run"):
        command_line.run(command, [], lambda _: None)


@pytest.mark.skipif(os.name != "posix", reason="Windows interrupts by other means")
def test_it_stops_when_it_is_to(tmp_path: Path, command_line: ModuleType) -> None:
    waits = """
def end(*_):
    open(sys.argv[1], "w").close()
    sys.exit(130)
signal.signal(signal.SIGINT, end)
print("waiting", file=sys.stderr, flush=True)
time.sleep(60)
"""
    heard: list[Any] = []
    start = time.monotonic()
    program = write_program(tmp_path / "geosharp", waits)
    command_line.run(program, [str(tmp_path / "ended")], heard.append, lambda: bool(heard))
    assert time.monotonic() - start < 30
    assert (tmp_path / "ended").exists()
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_settings_for_another_python_stay_behind(
    tmp_path: Path, command_line: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in command_line.FOREIGN:
        monkeypatch.setenv(name, str(tmp_path))
    told = command_line.run(write_program(tmp_path / "geosharp", "print(*os.environ)"), [], lambda _: None)
    assert not {*command_line.FOREIGN} & {*told.split()}


@pytest.fixture
def qgis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which QGIS has the plugin, and nothing of this user's."""
    shutil.copytree(PLUGIN, tmp_path / "plugins" / "geosharp_toolbox")
    settings = tmp_path / "config" / "profiles" / "default" / "QGIS" / "QGIS3.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text("[PythonPlugins]\nprocessing=true\ngeosharp_toolbox=true\n")
    for name, value in {
        "QT_QPA_PLATFORM": "offscreen",
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path / "config"),
        "QGIS_PLUGINPATH": str(tmp_path / "plugins"),
        # QGIS is of the system's Python.
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def pair(tmp_path: Path, made_pair: tuple[Path, Path]) -> tuple[Path, Path]:
    """A copy: QGIS writes statistics beside what it opens."""
    pan, ms = (Path(shutil.copy(path, tmp_path)) for path in made_pair)
    return pan, ms


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What qgis_process answers."""
    command = [str(QGIS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@needs_qgis
@pytest.mark.slow
def test_qgis_fuses(qgis: Path, pair: tuple[Path, Path]) -> None:
    pan, ms = pair
    geosharp = f"COMMAND={sys.executable} -m geosharp"
    given = f"PAN={pan}", f"MS={ms}"
    out = qgis / "sharp.tif"
    done = ask("run", "geosharp:fuse", "--", *given, f"OUTPUT={out}", "METHOD=3", "BANDS=3,1", geosharp)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100 - done" in done.stdout
    with rasterio.open(pan) as fine, rasterio.open(out) as result:
        assert (result.count, result.shape, result.crs) == (2, fine.shape, fine.crs)
        assert result.tags()["GEOSHARP_METHOD"] == "brovey"


@needs_qgis
@pytest.mark.slow
def test_qgis_evaluates_and_reports(qgis: Path, pair: tuple[Path, Path]) -> None:
    """The commands are those that geosharp knows, by a program that only takes them down."""
    from tests.test_readme import unknown_options

    pan, ms = map(str, pair)
    pair = f"PAN={pan}", f"MS={ms}"
    notes = qgis / "asked.json"
    takes = f"json.dump(sys.argv[1:], open({str(notes)!r}, 'w')); print('printed')"
    program = write_program(qgis / "geosharp", takes)
    wanted = {
        "evaluate": ["--json", "--log-json", "--fused", pan, "--method", "exp,glp"],
        "report": ["--out", str(qgis / "out"), "--overwrite", "--log-json", "--sensor", "spot-6"],
    }
    for verb, options in wanted.items():
        given = [f"OUTPUT={qgis / 'out'}", f"COMMAND={program}", f"FUSED={pan}"]
        given += ["SENSOR=spot-6"] if verb == "report" else []
        done = ask("run", f"geosharp:{verb}", "--", *pair, *given)
        assert done.returncode == 0, done.stdout + done.stderr
        asked = json.loads(notes.read_text())
        assert asked == [verb, *([pan] if verb == "report" else []), pan, ms, *options]
        assert unknown_options(asked) == []
        # Evaluate's scores are what it prints; a page is the command's own to write.
        assert (qgis / "out").exists() == (verb == "evaluate")
        (qgis / "out").unlink(missing_ok=True)


@needs_qgis
@pytest.mark.slow
def test_qgis_tells_why_it_failed(qgis: Path, pair: tuple[Path, Path]) -> None:
    pan, ms = pair
    fails = 'print(json.dumps({"event": "error", "message": "no room"}), file=sys.stderr); sys.exit(1)'
    program = write_program(qgis / "geosharp", fails)
    given = f"PAN={pan}", f"MS={ms}", f"OUTPUT={qgis / 'out.tif'}", f"COMMAND={program}"
    failed = ask("run", "geosharp:fuse", "--", *given)
    assert failed.returncode != 0
    assert "no room" in failed.stdout + failed.stderr
