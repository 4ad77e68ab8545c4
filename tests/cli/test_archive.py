"""`geosharp batch`: what it prints and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geosharp.cli import app

QUICK = ["--method", "brovey", "--no-overviews"]


@pytest.fixture
def archive(tmp_path: Path, made_pair: tuple[Path, Path]) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for file, role in zip(made_pair, ("pan", "ms"), strict=True):
        shutil.copy(file, folder / f"a_{role}.tif")
        (folder / f"b_{role}.tif").write_text("broken")
    (folder / "dem.tif").write_text("of no pair")
    return folder


def test_a_dry_run_prints_pairs_and_writes_nothing(tmp_path: Path, archive: Path) -> None:
    done = CliRunner().invoke(app, ["batch", str(archive), "-o", str(tmp_path / "out"), "--dry-run"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[:2] == ["a_pan", "  by name; PAN 256 x 256, MS 64 x 64, 4 bands, ratio 4"]
    out = tmp_path / "out" / "a_pan_fused.tif"
    assert lines[2:5] == [
        f"  PAN {archive / 'a_pan.tif'}",
        f"  MS  {archive / 'a_ms.tif'}",
        f"  ->  {out}",
    ]
    unfit, left = lines.index("cannot be fused:"), lines.index("left out:")
    assert lines[unfit + 2] == "b_pan"
    assert "GDAL cannot read it" in " ".join(" ".join(lines[unfit:left]).split())
    assert lines[left + 1].startswith("  dem.tif: GDAL cannot")
    assert lines[-1] == "2 scenes, 0.0655 MPix of PAN, 1 cannot be fused, 1 file left out"
    assert not (tmp_path / "out").exists()


def test_the_exit_code_tells_whether_any_failed(tmp_path: Path, archive: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["batch", str(archive), "-o", str(out), *QUICK])
    assert done.exit_code == 1
    assert "2 scenes in" in done.stdout
    assert "1 done, 1 failed" in done.stdout
    assert "note: " in done.stderr
    assert "dem.tif" in done.stderr
    assert "failed: b_pan\n--retry-failed tries these again" in done.stdout
    assert "GDAL" in done.stderr
    assert "GDAL" not in done.stdout
    assert "[1/2] a_pan: done" in done.stderr
    (archive / "b_pan.tif").unlink()
    again = CliRunner().invoke(app, ["batch", str(archive), "-o", str(out), *QUICK, "--log-json"])
    assert again.exit_code == 0
    assert "1 skipped" in again.stdout
    events = [json.loads(line) for line in again.stderr.splitlines()]
    (scene,) = [event for event in events if event["event"] == "scene"]
    assert (scene["scene"], scene["state"], scene["count"], scene["total"]) == ("a_pan", "skipped", 1, 1)


def test_scores_and_items_are_made_where_asked_for(tmp_path: Path, archive: Path) -> None:
    out = tmp_path / "out"
    table = archive / "scenes.csv"
    table.write_text("pan,ms,out\na_pan.tif,a_ms.tif,x\n")
    done = CliRunner().invoke(app, ["batch", str(table), "-o", str(out), *QUICK, "--scores", "--stac"])
    assert done.exit_code == 0
    assert "HQNR" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["batch.jsonl", "items.json", "x.json", "x.tif"]


def test_a_hostile_table_ends_in_one_message_and_writes_nothing(tmp_path: Path, archive: Path) -> None:
    table = archive / "scenes.csv"
    table.write_text("pan,ms,out\na_pan.tif,a_ms.tif,../../x\n")
    for more in ([], ["--dry-run"]):
        done = CliRunner().invoke(app, ["batch", str(table), "-o", str(tmp_path / "out"), *more])
        assert done.exit_code == 1
        assert "line 2: out '../../x', which could lead out of the folder" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--workers", "0"], "--workers: 0; needed: one or more"),
        (["--dask", "nowhere"], "--dask: 'nowhere'"),
        (["--calibration", "per-sensor", "--method", "exp"], "--calibration: per-sensor for exp"),
    ],
)
def test_what_cannot_be_begun_is_one_message(
    tmp_path: Path, archive: Path, flags: list[str], told: str
) -> None:
    done = CliRunner().invoke(app, ["batch", str(archive), "-o", str(tmp_path / "out"), *flags])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith(f"geosharp: {told}")


def test_workers_are_not_asked_of_a_scheduler_that_has_its_own(tmp_path: Path, archive: Path) -> None:
    given = [
        "batch",
        str(archive),
        "-o",
        str(tmp_path / "out"),
        "--dask",
        "tcp://127.0.0.1:1",
        "--workers",
        "4",
    ]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 2
    assert "--workers: 4, and no cluster to have them" in done.stderr
    assert not (tmp_path / "out").exists()
