"""The first script that a user runs: it leaves a result, and pages to look at."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.examples.replay import put_on_path, replay

SCRIPT = Path(__file__).parents[2] / "examples" / "quickstart.sh"


@pytest.mark.slow
def test_it_leads_to_a_result_that_can_be_looked_at(tmp_path: Path) -> None:
    out = tmp_path / "a folder"
    told, errors = replay(["bash", str(SCRIPT), str(out)], tmp_path, tmp_path / "bin")
    assert "hfreqdiff" in told + errors
    (last,) = (line for line in told.splitlines() if line.startswith("look at"))
    for name in ("scene/before_after.png", "sharp.png", "report.html"):
        assert str(out / name) in last
        assert (out / name).stat().st_size > 1000


def test_it_ends_at_the_first_command_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", put_on_path(tmp_path / "bin", '#!/bin/sh\necho "$1"\nexit 3\n'))
    command = ["bash", str(SCRIPT), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (3, "demo\n")
