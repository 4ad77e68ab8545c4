from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio
from typer.testing import CliRunner, Result

from geosharp.cli import app
from geosharp.cli.app import _PANELS
from geosharp.engine.methods import METHODS
from tests.made import make_pair

# A whole run in a process of its own, without a second for torch.
BROVEY = ["fuse", "-o", "{out}", "--method", "brovey"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_quiet_and_verbose_exclude_each_other(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    result = run("-v", "fuse", "-q", *made_pair, "-o", tmp_path / "out.tif")
    assert result.exit_code == 2
    assert "-q and -v" in result.stderr


@pytest.mark.parametrize("where", ["before", "after"])
def test_verbose_tells_what_is_decided(tmp_path: Path, made_pair: tuple[Path, Path], where: str) -> None:
    out = tmp_path / "out.tif"
    verbose = ("-v", "fuse") if where == "before" else ("fuse", "-v")
    lines = run(*verbose, *made_pair, "-o", out).stderr.splitlines()
    assert any(line.startswith("geosharp: sensor: ") for line in lines)
    assert any("1 tiles of 512 PAN pixels" in line for line in lines)


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_an_error_is_an_event_of_the_json_log(tmp_path: Path, quiet: list[str]) -> None:
    result = run("fuse", "no.tif", "ms.tif", "-o", tmp_path / "out.tif", "--log-json", *quiet)
    assert result.exit_code == 1
    event = json.loads(result.stderr)
    assert (event["event"], event["subject"], event["exit_code"]) == ("error", "no.tif", 1)
    assert event["found"] == "no such file"


def test_want_of_memory_is_one_line(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setitem(METHODS, "glp", type("Greedy", (), {**vars(METHODS["glp"]), "make_job": fail}))
    result = run("fuse", *made_pair, "-m", "glp", "-o", tmp_path / "out.tif")
    assert result.exit_code == 1
    assert result.stderr.startswith("geosharp: memory: none left for tiles of 512")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [["--version"], ["fuse", "--help"], ["info"], BROVEY])
def test_a_full_stdout_is_one_line(tmp_path: Path, made_pair: tuple[Path, Path], command: list[str]) -> None:
    out = tmp_path / "out.tif"
    files = () if command[-1].startswith("--") else made_pair
    arguments = [str(argument).format(out=out) for argument in (command[0], *files, *command[1:])]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "geosharp", "-q", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("geosharp: ")
    assert done.stderr.count("\n") == 1
    assert out.exists() == (command == BROVEY)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_messages_that_nobody_hears_decide_nothing(
    tmp_path: Path, made_pair: tuple[Path, Path], where: str
) -> None:
    out = tmp_path / "out.tif"
    arguments = ["fuse", *made_pair, "-o", out, "--dtype", "uint8", "--method", "brovey"]
    command = f"{shlex.join([sys.executable, '-m', 'geosharp', *map(str, arguments)])} {where}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout == ("" if where.startswith(">") else f"{out}\n")
    with rasterio.open(out) as fused:
        assert fused.read(1).max() == 255


def test_a_message_of_gdals_that_is_not_utf_8_is_no_traceback(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    with rasterio.open(ms, "r+") as raster:
        raster.update_tags(a="b")
    ms.write_bytes(ms.read_bytes().replace(b"<GDALMetadata>", b"<G \xfeMetadata_>"))
    command = [sys.executable, "-m", "geosharp", "info", str(pan), str(ms)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0
    assert b"UnicodeDecodeError" in done.stderr
    assert b"Traceback" not in done.stderr


def test_every_command_has_its_place_in_the_help() -> None:
    shown = run("--help").stdout
    at = [shown.index(f"│ {name} ") for names in _PANELS.values() for name in names]
    assert at == sorted(at)
    assert all(panel in shown for panel in _PANELS)


@pytest.mark.parametrize("command", [name for names in _PANELS.values() for name in names])
def test_the_shell_completes_options_of_every_command(command: str) -> None:
    asked = {
        "_GEOSHARP_COMPLETE": "complete_bash",
        "COMP_WORDS": f"geosharp {command} --",
        "COMP_CWORD": "2",
    }
    done = CliRunner().invoke(app, [], env=asked, prog_name="geosharp")
    assert done.exit_code == 0
    assert {"--help", "--json"} <= {*done.stdout.split()}


@pytest.mark.parametrize("command", ["fuse", "check", "evaluate", "batch", "train", "calibrate", "report"])
def test_a_bare_command_says_what_is_missing(command: str) -> None:
    done = run(command)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Missing argument" in done.stderr


def test_paragraphs_of_the_help_fill_their_lines() -> None:
    """Those that a docstring breaks would be broken twice on a terminal."""
    lines = [line.strip() for line in run("batch", "--help").stdout.split("Arguments")[0].splitlines()]
    start = next(at for at, line in enumerate(lines) if line.startswith("What fails stops"))
    end = lines.index("", start)
    assert all(len(line) > 60 for line in lines[start : end - 1])
