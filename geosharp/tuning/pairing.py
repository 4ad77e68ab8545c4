"""Which PAN goes with which MS: files one after the other, a folder, or a table."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from geosharp.errors import InputError, UsageError

# PAN's file, and MS's: one, or one per band.
Pair = tuple[str, tuple[str, ...]]

_RASTERS = {".tif", ".tiff", ".jp2", ".vrt", ".img", ".ntf", ".nitf", ".til", ".pix", ".dat"}
# Words of a name that tell PAN and MS apart, as vendors write them: PAN, MSS1, MUL, P2AS, M2AS ...
_PAN = re.compile(r"(pan|panchromatic)\d*|p|p\d[a-z]{2}")
_MS = re.compile(r"(ms|mss|mul|multi|multispectral|mx|xs)\d*|m|m\d[a-z]{2}")
_COLUMNS = ("pan", "ms")


def find_pairs(named: Sequence[str]) -> tuple[list[Pair], list[str]]:
    """The pairs that a user means by PAN MS PAN MS ..., by one folder or by one CSV; and notes on what is
    left out."""
    if not named:
        raise UsageError(
            "SCENES", "nothing", "PAN MS [PAN MS ...], a folder or a CSV", "name a PAN and its MS"
        )
    if len(named) == 1 and Path(named[0]).is_dir():
        return pair_folder(Path(named[0]))
    if len(named) == 1 and Path(named[0]).suffix.lower() == ".csv":
        return read_table(Path(named[0])), []
    if len(named) % 2:
        found = f"{len(named)} files"
        needed = "a PAN and its MS for every scene, one after the other; or one folder, or one CSV"
        raise UsageError("SCENES", found, needed, "name MS as one file a scene, or list several in a CSV")
    return [(pan, (ms,)) for pan, ms in zip(named[::2], named[1::2], strict=True)], []


def pair_folder(folder: Path) -> tuple[list[Pair], list[str]]:
    """PAN and MS of one name but for the word that tells them apart, in the folder and those within it."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _RASTERS and path.is_file())
    by_name: dict[str, dict[str, list[Path]]] = defaultdict(lambda: {"pan": [], "ms": []})
    strays = []
    for path in files:
        name, role = _read_name(path.relative_to(folder))
        if role is None:
            strays.append(path)
        else:
            by_name[name][role].append(path)
    pairs: list[Pair] = []
    for found in by_name.values():
        if len(found["pan"]) == len(found["ms"]) == 1:
            pairs.append((str(found["pan"][0]), (str(found["ms"][0]),)))
        else:
            strays += [*found["pan"], *found["ms"]]
    if not pairs:
        raise InputError(
            folder,
            f"{len(files)} rasters, and no two whose names differ in PAN and MS alone",
            "names such as a_pan.tif and a_ms.tif, or x_P.tif and x_M.tif",
            "rename them, name PAN and MS one after the other, or give a CSV with columns pan,ms",
        )
    notes = []
    if strays:
        names = ", ".join(str(path.relative_to(folder)) for path in sorted(strays)[:5])
        more = f" and {len(strays) - 5} more" if len(strays) > 5 else ""
        notes.append(f"{folder}: left out, as they are of no pair: {names}{more}")
    return pairs, notes


def read_table(path: Path) -> list[Pair]:
    """A CSV with columns pan and ms, in any order and among others; several files of MS with ; between.

    Paths count from the CSV's folder.
    """
    remedy = "write one line a scene under the line pan,ms"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        found = f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}"
        raise InputError(path, found, "a CSV of scenes", remedy) from error
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, skipinitialspace=True)]
    heading = [name.lower() for name in rows[0]] if rows else []
    if not set(_COLUMNS) <= set(heading):
        found = f"columns {', '.join(heading)}" if heading else "no line"
        raise InputError(path, found, "columns pan and ms in the first line", remedy)
    at = [heading.index(name) for name in _COLUMNS]
    pairs: list[Pair] = []
    for number, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        cells = [row[column] if column < len(row) else "" for column in at]
        if not all(cells):
            raise InputError(path, f"line {number} without a PAN or an MS", "both", remedy)
        pan, *ms = (_from(path.parent, name.strip()) for name in [cells[0], *cells[1].split(";")] if name)
        pairs.append((pan, tuple(ms)))
    if not pairs:
        raise InputError(path, "no scene", "a line for each scene", remedy)
    return pairs


def _read_name(path: Path) -> tuple[str, str | None]:
    """The name without what tells PAN and MS apart, and which of them it is."""
    role = None
    words = re.split(r"([_\-. /\\]+)", path.with_suffix("").as_posix().lower())
    for at, word in enumerate(words):
        for kind, pattern in (("pan", _PAN), ("ms", _MS)):
            if pattern.fullmatch(word):
                role, words[at] = kind, "*"
    return "".join(words), role


def _from(folder: Path, name: str) -> str:
    """A relative path counts from `folder`; what GDAL alone knows stays as it is."""
    there = folder / name
    return str(there) if there.exists() else name
