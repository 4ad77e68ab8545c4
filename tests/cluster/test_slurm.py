"""On SLURM, as far as it can be without one: `sbatch` is a script that starts the job here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dask.config import collect_yaml
from typer.testing import CliRunner

from geosharp.cli.app import app

ROOT = Path(__file__).parents[2]
# It keeps the script, which goes once it is submitted, as SLURM does.
_SBATCH = """#!/bin/sh
cp "$1" {pids}.job
setsid bash {pids}.job > {pids}.log 2>&1 < /dev/null &
echo $! >> {pids}
echo "Submitted batch job $!"
"""


def make_command(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def test_the_settings_that_are_shown_are_those_that_there_are() -> None:
    jobqueue = pytest.importorskip("dask_jobqueue", reason="needs the extra 'cluster'")
    files = [Path(jobqueue.__file__).parent / "jobqueue.yaml", ROOT / "examples/cluster/jobqueue.yaml"]
    known, shown = (told["jobqueue"]["slurm"] for told in collect_yaml(files))
    assert shown.keys() <= known.keys()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="starts jobs by setsid")
def test_a_scene_is_fused_by_jobs_of_slurm(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    pytest.importorskip("dask_jobqueue", reason="needs the extra 'cluster'")
    commands, settings, pids = tmp_path / "bin", tmp_path / "dask", tmp_path / "pids"
    for folder in (commands, settings):
        folder.mkdir()
    make_command(commands, "sbatch", _SBATCH.format(pids=pids))
    make_command(commands, "scancel", "#!/bin/sh\nkill $1\n")
    shutil.copy(ROOT / "examples/cluster/jobqueue.yaml", settings)
    told = {"PATH": f"{commands}:{os.environ['PATH']}", "DASK_CONFIG": str(settings)}
    command = ["fuse", *map(str, made_pair), "--method", "brovey", "--no-overviews"]
    alone = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "alone.tif")])
    assert alone.exit_code == 0, alone.output
    where = ["-o", str(tmp_path / "slurm.tif"), "--dask-cluster", "slurm", "--workers", "1"]
    run = subprocess.run(
        [sys.executable, "-m", "geosharp", *command, *where],
        env=os.environ | told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert len(pids.read_text().splitlines()) == 1
    assert (tmp_path / "slurm.tif").read_bytes() == (tmp_path / "alone.tif").read_bytes()
