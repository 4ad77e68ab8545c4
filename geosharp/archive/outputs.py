"""Where the results of a batch go: inside its folder, whatever a list of scenes asks for."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from geosharp.archive.ledger import NAME
from geosharp.errors import GeosharpError, InputError, OutputError, UsageError
from geosharp.raster.manifest import Listed
from geosharp.raster.output.target import TIFF_SUFFIXES

# The catalogue of all results, see items.
CATALOGUE = "items.json"
_RESERVED = {NAME, CATALOGUE}
# Bytes of a name: file systems take 255, and temporaries beside a result are called after it.
_LONGEST = 200
_MOST_PARTS = 16
_NEEDED = "the name of a GeoTIFF inside the output folder, such as north/a.tif"
_REMEDY = "correct column out, or leave it empty"


def place_results(scenes: Sequence[Listed], folder: Path) -> list[tuple[str, str]]:
    """Of each scene its name and its result's path in `folder`: as it is listed, else called after it or PAN.

    Names that lead out of the folder, by themselves or through links that are there, that two results share
    (on a file system that tells no small letters from capitals, too) or that an input has are refused by the
    scene's place in its list.
    """
    free = [scene for scene in scenes if not scene.out and not scene.name]
    names = iter(_name([scene.pan for scene in free]))
    placed: list[tuple[str, str]] = []
    taken: dict[str, Listed] = {}
    root = os.path.realpath(folder)
    inputs = {os.path.realpath(file) for scene in scenes for file in (scene.pan, *scene.ms)}
    for scene in scenes:
        if scene.out:
            name = inside = _check_name(scene)
        else:
            name = scene.name or next(names)
            inside = f"{name}_fused.tif"
        if (other := taken.setdefault(_key(inside), scene)) is not scene:
            raise _refuse_twice(scene, other, inside)
        real = os.path.realpath(folder / inside)
        if not real.startswith(root.rstrip(os.sep) + os.sep):
            found = f"{inside}, which a link leads out of {folder}, to {real}"
            raise _refuse(scene, found, "a result inside the output folder", "remove the link")
        if real in inputs:
            found = f"{inside} as a result, which is an input"
            raise _refuse(scene, found, "a file that is not read", "choose another --out, or name")
        placed.append((name, str(folder / inside)))
    for scene, (_, out) in zip(scenes, placed, strict=True):
        _check_folders(scene, Path(out).relative_to(folder), taken)
    return placed


def _check_name(scene: Listed) -> str:
    """The path that column out asks for, without what does nothing in it; refused where it is none."""
    text = scene.out
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text[0] in "/~" or "\\" in text or ":" in text or ".." in parts:
        raise _refuse(scene, f"out {text!r:.80}, which could lead out of the folder", _NEEDED, _REMEDY)
    if not text.isprintable():
        raise _refuse(scene, f"out {text!r:.80}, with characters that no name needs", _NEEDED, _REMEDY)
    if not parts or any(part.startswith(".") or part != part.strip() for part in parts):
        raise _refuse(scene, f"out {text!r:.80}, no plain name", _NEEDED, _REMEDY)
    if len(parts) > _MOST_PARTS or any(len(part.encode()) > _LONGEST for part in parts):
        needed = f"names of at most {_LONGEST} bytes, {_MOST_PARTS - 1} folders deep"
        raise _refuse(scene, f"out {text!r:.40}..., which is too long", needed, _REMEDY)
    path = PurePosixPath(*parts)
    if not path.suffix:
        path = path.with_name(f"{path.name}{TIFF_SUFFIXES[0]}")
    if path.suffix.lower() not in TIFF_SUFFIXES:
        needed = f"a name that ends in {' or '.join(TIFF_SUFFIXES)}"
        raise _refuse(scene, f"out {text!r:.80}", needed, f"name it {path.stem}{TIFF_SUFFIXES[0]}")
    if _RESERVED & {path.parts[0].casefold(), path.with_suffix(".json").as_posix().casefold()}:
        found = f"out {text!r:.80}, which the batch's own {' and '.join(sorted(_RESERVED))} would meet"
        raise _refuse(scene, found, _NEEDED, _REMEDY)
    return path.as_posix()


def _key(inside: str) -> str:
    """The same for names that some file system, or what is written beside a result, does not tell apart."""
    return unicodedata.normalize("NFC", PurePosixPath(inside).with_suffix("").as_posix()).casefold()


def _check_folders(scene: Listed, inside: Path, taken: dict[str, Listed]) -> None:
    """Refuse a result in a folder that has the name of another result."""
    for parent in inside.parents:
        if parent.suffix.lower() in TIFF_SUFFIXES and _key(parent.as_posix()) in taken:
            found = f"a result in {parent.as_posix()}, which is a result itself"
            raise _refuse(scene, found, "folders that are no results", _REMEDY)


def _refuse(scene: Listed, found: str, needed: str, remedy: str) -> GeosharpError:
    kind = UsageError if scene.place == Listed.place else InputError
    return kind(scene.place, found, needed, remedy)


def _refuse_twice(scene: Listed, other: Listed, inside: str) -> GeosharpError:
    if not scene.out and not other.out:
        return _refuse(scene, f"{scene.pan} twice", "each PAN once", "leave one of them out")
    where = "" if other.place == scene.place else f" ({other.place})"
    found = f"{inside} as a result, as of another scene{where}"
    return _refuse(scene, found, "a result of its own for each scene", _REMEDY)


def _name(pans: Sequence[str]) -> list[str]:
    """A name for each scene: PAN's, with as many of its folders as tell it from the others."""
    paths = [Path(pan) for pan in pans]
    names, deeper = list[str](), [path.stem for path in paths]
    depth = 0
    while deeper != names:
        names, depth = deeper, depth + 1
        counts = Counter(names)
        deeper = [
            name
            if counts[name] == 1
            else "_".join([*path.parts[max(len(path.parts) - 1 - depth, 0) : -1], path.stem])
            for path, name in zip(paths, names, strict=True)
        ]
    return [name.replace("/", "_").replace("\\", "_").replace(":", "_") for name in names]


def make_folder(folder: Path) -> None:
    """Have a folder for what a batch writes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = f"cannot be made ({error.strerror})"
        raise OutputError(folder, found, "a folder for results", "choose another --out") from error
