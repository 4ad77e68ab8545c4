"""An archive is fused scene by scene, and no scene's fate is another's."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import rasterio

import geosharp
from geosharp.archive import job, running
from geosharp.archive.batch import plan
from geosharp.archive.ledger import DONE, FAILED, SKIPPED, Ledger, Row
from geosharp.engine.plan import available_cores
from geosharp.engine.stream import Progress
from geosharp.errors import BusyError, GeosharpError, InputError, OutputError, ResourceError, UsageError
from geosharp.raster.output import target
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


def test_failed_ones_are_tried_again_once_mended_or_where_asked(tmp_path: Path, archive: Path) -> None:
    out = tmp_path / "out"
    failed = geosharp.batch(archive, out, options=QUICK).rows[1]
    again = geosharp.batch(archive, out, options=QUICK)
    assert states(again) == [SKIPPED, FAILED, SKIPPED]
    (told,) = again.rows[1].warnings
    assert told.startswith(
        f"as on {failed.started[:10]} {failed.started[11:16]} UTC; not tried again without"
    )
    assert (again.rows[1].error, again.rows[1].seconds) == (failed.error, 0)
    asked = geosharp.batch(archive, out, retry_failed=True, options=QUICK).rows[1]
    assert (asked.state, asked.warnings) == (FAILED, ())
    assert asked.started > failed.started
    # As copies that keep their originals' times are.
    shutil.copy2(archive / "a_ms.tif", archive / "b_ms.tif")
    os.utime(archive / "b_ms.tif", (0, 0))
    assert states(geosharp.batch(archive, out, options=QUICK)) == [SKIPPED, DONE, SKIPPED]
    assert states(geosharp.batch(archive, out, options=QUICK)) == [SKIPPED] * 3
    assert states(geosharp.batch(archive, out, overwrite=True, options=QUICK)) == [DONE] * 3


def test_failed_ones_are_tried_again_once_their_files_or_options_are_others(
    tmp_path: Path, archive: Path
) -> None:
    """Though no file is newer than the failure."""
    out, table = tmp_path / "out", archive / "scenes.csv"

    def run(ms: str, cell: str = "", folder: str = ".", **shared: Any) -> str:
        table.write_text(f"pan,ms,out,options\n{folder}/a_pan.tif,{folder}/{ms},x,{cell}\n")
        (row,) = geosharp.batch(table, out, options=QUICK | shared).rows
        return row.warnings[0][:5] if row.warnings else f"{row.state} now"

    (archive / "other").mkdir()
    for name in ("a_pan.tif", "b_ms.tif"):
        shutil.copy(archive / name, archive / "other" / name)
    (archive / "part.geojson").write_text("{}")
    time.sleep(0.02)
    assert run("b_ms.tif") == "failed now"
    assert run("b_ms.tif") == "as on"
    assert run("b_ms.tif", '"{""dtype"": ""float32""}"') == "failed now"
    assert run("b_ms.tif", '"{""dtype"": ""float32""}"') == "as on"
    assert run("b_ms.tif", overviews=True) == "failed now"
    assert run("b_ms.tif", folder="other") == "failed now"
    assert run("a_ms.tif", area=str(archive / "part.geojson")) == "failed now"
    assert run("a_ms.tif", area=str(archive / "part.geojson")) == "as on"
    time.sleep(0.02)
    (archive / "part.geojson").write_text("[]")
    assert run("a_ms.tif", area=str(archive / "part.geojson")) == "failed now"
    assert run("a_ms.tif") == "done now"


def test_what_the_machine_failed_at_is_tried_again(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job.fuse
    for error in (
        BusyError("a.tif", "is being written", "one run at a time", "wait for it"),
        ResourceError("memory", "1 GB", "2 GB", "buy some"),
        MemoryError(),
    ):

        def fuse(*_: Any, error: Exception = error, **__: Any) -> Any:
            raise error

        monkeypatch.setattr(target, "_PATIENCE_S", 0.0)
        monkeypatch.setattr(target, "_LOOK_S", 0.0)
        monkeypatch.setattr(job, "fuse", fuse)
        assert states(geosharp.batch(archive, tmp_path / "out", options=QUICK)) == [FAILED] * 3
    monkeypatch.setattr(job, "fuse", real)
    assert states(geosharp.batch(archive, tmp_path / "out", options=QUICK)) == [DONE, FAILED, DONE]


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
    assert "its process was killed each time" in result.failed[0].error
    assert result.rows[0].method == str(max(available_cores() // 2, 1))


def test_names_tell_scenes_apart_by_as_little_as_it_takes(tmp_path: Path) -> None:
    pans = ["x/1/pan.tif", "y/1/pan.tif", "x/2/pan.tif", "north_pan.tif"]
    pairs = [(str(tmp_path / pan), str(tmp_path / "ms.tif")) for pan in pans]
    jobs = plan(pairs, tmp_path / "out").rows
    assert [job.name for job in jobs] == ["x_1_pan", "y_1_pan", "2_pan", "north_pan"]
    assert all(Path(job.out).parent == tmp_path / "out" for job in jobs)
    with pytest.raises(UsageError, match="twice; needed: each PAN once"):
        plan([pairs[0], pairs[0]], tmp_path / "out")


def test_a_row_tells_when_how_large_how_paired_and_how_good(tmp_path: Path, archive: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    result = geosharp.batch(archive, tmp_path / "out", options=QUICK | {"method": "exp"}, scores=True)
    row = result.rows[0]
    assert before <= datetime.fromisoformat(row.started) <= datetime.now(UTC)
    assert row.pixels == pytest.approx(256 * 256 / 1e6)
    assert result.pixels == pytest.approx(2 * row.pixels)
    assert row.paired == "by name"
    pair = archive / "a_pan.tif", archive / "a_ms.tif"
    told = geosharp.evaluate(*pair, fused=row.out, methods=(), protocol="full").protocols["full"]
    assert row.scores["hqnr"] == pytest.approx(told["a_pan_fused.tif"]["hqnr"], abs=1e-5)
    assert {"d_lambda", "d_s", "reprojection_ergas"} <= row.scores.keys()
    assert result.failed[0].scores == {}
    assert Ledger(tmp_path / "out").read()["a_pan"] == row


def test_a_table_says_where_each_goes_and_how_it_is_made(tmp_path: Path, archive: Path) -> None:
    table = archive / "scenes.csv"
    table.write_text(
        'pan,ms,out,options\na_pan.tif,a_ms.tif,north/a,"{""bands"": ""3,1"", ""dtype"": ""float32""}"\n'
        'a_pan.tif,a_ms.tif,north/b.tif,"{""method"": ""exp""}"\nc_pan.tif,c_ms.tif,,\n'
    )
    out = tmp_path / "out"
    result = geosharp.batch(table, out, options=QUICK)
    assert states(result) == [DONE] * 3
    assert [Path(row.out).relative_to(out).as_posix() for row in result.rows] == [
        "north/a.tif",
        "north/b.tif",
        "c_pan_fused.tif",
    ]
    assert [row.method for row in result.rows] == ["brovey", "exp", "brovey"]
    with rasterio.open(out / "north" / "a.tif") as raster:
        assert (raster.count, raster.dtypes[0]) == (2, "float32")
    assert states(geosharp.batch(table, out, options=QUICK)) == [SKIPPED] * 3


@pytest.mark.parametrize(
    ("line", "told"),
    [("../x,", "lead out of the folder"), (',"{""steps"": 0}"', "--steps"), (",nix", "not JSON")],
)
def test_what_a_line_must_not_ask_for_stops_all_before_anything_is_there(
    tmp_path: Path, archive: Path, line: str, told: str
) -> None:
    table = archive / "scenes.csv"
    table.write_text(f"pan,ms,out,options\na_pan.tif,a_ms.tif,,\nc_pan.tif,c_ms.tif,{line}\n")
    with pytest.raises(InputError, match=told) as caught:
        geosharp.batch(table, tmp_path / "out")
    assert "line 3" in caught.value.subject
    assert not (tmp_path / "out").exists()


def test_items_of_a_batch_are_the_next_ones_input(tmp_path: Path, archive: Path) -> None:
    """Of a STAC item, PAN and MS are found; the results' items lead back to it, and are of valid files."""
    item: dict[str, Any] = {
        "type": "Feature",
        "id": "../scene/1",
        "properties": {"datetime": "2020-06-01T12:00:00Z"},
        "links": [],
        "assets": {"pan": {"href": "./a_pan.tif"}, "ms": {"href": "./a_ms.tif"}},
    }
    (archive / "item.json").write_text(json.dumps(item))
    out = tmp_path / "out"
    result = geosharp.batch(archive / "item.json", out, options=QUICK, stac=True)
    assert states(result) == [DONE]
    assert result.rows[0].paired == "by STAC item"
    assert sorted(path.name for path in out.iterdir()) == [
        "batch.jsonl",
        "items.json",
        "scene_1_fused.json",
        "scene_1_fused.tif",
    ]
    (feature,) = json.loads((out / "items.json").read_text())["features"]
    assert feature["properties"]["datetime"] == "2020-06-01T12:00:00Z"
    assert feature["links"] == [{"rel": "derived_from", "href": str(archive / "item.json")}]
    # A run without items is made up for by the next with them; what is there stays.
    geosharp.batch([(archive / "c_pan.tif", archive / "c_ms.tif")], out, options=QUICK)
    both = [(archive / f"{name}_pan.tif", archive / f"{name}_ms.tif") for name in "c"]
    assert states(geosharp.batch(both, out, options=QUICK, stac=True)) == [SKIPPED]
    assert [f["id"] for f in json.loads((out / "items.json").read_text())["features"]] == [
        "c_pan_fused",
        "scene_1_fused",
    ]
    (archive / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": [item]}))
    with pytest.raises(UsageError, match="which the scenes are from"):
        geosharp.batch(archive / "items.json", archive, options=QUICK, stac=True)


@pytest.mark.parametrize(
    ("given", "kind", "told"),
    [
        ({"workers": 0}, UsageError, "--workers: 0"),
        ({"options": {"out": "x"}}, UsageError, "options: out; needed: arguments that all scenes share"),
        ({"options": {"preview": "x.png"}}, UsageError, "options: preview"),
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


def test_an_interrupted_batch_says_how_to_go_on(tmp_path: Path, archive: Path) -> None:
    heard: list[str] = []

    def interrupt(row: Row, count: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        geosharp.batch(
            archive, tmp_path / "out", options=QUICK, stac=True, on_row=interrupt, on_note=heard.append
        )
    # Nothing is begun any more, and nothing takes the place of what has stopped it.
    assert not (tmp_path / "out" / "items.json").exists()
    assert heard == ["1 of 3 scenes are done, and stay: the same command goes on with the rest"]
    assert states(geosharp.batch(archive, tmp_path / "out", options=QUICK)) == [SKIPPED, FAILED, DONE]
