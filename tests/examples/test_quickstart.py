"""The first script that a user runs: it leaves a result, and pages to look at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "quickstart.sh"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where geosharp is a command."""
    command = tmp_path / "bin" / "geosharp"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m geosharp "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    return tmp_path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_it_leads_to_a_result_that_can_be_looked_at(folder: Path) -> None:
    out = folder / "a folder"
    done = run(str(out))
    assert done.returncode == 0, done.stderr
    assert "hfreqdiff" in done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    for name in ("scene/before_after.png", "sharp.png", "report.html"):
        assert str(out / name) in last
        assert (out / name).stat().st_size > 1000


def test_it_ends_at_the_first_command_that_fails(folder: Path) -> None:
    (folder / "bin" / "geosharp").write_text('#!/bin/sh\necho "$1"\nexit 3\n')
    done = run(str(folder / "out"))
    assert (done.returncode, done.stdout) == (3, "demo\n")
