"""What is asked for beside a result never costs the result."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from geosharp.archive import job
from geosharp.archive.items import Origin
from geosharp.archive.job import Job, do
from geosharp.archive.ledger import DONE, FAILED, Row


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

    monkeypatch.setattr(job, "evaluate", fail)
    monkeypatch.setattr(job, "write_item", fail)
    row = do(make_job(tmp_path, made_pair, scored=True))
    assert (row.state, row.scores) == (DONE, {})
    assert row.warnings[-2:] == ("not scored: no luck", "without a STAC item: no luck")


def test_a_failure_has_its_reason_and_writes_nothing(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    row = do(make_job(tmp_path, (made_pair[1], made_pair[1])))
    assert row.state == FAILED
    assert "a panchromatic image" in row.error
    assert list(tmp_path.iterdir()) == []
