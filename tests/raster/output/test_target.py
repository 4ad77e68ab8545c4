"""A result takes its place at once and whole, or leaves its folder alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import rasterio
import rasterio.shutil

from geosharp.errors import OutputError, UsageError
from geosharp.raster.output import OutputFormat, SceneWriter
from geosharp.raster.output import target as target_module
from geosharp.raster.output.target import Temporary, check_target
from tests.raster.output.test_writer import list_names, make_content, make_image, save


def test_targets_that_cannot_be_written_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "in.tif"
    source.write_bytes(b"source")
    (tmp_path / "hard.tif").hardlink_to(source)
    (tmp_path / "soft.tif").symlink_to(source)
    (tmp_path / "folder.tif").mkdir()
    check_target(tmp_path / "out.TIFF", inputs=[source])
    check_target(tmp_path / "soft.tif", overwrite=True)
    for name in ("in.tif", "hard.tif", "soft.tif", "folder.tif/../in.tif"):
        with pytest.raises(OutputError, match="same file as the input"):
            check_target(tmp_path / name, overwrite=True, inputs=[source])
    with pytest.raises(OutputError, match="--overwrite"):
        check_target(tmp_path / "soft.tif")
    with pytest.raises(OutputError, match="is a folder"):
        check_target(tmp_path / "folder.tif", overwrite=True)
    with pytest.raises(OutputError, match="does not exist"):
        check_target(tmp_path / "none" / "out.tif")
    for name in ("out.png", "out"):
        with pytest.raises(UsageError, match=r"\.tif, \.tiff"):
            check_target(tmp_path / name)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="not writable"):
        check_target(tmp_path / "out.tif")


def test_a_replaced_file_keeps_nothing_of_the_old(tmp_path: Path) -> None:
    save(tmp_path / "out.tif", make_content((60, 60)))
    for ending in (".aux.xml", ".msk", ".ovr"):
        (tmp_path / f"out.tif{ending}").write_text("stale")
    save(tmp_path / "out.tif", make_content((70, 80)), overwrite=True)
    assert list_names(tmp_path) == ["out.tif"]
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.shape == (70, 80)


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    writer = SceneWriter(path, make_content((60, 60)), OutputFormat())
    with pytest.raises(OutputError, match="meanwhile"), writer:
        path.write_bytes(b"another")
    assert path.read_bytes() == b"another"
    assert list_names(tmp_path) == ["out.tif"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    for cog in (False, True):
        save(tmp_path / "out.tif", make_content((60, 60)), OutputFormat(cog=cog), overwrite=True)
        assert (tmp_path / "out.tif").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_stale_temporaries_go_and_live_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    stale = [".out.tif.0123abcd.part.tif", ".out.tif.0123abcd.part.IMD", ".out.tif.9999ffff.part.tif.ovr.tmp"]
    others = [".other.tif.0123abcd.part.tif", ".out.tif.notours"]
    for name in stale + others:
        (tmp_path / name).touch()
    live = Temporary(path)
    save(path, make_content((60, 60)))
    assert set(list_names(tmp_path)) == {"out.tif", live.path.name, *others}
    live.discard()
    assert set(list_names(tmp_path)) == {"out.tif", *others}


def test_without_locks_age_tells_stale_from_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_module, "_lock", lambda descriptor: None)
    old, young = tmp_path / ".out.tif.0123abcd.part.tif", tmp_path / ".out.tif.0123abce.part.tif"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    save(tmp_path / "out.tif", make_content((60, 60)))
    assert set(list_names(tmp_path)) == {"out.tif", young.name}


def test_the_file_that_gdal_writes_is_the_one_that_is_locked(tmp_path: Path) -> None:
    content = make_content((60, 60))
    with SceneWriter(tmp_path / "out.tif", content, OutputFormat()) as writer:
        writer.write(content.grid.rect, *make_image(content))
        target_module.delete_stale(tmp_path / "out.tif")
        assert len(list_names(tmp_path)) == 1
    assert list_names(tmp_path) == ["out.tif"]
