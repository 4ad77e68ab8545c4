"""A folder for what a run makes and nobody keeps."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from geosharp.errors import OutputError, ResourceError
from geosharp.raster.output.target import lock_file

_PLACE = "the folder for temporary files"
_PREFIX = "geosharp-"
# A folder that is younger may be about to be locked by who made it.
_YOUNG_S = 3600.0


@dataclass(frozen=True)
class Scratch:
    """path: of the folder; needed, remedy: told where it has no room."""

    path: Path
    needed: str
    remedy: str

    @contextmanager
    def told(self) -> Iterator[None]:
        """What cannot be written in the block, which writes nowhere else, is told as its own."""
        try:
            yield
        except OutputError as error:
            place = f"{_PLACE}, {self.path.parent}"
            raise ResourceError(place, error.found, self.needed, self.remedy) from error


@contextmanager
def scratch(needed: str, remedy: str) -> Iterator[Scratch]:
    """A folder that goes with the `with` block; where a kill left one, the next run removes that."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
    except OSError as error:
        raise ResourceError(_PLACE, f"cannot be used: {error.strerror or error}", needed, remedy) from error
    with folder as name, _held(path := Path(name)):
        _sweep(path.parent)
        yield Scratch(path, needed, remedy)


@contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Hold the lock of a folder, if it was free; it goes with the process at the latest."""
    if sys.platform == "win32":  # folders cannot be opened there
        yield False
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield lock_file(descriptor) is True
    finally:
        os.close(descriptor)


def _sweep(place: Path) -> None:
    """Remove folders of runs that are gone."""
    for path in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime < _YOUNG_S or path.is_symlink():
                continue
            with _held(path) as abandoned:
                if abandoned:
                    shutil.rmtree(path, ignore_errors=True)
