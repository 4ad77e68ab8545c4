"""Where a result goes: whether it may be written there, and the hidden temporary that becomes it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from geosharp.errors import OutputError, UsageError

if sys.platform != "win32":
    import fcntl

TIFF_SUFFIXES = (".tif", ".tiff")
PNG_SUFFIXES = (".png",)
# Where files cannot be locked, age tells a stale temporary from a live one.
_STALE_AFTER_S = 24 * 3600.0
# What GDAL keeps beside a raster; left over from an older file it would describe the new one.
_SIDECARS = (".aux.xml", ".ovr", ".msk", ".msk.ovr")


def check_target(
    path: str | Path,
    *,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
    suffixes: Sequence[str] = TIFF_SUFFIXES,
) -> None:
    """Refuse an output path that cannot or must not be written, before any work is done.

    inputs: files that are read in the same run; none of them may be replaced, under any name.
    suffixes: accepted endings, in lower case.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(path, "is a folder", "the path of a file", "Add a file name, such as fused.tif")
    if path.suffix.lower() not in suffixes:
        found = f"ends in {path.suffix!r}" if path.suffix else "has no suffix"
        raise UsageError(path, found, f"one of {', '.join(suffixes)}", f"Name it {path.stem}{suffixes[0]}")
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(path, f"its folder {folder} does not exist", "a folder that exists",
                          f"Create it with: mkdir -p {folder}")  # fmt: skip
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(path, f"its folder {folder} is not writable", "a folder you may write to",
                          "Choose another folder, or change its permissions")  # fmt: skip
    for source in inputs:
        if _same_file(path, Path(source)):
            raise OutputError(path, f"is the same file as the input {source}", "a file that is not read",
                              "Choose another name for the output")  # fmt: skip
    if os.path.lexists(path) and not overwrite:
        raise OutputError(path, "exists already", "a new file", "Choose another name, or pass --overwrite")


def _same_file(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


class Temporary:
    """A hidden empty file beside `target`, locked while this object lives, that can take its place.

    It is created with the permissions of any new file. Whatever else starts with its name (GDAL's
    sidecars and scratch files) goes when it goes.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path, self._descriptor = _create_locked(target)

    def promote(self, *, overwrite: bool) -> None:
        """Flush to the disk and rename over the target; what lay beside an older target goes too."""
        os.fsync(self._descriptor)
        if not overwrite and os.path.lexists(self.target):
            raise OutputError(self.target, "was created by someone else meanwhile", "a new file",
                              "Choose another name, or pass --overwrite")  # fmt: skip
        if sys.platform == "win32":  # an open file cannot be renamed there
            self._close()
        self.path.replace(self.target)
        for ending in _SIDECARS:
            self.target.with_name(self.target.name + ending).unlink(missing_ok=True)
        _sync_folder(self.target.parent)
        self.discard()
        with contextlib.suppress(OSError):  # the result is in place: a leftover does not undo that
            delete_stale(self.target)

    def discard(self) -> None:
        """Remove the file, if it still has this name, and everything made beside it."""
        with contextlib.suppress(OSError):
            for file in _family(self.path):
                file.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def delete_stale(target: Path) -> None:
    """Remove temporaries of this target whose writers are gone; those of living writers stay."""
    pattern = re.compile(re.escape(f".{target.name}.") + r"[0-9a-f]{8}\.part")
    stems = {match[0] for file in target.parent.iterdir() if (match := pattern.match(file.name))}
    for stem in sorted(stems):
        path = target.with_name(stem + target.suffix)
        if not path.exists() or _is_abandoned(path):
            for file in _family(path):
                file.unlink(missing_ok=True)


def _create_locked(target: Path) -> tuple[Path, int]:
    while True:
        path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part{target.suffix}")
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        except FileExistsError:
            continue
        except OSError as error:
            found = f"cannot create a file beside it ({error.strerror})"
            needed = "a folder that takes new files"
            raise OutputError(target, found, needed, "Choose another folder") from error
        _lock(descriptor)
        # Another run may have taken the file for a stale one between its creation and the lock.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
            return path, descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Whether the lock was taken; None where this system or file system has no locks."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        taken = _lock(descriptor)
        if taken is None:
            return time.time() - os.fstat(descriptor).st_mtime > _STALE_AFTER_S
        return taken
    finally:
        os.close(descriptor)


def _family(path: Path) -> list[Path]:
    """The temporary and every file whose name goes on from its stem."""
    return [file for file in path.parent.iterdir() if file.name.startswith(path.stem)]


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system lets a folder be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
