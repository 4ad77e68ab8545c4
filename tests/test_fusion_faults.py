"""What dies midway tells why, leaves nothing half-written, and --resume completes it once the cause is gone.

examples/benchmarks/faults.py does the same to processes of their own, on disks that are full in truth.
"""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from geosharp.engine.stream import Progress
from geosharp.errors import GeosharpError, InputError, OutputError
from geosharp.raster.output.preview import write_preview
from tests.made import make_pair, write_raster
from tests.quick import fuse

# Of a run's 16 tiles, and the stage after them.
MOMENTS = [("fuse", 2), ("fuse", 12), ("finish", 16)]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "in").mkdir()
    # In strips, so that not all of PAN is read with its first tile.
    return make_pair(tmp_path / "in", pan_profile={"blockysize": 16, "compress": "deflate"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def whole(tmp_path: Path, pair: tuple[Path, Path]) -> bytes:
    """What an undisturbed run writes."""
    run(pair, tmp_path / "whole.tif")
    return (tmp_path / "whole.tif").read_bytes()


def run(pair: tuple[Path, Path], out: Path, **given: Any) -> None:
    fuse(*pair, out, **{"tile": 64, "threads": 1, "overviews": False, **given})


def at(moment: tuple[str, int], act: Callable[[], object]) -> Callable[[Progress], None]:
    """A progress callback that acts once, at a stage after so many tiles."""
    waiting = [act]

    def progress(done: Progress) -> None:
        if waiting and (done.stage, done.tiles) == moment:
            waiting.pop()()

    return progress


def check_resumed(pair: tuple[Path, Path], folder: Path, whole: bytes) -> None:
    """The law: the same bytes, and nothing beside them."""
    run(pair, folder / "out.tif", resume=True)
    assert [path.name for path in folder.iterdir()] == ["out.tif"]
    assert (folder / "out.tif").read_bytes() == whole


@contextmanager
def restored_limit() -> Iterator[Callable[[int], None]]:
    """Gives what lets no file grow beyond a number of bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_disk_that_fills_up(
    pair: tuple[Path, Path], folder: Path, whole: bytes, moment: tuple[str, int]
) -> None:
    with restored_limit() as limit, pytest.raises(OutputError, match=r"out\.tif: cannot be written"):
        run(pair, folder / "out.tif", resume=True, progress=at(moment, lambda: limit(4096)))
    assert {path.name for path in folder.iterdir()} <= {".out.tif.journal"}
    check_resumed(pair, folder, whole)


@pytest.mark.parametrize("which", [0, 1], ids=["PAN", "MS"])
@pytest.mark.parametrize("left", [0, 600])
def test_an_input_that_is_cut_off(
    pair: tuple[Path, Path], folder: Path, whole: bytes, which: int, left: int
) -> None:
    path = pair[which]
    content = path.read_bytes()
    cut = at(("fuse", 1), lambda: os.truncate(path, left))
    with suppress(InputError):
        run(pair, folder / "out.tif", resume=True, progress=cut)
        # All that was needed of it was read by then.
        assert (folder / "out.tif").read_bytes() == whole
        (folder / "out.tif").unlink()
    assert {each.name for each in folder.iterdir()} <= {".out.tif.journal"}
    path.write_bytes(content)
    check_resumed(pair, folder, whole)


def test_a_folder_that_is_removed(pair: tuple[Path, Path], folder: Path, whole: bytes) -> None:
    with pytest.raises(OutputError, match="out of reach"):
        run(pair, folder / "out.tif", resume=True, progress=at(("fuse", 3), lambda: shutil.rmtree(folder)))
    folder.mkdir()
    check_resumed(pair, folder, whole)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_right_to_write_that_is_lost(
    pair: tuple[Path, Path], folder: Path, whole: bytes, moment: tuple[str, int]
) -> None:
    close = at(moment, lambda: folder.chmod(0o555))
    with pytest.raises(OutputError, match=r"out\.tif"):
        run(pair, folder / "out.tif", resume=True, progress=close)
    folder.chmod(0o755)
    assert not (folder / "out.tif").exists()
    check_resumed(pair, folder, whole)


@pytest.mark.parametrize(
    "given", [{}, {"resume": True}, {"overwrite": True}, {"overwrite": True, "resume": True}], ids=str
)
def test_of_two_runs_to_one_output_one_wins_and_the_other_is_told(
    pair: tuple[Path, Path], folder: Path, whole: bytes, given: dict[str, bool]
) -> None:
    told = []

    def second() -> None:
        with pytest.raises(GeosharpError) as caught:
            run(pair, folder / "out.tif", **given)
        told.append(caught.value)

    run(pair, folder / "out.tif", progress=at(("fuse", 3), second), **given)
    assert "another run" in told[0].found
    assert [path.name for path in folder.iterdir()] == ["out.tif"]
    assert (folder / "out.tif").read_bytes() == whole


def test_a_preview_that_the_disk_has_no_room_for(pair: tuple[Path, Path], folder: Path) -> None:
    with restored_limit() as limit:
        limit(1000)
        with pytest.raises(OutputError, match="only its preview failed"):
            write_preview(pair[0], folder / "out.png")
    assert list(folder.iterdir()) == []


def test_a_picture_that_cannot_be_decoded_has_no_preview(tmp_path: Path, folder: Path) -> None:
    import numpy as np

    path = write_raster(tmp_path / "a.tif", np.arange(10_000, dtype=np.uint16).reshape(1, 100, 100))
    os.truncate(path, 5000)
    with pytest.raises(InputError, match="cannot be read"):
        write_preview(path, folder / "out.png")
    assert list(folder.iterdir()) == []
