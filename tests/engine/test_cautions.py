"""What headers and the disk tell of a pair before a pixel is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import rasterio
from rasterio.transform import from_origin

from geosharp.engine import cautions
from geosharp.engine.cautions import (
    check_disk,
    check_georeference,
    check_overlap,
    check_times,
    raw_size,
    tell_cautions,
)
from geosharp.engine.preparation import prepare
from geosharp.fusion import fuse
from geosharp.raster.scene import Scene, open_scene
from tests.made import ORIGIN, make_pair


@pytest.fixture
def scene(made_pair: tuple[Path, Path]) -> Scene:
    return open_scene(*made_pair)


def shift_ms(folder: Path, columns: float) -> Scene:
    """MS moved to the right by so many PAN pixels, of 256."""
    pan, ms = make_pair(folder)
    with rasterio.open(ms, "r+") as raster:
        raster.transform = from_origin(ORIGIN[0] + columns, ORIGIN[1], 4, 4)
    return open_scene(pan, ms)


@pytest.mark.parametrize(("columns", "level"), [(0, "ok"), (24, "ok"), (64, "note"), (192, "warning")])
def test_the_less_is_shared_the_louder_it_is_told(tmp_path: Path, columns: int, level: str) -> None:
    found = check_overlap(shift_ms(tmp_path, columns))
    assert found.level == level
    assert found.facts["share_of_pan"] == pytest.approx(1 - columns / 256)
    assert f"share {256 - columns} x 256 PAN pixels" in found.text


def test_a_small_pan_on_a_large_ms_is_no_fault(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    with rasterio.open(pan) as raster:
        part, profile = raster.read()[:, :64, :64], raster.profile
    with rasterio.open(pan, "w", **{**profile, "height": 64, "width": 64}) as raster:
        raster.write(part)
    found = check_overlap(open_scene(pan, ms))
    assert (found.level, found.facts["share_of_pan"]) == ("ok", 1.0)
    assert found.facts["share_of_ms"] == pytest.approx(1 / 16)


@pytest.mark.parametrize(
    ("pan", "ms", "level", "told"),
    [
        ("2013-08-02T16:20:41Z", "2013-08-02T16:20:43Z", "ok", "2 seconds apart"),
        ("2013-08-02T16:20:41Z", "2013-08-02T16:30:41Z", "warning", "10 minutes apart"),
        ("2013-08-02T16:20:41Z", "2013-08-04T16:20:41Z", "warning", "2 days apart"),
        ("2013-08-02T16:20:41Z", "", "note", "nothing tells when MS was taken"),
        ("", "", "note", "nothing tells when PAN and MS were taken"),
    ],
)
def test_a_gap_of_minutes_is_a_warning(scene: Scene, pan: str, ms: str, level: str, told: str) -> None:
    def at(source: object, time: str) -> object:
        tags = {"": {}, "IMAGERY": {"ACQUISITIONDATETIME": time} if time else {}}
        return replace(source, tags=tags)  # type: ignore[type-var]

    timed = replace(scene, pan=at(scene.pan, pan), ms=(at(scene.ms[0], ms),))  # type: ignore[arg-type]
    found = check_times(timed)
    assert (found.level, told in found.text) == (level, True)


def test_the_files_own_times_are_no_warning(scene: Scene) -> None:
    """They may be when the files were written."""
    tags = [{"": {"TIFFTAG_DATETIME": f"2013:08:0{day} 16:20:41"}} for day in (2, 4)]
    timed = replace(scene, pan=replace(scene.pan, tags=tags[0]), ms=(replace(scene.ms[0], tags=tags[1]),))
    found = check_times(timed)
    assert found.level == "note"
    assert "files' own times are 2 days apart" in found.text


def test_names_tell_the_time(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    named = pan.rename(tmp_path / "13AUG02162041-P1BS.tif"), ms.rename(tmp_path / "13AUG02162341-M1BS.tif")
    found = check_times(open_scene(*named))
    assert (found.level, found.facts["seconds"]) == ("warning", 180.0)


@pytest.mark.parametrize(
    ("free", "level"), [(1000, "ok"), (249, "note"), (139, "warning"), (24, "stop"), (None, "note")]
)
def test_room_is_for_the_result_and_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int | None, level: str
) -> None:
    monkeypatch.setattr(cautions, "available_room", lambda folder: free)
    assert check_disk(tmp_path, 100).level == level


@pytest.mark.parametrize(
    ("crs", "placed", "level", "told"),
    [
        ("EPSG:32633", True, "ok", "EPSG:32633, PAN pixels of 1 x 1"),
        (None, True, "note", "no CRS"),
        (None, False, "note", "none"),
    ],
)
def test_what_lies_on_no_map_is_told(
    tmp_path: Path, crs: str | None, placed: bool, level: str, told: str
) -> None:
    profile: dict[str, object] = {"crs": crs} if placed else {"crs": crs, "transform": None}
    scene = open_scene(*make_pair(tmp_path, pan_profile={**profile}, ms_profile={**profile}))
    found = check_georeference(scene)
    assert found.level == level
    assert found.text.startswith(told)


def test_fuse_warns_of_what_headers_tell_and_of_nothing_else(tmp_path: Path) -> None:
    scene = shift_ms(tmp_path, 192)
    setup = prepare(scene.pan.name, scene.ms[0].name, method="exp")
    assert raw_size(setup) == 256 * 64 * 4 * 2
    (told,) = tell_cautions(setup, tmp_path / "out.tif")
    assert told.startswith("overlap: PAN and MS share 64 x 256 PAN pixels")
    result = fuse(scene.pan.name, scene.ms[0].name, tmp_path / "out.tif", method="exp")
    assert told in result.warnings


def test_fuse_says_nothing_of_a_pair_that_fits(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    assert tell_cautions(prepare(*made_pair, method="exp"), tmp_path / "out.tif") == ()
