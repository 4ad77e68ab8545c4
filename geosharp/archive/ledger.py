"""What became of each scene of a batch: a line of JSON for each, added as it is known."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from geosharp.errors import InputError, OutputError
from geosharp.raster.output.target import lock_file

NAME = "batch.jsonl"
DONE, FAILED, SKIPPED = "done", "failed", "skipped"
_LOOK_S = 0.01


@dataclass(frozen=True)
class Row:
    """A scene of a batch. state: "done", "failed", or "skipped" as its result was there; seconds: it took;
    error: why it failed, else empty; paired: what told that PAN and MS belong together; started: when, as
    ISO 8601 in UTC; pixels: of the result, millions of its grid; scores: by metric at full resolution, where
    they were asked for and have a value; asked: a digest of the files and options that it was tried
    with, empty where it was the machine that failed, which may do better the next time."""

    name: str
    pan: str
    ms: tuple[str, ...]
    out: str
    state: str
    seconds: float = 0.0
    method: str = ""
    warnings: tuple[str, ...] = ()
    error: str = ""
    paired: str = ""
    started: str = ""
    pixels: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    asked: str = ""


def digest_asked(pan: str, ms: Sequence[str], options: Mapping[str, Any]) -> str:
    """Of what is asked of a scene: its files, wherever they are named from, and arguments of `fuse`."""
    facts = [str(Path(name).absolute()) for name in (pan, *ms)], sorted(options.items())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def has_changed(files: Iterable[str], started: str) -> bool:
    """Whether any of the files was written, or put there, after `started`, see Row.started; what is on no
    disk, and what nothing is known of, has not."""
    try:
        before = datetime.fromisoformat(started).timestamp()
    except (ValueError, OverflowError):
        return False
    for name in files:
        with suppress(OSError, ValueError):
            state = Path(name).stat()
            # A copy may have the time of its original, and is put there later.
            if max(state.st_mtime, state.st_ctime) > before:
                return True
    return False


class Ledger:
    """The lines of all batches into one folder, the newest last."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def read(self) -> dict[str, Row]:
        """The newest row of each scene, by its name. A line cut off by a kill is none."""
        if not self.path.exists():
            return {}
        rows: dict[str, Row] = {}
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except OSError as error:
            raise self._unreadable(f"cannot be read ({error.strerror})") from error
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break
            row = _parse(line)
            if row is None:
                raise self._unreadable(f"line {number} is none of a batch's")
            rows[row.name] = row
        return rows

    def add(self, row: Row) -> None:
        """On the disk when this returns."""
        line = (json.dumps(asdict(row)) + "\n").encode()
        try:
            with self.path.open("a+b") as file:
                # Another batch may add to it, too.
                while lock_file(file.fileno()) is False:
                    time.sleep(_LOOK_S)
                # What a kill has cut off is no line, and is not to spoil the next.
                _cut_torn_line(file)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            found, needed = f"takes no more lines ({error.strerror})", "room for the batch's record"
            raise OutputError(
                self.path, found, needed, "free some space: results so far are complete"
            ) from error

    def _unreadable(self, found: str) -> InputError:
        remedy = "move it away to begin a new one; finished results are skipped all the same"
        return InputError(self.path, found, "the record of earlier batches", remedy)


def _cut_torn_line(file: Any) -> None:
    size = file.seek(0, os.SEEK_END)
    back = min(size, 2**20)
    file.seek(size - back)
    tail = file.read(back)
    if tail and not tail.endswith(b"\n"):
        file.truncate(size - back + tail.rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)


def _parse(line: bytes) -> Row | None:
    """None where the line is something else. Lines of earlier versions lack what these did not know."""
    try:
        told = json.loads(line)
        given = {part.name: told[part.name] if part.name in told else _default(part) for part in fields(Row)}
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not all(_CHECKS[str(part.type)](given[part.name]) for part in fields(Row)):
        return None
    return Row(**{**given, "ms": tuple(given["ms"]), "warnings": tuple(given["warnings"])})


def _default(part: Any) -> Any:
    """What a field is where nothing tells it; LookupError where it must be told."""
    if part.default_factory is not MISSING:
        return part.default_factory()
    if part.default is MISSING:
        raise LookupError(part.name)
    return part.default


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    # Neither NaN nor a whole number that no float holds.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e300


def _are_texts(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(map(_is_text, value))


def _are_numbers(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_number, value.values()))


# What a value must be, by the type of its field.
_CHECKS: dict[str, Callable[[object], bool]] = {
    "str": _is_text,
    "float": _is_number,
    "tuple[str, ...]": _are_texts,
    "Mapping[str, float]": _are_numbers,
}
