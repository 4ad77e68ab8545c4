"""What is asked for beside a result never costs the result."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geosharp.archive import job
from geosharp.archive.items import Origin
from geosharp.archive.job import Job, do
from geosharp.archive.ledger import DONE, FAILED, SKIPPED, Row
from geosharp.errors import BusyError
from geosharp.raster.output import target
from geosharp.raster.output.target import Temporary


def make_job(folder: Path, pair: tuple[Path, Path], **told: object) -> Job:
    row = Row("a", str(pair[0]), (str(pair[1]),), str(folder / "a.tif"), "", paired="by name")
    return Job(row, {"method": "brovey", "overviews": False}, note="its own", item=Origin("a"), **told)  # type: ignore[arg-type]


def test_a_job_travels_and_its_row_tells_all(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    row = do(pickle.loads(pickle.dumps(make_job(tmp_path, made_pair))))  # noqa: S301
    assert (row.state, row.method, row.paired, row.warnings[0]) == (DONE, "brovey", "by name", "its own")
    assert row.started.endswith("+00:00")
    assert {path.name for path in tmp_path.iterdir()} == {"a.tif", "a.json"}


def test_what_goes_wrong_beside_a_result_is_a_warning(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no luck")

    monkeypatch.setattr("geosharp.evaluation.evaluate", fail)
    monkeypatch.setattr(job, "write_item", fail)
    row = do(make_job(tmp_path, made_pair, scored=True))
    assert (row.state, row.scores) == (DONE, {})
    assert row.warnings[-2:] == ("not scored: no luck", "without a STAC item: no luck")


def test_a_failure_has_its_reason_and_writes_nothing(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    row = do(make_job(tmp_path, (made_pair[1], made_pair[1])))
    assert row.state == FAILED
    assert "a panchromatic image" in row.error
    assert list(tmp_path.iterdir()) == []


def test_what_another_run_makes_is_waited_for_and_not_made_again(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "_LOOK_S", 0.01)
    asked, real, tries = make_job(tmp_path, made_pair), job.fuse, list[int]()

    def fuse(*args: Any, **given: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise BusyError("a.tif", "is being written", "one run at a time", "wait for it")
        if len(tries) == 3:
            Path(asked.row.out).touch()
        return real(*args, **given)

    monkeypatch.setattr(job, "fuse", fuse)
    assert (do(asked).state, len(tries)) == (SKIPPED, 3)
    assert do(replace(asked, overwrite=True)).state == DONE
    monkeypatch.setattr(target, "_PATIENCE_S", 0.0)
    tries.clear()
    assert do(replace(asked, overwrite=True)).error.startswith("a.tif: is being written;")


def test_while_another_run_writes_there_is_no_work(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result then is this job's, with what was asked for beside it."""
    asked = make_job(tmp_path, made_pair)
    ready = do(make_job(tmp_path, made_pair))
    (tmp_path / "a.json").unlink()
    made = Path(ready.out).rename(tmp_path / "made")
    other, looks = Temporary(Path(asked.row.out)), list[float]()

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            made.rename(asked.row.out)
            other.discard()

    monkeypatch.setattr(target.time, "sleep", sleep)
    monkeypatch.setattr(job, "fuse", lambda *_, **__: pytest.fail("work for nothing"))
    row = do(asked)
    assert (row.state, len(looks), row.asked) == (SKIPPED, 3, asked.row.asked)
    assert {path.name for path in tmp_path.iterdir()} == {"a.tif", "a.json"}


def test_what_another_run_never_ends_is_told_and_tried_again_another_time(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "_PATIENCE_S", 0.0)
    asked = make_job(tmp_path, made_pair)
    asked = replace(asked, row=replace(asked.row, asked="1a"))
    other = Temporary(Path(asked.row.out))
    row = do(asked)
    other.discard()
    assert (row.state, row.asked) == (FAILED, "")
    assert "is being written by another run" in row.error
