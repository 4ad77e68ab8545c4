"""Which sensor took a scene, and what its MS bands are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path

from geosharp.errors import UsageError
from geosharp.raster.sensors import Band, Sensor, find_sensor, match_bands, recognise, unseen_by_pan
from geosharp.raster.source import Source

Bands = int | str | Sequence[int | str]


@dataclass(frozen=True)
class SceneBand:
    """One MS band of a scene: the file and band it is read from, and what is known of it."""

    source: int
    number: int
    name: str
    optics: Band


@dataclass(frozen=True)
class Identity:
    """The sensor of a scene, what told of it, and the MS bands chosen."""

    sensor: Sensor
    reason: str
    bands: tuple[SceneBand, ...]

    def notes(self) -> tuple[str, ...]:
        """What a user should know of these bands."""
        unseen = unseen_by_pan(self.sensor, tuple(band.optics for band in self.bands))
        if not unseen:
            return ()
        names = ", ".join(self.bands[i].name for i in unseen)
        seen = f"largely outside what {self.sensor.title}'s PAN sees"
        return (f"{names}: {seen}; such bands get its detail only as far as theirs goes with it",)


def label_by_file(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Single-band files whose bands have no names of their own, named by what differs in the file names.

    LC08_0101_B4.TIF and LC08_0101_B3.TIF become "B4" and "B3"; red.tif and nir.tif "red" and "nir".
    """
    labels = [label for source in sources for label in source.labels]
    if len(sources) == 1 or len(labels) != len(sources) or len({*labels} - {None}) == len(labels):
        return sources
    parts = [re.split(r"[^0-9A-Za-z]+", Path(source.name).stem) for source in sources]
    names = [Path(source.name).stem for source in sources]
    if len({len(part) for part in parts}) == 1:
        differing = [i for i, tokens in enumerate(zip(*parts, strict=True)) if len({*tokens}) > 1]
        names = ["_".join(part[i] for i in differing) for part in parts]
    if len({*names}) < len(names):
        return sources
    return tuple(replace(source, labels=(name,)) for source, name in zip(sources, names, strict=True))


def identify(pan: Source, sources: tuple[Source, ...], sensor: str | None, wanted: Bands | None) -> Identity:
    """The sensor, by name or by what the files say, and the MS bands `wanted`; all where that is None."""
    labels = [label for source in sources for label in source.labels]
    if sensor is not None:
        chosen, reason = find_sensor(sensor), "--sensor"
    else:
        tags: dict[str, dict[str, str]] = {}
        for source in (pan, *sources):
            for space, items in source.tags.items():
                tags.setdefault(space, {}).update(items)
        files = [pan.name, *(source.name for source in sources)]
        chosen, reason = recognise(tags, [label or "" for label in labels], files, len(labels))
    places = [(index, number) for index, source in enumerate(sources) for number in source.bands]
    optics = match_bands(chosen, labels, len(labels))
    bands = [
        SceneBand(index, number, label or band.name, band)
        for (index, number), label, band in zip(places, labels, optics, strict=True)
    ]
    if wanted is None:
        return Identity(chosen, reason, tuple(bands))
    return Identity(chosen, reason, _pick_bands(bands, wanted))


def _pick_bands(bands: list[SceneBand], wanted: Bands) -> tuple[SceneBand, ...]:
    """The bands meant by `wanted`: numbers and names, one, several, or several in a text with commas."""
    if isinstance(wanted, str):
        wanted = [part for part in wanted.split(",") if part.strip()]
    elif not isinstance(wanted, Iterable):
        wanted = [wanted]
    picked: list[SceneBand] = []
    for want in wanted:
        band = _pick_band(bands, want)
        if band in picked:
            found, remedy = f"band '{band.name}' more than once", "leave out the repetition"
            raise UsageError("--bands", found, "each band once", remedy)
        picked.append(band)
    if not picked:
        raise UsageError("--bands", "no band", f"bands among {_listed(bands)}", "leave it out to take all")
    return tuple(picked)


def _pick_band(bands: list[SceneBand], want: object) -> SceneBand:
    known = isinstance(want, str | Integral) and not isinstance(want, bool)
    text = str(want).strip() if known else ""
    if text.isdecimal() and 1 <= int(text) <= len(bands):
        return bands[int(text) - 1]
    for band in bands:
        if text and text.casefold() in (band.name.casefold(), band.optics.name.casefold()):
            return band
    raise UsageError(
        "--bands",
        f"no band '{text}' in MS" if known else f"{want!r}, which is neither a number nor a name",
        f"bands among {_listed(bands)}",
        "name them by number or name",
    )


def _listed(bands: list[SceneBand]) -> str:
    return ", ".join(f"{number} ({band.name})" for number, band in enumerate(bands, 1))
