"""A folder that goes when the work does, whatever became of that."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from geosharp.errors import OutputError, ResourceError
from geosharp.raster.output.scratch import scratch


def test_the_folder_goes_with_all_that_is_in_it() -> None:
    with scratch("room", "make some") as folder:
        (folder.path / "left.txt").write_text("behind")
    assert not folder.path.exists()


def test_what_cannot_be_written_in_it_is_told_by_what_would_help() -> None:
    full = OutputError("a.tif", "the disk is full", "space", "free some")
    with (
        scratch("room for two", "set TMPDIR") as folder,
        pytest.raises(ResourceError) as caught,
        folder.told(),
    ):
        raise full
    error = caught.value
    assert error.subject == f"the folder for temporary files, {folder.path.parent}"
    assert (error.found, error.needed, error.remedy) == ("the disk is full", "room for two", "set TMPDIR")
    assert not folder.path.exists()


def test_what_cannot_be_written_elsewhere_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, scratch("room", "make some"):
        raise OutputError(tmp_path / "mine.tif", "the disk is full", "space", "free some")
    assert caught.value.subject == str(tmp_path / "mine.tif")


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(ResourceError, match=r"^the folder for temporary files: cannot be used: No such file"):
        scratch("room", "make some").__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_what_a_kill_has_left_goes_with_the_next_run_and_what_lives_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os, signal; from geosharp.raster.output.scratch import scratch\n"
        "with scratch('', '') as folder:\n"
        "    (folder.path / 'half').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    (left,) = tmp_path.iterdir()
    other = tmp_path / "geosharp-demo.txt"
    other.touch()
    with scratch("", "") as young:
        assert left.exists()
        for path in tmp_path.iterdir():
            os.utime(path, (time.time() - 7200,) * 2)
        with scratch("", ""):
            assert not left.exists()
            assert young.path.exists()
            assert other.exists()
