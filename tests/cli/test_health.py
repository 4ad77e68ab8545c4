"""The commands check and doctor: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rasterio
from rasterio.transform import from_origin
from typer.testing import CliRunner, Result

import geosharp.diagnosis
from geosharp.cli import app
from geosharp.diagnosis import Diagnosis
from geosharp.finding import Finding
from tests.made import ORIGIN, make_pair
from tests.test_architecture import loaded_after


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def move(ms: Path, columns: float) -> None:
    with rasterio.open(ms, "r+") as raster:
        raster.transform = from_origin(ORIGIN[0] + columns, ORIGIN[1], 4, 4)


def test_a_fit_pair_exits_with_0_and_says_so(made_pair: tuple[Path, Path]) -> None:
    result = run("check", *made_pair, "--method", "glp", "--strict")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "fit to fuse"
    assert "with glp on" in result.stdout
    assert "where MS lies on PAN, place by place" in result.stdout
    told = json.loads(run("check", *made_pair, "--method", "glp", "--json").stdout)
    assert (told["schema"], told["fit"], told["pan"]) == ("geosharp.check/1", True, str(made_pair[0]))


def test_warnings_fail_where_they_are_to(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, ms_profile={"nodata": 0})
    with rasterio.open(ms, "r+") as raster:
        data = raster.read()
        data[:, 20:40, 20:40] = 0
        raster.write(data)
    assert run("check", pan, ms, "-m", "exp").exit_code == 0
    result = run("check", pan, ms, "-m", "exp", "--strict")
    assert result.exit_code == 1
    assert "holes in 0 % of PAN and 9.8 % of MS" in result.stdout


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_unfit_pair_exits_with_1_and_says_what_to_do(tmp_path: Path, options: list[str]) -> None:
    pan, ms = make_pair(tmp_path)
    move(ms, 5000)
    result = run("check", pan, ms, *options)
    assert result.exit_code == 1
    if options:
        (found,) = json.loads(result.stdout)["findings"]
        assert found["advice"] == "check that both files are of one scene"
    else:
        assert result.stdout.startswith("stop     pair  ")
        assert result.stdout.splitlines()[-1] == "not fit to fuse"


def test_wrong_usage_is_one_line(made_pair: tuple[Path, Path]) -> None:
    result = run("check", *made_pair, "--method", "better")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("geosharp: --method: 'better'")


def test_help_loads_nothing_heavy() -> None:
    for command in ("check", "doctor"):
        code = f"sys.argv = ['geosharp', '{command}', '--help']; from geosharp.cli import main; main()"
        assert not loaded_after(code) & {"torch", "rasterio"}


@pytest.mark.parametrize(("level", "code"), [("ok", 0), ("warning", 0), ("stop", 1)])
def test_doctor_exits_by_what_it_found(monkeypatch: pytest.MonkeyPatch, level: str, code: int) -> None:
    found = Finding("PROJ", level, "seen", "" if level == "ok" else "mend it")  # type: ignore[arg-type]
    monkeypatch.setattr(geosharp.diagnosis, "diagnose", lambda: Diagnosis((found,)))
    shown, told = run("doctor"), run("doctor", "--json")
    assert shown.exit_code == told.exit_code == code
    assert shown.stdout.startswith(f"{level:<9}PROJ  seen\n")
    assert json.loads(told.stdout)["works"] == (code == 0)
