"""Which PAN goes with which MS: files one after the other, a folder, or a table."""

from __future__ import annotations

import os
import reprlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geosharp.errors import InputError, UsageError
from geosharp.raster.footprints import BY_TABLE, Header, pair_by_footprint, read_headers
from geosharp.raster.manifest import TABLES, Listed, read_manifest
from geosharp.raster.source import FilePath
from geosharp.raster.vendors import Name, Pair, pair_by_band, pair_by_colour, pair_by_time, read_name

Scenes = FilePath | Sequence[tuple[FilePath, FilePath | Sequence[FilePath]]]

_RASTERS = {".tif", ".tiff", ".jp2", ".vrt", ".img", ".ntf", ".nitf", ".til", ".pix", ".dat"}
_WAYS = "a PAN and its MS for every scene, one after the other; or one folder, CSV or Parquet"
# Files left out that a note names.
_NAMED = 5


@dataclass(frozen=True)
class Stray:
    """A file, or whatever else was found, that is of no scene; and why."""

    file: str
    why: str


@dataclass(frozen=True)
class Listing:
    """scenes: that are listed or found; strays: what else there is; origin: the folder, table or document
    that they are from, empty where a caller named files; notes: what a user should know of it."""

    scenes: tuple[Listed, ...]
    strays: tuple[Stray, ...] = ()
    origin: str = ""
    notes: tuple[str, ...] = ()

    def tell(self) -> list[str]:
        """Notes, and the first of what is left out."""
        if not self.strays:
            return list(self.notes)
        names = ", ".join(stray.file for stray in self.strays[:_NAMED])
        more = f" and {len(self.strays) - _NAMED} more" if len(self.strays) > _NAMED else ""
        return [*self.notes, f"{self.origin}: left out, as they are of no pair: {names}{more}"]


def name_pairs(scenes: Scenes) -> tuple[list[Pair], list[str]]:
    """The pairs that a caller means by (PAN, MS) pairs, by a folder or by a table; and notes on what is left
    out."""
    listing = list_scenes(scenes)
    pairs, notes = [(scene.pan, scene.ms) for scene in listing.scenes], listing.tell()
    if any(scene.out or scene.options for scene in listing.scenes):
        notes.append(f"{listing.origin}: its columns out and options are for geosharp batch, and not read")
    return pairs, notes


def pair_up(named: Sequence[str]) -> Scenes:
    """What a user means by PAN MS PAN MS ...; one name stays as it is."""
    _check_names(named)
    if len(named) == 1:
        return named[0]
    if len(named) % 2:
        found, remedy = f"{len(named)} files", "name MS as one file a scene, or list several in a CSV"
        raise UsageError("SCENES", found, _WAYS, remedy)
    return list(zip(named[::2], named[1::2], strict=True))


def list_scenes(scenes: Scenes) -> Listing:
    """The scenes that a caller means by (PAN, MS) pairs, by a folder or by a table."""
    if isinstance(scenes, str | os.PathLike):
        return _list_in(os.fspath(scenes))
    try:
        pairs = [
            (os.fsdecode(pan), tuple(map(os.fsdecode, [ms] if isinstance(ms, str | os.PathLike) else ms)))
            for pan, ms in scenes
        ]
    except (TypeError, ValueError) as error:
        remedy = "give each scene as (pan, ms) or (pan, [ms, ms])"
        raise UsageError("SCENES", reprlib.repr(scenes), "pairs of names of files", remedy) from error
    _check_names([name for pan, ms in pairs for name in (pan, *ms)])
    return Listing(tuple(Listed(pan, ms) for pan, ms in pairs))


def _list_in(name: str) -> Listing:
    """The scenes in a folder or a table."""
    _check_names([name])
    path = Path(name)
    try:
        is_folder = path.is_dir()
    except OSError as error:
        found, remedy = f"'{name}' cannot be looked up ({error.strerror})", "check the name"
        raise UsageError("SCENES", found, _WAYS, remedy) from error
    if is_folder:
        return list_folder(path)
    if path.suffix.lower() in TABLES:
        return Listing(tuple(read_manifest(path)), origin=name)
    if os.path.lexists(path):
        raise UsageError("SCENES", f"'{name}' alone, one file", _WAYS, "name its PAN and its MS")
    raise UsageError("SCENES", f"'{name}': no such folder or file", _WAYS, "check the name")


def _check_names(names: Sequence[str]) -> None:
    """Refuse no names, and those that no file can have."""
    if not names:
        raise UsageError("SCENES", "nothing", _WAYS, "name a PAN and its MS")
    if wrong := next((name for name in names if "\0" in name), None):
        raise UsageError("SCENES", f"{wrong!r}, which holds a NUL", "names of files", "correct the name")


def list_folder(folder: Path) -> Listing:
    """The pairs in the folder and those within it: Landsat's bands, a file each; PAN and MS of one name but
    for the word that tells them apart, or taken within seconds of each other by their names; PAN and bands of
    one name but for their colours; and of what is left those whose headers tell that they show one ground at
    one time."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _RASTERS and path.is_file())
    banded, used = pair_by_band(files)
    scenes = [Listed(pan, ms, "by bands' names") for pan, ms in banded]
    named = {path: read_name(path.relative_to(folder)) for path in files if path not in set(used)}
    for rule, pairing in (("by name", _pair_by_name), ("by time in names", pair_by_time)):
        found = pairing(list(named.items()))
        scenes += [Listed(str(pan), (str(ms),), rule) for pan, ms in found]
        named = _without(named, found)
    coloured = pair_by_colour(list(named))
    scenes += [Listed(pan, ms, "by bands' names") for pan, ms in coloured]
    named = _without(named, [(Path(pan), *map(Path, ms)) for pan, ms in coloured])
    headers = read_headers({path: name.time for path, name in named.items()})
    met, reasons = pair_by_footprint([each for each in headers.values() if isinstance(each, Header)])
    scenes += [Listed(str(pan), (str(ms),), rule) for pan, ms, rule in met]
    named = _without(named, [(pan, ms) for pan, ms, _ in met])
    if not scenes:
        raise _without_pair(folder, files)
    reasons |= {path: found for path, found in headers.items() if isinstance(found, str)}
    strays = tuple(Stray(str(path.relative_to(folder)), reasons[path]) for path in named)
    return Listing(tuple(sorted(scenes, key=lambda scene: scene.pan)), strays, str(folder))


def _without(named: dict[Path, Name], pairs: Sequence[tuple[Path, ...]]) -> dict[Path, Name]:
    paired = {path for pair in pairs for path in pair}
    return {path: name for path, name in named.items() if path not in paired}


def _pair_by_name(named: Sequence[tuple[Path, Name]]) -> list[tuple[Path, Path]]:
    """PAN and MS of one name but for the word that tells them apart, where only two have it."""
    by_key: dict[str, list[tuple[Path, Name]]] = defaultdict(list)
    for path, name in named:
        by_key[name.key].append((path, name))
    pairs = []
    for alike in by_key.values():
        pans, mss = ([path for path, name in alike if name.role == role] for role in ("pan", "ms"))
        if len(pans) == len(mss) == 1:
            pairs.append((pans[0], mss[0]))
    return pairs


def _without_pair(folder: Path, files: Sequence[Path]) -> InputError:
    needed = "names such as a_pan.tif and a_ms.tif, or x_P.tif and x_M.tif; or two of one ground and time"
    if not files:
        found = f"no raster (a file that ends in {', '.join(sorted(_RASTERS))})"
        return InputError(folder, found, needed, "name a folder that holds scenes")
    found = f"{len(files)} rasters, and no two whose names differ in PAN and MS alone"
    if len(files) == 1:
        found = f"one raster, {files[0].relative_to(folder)}"
    remedy = f"rename them, name PAN and MS one after the other, or give {BY_TABLE}"
    return InputError(folder, found, needed, remedy)
