"""Which sensor took a scene, and which of its bands the MS's bands are."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from geosharp.errors import PairError, UsageError
from geosharp.raster.sensor_file import SUFFIX, read_sensor
from geosharp.raster.sensor_table import SENSORS as SENSORS
from geosharp.raster.sensor_table import UNKNOWN as UNKNOWN
from geosharp.raster.sensor_table import Band as Band
from geosharp.raster.sensor_table import Origin, plain
from geosharp.raster.sensor_table import Sensor as Sensor

# What a band of that name is also called, in small letters and digits alone.
_MEANT = {
    "coastal": ("coastalblue", "coastalaerosol", "deepblue", "ultrablue", "c", "ca"),
    "blue": ("b",),
    "green": ("g",),
    "yellow": ("y",),
    "red": ("r",),
    "rededge": ("re", "vre", "vegetationrededge"),
    "nir": ("n", "nearinfrared", "nearir", "infrared", "nir1", "nearinfrared1", "n1"),
    "nir1": ("n", "n1", "nir", "nearinfrared", "nearir", "infrared", "nearinfrared1"),
    "nir2": ("n2", "nearinfrared2"),
    "swir1": ("shortwaveinfrared1",),
    "swir2": ("shortwaveinfrared2",),
    "thermal": ("tir", "thermalinfrared", "b6vcid1", "b6vcid2"),
    "thermal1": ("thermal", "tir1", "tirs1", "thermalinfrared1"),
    "thermal2": ("tir2", "tirs2", "thermalinfrared2"),
}
# Tags whose value is the satellite, and tags in whose prose it may be named.
_IDENTITY = {
    *("sensor", "sensorid", "sensor_id", "sensor_name", "sensorname"),
    *("satellite", "satid", "satelliteid", "satellite_id", "satellite_name", "satellitename"),
    *("mission", "platform", "platform_id", "platform_name", "spacecraft", "spacecraft_id"),
    *("spacecraftname", "imaging_platform", "instrument", "nitf_stdidc_mission"),
}
_PROSE = {
    *("tifftag_imagedescription", "description", "title", "comment", "metadatatype", "nitf_ftitle"),
    *("dataset_name", "product_name", "productname", "image_description"),
}
# Names shorter than this are too easily part of something else to be sought in prose and file names.
_LONG = 6
_MAXAR = re.compile(r"(?<![0-9A-Z])\d\d[A-Z]{3}\d{8}-[PMS]\d[A-Z]{2}", re.IGNORECASE)


def find_sensor(name: str, flag: str = "--sensor") -> Sensor:
    """The sensor a user names: by key, title or alias, whatever its case, spaces and hyphens; or by the path
    of a sensor file. flag: where it was named."""
    if name.casefold().endswith(SUFFIX):
        return read_sensor(name)
    if found := _BY_NAME.get(plain(name)):
        return found
    if "." in name or "/" in name:
        raise UsageError(flag, f"'{name}'", f"a sensor file, which ends in {SUFFIX}", "check its name")
    close = difflib.get_close_matches(plain(name), _BY_NAME, 1, cutoff=0.5)
    raise UsageError(
        flag,
        f"no sensor '{name}'",
        f"one of {', '.join(SENSORS)}, or a sensor file ({SUFFIX})",
        f"the nearest is {_BY_NAME[close[0]].key}" if close else "take 'unknown' where yours is not listed",
    )


def recognise(
    tags: Mapping[str, Mapping[str, str]], names: Sequence[str], files: Sequence[str], count: int
) -> tuple[Sensor, str]:
    """The sensor and what told of it, or the unknown sensor and why.

    tags: by name space; names: of the MS bands; files: names or paths, of which the last part counts;
    count: of the MS bands. Identifying tags come before prose, prose before names. Where two sensors are
    named with equal right, neither is taken.
    """
    stems = [PurePath(file.replace("\\", "/")).name for file in files]
    for clues in (_from_identity(tags), _from_prose(tags), _from_names(stems), _from_names(names)):
        told = list(clues)
        found = {sensor.key for sensor, _ in told}
        if len(found) > 1:
            return UNKNOWN, f"{told[0][1]} and other clues contradict each other: {', '.join(sorted(found))}"
        if told:
            return told[0]
    meant = {band.name for band in match_bands(UNKNOWN, names, count) if band.wavelength_nm}
    if {"coastal", "nir", "swir1", "swir2"} <= meant:
        return SENSORS["landsat-8"], "bands coastal, nir, swir1 and swir2 beside a PAN"
    if maxar := next((stem for stem in stems if _MAXAR.search(stem)), None):
        return UNKNOWN, f"{maxar} is a Maxar delivery, but does not say of which satellite"
    return UNKNOWN, "neither metadata nor file names tell the sensor"


def match_bands(sensor: Sensor, names: Sequence[str | None], count: int) -> tuple[Band, ...]:
    """Which of the sensor's bands the MS's `count` bands are, in the MS's order.

    By their names if any is known, else by their number, else unknown bands of the sensor's commonest gain;
    these a sensor file is refused for, which is to say what bands there are.
    """
    by_name = {band.name: band for band in sensor.bands}
    gain, assumed = Counter((band.gain, band.assumed) for band in sensor.bands).most_common(1)[0][0]
    labels = [(names[i] if i < len(names) else None) or "" for i in range(count)]
    meant = [_meaning(sensor, label) for label in labels]
    if None in meant and None not in (numbered := [_numbered(sensor, label) for label in labels]):
        meant = numbered
    # One name twice says nothing of either.
    meant = [name if meant.count(name) == 1 else None for name in meant]
    if not any(meant):
        meant = list(sensor.bundles.get(count, meant))
    if sensor.origin is not None and None in meant:
        raise _misfit(sensor, sensor.origin, [labels[i] for i in range(count) if meant[i] is None], count)
    return tuple(
        by_name[name] if name else Band(f"band{number}", None, gain, assumed)
        for number, name in enumerate(meant, 1)
    )


def _misfit(sensor: Sensor, origin: Origin, labels: Sequence[str], count: int) -> PairError:
    """That a sensor file does not know bands of these labels, which are empty where MS names none."""
    known = ", ".join(band.name for band in sensor.bands)
    sizes = " or ".join(map(str, sorted(sensor.bundles))) or "no"
    unknown = f"{', '.join(filter(None, labels))} among them" if any(labels) else "without names"
    return PairError(
        origin.name,
        f"MS has {count} bands, {unknown}",
        f"{sizes} bands without names, or bands that are named {known}",
        "list all of MS's bands in this file, their order in deliveries",
    )


def unseen_by_pan(sensor: Sensor, bands: Sequence[Band]) -> tuple[int, ...]:
    """Indexes of the bands of which less than half lies within PAN's wavelengths."""
    low, high = sensor.pan_nm
    return tuple(
        index
        for index, band in enumerate(bands)
        if (span := band.wavelength_nm) and min(high, span[1]) - max(low, span[0]) < 0.5 * (span[1] - span[0])
    )


def _words(text: str) -> list[str]:
    return [plain(word) for word in re.split(r"[\W_]+", unicodedata.normalize("NFKC", text)) if plain(word)]


def _runs(text: str) -> Iterator[list[str]]:
    """Runs of three, two and one neighbouring words, joined."""
    words = _words(text)
    for length in (3, 2, 1):
        yield ["".join(words[i : i + length]) for i in range(len(words) - length + 1)]


def _by_name() -> dict[str, Sensor]:
    table: dict[str, Sensor] = {}
    for sensor in SENSORS.values():
        for name in (sensor.key, sensor.title, *sensor.aliases):
            table[plain(name)] = sensor
    return table


_BY_NAME = _by_name()


def _named(text: str, shortest: int) -> Iterator[Sensor]:
    """Sensors whose name stands in the text as whole words; of nested names the longest counts."""
    for run in _runs(text):
        found = [_BY_NAME[name] for name in run if name in _BY_NAME and len(name) >= shortest]
        if known := [sensor for sensor in found if sensor is not UNKNOWN]:
            yield from known
            return


def _from_identity(tags: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Sensor, str]]:
    for items in tags.values():
        items_by_key = {key.rsplit(".", 1)[-1].casefold(): value for key, value in items.items()}
        index = items_by_key.get("mission_index", "")
        for key, value in items_by_key.items():
            if key not in _IDENTITY:
                continue
            whole = f"{value}{index}" if key == "mission" else value
            sensor = _BY_NAME.get(plain(whole), UNKNOWN)
            found = [sensor] if sensor is not UNKNOWN else list(_named(whole, 4))
            yield from ((each, f"metadata {key.upper()}={value.strip()}") for each in found)


def _from_prose(tags: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Sensor, str]]:
    for items in tags.values():
        for key, value in items.items():
            if key.casefold() in _PROSE:
                yield from ((sensor, f"metadata {key}") for sensor in _named(value, _LONG))


def _from_names(names: Sequence[str]) -> Iterator[tuple[Sensor, str]]:
    for name in names:
        for sensor in SENSORS.values():
            pattern = rf"(?<![0-9A-Z])(?:{sensor.files})(?![0-9A-Z])"
            if sensor.files and re.search(pattern, name, re.IGNORECASE):
                yield sensor, f"file name {name}"
        yield from ((sensor, f"file name {name}") for sensor in _named(name, _LONG))


def _meaning(sensor: Sensor, label: str) -> str | None:
    """Name of the sensor's band that a label means, or None: the longest run of words that means just one."""
    known = {plain(band.name): band.name for band in sensor.bands}
    table = {alias: name for word, name in known.items() for alias in _MEANT.get(word, ())} | known
    if whole := table.get(plain(label)):
        return whole
    for run in _runs(label):
        found = {table[word] for word in run if word in table and len(word) > 2}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _numbered(sensor: Sensor, label: str) -> str | None:
    """Name of the sensor's band whose vendor's number a label holds: B4, band 4, SR_B4."""
    number = re.search(r"(?<![0-9a-z])b(?:and)?[ _-]*0*(\d+)(?!\d)", label.casefold())
    return sensor.numbers.get(f"b{number[1]}") if number else None
