"""A table of scenes, a CSV or a Parquet file: which PAN and MS, and what is asked for each."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geosharp.errors import InputError, UsageError
from geosharp.raster.opening import check_exists

TABLES = (".csv", ".parquet")
# What GDAL opens though it is no path: documents, URIs and parts of containers.
_GDALS_OWN = re.compile(r"\s*<|[^/]*:")
_NEEDED, _COLUMNS = ("pan", "ms"), ("pan", "ms", "out", "options")
_TABLE = "write one line a scene under the line pan,ms"
_SEVERAL = "write several files of MS with ; between"
_EXTRA = "archive"
# More scenes than any archive has, and fewer than fill the memory.
_MOST_ROWS = 1_000_000

# Where a row stands ("line 3"), and its cells by the columns' names in small letters.
_Row = tuple[str, Mapping[str, object]]


@dataclass(frozen=True)
class Listed:
    """A scene that is listed or found: PAN's file, and MS's, one or one per band.

    rule: what tells that they belong together; place: where it is listed, for errors; name: what to call the
    result, empty to go by PAN's; out: where it is to be, and options: what is asked for this scene alone,
    both as they are listed; folder: that paths in options count from; source: the address of the STAC item it
    is from; times: when it was taken, (from, to), as that item has them.
    """

    pan: str
    ms: tuple[str, ...]
    rule: str = "as given"
    place: str = "SCENES"
    name: str = ""
    out: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    source: str = ""
    times: tuple[str, str] = ("", "")


def read_manifest(path: Path) -> list[Listed]:
    """A table with columns pan and ms, in any order and among others; several files of MS with ; between, or
    as a list. Columns out and options (a JSON object) are taken as they are: whoever uses them checks them.

    Paths count from the table's folder. What is wrong in a line, and a file that is not there, is told by
    the line.
    """
    rows = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    scenes = [_read_scene(path, f"{path}, {place}", cells) for place, cells in rows]
    if not scenes:
        raise InputError(path, "no scene", "a line for each scene", _TABLE)
    return scenes


def _read_scene(path: Path, place: str, cells: Mapping[str, object]) -> Listed:
    pan = _text(cells.get("pan"), "pan", place)
    listed = cells.get("ms")
    several = listed if isinstance(listed, list) else _text(listed, "ms", place).split(";")
    parts = [part for each in several if (part := _text(each, "ms", place))]
    if not pan or not parts:
        missing = " and no ".join(role for role, there in (("PAN", pan), ("MS", parts)) if not there)
        raise InputError(place, f"no {missing}", "a PAN and its MS", _TABLE)
    pan, *parts = (_from(path.parent, name) for name in (pan, *parts))
    for name, role in ((pan, "PAN"), *((part, "MS") for part in parts)):
        _check_there(name, role, place)
    return Listed(
        pan,
        tuple(parts),
        rule=f"by {path.name}",
        place=place,
        out=_text(cells.get("out"), "out", place),
        options=_read_options(cells.get("options"), place),
        folder=str(path.parent),
    )


def _text(value: object, column: str, place: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        found = f"{value!r:.40} as {column}"
        raise InputError(place, found, "a text", "write the column as text")
    if "\0" in value:
        raise InputError(place, "a NUL", "names of files", "correct the name")
    return value.strip()


def _read_options(value: object, place: str) -> dict[str, Any]:
    """A JSON object, or what Parquet has for one, in which None stands for nothing."""
    if isinstance(value, str):
        text = value.strip()
        try:
            value = json.loads(text) if text else None
        except (ValueError, RecursionError) as error:
            remedy = 'write them as {"method": "glp"}, in a CSV as "{""method"": ""glp""}"'
            raise InputError(
                place, f"options that are not JSON ({error})", "a JSON object", remedy
            ) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        remedy = 'write them as {"method": "glp"}'
        raise InputError(place, f"{value!r:.40} as options", "a JSON object", remedy)
    return {str(name): each for name, each in value.items() if each is not None}


def _check_columns(path: Path, heading: Sequence[str]) -> None:
    if not set(_NEEDED) <= set(heading):
        found = f"columns {', '.join(heading)}" if heading else "no line"
        raise InputError(path, found, "columns pan and ms in the first line", _TABLE)
    if twice := [name for name in _COLUMNS if heading.count(name) > 1]:
        raise InputError(path, f"column {twice[0]} twice", "each column once", "leave one of them out")


def _read_csv(path: Path) -> Iterator[_Row]:
    """The lines that are not blank, by their numbers from 1, and their cells."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}"
        raise InputError(path, found, "a CSV of scenes", _TABLE) from error
    reader = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    heading: list[str] = []
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if "\0" in "".join(cells):
                raise InputError(f"{path}, line {line}", "a NUL", "a CSV in UTF-8", "save it as CSV in UTF-8")
            if any(cells) and not heading:
                heading = [name.lower() for name in cells]
                _check_columns(path, heading)
            elif any(cells):
                _check_length(f"{path}, line {line}", cells, heading)
                # A line may be shorter than the heading.
                yield f"line {line}", dict(zip(heading, cells, strict=False))
            line = reader.line_num + 1
    except csv.Error as error:
        remedy = "correct the line: names with commas in double quotes, and those closed"
        raise InputError(f"{path}, line {line}", f"not CSV ({error})", "a CSV of scenes", remedy) from error
    if not heading:
        _check_columns(path, heading)


def _check_length(place: str, cells: Sequence[str], heading: Sequence[str]) -> None:
    """Refuse what stands beyond the last column: it would be left out unseen."""
    if beyond := [cell for cell in cells[len(heading) :] if cell]:
        found = f"{', '.join(beyond)} beyond the last column"
        needed = f"{len(heading)} columns, as in the first line ({', '.join(heading)})"
        remedy = f"{_SEVERAL}, and a name that has a comma in double quotes"
        raise InputError(place, found, needed, remedy)


def _read_parquet(path: Path) -> Iterator[_Row]:
    """The rows by their numbers from 1, and their cells in the columns that count."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            path,
            "pyarrow, which reads Parquet, is not installed",
            f"geosharp with its extra '{_EXTRA}', or a CSV",
            f"run pip install 'geosharp[{_EXTRA}]'",
        ) from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            _check_columns(path, [name.strip().lower() for name in file.schema_arrow.names])
            names = {name: name.strip().lower() for name in file.schema_arrow.names}
            if file.metadata.num_rows > _MOST_ROWS:
                found, needed = f"{file.metadata.num_rows} rows", f"{_MOST_ROWS} scenes at most"
                raise InputError(path, found, needed, "cut it into several tables")
            read = [name for name, known in names.items() if known in _COLUMNS]
            for batch in file.iter_batches(columns=read):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", {names[name]: row[name] for name in read}
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        found = f"cannot be read as Parquet ({str(error).splitlines()[0] if str(error) else error!r})"
        raise InputError(path, found, "a Parquet file of scenes", "write it again") from error


def _check_there(name: str, role: str, place: str) -> None:
    """Refuse a file that is not there by its place in a table."""
    try:
        check_exists(name, role)
    except InputError as error:
        remedy = error.remedy if role == "PAN" else f"{error.remedy}; {_SEVERAL}"
        raise InputError(place, f"{name}: {error.found}", error.needed, remedy) from error


def _from(folder: Path, name: str) -> str:
    """A relative path counts from `folder`; what GDAL alone knows stays as it is."""
    there = folder / name
    return name if _GDALS_OWN.match(name) and not os.path.lexists(there) else str(there)
