"""How vendors name the files of a scene: PAN and MS apart by a second, and one file per band."""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path

# PAN's file, and MS's: one, or one per band.
Pair = tuple[str, tuple[str, ...]]

# Words of a name that tell PAN and MS apart: PAN, MSS1, MUL, P2AS, M2AS ...
_PAN = re.compile(r"(pan|panchromatic)\d*|p|p\d[a-z]{2}")
_MS = re.compile(r"(ms|mss|mul|multi|multispectral|mx|xs|analytic)\d*|m|m\d[a-z]{2}")
_WORDS = re.compile(r"([_\-. /\\]+)")
# Words for a band in a file of its own, in the order that sensors have them, as in Space Imaging's
# po_37836_blu_0000000.tif; and other words for some.
_COLOURS = ("coastal", "blue", "green", "yellow", "red", "rededge", "nir", "nir2")
_ALIASES = {"blu": "blue", "grn": "green", "nir1": "nir"}
# Bands from which files of one name are an MS.
_FEWEST = 2
# When a scene was taken: Maxar's 13AUG02162041, Airbus's 201308271041123, Planet's 20190304_101112.
_TIMES = (
    (re.compile(r"(?<![0-9a-z])(\d\d[a-z]{3}\d{8})(?!\d)"), "%y%b%d%H%M%S"),
    (re.compile(r"(?<!\d)((?:19|20)\d{12})\d{0,3}(?!\d)"), "%Y%m%d%H%M%S"),
    (re.compile(r"(?<!\d)((?:19|20)\d{6}[_t]\d{6})(?!\d)"), "%Y%m%d_%H%M%S"),
)
# PAN and MS of one pass.
_APART = timedelta(seconds=5)
# A part of a scene that is cut into several files: R1C2.
_PART = re.compile(r"(?<![0-9a-z])r\d+c\d+(?![0-9a-z])")
_LANDSAT = re.compile(r"(l[ceot]0[789]_.+)_b(\d{1,2})\.tiff?")
# Of Landsat 7 to 9: PAN, and the bands of reflected light at 30 m.
_LANDSAT_PAN, _LANDSAT_MS = 8, range(1, 8)


@dataclass(frozen=True)
class Name:
    """What a file's name tells. key: the rest of it, the same for PAN and MS that differ in one word alone;
    role: "pan" or "ms", None where it tells neither; time: when it was taken; part: of the scene."""

    key: str
    role: str | None
    time: datetime | None
    part: str


def read_name(path: Path) -> Name:
    """path: from the folder that is searched, as folders may tell PAN from MS, too."""
    text, role = path.with_suffix("").as_posix().lower(), None
    words = _WORDS.split(text)
    for at, word in enumerate(words):
        for kind, pattern in (("pan", _PAN), ("ms", _MS)):
            if pattern.fullmatch(word):
                role, words[at] = kind, "*"
    parts = _PART.findall(text)
    return Name("".join(words), role, _read_time(text), parts[-1] if parts else "")


def read_role(text: str) -> str | None:
    """Name.role of a text in small letters; None where no word of it tells, or words tell both."""
    told = {
        kind
        for word in _WORDS.split(text)
        for kind, pattern in (("pan", _PAN), ("ms", _MS))
        if pattern.fullmatch(word)
    }
    return told.pop() if len(told) == 1 else None


def pair_by_band(files: Sequence[Path]) -> tuple[list[Pair], list[Path]]:
    """Landsat's scenes, a file per band; and the files of which nothing is left to be paired."""
    scenes: dict[tuple[Path, str], dict[int, Path]] = defaultdict(dict)
    for path in files:
        if match := _LANDSAT.fullmatch(path.name.lower()):
            scenes[path.parent, match[1]][int(match[2])] = path
    pairs: list[Pair] = []
    used: list[Path] = []
    for bands in scenes.values():
        ms = [bands[number] for number in _LANDSAT_MS if number in bands]
        if _LANDSAT_PAN in bands and ms:
            pairs.append((str(bands[_LANDSAT_PAN]), tuple(map(str, ms))))
            # Thermal bands, and those that are other bands again, are of the scene, too.
            used += bands.values()
    return pairs, used


def pair_by_colour(files: Sequence[Path]) -> list[Pair]:
    """PAN and a file for each band, of one folder and of one name but for a word, PAN's or a colour."""
    scenes: dict[tuple[Path, str], list[tuple[str, Path]]] = defaultdict(list)
    for path in files:
        words = _WORDS.split(path.stem.lower())
        for at, word in enumerate(words):
            role = "pan" if _PAN.fullmatch(word) else _ALIASES.get(word, word)
            if role in ("pan", *_COLOURS):
                scenes[path.parent, "".join([*words[:at], "*", *words[at + 1 :]])].append((role, path))
    pairs: list[Pair] = []
    for named in scenes.values():
        found = dict(named)
        ms = tuple(str(found[colour]) for colour in _COLOURS if colour in found)
        # With two files for one band either could be meant.
        if "pan" in found and len(ms) >= _FEWEST and len(found) == len(named):
            pairs.append((str(found["pan"]), ms))
    return pairs


def pair_by_time(named: Sequence[tuple[Path, Name]]) -> list[tuple[Path, Path]]:
    """PAN and MS of the same part, taken within seconds of each other, where only two can be meant."""
    mss: dict[str, list[tuple[datetime, Path]]] = defaultdict(list)
    for path, name in named:
        if name.role == "ms" and name.time is not None:
            mss[name.part].append((name.time, path))
    for timed in mss.values():
        timed.sort()
    near = []
    for path, name in named:
        if name.role == "pan" and name.time is not None:
            timed = mss[name.part]
            first = bisect_left(timed, name.time - _APART, key=itemgetter(0))
            last = bisect_right(timed, name.time + _APART, key=itemgetter(0))
            near += [(path, ms) for _, ms in timed[first:last]]
    met = Counter(path for pair in near for path in pair)
    return [(pan, ms) for pan, ms in near if met[pan] == met[ms] == 1]


def _read_time(text: str) -> datetime | None:
    for pattern, form in _TIMES:
        for found in pattern.findall(text):
            with contextlib.suppress(ValueError):
                return datetime.strptime(re.sub("(?<=\\d{8})t", "_", found), form).replace(tzinfo=UTC)
    return None
