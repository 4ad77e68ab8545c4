"""A folder for what a run makes and nobody keeps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geosharp.errors import OutputError, ResourceError

_PLACE = "the folder for temporary files"


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
    """A folder that goes with the `with` block."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="geosharp-")
    except OSError as error:
        raise ResourceError(_PLACE, f"cannot be used: {error.strerror or error}", needed, remedy) from error
    with folder as path:
        yield Scratch(Path(path), needed, remedy)
