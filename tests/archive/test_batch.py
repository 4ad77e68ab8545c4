"""An archive is fused scene by scene, and no scene's fate is another's."""

from __future__ import annotations

import json
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import geosharp
from geosharp.archive import job, running
from geosharp.archive.batch import plan
from geosharp.archive.ledger import DONE, FAILED, SKIPPED
from geosharp.engine.plan import available_cores
from geosharp.engine.stream import Progress
from geosharp.errors import GeosharpError, OutputError, UsageError
from tests.archive.dying import do_or_die
from tests.raster.test_pairing import touch

QUICK = {"method": "brovey", "overviews": False}


@pytest.fixture
def archive(tmp_path: Path, made_pair: tuple[Path, Path]) -> Path:
    """Scenes a and c, and b between them, whose MS is broken."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        for file, role in zip(made_pair, ("pan", "ms"), strict=True):
            shutil.copy(file, folder / f"{name}_{role}.tif")
    (folder / "b_ms.tif").write_text("broken")
    return folder


def states(result: geosharp.BatchResult) -> list[str]:
    return [row.state for row in result.rows]


def test_what_fails_stops_no_other_and_what_is_there_is_skipped(tmp_path: Path, archive: Path) -> None:
    out, heard = tmp_path / "out", []
    first = geosharp.batch(archive, out, options=QUICK, on_row=lambda row, *at: heard.append((row.name, *at)))
    assert states(first) == [DONE, FAILED, DONE]
    assert [row.name for row in first.failed] == ["b_pan"]
    assert "b_ms.tif" in first.failed[0].error
    assert heard == [("a_pan", 1, 3), ("b_pan", 2, 3), ("c_pan", 3, 3)]
    assert sorted(path.name for path in out.iterdir()) == [
        "a_pan_fused.tif",
        "batch.jsonl",
        "c_pan_fused.tif",
    ]
    lines = [json.loads(line) for line in (out / "batch.jsonl").read_text().splitlines()]
    assert [(line["name"], line["state"]) for line in lines] == [(row.name, row.state) for row in first.rows]
    written = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert states(geosharp.batch(archive, out, options=QUICK)) == [SKIPPED, FAILED, SKIPPED]
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == written


def test_failed_ones_are_tried_again_where_asked(tmp_path: Path, archive: Path) -> None:
    out = tmp_path / "out"
    geosharp.batch(archive, out, options=QUICK)
    shutil.copy(archive / "a_ms.tif", archive / "b_ms.tif")
    assert states(geosharp.batch(archive, out, options=QUICK)) == [SKIPPED, FAILED, SKIPPED]
    assert states(geosharp.batch(archive, out, retry_failed=True, options=QUICK)) == [SKIPPED, DONE, SKIPPED]
    assert states(geosharp.batch(archive, out, options=QUICK)) == [SKIPPED] * 3
    assert states(geosharp.batch(archive, out, overwrite=True, options=QUICK)) == [DONE] * 3


def test_results_are_those_of_fuse_also_from_several_processes(tmp_path: Path, archive: Path) -> None:
    alone = geosharp.fuse(archive / "a_pan.tif", archive / "a_ms.tif", tmp_path / "a.tif", **QUICK)  # type: ignore[arg-type]
    result = geosharp.batch(archive, tmp_path / "out", workers=2, options=QUICK)
    assert states(result) == [DONE, FAILED, DONE]
    assert Path(result.rows[0].out).read_bytes() == alone.path.read_bytes()


def test_an_interrupted_scene_goes_on(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: Progress) -> None:
        if done.tiles == 5:
            raise KeyboardInterrupt

    options = {"method": "glp", "calibration": "sensor", "tile": 64, "overviews": False}
    real = job.fuse
    monkeypatch.setattr(job, "fuse", partial(real, progress=stop))
    with pytest.raises(KeyboardInterrupt):
        geosharp.batch(archive, tmp_path / "out", options=options)
    monkeypatch.setattr(job, "fuse", real)
    row = geosharp.batch(archive, tmp_path / "out", options=options).rows[0]
    assert row.state == DONE
    assert "5 tiles were there from an earlier run" in row.warnings


@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_a_killed_process_is_replaced_and_its_scene_tried_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "do", do_or_die)
    (tmp_path / "in").mkdir()
    touch(
        tmp_path / "in",
        *(f"{name}_{role}.tif" for name in ("a", "always", "once", "z") for role in ("pan", "ms")),
    )
    result = geosharp.batch(tmp_path / "in", tmp_path / "out", workers=2)
    assert states(result) == [DONE, FAILED, DONE, DONE]
    assert "its process was killed, twice" in result.failed[0].error
    assert result.rows[0].method == str(max(available_cores() // 2, 1))


def test_names_tell_scenes_apart_by_as_little_as_it_takes(tmp_path: Path) -> None:
    pans = ["x/1/pan.tif", "y/1/pan.tif", "x/2/pan.tif", "north_pan.tif"]
    pairs = [(str(tmp_path / pan), str(tmp_path / "ms.tif")) for pan in pans]
    jobs, _ = plan(pairs, tmp_path / "out")
    assert [job.name for job in jobs] == ["x_1_pan", "y_1_pan", "2_pan", "north_pan"]
    assert all(Path(job.out).parent == tmp_path / "out" for job in jobs)
    with pytest.raises(UsageError, match="twice; needed: each PAN once"):
        plan([pairs[0], pairs[0]], tmp_path / "out")


@pytest.mark.parametrize(
    ("given", "kind", "told"),
    [
        ({"workers": 0}, UsageError, "--workers: 0"),
        ({"options": {"out": "x"}}, UsageError, "options: out; needed: arguments that all scenes share"),
        ({"options": {"methd": "glp"}}, UsageError, "options: methd; needed: arguments of geosharp.fuse"),
    ],
)
def test_what_cannot_be_begun_is_refused(
    tmp_path: Path, archive: Path, given: dict[str, Any], kind: type[GeosharpError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        geosharp.batch(archive, tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        geosharp.batch(archive, tmp_path / "file" / "out")
