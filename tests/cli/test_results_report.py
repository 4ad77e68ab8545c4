from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from geosharp.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory, made_pair: tuple[Path, Path]) -> Path:
    out = tmp_path_factory.mktemp("fused") / "out.tif"
    assert run("-q", "fuse", *made_pair, "-o", out, "--bands", "3,2,1").exit_code == 0
    return out


def test_report_writes_a_page_and_prints_its_path(
    tmp_path: Path, made_pair: tuple[Path, Path], fused: Path
) -> None:
    page = tmp_path / "report.html"
    result = run("report", fused, *made_pair, "-o", page, "--title", "Mine")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{page}\n"
    assert "report: " in result.stderr
    assert "MB in" in result.stderr
    assert "<title>Mine" in page.read_text("utf-8")
    assert run("report", fused, *made_pair, "-o", page).exit_code == 1
    again = run("-q", "report", fused, *made_pair, "-o", page, "--overwrite")
    assert (again.exit_code, again.stderr) == (0, "")


def test_fuse_reports_what_it_made(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    out, page = tmp_path / "out.tif", tmp_path / "report.html"
    arguments = ("fuse", *made_pair, "-o", out, "--report", page, "--bands", "3,2,1", "--sensor", "ikonos")
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{out}\n{page}\n"
    assert "IKONOS" in page.read_text("utf-8")
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fuse", "{pan}", "{ms}", "-o", "{new}", "--report", "{folder}/report.pdf"], 2, ".html"),
        (
            ["fuse", "{pan}", "{ms}", "-o", "{new}", "--report", "{folder}/no/report.html"],
            1,
            "does not exist",
        ),
        (["report", "{fused}", "{pan}", "{ms}"], 2, "--out"),
        (["report", "{fused}", "{pan}", "{ms}", "-o", "{page}", "--bands", "1"], 1, "and 1 in MS"),
        (["report", "{ms}", "{pan}", "{ms}", "-o", "{page}"], 1, "pixels of 4 where PAN's are 1"),
        (["report", "{fused}", "{pan}", "{ms}", "-o", "{page}", "--sensor", "spoutnik"], 2, "--sensor"),
    ],
)
def test_what_cannot_be_reported_is_said_and_writes_nothing(
    tmp_path: Path,
    made_pair: tuple[Path, Path],
    fused: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    names = {
        "pan": made_pair[0],
        "ms": made_pair[1],
        "fused": fused,
        "folder": tmp_path,
        "new": tmp_path / "new.tif",
        "page": tmp_path / "report.html",
    }
    result = run(*(argument.format(**names) for argument in arguments))
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
