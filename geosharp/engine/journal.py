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
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from geosharp.engine.lineage import check_same
from geosharp.engine.plan import WAITING
from geosharp.engine.stream import Fused
from geosharp.errors import BusyError, OutputError, PairError
from geosharp.notes import Tell
from geosharp.raster.grid import Rect
from geosharp.raster.output.target import lock_file
from geosharp.raster.source import Array

SUFFIX = ".journal"
_MAGIC = b"geosharp journal 2\n"
# Of a record: the mark of its run, row and column of the tile, kind, and the length of what follows; then the
# checksum of all this.
_ABOUT, _CHECKSUM = struct.Struct("<8sqqBQ"), struct.Struct("<I")
_HEAD = _ABOUT.size + _CHECKSUM.size
_SKIPPED, _FILLED = range(2)
# Not through a link that someone has put there.
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
_LONGEST_LINE = 2**20
# Seconds after which a run is worth keeping that nobody said would be resumed; and between syncs.
_LATER, _SYNC_EVERY = 20.0, 10.0


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
        self._waiting: queue.Queue[tuple[Rect, Fused | None] | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None
        # Whether there is anything to go on from; why nothing more is kept.
        self._kept, self._gone_wrong = False, ""
        # Whatever gets between records of this run is none of its tiles.
        self._mark = hashlib.sha256(json.dumps(self._identity, sort_keys=True).encode()).digest()[:8]

    def __enter__(self) -> Self:
        """Find what an earlier run has kept, where this one is to go on with it."""
        if self._resume and self.path.exists():
            self._file = self._open()
            try:
                if self._check_identity():
                    self._places = dict(self._scan())
                    self._kept = bool(self._places)
                    self._reader = self.path.open("rb")
                else:
                    self._begin(self._file)
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
                # What a full disk did not take is missing there already, and told.
                with contextlib.suppress(OSError):
                    file.close()
        self._thread = self._file = self._reader = None

    @contextlib.contextmanager
    def told(self, tell: Tell) -> Iterator[None]:
        """Say what there is to go on from, before the block and where it fails; afterwards nothing is,
        nor where the pair is at fault."""
        if not self._resume and self.path.exists():
            tell(
                f"starting anew: with --resume {self._out} would go on where an earlier run stopped, if it "
                "had the same files and settings"
            )
        try:
            yield
        except PairError:
            # There is nothing to go on to: the same pair would be refused again.
            if self._kept:
                self._discard()
            raise
        except BaseException:
            if self._kept:
                tell("what is finished is kept: the same command with --resume goes on from there")
            raise
        finally:
            if self._gone_wrong:
                tell(f"tiles were no longer kept for --resume: {self._gone_wrong}")
        if self.count:
            tell(f"{self.count} tiles were there from an earlier run")
        self._discard()

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
            about = self._reader.read(_ABOUT.size)
            (checksum,) = _CHECKSUM.unpack(self._reader.read(_CHECKSUM.size))
            _, row, col, kind, length = _ABOUT.unpack(about)
            wanted = self._form.size(tile) if kind == _FILLED else 0
            if (row, col, length) != (tile.row, tile.col, wanted):
                return None
            content = self._reader.read(length)
            if len(content) == length and zlib.crc32(content, zlib.crc32(about)) == checksum:
                return (self._unpack(tile, content) if kind == _FILLED else None,)
        return None

    def add(self, tile: Rect, fused: Fused | None) -> None:
        """Keep a finished tile. What goes wrong with that ends the journal, not the run."""
        if self._gone_wrong or time.monotonic() < self._start:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_all, name="geosharp-journal", daemon=True)
            self._thread.start()
        self._waiting.put((tile, fused))

    def _discard(self) -> None:
        """Remove it, as the output is there; not one that another run is writing."""
        with contextlib.suppress(OSError, OutputError):
            if self.path.exists():
                self._open().close()
                self.path.unlink()

    def _open(self) -> IO[bytes]:
        """The file, made where there is none, locked."""
        try:
            file = os.fdopen(os.open(self.path, _OPEN, 0o666), "r+b")
        except OSError as error:
            found, remedy = f"cannot be opened ({error.strerror})", "check its permissions, or remove it"
            raise OutputError(self.path, found, "a journal that can be read and added to", remedy) from error
        if lock_file(file.fileno()) is False:
            file.close()
            found = f"is in use: another run is writing {self._out}"
            raise BusyError(self.path, found, "one run at a time", "wait for it, or choose another --out")
        return file

    def _check_identity(self) -> bool:
        """Whether tiles may follow; raises where they would be of other pixels, or it is no journal."""
        assert self._file is not None
        start = self._file.read(len(_MAGIC) + _LONGEST_LINE)
        line = start.removeprefix(_MAGIC).partition(b"\n")
        if _MAGIC.startswith(start) or (start.startswith(_MAGIC) and not line[1]):
            # Its run was killed before it kept anything.
            return False
        told: dict[str, str] = {}
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            if start.startswith(_MAGIC):
                told = dict(json.loads(line[0]).items())
        if not told:
            found = "no journal of this version of geosharp, or a damaged one"
            remedy = f"remove {self.path}, or leave --resume out"
            raise OutputError(self.path, found, "the journal of an interrupted run", remedy)
        check_same(told, self._identity, self.path, "the journal")
        self._file.seek(len(_MAGIC) + len(line[0]) + 1)
        return True

    def _scan(self) -> Iterator[tuple[tuple[int, int], int]]:
        """Where each tile's record begins; what comes after the last whole one is cut off."""
        assert self._file is not None
        size, place = os.fstat(self._file.fileno()).st_size, self._file.tell()
        while place + _HEAD <= size:
            self._file.seek(place)
            mark, row, col, kind, length = _ABOUT.unpack(self._file.read(_ABOUT.size))
            if mark != self._mark or kind > _FILLED or length > size - place - _HEAD:
                break
            yield (row, col), place
            place += _HEAD + length
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
            if self._gone_wrong:
                continue
            try:
                self._keep(*given)
                if time.monotonic() - synced > _SYNC_EVERY and self._file is not None:
                    os.fsync(self._file.fileno())
                    synced = time.monotonic()
            except Exception as error:
                # Whatever it is, the run waits for this thread, and needs no journal.
                self._gone_wrong = str(error) or type(error).__name__

    def _keep(self, tile: Rect, fused: Fused | None) -> None:
        if self._file is None:
            self._file = self._open()
            self._begin(self._file)
        arrays: list[Array] = []
        if fused is not None:
            valid = np.ones(tile.shape, bool) if fused.valid is None else fused.valid
            spread = [] if fused.spread is None else [fused.spread]
            arrays = [np.ascontiguousarray(each) for each in (fused.data, valid, *spread)]
        length, kind = sum(each.nbytes for each in arrays), _FILLED if arrays else _SKIPPED
        about = _ABOUT.pack(self._mark, tile.row, tile.col, kind, length)
        checksum = zlib.crc32(about)
        for each in arrays:
            checksum = zlib.crc32(each.data, checksum)
        if shutil.disk_usage(self.path.parent).free < self._reserve + length:
            raise OSError(errno.ENOSPC, "the room that is left on the disk is the output's")
        self._file.seek(0, os.SEEK_END)
        self._file.write(about + _CHECKSUM.pack(checksum))
        for each in arrays:
            self._file.write(each.data)
        self._file.flush()
        self._kept = True

    def _begin(self, file: IO[bytes]) -> None:
        """In place of an older one."""
        file.seek(0)
        file.truncate()
        file.write(_MAGIC + json.dumps(self._identity).encode() + b"\n")


def beside(out: Path) -> Path:
    """Where the journal of an output is."""
    return out.with_name(f".{out.name}{SUFFIX}")
