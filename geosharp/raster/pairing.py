"""Which PAN goes with which MS: files one after the other, a folder, or a table."""

from __future__ import annotations

import csv
import io
import os
import re
import reprlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from geosharp.errors import InputError, UsageError
from geosharp.raster.opening import check_exists
from geosharp.raster.source import FilePath
from geosharp.raster.vendors import Name, Pair, pair_by_band, pair_by_time, read_name

Scenes = FilePath | Sequence[tuple[FilePath, FilePath | Sequence[FilePath]]]

_RASTERS = {".tif", ".tiff", ".jp2", ".vrt", ".img", ".ntf", ".nitf", ".til", ".pix", ".dat"}
# What GDAL opens though it is no path: documents, URIs and parts of containers.
_GDALS_OWN = re.compile(r"\s*<|[^/]*:")
_COLUMNS = ("pan", "ms")
_TABLE = "write one line a scene under the line pan,ms"
_WAYS = "a PAN and its MS for every scene, one after the other; or one folder, or one CSV"


def name_pairs(scenes: Scenes) -> tuple[list[Pair], list[str]]:
    """The pairs that a caller means by (PAN, MS) pairs, by a folder or by a CSV; and notes on what is left
    out."""
    if isinstance(scenes, str | os.PathLike):
        return find_pairs([os.fspath(scenes)])
    try:
        pairs = [
            (os.fsdecode(pan), tuple(map(os.fsdecode, [ms] if isinstance(ms, str | os.PathLike) else ms)))
            for pan, ms in scenes
        ]
    except (TypeError, ValueError) as error:
        remedy = "give each scene as (pan, ms) or (pan, [ms, ms])"
        raise UsageError("SCENES", reprlib.repr(scenes), "pairs of names of files", remedy) from error
    _check_names([name for pan, ms in pairs for name in (pan, *ms)])
    return pairs, []


def find_pairs(named: Sequence[str]) -> tuple[list[Pair], list[str]]:
    """The pairs that a user means by PAN MS PAN MS ..., by one folder or by one CSV; and notes on what is
    left out."""
    _check_names(named)
    if len(named) == 1:
        return _find_in(named[0])
    if len(named) % 2:
        found, remedy = f"{len(named)} files", "name MS as one file a scene, or list several in a CSV"
        raise UsageError("SCENES", found, _WAYS, remedy)
    return [(pan, (ms,)) for pan, ms in zip(named[::2], named[1::2], strict=True)], []


def _find_in(name: str) -> tuple[list[Pair], list[str]]:
    """The pairs in a folder or a CSV."""
    path = Path(name)
    try:
        is_folder = path.is_dir()
    except OSError as error:
        found, remedy = f"'{name}' cannot be looked up ({error.strerror})", "check the name"
        raise UsageError("SCENES", found, _WAYS, remedy) from error
    if is_folder:
        return pair_folder(path)
    if path.suffix.lower() == ".csv":
        return read_table(path), []
    if os.path.lexists(path):
        raise UsageError("SCENES", f"'{name}' alone, one file", _WAYS, "name its PAN and its MS")
    raise UsageError("SCENES", f"'{name}': no such folder or file", _WAYS, "check the name")


def _check_names(names: Sequence[str]) -> None:
    """Refuse no names, and those that no file can have."""
    if not names:
        raise UsageError("SCENES", "nothing", _WAYS, "name a PAN and its MS")
    if wrong := next((name for name in names if "\0" in name), None):
        raise UsageError("SCENES", f"{wrong!r}, which holds a NUL", "names of files", "correct the name")


def pair_folder(folder: Path) -> tuple[list[Pair], list[str]]:
    """The pairs in the folder and those within it: PAN and MS of one name but for the word that tells them
    apart, or taken within seconds of each other, or Landsat's bands, a file each."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _RASTERS and path.is_file())
    pairs, used = pair_by_band(files)
    named = [(path, read_name(path.relative_to(folder))) for path in files if path not in set(used)]
    by_key: dict[str, list[tuple[Path, Name]]] = defaultdict(list)
    for path, name in named:
        by_key[name.key].append((path, name))
    found = []
    for alike in by_key.values():
        pans, mss = ([path for path, name in alike if name.role == role] for role in ("pan", "ms"))
        if len(pans) == len(mss) == 1:
            found.append((pans[0], mss[0]))
    paired = {path for pair in found for path in pair}
    found += pair_by_time([(path, name) for path, name in named if path not in paired])
    paired = {path for pair in found for path in pair}
    pairs += [(str(pan), (str(ms),)) for pan, ms in found]
    if not pairs:
        raise _without_pair(folder, files)
    notes = []
    if strays := [path for path, _ in named if path not in paired]:
        names = ", ".join(str(path.relative_to(folder)) for path in strays[:5])
        more = f" and {len(strays) - 5} more" if len(strays) > 5 else ""
        notes.append(f"{folder}: left out, as they are of no pair: {names}{more}")
    return sorted(pairs), notes


def _without_pair(folder: Path, files: Sequence[Path]) -> InputError:
    needed = "names such as a_pan.tif and a_ms.tif, or x_P.tif and x_M.tif"
    if not files:
        found = f"no raster (a file that ends in {', '.join(sorted(_RASTERS))})"
        return InputError(folder, found, needed, "name a folder that holds scenes")
    found = f"{len(files)} rasters, and no two whose names differ in PAN and MS alone"
    if len(files) == 1:
        found = f"one raster, {files[0].relative_to(folder)}"
    remedy = "rename them, name PAN and MS one after the other, or give a CSV with columns pan,ms"
    return InputError(folder, found, needed, remedy)


def read_table(path: Path) -> list[Pair]:
    """A CSV with columns pan and ms, in any order and among others; several files of MS with ; between.

    Paths count from the CSV's folder. What is wrong in a line, and a file that is not there, is told by the
    line.
    """
    rows = list(_read_rows(path))
    heading = [name.lower() for name in rows[0][1]] if rows else []
    if not set(_COLUMNS) <= set(heading):
        found = f"columns {', '.join(heading)}" if heading else "no line"
        raise InputError(path, found, "columns pan and ms in the first line", _TABLE)
    at = [heading.index(name) for name in _COLUMNS]
    pairs: list[Pair] = []
    for line, row in rows[1:]:
        pan, ms = (row[column] if column < len(row) else "" for column in at)
        parts = [name.strip() for name in ms.split(";") if name.strip()]
        if not pan or not parts:
            missing = " and no ".join(role for role, there in (("PAN", pan), ("MS", parts)) if not there)
            raise InputError(f"{path}, line {line}", f"no {missing}", "a PAN and its MS", _TABLE)
        pan, *parts = (_from(path.parent, name) for name in (pan, *parts))
        for name, role in ((pan, "PAN"), *((part, "MS") for part in parts)):
            _check_there(name, role, f"{path}, line {line}")
        pairs.append((pan, tuple(parts)))
    if not pairs:
        raise InputError(path, "no scene", "a line for each scene", _TABLE)
    return pairs


def _read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank: the number of each, from 1, and its cells."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}"
        raise InputError(path, found, "a CSV of scenes", _TABLE) from error
    reader = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if "\0" in "".join(cells):
                raise InputError(f"{path}, line {line}", "a NUL", "a CSV in UTF-8", "save it as CSV in UTF-8")
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        remedy = "correct the line: names with commas in double quotes, and those closed"
        raise InputError(f"{path}, line {line}", f"not CSV ({error})", "a CSV of scenes", remedy) from error


def _check_there(name: str, role: str, place: str) -> None:
    """Refuse a file that is not there by its place in a table."""
    try:
        check_exists(name, role)
    except InputError as error:
        raise InputError(place, f"{name}: {error.found}", error.needed, error.remedy) from error


def _from(folder: Path, name: str) -> str:
    """A relative path counts from `folder`; what GDAL alone knows stays as it is."""
    there = folder / name
    return name if _GDALS_OWN.match(name) and not os.path.lexists(there) else str(there)
