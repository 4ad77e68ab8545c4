"""Wherever jobs run, each has one row, and what died before it could tell is not done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geosharp import Cluster, Diffusion
from geosharp.archive import running
from geosharp.archive.items import Origin
from geosharp.archive.job import Job, do
from geosharp.archive.ledger import DONE, FAILED, SKIPPED, Row
from geosharp.archive.running import run
from geosharp.cluster.tasks import Lost
from tests.archive.dying import make_and_die
from tests.cluster.local import address, workers
from tests.hfreqdiff.made_model import make_model

QUICK = {"method": "brovey", "overviews": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with workers(count=2, threads=1) as made:
        yield address(made)


def job(pair: tuple[Path, Path], out: Path, **options: Any) -> Job:
    return Job(Row(out.stem, str(pair[0]), (str(pair[1]),), str(out), ""), {**QUICK, **options})


def test_a_cluster_makes_what_this_computer_makes(
    tmp_path: Path, made_pair: tuple[Path, Path], cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = do(job(made_pair, tmp_path / "here.tif"))
    jobs = [job(made_pair, Path(f"{name}.tif")) for name in "abcd"]
    jobs.append(job((made_pair[0], tmp_path / "none.tif"), Path("e.tif")))
    rows = {row.name: row for row in run(jobs, 1, cluster)}
    assert {name: row.state for name, row in rows.items()} == dict.fromkeys("abcd", DONE) | {"e": FAILED}
    # Files are told as they were named, and made where the caller is.
    assert rows["a"].out == "a.tif"
    for name in "abcd":
        assert (tmp_path / f"{name}.tif").read_bytes() == Path(here.out).read_bytes()
    assert "none.tif: no such file" in rows["e"].error


def test_a_worker_finds_a_model_and_uses_its_threads(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model(tmp_path)
    monkeypatch.chdir(tmp_path)
    sent: list[tuple[Job, int]] = []

    def run_here(cluster: Cluster, function: Any, jobs: Any, tell: Any) -> Any:
        for each in jobs:
            sent.append((each, 3))
            yield each, Lost()

    monkeypatch.setattr(running, "run_tasks", run_here)
    (model,) = tmp_path.glob("*.safetensors")
    asked = job(made_pair, Path("a.tif"), method="hfreqdiff", diffusion=Diffusion(model=model.name))
    (row,) = run([asked], 1, Cluster(kind="local"))
    assert (row.state, row.out) == (FAILED, "a.tif")
    assert "its process was killed each time" in row.error
    assert sent[0][0].options["diffusion"].model == str(model)
    assert sent[0][0].row.out == str(tmp_path / "a.tif")


@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_what_was_finished_by_one_that_died_is_not_made_again_and_has_what_was_asked_for(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed once its result is there, before it is scored and its item written."""
    monkeypatch.setattr(running, "do", make_and_die)
    asked = job(made_pair, tmp_path / "a.tif")
    (row,) = run([replace(asked, scored=True, item=Origin("a"))], 2)
    assert row.state == SKIPPED
    assert row.warnings[0].startswith("its result was there once it was its turn")
    assert row.scores.keys() >= {"hqnr", "d_lambda", "d_s"}
    assert {path.name for path in tmp_path.iterdir()} == {"a.tif", "a.json", "a.seen"}
    assert str((tmp_path / "a.tif").stat().st_mtime_ns) == (tmp_path / "a.seen").read_text()


def test_a_name_that_no_other_computer_understands_stops_no_other_scene(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_here(cluster: Cluster, function: Any, jobs: Any, tell: Any) -> Any:
        for each in jobs:
            yield each, function(each, 1)

    monkeypatch.setattr(running, "run_tasks", run_here)
    jobs = [
        job((Path("GTIFF_DIR:1:pan.tif"), made_pair[1]), tmp_path / "a.tif"),
        job(made_pair, tmp_path / "b.tif"),
    ]
    rows = {row.name: row for row in run(jobs, 1, Cluster(kind="local"))}
    assert (rows["a"].state, rows["b"].state) == (FAILED, DONE)
    assert "counts from this computer's folder" in rows["a"].error


SCRIPT = """
import signal, sys
from contextlib import suppress
from geosharp.archive import running
from geosharp.archive.job import Job
from geosharp.archive.ledger import Row
from tests.archive.dying import tell_and_wait

signal.signal(signal.SIGTERM, signal.default_int_handler)
running.do = tell_and_wait
jobs = [Job(Row(out, "", ("",), out, ""), {}) for out in sys.argv[1:]]
with suppress(KeyboardInterrupt):
    list(running.run(jobs, 2))
"""


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may have asked yet how it ended.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 180
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes by /proc")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_one_that_started_them_and_say_nothing(
    tmp_path: Path, kind: signal.Signals
) -> None:
    outs = [tmp_path / "a", tmp_path / "b"]
    command = [sys.executable, "-c", SCRIPT, *map(str, outs)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as main:
        wait_until(lambda: all(out.exists() and out.read_text() for out in outs))
        pids = [int(out.read_text()) for out in outs]
        if kind is signal.SIGINT:
            # As a terminal sends it: to all of them.
            os.killpg(main.pid, kind)
        else:
            main.send_signal(kind)
        main.wait(180)
        wait_until(lambda: not any(map(is_there, pids)))
        assert main.stderr is not None
        assert main.stderr.read() == b""
