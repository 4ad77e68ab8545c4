from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from geosharp.cli import app
from geosharp.quality.scores import METRICS
from tests.hfreqdiff.made_model import make_model
from tests.made import make_pair


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_pair(tmp_path_factory.mktemp("pair"), pan_shape=(512, 512))


def test_methods_stand_side_by_side_and_the_best_is_starred(pair: tuple[Path, Path]) -> None:
    result, told = (run(*pair, "--method", "exp, glp", *options) for options in ([], ["--json"]))
    assert result.exit_code == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if line.strip().startswith(("exp", "glp"))]
    assert [row[0] for row in rows] == ["exp", "glp"] * 2
    exp, glp = rows[:2]
    assert glp[1].endswith("*")
    assert not exp[1].endswith("*")
    scores = json.loads(told.stdout)["protocols"]
    assert list(scores) == list(METRICS)
    assert f"{scores['reduced']['glp']['psnr']:.2f}*" == glp[1]
    assert "against the MS" in result.stdout
    assert "without a reference" in result.stdout


def test_one_protocol_of_a_part(pair: tuple[Path, Path]) -> None:
    area = "500000,4599600,500400,4600000"
    result = run(*pair, "--method", "exp", "--protocol", "reduced", "--area", area, "-q")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "full" not in result.stdout
    assert "exp" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--method", "magic"], 2, "--method: 'magic'"),
        (["--protocol", "wald"], 2, "--protocol: 'wald'"),
        (["--fused", "{ms}"], 1, "pixels of 4 where PAN's are 1"),
        (["--fused", "{pan}"], 1, "1 band in the result and 4 in MS"),
    ],
)
def test_what_cannot_be_scored_is_one_line(
    tmp_path: Path, pair: tuple[Path, Path], arguments: list[str], code: int, message: str
) -> None:
    names = {"pan": pair[0], "ms": pair[1]}
    result = run(*pair, *(argument.format(**names) for argument in arguments))
    assert result.exit_code == code
    assert result.stderr.startswith("geosharp: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_model_stands_beside_a_classical_method(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    chosen = "--method", "glp,hfreqdiff", "--model", make_model(tmp_path), "--protocol", "full"
    result = run(*made_pair, *chosen, "--calibration", "sensor", "-q")
    assert result.exit_code == 0, result.stderr
    rows = [line.split()[0] for line in result.stdout.splitlines() if line.split()]
    assert [row for row in rows if row in ("glp", "hfreqdiff")] == ["glp", "hfreqdiff"]
