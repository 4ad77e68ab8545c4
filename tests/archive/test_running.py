"""Wherever jobs run, each has one row, and what died before it could tell is not done twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geosharp import Cluster, Diffusion
from geosharp.archive import running
from geosharp.archive.job import Job, do
from geosharp.archive.ledger import DONE, FAILED, Row
from geosharp.archive.running import do_again, run
from geosharp.cluster.tasks import Lost
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


def test_what_was_finished_by_one_that_died_is_found(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = job(made_pair, tmp_path / "a.tif")
    first = do_again(asked)
    written = (tmp_path / "a.tif").stat().st_mtime_ns
    again = do_again(asked)
    assert (first.state, again.state) == (DONE, DONE)
    assert again.warnings == ("finished by a process that was killed before it could tell more",)
    assert (tmp_path / "a.tif").stat().st_mtime_ns == written
    do_again(replace(asked, overwrite=True))
    assert (tmp_path / "a.tif").stat().st_mtime_ns > written
