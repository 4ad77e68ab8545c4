"""The finished tiles of a run, kept beside its output, from which the next run goes on if this one dies.

A file of records, each with its own checksum, that is only ever added to: whatever a kill leaves at its end
is cut off. Its first line tells what decides the pixels; a run in which any of that differs is refused.
Nothing in it is trusted: what does not fit the run is computed anew.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import queue
import shutil
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from geosharp.engine.stream import Fused
from geosharp.errors import OutputError
from geosharp.raster.grid import Rect

if sys.platform != "win32":
    import fcntl

SUFFIX = ".journal"
_MAGIC = b"geosharp journal 1\n"
# Of a record: its mark, row and column of the tile, kind, and length and checksum of what follows.
_HEAD = struct.Struct("<4sqqBQI")
_MARK = b"tile"
_SKIPPED, _FILLED = range(2)
_LONGEST_LINE = 2**20
# Seconds after which a run is worth keeping that nobody said would be resumed; and between syncs.
_LATER, _SYNC_EVERY = 20.0, 10.0
# A file is told by so many samples of so many bytes.
_SAMPLES, _SAMPLE = 64, 2**16
# Tiles that may wait to be kept.
_AHEAD = 8


@dataclass(frozen=True)
class Form:
    """What a tile of the run looks like. dtype: of its data; spread: whether it has one."""

    bands: int
    dtype: str
    spread: bool

    def arrays(self, tile: Rect) -> list[tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and type of data, mask and spread, in their order."""
        whole = (self.bands, *tile.shape)
        found: list[tuple[tuple[int, ...], np.dtype[Any]]] = [(whole, np.dtype(self.dtype))]
        found.append((tile.shape, np.dtype(bool)))
        return [*found, (whole, np.dtype(np.float32))] if self.spread else found

    def size(self, tile: Rect) -> int:
        """In bytes."""
        return sum(math.prod(shape) * dtype.itemsize for shape, dtype in self.arrays(tile))


class Journal:
    """The journal of one output. Finished tiles are kept by a thread of its own, from `_LATER` on, or at once
    where the run is one that resumes. identity: what decides pixels, as text by name; reserve: bytes of the
    disk that are the output's."""

    def __init__(
        self, out: Path, identity: Mapping[str, str], form: Form, *, resume: bool, reserve: int = 0
    ) -> None:
        self.path = beside(out)
        self._out, self._identity, self._form, self._resume = out, dict(identity), form, resume
        self._reserve = reserve
        self._start = time.monotonic() + (0.0 if resume else _LATER)
        # Of the journal's thread, and of who asks.
        self._file: IO[bytes] | None = None
        self._reader: IO[bytes] | None = None
        self._places: dict[tuple[int, int], int] = {}
        self._waiting: queue.Queue[tuple[Rect, Fused | None] | None] = queue.Queue(_AHEAD)
        self._thread: threading.Thread | None = None
        self._failed = False

    def __enter__(self) -> Self:
        """Find what an earlier run has kept, where this one is to go on with it."""
        if self._resume and self.path.exists():
            self._file = self._open("r+b")
            try:
                self._check_identity()
                self._places = dict(self._scan())
                self._reader = self.path.open("rb")
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
        for file in (self._file, self._reader):
            if file is not None:
                file.close()

    @contextlib.contextmanager
    def told(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Say what there is to go on from, before the block and where it fails; afterwards nothing is."""
        if not self._resume and self.path.exists():
            tell(f"starting anew: with --resume {self._out} would go on where an earlier run stopped")
        try:
            yield
        except BaseException:
            if self.path.exists() and self._file is not None:
                tell("what is finished is kept: the same command with --resume goes on from there")
            raise
        if self.count:
            tell(f"{self.count} tiles were there from an earlier run")
        self.discard()

    @property
    def count(self) -> int:
        """Tiles that an earlier run has finished."""
        return len(self._places)

    def find(self, tile: Rect) -> tuple[Fused | None] | None:
        """The tile as it was finished, (None,) where nothing in it was valid; None where it is not kept."""
        place = self._places.get((tile.row, tile.col))
        if place is None or self._reader is None:
            return None
        with contextlib.suppress(OSError, struct.error):
            self._reader.seek(place)
            _, _, _, kind, length, checksum = _HEAD.unpack(self._reader.read(_HEAD.size))
            if length != (self._form.size(tile) if kind == _FILLED else 0):
                return None
            content = self._reader.read(length)
            if len(content) == length and zlib.crc32(content) == checksum:
                return (self._unpack(tile, content) if kind == _FILLED else None,)
        return None

    def add(self, tile: Rect, fused: Fused | None) -> None:
        """Keep a finished tile. A disk that takes no more ends the journal, not the run."""
        if self._failed or time.monotonic() < self._start:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_all, name="geosharp-journal", daemon=True)
            self._thread.start()
        self._waiting.put((tile, fused))

    def discard(self) -> None:
        """Remove it: the output is there."""
        self.__exit__()
        self.path.unlink(missing_ok=True)

    def _open(self, mode: str) -> IO[bytes]:
        try:
            file = self.path.open(mode)
        except OSError as error:
            found, remedy = f"cannot be opened ({error.strerror})", "check its permissions, or remove it"
            raise OutputError(self.path, found, "a journal that can be read and added to", remedy) from error
        if not _lock(file):
            file.close()
            found = f"is in use: another run is writing {self._out}"
            raise OutputError(self.path, found, "one run at a time", "wait for it, or choose another --out")
        return file

    def _check_identity(self) -> None:
        """Raise where the journal is of a run that would give other pixels, or is none."""
        assert self._file is not None
        remedy = "take the settings and files of before, or leave --resume out to start anew"
        told: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            if self._file.read(len(_MAGIC)) == _MAGIC:
                told = dict(json.loads(self._file.readline(_LONGEST_LINE)).items())
        if not told:
            found = "no journal of this version of geosharp, or a damaged one"
            raise OutputError(self.path, found, "the journal of an interrupted run", remedy)
        names = sorted({*told, *self._identity})
        if differing := [name for name in names if told.get(name) != self._identity.get(name)]:
            changes = "; ".join(_tell(name, told.get(name), self._identity.get(name)) for name in differing)
            found = f"the journal of a run with other {', '.join(differing)} ({changes})"
            raise OutputError(self.path, found, "the same inputs, model and settings", remedy)

    def _scan(self) -> Iterator[tuple[tuple[int, int], int]]:
        """Where each tile's record begins; what comes after the last whole one is cut off."""
        assert self._file is not None
        size, place = os.fstat(self._file.fileno()).st_size, self._file.tell()
        while place + _HEAD.size <= size:
            self._file.seek(place)
            mark, row, col, kind, length, _ = _HEAD.unpack(self._file.read(_HEAD.size))
            if mark != _MARK or kind > _FILLED or length > size - place - _HEAD.size:
                break
            yield (row, col), place
            place += _HEAD.size + length
        self._file.truncate(place)

    def _unpack(self, tile: Rect, content: bytes) -> Fused:
        found, start = [], 0
        for shape, dtype in self._form.arrays(tile):
            count = math.prod(shape)
            found.append(np.frombuffer(content, dtype, count, start).reshape(shape).copy())
            start += count * dtype.itemsize
        data, valid, *spread = found
        return Fused(data, None if valid.all() else valid, spread[0] if spread else None)

    def _keep_all(self) -> None:
        """In the journal's thread: append what comes until None does."""
        synced = time.monotonic()
        while (given := self._waiting.get()) is not None:
            if self._failed:
                continue
            try:
                self._keep(*given)
                if time.monotonic() - synced > _SYNC_EVERY and self._file is not None:
                    os.fsync(self._file.fileno())
                    synced = time.monotonic()
            except (OSError, OutputError):
                # The run itself needs no journal.
                self._failed = True

    def _keep(self, tile: Rect, fused: Fused | None) -> None:
        if self._file is None:
            self._file = self._begin()
        kind, content = _SKIPPED, b""
        if fused is not None:
            valid = np.ones(tile.shape, bool) if fused.valid is None else fused.valid
            spread = [] if fused.spread is None else [fused.spread]
            content = b"".join(np.ascontiguousarray(each).tobytes() for each in (fused.data, valid, *spread))
            kind = _FILLED
        if shutil.disk_usage(self.path.parent).free < self._reserve + len(content):
            raise OSError(errno.ENOSPC, "the room that is left is the output's")
        head = _HEAD.pack(_MARK, tile.row, tile.col, kind, len(content), zlib.crc32(content))
        self._file.seek(0, os.SEEK_END)
        self._file.write(head + content)
        self._file.flush()

    def _begin(self) -> IO[bytes]:
        """A new journal in place of an older one."""
        file = self._open("a+b")
        file.truncate(0)
        file.write(_MAGIC + json.dumps(self._identity).encode() + b"\n")
        return file


def beside(out: Path) -> Path:
    """Where the journal of an output is."""
    return out.with_name(f".{out.name}{SUFFIX}")


def stamp(names: Sequence[str]) -> dict[str, str]:
    """What tells each file from another under its name: size, time of change, and a digest of parts of it.

    Files that are on no disk of this machine have their names alone.
    """
    found = {}
    for name in names:
        path = Path(name)
        found[f"file {path.name}"] = _stamp(path) if path.is_file() else "elsewhere"
    return found


def _stamp(path: Path) -> str:
    state, digest = path.stat(), hashlib.sha256()
    with path.open("rb") as file:
        for place in range(0, state.st_size, max(state.st_size // _SAMPLES, _SAMPLE)):
            file.seek(place)
            digest.update(file.read(_SAMPLE))
    return f"{state.st_size} bytes, {state.st_mtime_ns}, {digest.hexdigest()[:16]}"


def _tell(name: str, before: str | None, now: str | None) -> str:
    if name.startswith("file "):
        return f"{name.removeprefix('file ')} has changed" if before and now else f"{name}: another file"
    return f"{name} was {before or 'not given'}, is {now or 'not given'}"


def _lock(file: IO[bytes]) -> bool:
    """Whether nobody else holds it, as far as this system can tell."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
