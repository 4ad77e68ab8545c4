"""Sensors that a user describes, in TOML files; and any sensor as such a file, to start from.

Keys: `name`; `title`, its name unless given; `bits` of a DN: from 2^bits - 1 values count as saturated, and
results end there; `deliveries`: the names of MS's bands in order where MS does not name them, a list for each
number of bands that there is, by default all as they are listed; `[pan]` with `wavelength_nm` and
`nyquist_gain`; and for each band `[[bands]]` with `name`, `wavelength_nm`, `nyquist_gain` and the vendor's
`number`. Names alone must be there. Wavelengths are [lower edge, upper edge] in nm; gains those of the MTF at
the Nyquist frequency of PAN's and of MS's grid. What is left out is the unknown sensor's, wavelengths those
of its band of that name.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geosharp.errors import InputError
from geosharp.raster.sensor_table import MS_GAIN, PAN_GAIN, UNKNOWN, Band, Origin, Sensor, plain

SUFFIX = ".toml"
_MOST_BYTES = 2**16
_WHOLE = "name", "title", "bits", "deliveries", "pan", "bands"
_PAN = "wavelength_nm", "nyquist_gain"
_BAND = "name", *_PAN, "number"
# A response of 0 or 1 is no Gaussian's; within these a kernel is of a size that can be computed.
_LEAST_GAIN, _MOST_GAIN = 0.001, 0.999
_LEAST_NM, _MOST_NM = 100, 1_000_000
_MEANT_NM = {band.name: band.wavelength_nm for band in UNKNOWN.bands}
_MOST_BITS, _MOST_NUMBER = 32, 99


def read_sensor(path: str | Path) -> Sensor:
    """The sensor that a TOML file describes; raises InputError by the file and its key."""
    content = _read(path)
    try:
        told = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # What is no UTF-8 and whole numbers of thousands of digits are other ValueErrors.
        found = f"not TOML ({error})" if isinstance(error, tomllib.TOMLDecodeError) else "not TOML in UTF-8"
        raise _refusal(path, found, "a sensor file") from error
    whole = _Part(path, "", told)
    whole.check_keys(_WHOLE)
    name = whole.take("name", _is_name, _NAME)
    parts = [_Part(path, f" of band {number}", told) for number, told in enumerate(_bands(whole), 1)]
    bands = tuple(_read_band(part) for part in parts)
    _check_apart(path, "name", [plain(band.name) for band in bands], [band.name for band in bands])
    pan = _Part(path, " of pan", whole.take("pan", _is_table, "a table [pan]", {}))
    pan.check_keys(_PAN)
    return Sensor(
        key=name,
        title=whole.take("title", _is_title, "a text of up to 80 characters", name),
        bands=bands,
        pan_gain=pan.take("nyquist_gain", _is_gain, _GAIN, PAN_GAIN),
        pan_assumed="nyquist_gain" not in pan.values,
        pan_nm=_span(pan) or UNKNOWN.pan_nm,
        bundles=_read_deliveries(whole, [band.name for band in bands]),
        numbers=_read_numbers(parts),
        bits=whole.take("bits", _is_whole(1, _MOST_BITS), f"a whole number from 1 to {_MOST_BITS}", None),
        origin=Origin(Path(path).name, hashlib.sha256(content).hexdigest()),
    )


def describe_sensor(sensor: Sensor) -> dict[str, Any]:
    """What a sensor file would hold, by its keys, as JSON-ready values; None for what is not known."""
    numbers = {name: int(number[1:]) for number, name in sensor.numbers.items()}
    return {
        "name": sensor.key,
        "title": sensor.title,
        "bits": sensor.bits,
        "deliveries": [list(names) for names in sensor.bundles.values()],
        "pan": {"wavelength_nm": list(sensor.pan_nm), "nyquist_gain": sensor.pan_gain},
        "bands": [
            {
                "name": band.name,
                "wavelength_nm": None if band.wavelength_nm is None else list(band.wavelength_nm),
                "nyquist_gain": band.gain,
                "number": numbers.get(band.name),
            }
            for band in sensor.bands
        ],
    }


def format_sensor(sensor: Sensor) -> str:
    """A sensor file from which `read_sensor` makes the same sensor, but for how it is recognised."""
    told = describe_sensor(sensor)
    pan, bands = told.pop("pan"), told.pop("bands")
    remark = (
        []
        if sensor.bits
        else ["# bits = 11  # of a DN: from 2^bits - 1 values count as saturated, and results end there"]
    )
    lines = [
        "# A sensor file of geosharp: --sensor-file FILE. Only name and the names of bands must be there.",
        *_toml(told),
        *remark,
        "# deliveries: MS's bands in order where MS does not name them; by default all, as listed below.",
        "# wavelength_nm: lower and upper edge. nyquist_gain: of the MTF, on PAN's grid and on MS's.",
        "",
        "[pan]",
        *_toml(pan, assumed=sensor.pan_assumed),
    ]
    for band, known in zip(bands, sensor.bands, strict=True):
        lines += ["", "[[bands]]", *_toml(band, assumed=known.assumed)]
    return "\n".join(lines) + "\n"


def _toml(values: Mapping[str, Any], *, assumed: bool = False) -> Iterator[str]:
    """Texts, numbers and lists are written in TOML as in JSON. assumed: whether the gain is, so a remark."""
    for key, value in values.items():
        if value is not None:
            line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
            yield f"# {line}  # assumed" if assumed and key == "nyquist_gain" else line


@dataclass(frozen=True)
class _Part:
    """One table of a file. where: what messages say after a key of it."""

    file: str | Path
    where: str
    values: Mapping[str, Any]

    def check_keys(self, known: Sequence[str]) -> None:
        for key in self.values:
            if key not in known:
                close = difflib.get_close_matches(key, known, 1, cutoff=0.5)
                remedy = f"the nearest is {close[0]}" if close else "leave it out"
                needed = f"one of {', '.join(known)}"
                raise InputError(self.file, f"an unknown key {key!r:.40}{self.where}", needed, remedy)

    def take(self, key: str, fits: Callable[[Any], bool], needed: str, *default: Any) -> Any:
        """The value of `key`; default: what it is where there is none, without which it must be there."""
        if key not in self.values:
            if not default:
                raise _refusal(self.file, f"no {key}{self.where}", needed)
            return default[0]
        value = self.values[key]
        if not fits(value):
            raise _refusal(self.file, f"{value!r:.40} as {key}{self.where}", needed)
        return value


_NAME = "up to 40 letters (a to z), digits, blanks and . _ + -, a letter among them"
_GAIN = f"a number between 0 and 1 (from {_LEAST_GAIN:g} to {_MOST_GAIN:g})"
_SPAN = f"[lower edge, upper edge] in nm, from {_LEAST_NM} to {_MOST_NM}"


def _is_name(value: Any) -> bool:
    """Neither a number nor with commas: --bands tells bands by numbers and separates names by commas."""
    return isinstance(value, str) and bool(re.fullmatch(r"(?=.*[A-Za-z])[0-9A-Za-z _.+-]{1,40}", value))


def _is_title(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= len(value) <= 80


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _is_number(value: Any) -> bool:
    # A whole number may be of more digits than any float has.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _is_gain(value: Any) -> bool:
    return _is_number(value) and _LEAST_GAIN <= value <= _MOST_GAIN


def _is_span(value: Any) -> bool:
    pair = isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
    return pair and _LEAST_NM <= value[0] < value[1] <= _MOST_NM


def _is_whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _bands(whole: _Part) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = whole.take("bands", _is_tables, "a table [[bands]] for each band")
    return found


def _read_band(part: _Part) -> Band:
    part.check_keys(_BAND)
    name = part.take("name", _is_name, _NAME)
    gain = part.take("nyquist_gain", _is_gain, _GAIN, MS_GAIN)
    span = _span(part) or _MEANT_NM.get(plain(name))
    return Band(name, span, gain, assumed="nyquist_gain" not in part.values)


def _span(part: _Part) -> tuple[float, float] | None:
    span = part.take("wavelength_nm", _is_span, _SPAN, None)
    return None if span is None else (span[0], span[1])


def _read_numbers(parts: Sequence[_Part]) -> dict[str, str]:
    """Vendor's number ("b4") -> name."""
    needed = f"a whole number from 0 to {_MOST_NUMBER}"
    numbers = [part.take("number", _is_whole(0, _MOST_NUMBER), needed, None) for part in parts]
    given = [number for number in numbers if number is not None]
    _check_apart(parts[0].file, "number", given, given)
    pairs = zip(numbers, parts, strict=True)
    return {f"b{number}": part.values["name"] for number, part in pairs if number is not None}


def _read_deliveries(whole: _Part, names: list[str]) -> dict[int, tuple[str, ...]]:
    """Number of bands -> their names in order."""

    def fits(value: Any) -> bool:
        return isinstance(value, list) and all(
            isinstance(each, list) and each and all(name in names for name in each) for each in value
        )

    needed = f"lists of names of bands, which are {', '.join(names)}"
    deliveries: list[list[str]] = whole.take("deliveries", fits, needed, [names])
    for each in deliveries:
        _check_apart(whole.file, "name in one of deliveries", each, each)
    sizes = [len(each) for each in deliveries]
    _check_apart(whole.file, "number of bands in deliveries", sizes, sizes)
    return {len(each): tuple(each) for each in deliveries}


def _check_apart(file: str | Path, what: str, keys: Sequence[Any], shown: Sequence[Any]) -> None:
    """Refuse `shown` of which two have one key."""
    for at, key in enumerate(keys):
        if key in keys[:at]:
            pair = " and ".join(dict.fromkeys(str(shown[i]) for i in (keys.index(key), at)))
            raise _refusal(file, f"{pair} as {what} more than once", f"each {what} once")


def _read(path: str | Path) -> bytes:
    needed = f"a sensor file of at most {_MOST_BYTES // 1024} kB"
    try:
        if Path(path).is_dir():
            raise _refusal(path, "is a folder", needed)
        with Path(path).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        # What no system takes as a path is a ValueError.
        found = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise InputError(
            path, found, needed, "name it with --sensor-file, or a known one with --sensor"
        ) from error
    if len(content) > _MOST_BYTES:
        raise _refusal(path, f"more than {_MOST_BYTES // 1024} kB", needed)
    return content


def _refusal(path: str | Path, found: str, needed: str) -> InputError:
    remedy = "correct it; geosharp sensors NAME prints one to start from"
    return InputError(path, found, needed, remedy)
