"""A result takes its place at once and whole, or leaves its folder alone."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import rasterio
import rasterio.shutil

from geosharp.errors import OutputError, UsageError
from geosharp.raster.output import OutputFormat, SceneWriter
from geosharp.raster.output import target as target_module
from geosharp.raster.output.target import Temporary, check_target
from tests.raster.output.test_writer import list_names, make_content, make_image, save


def test_targets_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    source.write_bytes(b"source")
    (tmp_path / "hard.tif").hardlink_to(source)
    (tmp_path / "soft.tif").symlink_to(source)
    (tmp_path / "folder.tif").mkdir()
    check_target(tmp_path / "out.TIFF", inputs=[source])
    check_target(tmp_path / "out.tif", inputs=["a name\0 of no file"])
    check_target(tmp_path / "soft.tif", overwrite=True)
    for name in ("in.tif", "hard.tif", "soft.tif", "folder.tif/../in.tif"):
        with pytest.raises(UsageError, match="same file as the input"):
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
    with pytest.raises(OutputError, match=r"mkdir -p '.*/a b/c'"):
        check_target(tmp_path / "a b" / "c" / "out.tif")
    with pytest.raises(OutputError, match=r"lies under .*in.tif, which is no folder"):
        check_target(source / "below" / "out.tif")
    for elsewhere in ("/vsimem/out.tif", "s3://bucket/out.tif"):
        with pytest.raises(UsageError, match="a local path"):
            check_target(elsewhere)


def test_a_folder_that_takes_no_file_is_found_out_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_target(tmp_path / "out.tif")
    assert list_names(tmp_path) == []
    for name in (f"{'a' * 240}.tif", f"{'a' * 300}.tif"):  # with or without the temporary's ending
        with pytest.raises(OutputError, match=r"too long.* shorter name"):
            check_target(tmp_path / name)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match=r"takes no new file \(Permission denied\)"):
        check_target(tmp_path / "out.tif")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_only_plain_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.tif")
    for special in (tmp_path / "out.tif", Path("/dev/null")):
        with pytest.raises(OutputError, match="device or a pipe"):
            check_target(special, overwrite=True)


def test_a_link_is_followed(tmp_path: Path) -> None:
    disk, link, loop = tmp_path / "disk", tmp_path / "out.tif", tmp_path / "loop.tif"
    disk.mkdir()
    link.symlink_to("disk/real")
    (tmp_path / "out.tif.aux.xml").write_text("stale")
    for overwrite in (False, True):
        save(link, make_content((60, 60)), overwrite=overwrite)
        assert link.is_symlink()
        assert list_names(disk) == ["real"]
        assert list_names(tmp_path) == ["disk", "out.tif"]
    with pytest.raises(OutputError, match=r"leads to .*real, which exists already"):
        check_target(link)
    disk.joinpath("real").unlink()
    disk.rmdir()
    with pytest.raises(OutputError, match=r"its folder .*disk does not exist"):
        check_target(link)
    loop.symlink_to("loop.tif")
    with pytest.raises(OutputError, match="leads back to itself"):
        check_target(loop, overwrite=True)


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
    content = make_content((60, 60))
    with SceneWriter(path, content, OutputFormat()) as writer:
        live = Temporary(path)
        writer.write(content.grid.rect, *make_image(content))
    assert set(list_names(tmp_path)) == {"out.tif", live.path.name, *others}
    live.discard()
    assert set(list_names(tmp_path)) == {"out.tif", *others}


def test_the_space_that_counts_is_where_a_link_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, asked = tmp_path / "disk", []
    disk.mkdir()
    (tmp_path / "out.tif").symlink_to(disk / "real.tif")
    usage = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: asked.append(folder) or usage(folder))
    save(tmp_path / "out.tif", make_content((60, 60)))
    assert set(asked) == {disk}


def test_without_locks_age_tells_stale_from_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_module, "lock_file", lambda descriptor: None)
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


def test_an_interrupt_at_any_line_of_the_check_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C comes wherever it likes, also while the trial file is made, handed over or removed."""
    source = check_target.__code__.co_filename

    def interrupt_at(line: int) -> bool:
        left = line

        def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
            nonlocal left
            if frame.f_code.co_filename != source:
                return None
            if event in {"line", "return"}:
                left -= 1
                if left == 0:
                    sys.settrace(None)
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            check_target(tmp_path / "out.tif")
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    lines = 0
    while interrupt_at(lines + 1):
        lines += 1
        if any(tmp_path.iterdir()):
            gc.collect()
        assert list(tmp_path.iterdir()) == [], f"at line {lines}"
    assert lines > 50


@pytest.mark.parametrize("overwrite", [False, True])
def test_of_two_runs_that_write_one_file_the_first_goes_on(tmp_path: Path, overwrite: bool) -> None:
    path, content = tmp_path / "out.tif", make_content((60, 60))
    with SceneWriter(path, content, OutputFormat(), overwrite=overwrite) as first:
        second = SceneWriter(path, content, OutputFormat(), overwrite=overwrite)
        with pytest.raises(OutputError, match="written by another run"), second:
            pass
        first.write(content.grid.rect, *make_image(content))
    assert list_names(tmp_path) == ["out.tif"]


def test_of_two_runs_that_begin_at_once_one_goes_on(tmp_path: Path) -> None:
    first, second = Temporary(tmp_path / "out.tif"), Temporary(tmp_path / "out.tif")
    first.check_alone()
    with pytest.raises(OutputError, match="written by another run"):
        second.check_alone()
    first.discard()
    second.check_alone()
    second.discard()


def test_a_look_at_the_path_and_a_dead_run_stop_nobody(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    trial, mine = Temporary(path, trial=True), Temporary(path)
    (tmp_path / ".out.tif.00000000.part.tif").write_bytes(b"of a run that was killed")
    mine.check_alone()
    trial.discard()
    mine.discard()


def test_a_new_file_that_another_run_holds_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks whether it is stale locks it for a moment."""
    real, answers = target_module.lock_file, [False]
    monkeypatch.setattr(
        target_module, "lock_file", lambda descriptor: answers.pop() if answers else real(descriptor)
    )
    mine = Temporary(tmp_path / "out.tif")
    assert list_names(tmp_path) == [mine.path.name]
    mine.discard()
