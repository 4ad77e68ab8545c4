"""Where a result goes: whether it may be written there, and the hidden temporary that becomes it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from geosharp.errors import BusyError, OutputError, UsageError

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")

TIFF_SUFFIXES = (".tif", ".tiff")
PNG_SUFFIXES = (".png",)
# How often it is looked whether another run has ended, and for how long.
_LOOK_S, _PATIENCE_S = 5.0, 3600.0
# Where files cannot be locked, age tells a stale temporary from a live one.
_STALE_AFTER_S = 24 * 3600.0
# What GDAL keeps beside a raster; left over from an older file it would describe the new one.
_SIDECARS = (".aux.xml", ".ovr", ".msk", ".msk.ovr")
# GDAL's own file systems, and URIs; a Path has made one slash of two.
_ELSEWHERE = re.compile(r"/vsi[a-z0-9]+/|[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


def check_target(
    path: str | Path,
    *,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
    suffixes: Sequence[str] = TIFF_SUFFIXES,
) -> None:
    """Refuse an output path that cannot or must not be written, before any work is done.

    inputs: files that are read in the same run; none of them may be replaced, under any name.
    suffixes: accepted endings, in lower case. A link is followed: what it leads to is what is written.
    What is wrong with the path itself is a UsageError, what is wrong on the disk an OutputError; a
    file is made beside the target and removed again to see whether one can be.
    """
    path = Path(path)
    if _ELSEWHERE.match(str(path)):
        raise UsageError(
            path, "is not on this machine's disks", "a local path", "write it here, then copy it"
        )
    _check_reach(path)
    target = follow_link(path)
    _check_kind(path, target)
    if path.suffix.lower() not in suffixes:
        found = f"ends in {path.suffix!r}" if path.suffix else "has no suffix"
        raise UsageError(path, found, f"one of {', '.join(suffixes)}", f"name it {path.stem}{suffixes[0]}")
    for source in inputs:
        if _same_file(target, source):
            raise UsageError(path, f"is the same file as the input {source}", "a file that is not read",
                             "choose another name for the output")  # fmt: skip
    _check_folder(path, target.parent)
    if target.exists() and not overwrite:
        found = "exists already" if target == path else f"leads to {target}, which exists already"
        raise OutputError(path, found, "a new file", "choose another name, or pass --overwrite")
    Temporary(path, trial=True).discard()


def follow_link(path: Path) -> Path:
    """Where a file of this name is: `path`, or where it leads as a link, whether there is a file or not."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _check_reach(path: Path) -> None:
    """Refuse a path that the system does not even look up: too long, or in a folder closed to us."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        found = f"cannot be looked up ({error.strerror})"
        raise OutputError(
            path, found, "a path within reach", "choose another folder, or a shorter name"
        ) from error


def _check_kind(path: Path, target: Path) -> None:
    """Refuse what is there and can be no file."""
    _check_reach(target)
    if target.is_symlink():
        raise OutputError(path, "is a link that leads back to itself", "a file or a new name", "remove it")
    if target.is_dir():
        raise OutputError(path, "is a folder", "the path of a file", "add a file name, such as fused.tif")
    if target.exists() and not target.is_file():
        raise OutputError(path, "is a device or a pipe", "a plain file", "choose another name")


def _check_folder(path: Path, folder: Path) -> None:
    """Refuse a folder that is not there."""
    if folder.is_dir():
        return
    there = next((place for place in (folder, *folder.parents) if os.path.lexists(place)), folder)
    if os.path.lexists(there) and not there.is_dir():
        found = f"lies under {there}, which is no folder"
        raise OutputError(path, found, "a folder that exists", "choose another folder")
    raise OutputError(path, f"its folder {folder} does not exist", "a folder that exists",
                      f"create it with: mkdir -p {shlex.quote(str(folder))}")  # fmt: skip


def _same_file(one: Path, other: str | Path) -> bool:
    try:
        # One of them may not be there, or be a name that only GDAL knows.
        with contextlib.suppress(OSError):
            return one.samefile(other)
        return os.path.realpath(one) == os.path.realpath(other)
    except ValueError:  # no file can have such a name
        return False


class Temporary:
    """A hidden empty file beside `target`, locked while this object lives, that can take its place.

    Beside and in place of what a link leads to: the link stays, and the result lies on its target's
    disk. It is created with the permissions of any new file. Whatever else starts with its name (GDAL's
    sidecars and scratch files) goes when it goes; and it goes with this object or with the process at the
    latest, also where Ctrl-C came while it was being made, handed over or removed. trial: nothing will be
    written into it.
    """

    def __init__(self, target: Path, *, trial: bool = False) -> None:
        self._named = target
        self.target = follow_link(target)
        self._descriptor = -1
        while self._descriptor < 0:
            self.path = _hidden_name(self.target, "trial" if trial else "part")
            self._at_the_latest = weakref.finalize(self, _remove_family, self.path)
            try:
                self._descriptor = _create_locked(self.path, self.target)
            except FileExistsError:
                self._at_the_latest.detach()  # it is another run's

    def check_alone(self) -> None:
        """Refuse where a run that came before is writing the same target."""
        others: list[Path] = []
        with contextlib.suppress(OSError):  # a folder that may be written to need not be readable
            others = _temporaries(self.target, "part")
        for other in others:
            if other < self.path and _is_living(other):
                raise BusyError(self._named, "is being written by another run", "one run at a time",
                                "wait for it, or choose another name")  # fmt: skip

    def promote(self, *, overwrite: bool) -> None:
        """Flush to the disk and rename over the target; what lay beside an older target goes too."""
        os.fsync(self._descriptor)
        if not overwrite and os.path.lexists(self.target):
            raise OutputError(self._named, "was created by someone else meanwhile", "a new file",
                              "choose another name, or pass --overwrite")  # fmt: skip
        if sys.platform == "win32":  # an open file cannot be renamed there
            self._close()
        self.path.replace(self.target)
        for place in {self._named, self.target}:
            for ending in _SIDECARS:
                place.with_name(place.name + ending).unlink(missing_ok=True)
        _sync_folder(self.target.parent)
        self.discard()
        with contextlib.suppress(OSError):  # the result is in place: a leftover does not undo that
            delete_stale(self.target)

    def discard(self) -> None:
        """Remove the file, if it still has this name, and everything made beside it."""
        self._close()
        _remove_family(self.path)
        self._at_the_latest.detach()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Refuse where a run that came before is at work on the target, and be the one in the block."""
    temporary = Temporary(target)
    try:
        temporary.check_alone()
        yield
    finally:
        temporary.discard()


def delete_stale(target: Path) -> None:
    """Remove temporaries of this target whose writers are gone; those of living writers stay."""
    for path in _temporaries(target, "part|trial"):
        if not path.exists() or _is_abandoned(path):
            for file in _family(path):
                file.unlink(missing_ok=True)


def _hidden_name(target: Path, kind: str) -> Path:
    """One that sorts by when it was chosen."""
    return target.with_name(f".{target.name}.{time.time_ns():016x}.{kind}{target.suffix}")


def _temporaries(target: Path, kinds: str) -> list[Path]:
    """The temporaries of this target, whosoever they are; of some there is only what was made beside."""
    pattern = re.compile(re.escape(f".{target.name}.") + rf"[0-9a-f]{{8,16}}\.(?:{kinds})")
    stems = {match[0] for file in target.parent.iterdir() if (match := pattern.match(file.name))}
    return [target.with_name(stem + target.suffix) for stem in sorted(stems)]


def _create_locked(path: Path, target: Path) -> int:
    """A descriptor of the new file `path`, locked; FileExistsError where the name is, or was, taken."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    except FileExistsError:
        raise
    except OSError as error:
        found = f"its folder {target.parent} takes no new file ({error.strerror})"
        needed = "a folder that you may write to"
        raise OutputError(target, found, needed, "choose another folder, or a shorter name") from error
    # Another run may have looked at the file, or taken it for a stale one, before it was locked.
    locked = lock_file(descriptor) is not False
    there = path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor))
    if locked and there:
        return descriptor
    os.close(descriptor)
    if there:
        path.unlink(missing_ok=True)
    raise FileExistsError(path)


def await_others(act: Callable[[], T]) -> T:
    """What `act` gives, which is tried again as long as another run writes what it is to write: one that
    nobody waits for any more may not have heard of it."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return act()
        except BusyError:
            if time.monotonic() > until:
                raise
        time.sleep(_LOOK_S)


def lock_file(descriptor: int) -> bool | None:
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


def _is_living(path: Path) -> bool:
    """Whether its writer is known to run; not where files cannot be locked."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return lock_file(descriptor) is False
    finally:
        os.close(descriptor)


def _is_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        taken = lock_file(descriptor)
        if taken is None:
            return time.time() - os.fstat(descriptor).st_mtime > _STALE_AFTER_S
        return taken
    finally:
        os.close(descriptor)


def _remove_family(path: Path) -> None:
    with contextlib.suppress(OSError):
        for file in _family(path):
            file.unlink(missing_ok=True)


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
