"""Scenes of STAC items: an ItemCollection or an Item as JSON, from a file or a server.

SpatioTemporal Asset Catalog 1.0 and 1.1, https://stacspec.org. What is read may be anybody's.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
from numpy.typing import NDArray

from geosharp.archive.assets import Found, Unfit, find_assets, is_remote, read_text
from geosharp.errors import InputError
from geosharp.raster.manifest import Listed
from geosharp.raster.pairing import Listing, Stray

# Bytes of a document; and seconds until a server answers, and until it has told all.
MOST_BYTES = 64 * 2**20
_MOST_ITEMS = 50_000
_ANSWER_S, _WHOLE_S = 30.0, 120.0
_PIECE = 2**18
_KINDS = "a STAC Item or ItemCollection as JSON"
# PAN and MS that are items of their own: of one pass, and mostly of one ground.
_APART, _MOSTLY = 5.0, 0.5
# Bytes of a result's name that is from an item.
_LONGEST = 120


def is_address(name: str) -> bool:
    """Whether a document is asked of a server."""
    return name.casefold().startswith(("http://", "https://"))


def read_document(name: str) -> tuple[dict[str, Any], str]:
    """A JSON object from a file or an http(s) address; and its absolute path, or the address that it came
    from in the end."""
    content, origin = _fetch(name) if is_address(name) else _load(name)
    try:
        found = json.loads(content)
    except RecursionError as error:
        raise _refuse(name, "JSON nested too deeply") from error
    except ValueError as error:
        raise _refuse(name, f"no JSON ({error})") from error
    if not isinstance(found, dict):
        raise _refuse(name, "JSON, but no object")
    return found, origin


def _load(name: str) -> tuple[bytes, str]:
    try:
        with Path(name).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _refuse(name, f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return _check_size(name, content), str(Path(name).absolute())


def _fetch(name: str) -> tuple[bytes, str]:
    """What a server answers, within size and time; and the address that it was moved to."""
    stop, content = time.monotonic() + _WHOLE_S, bytearray()
    request = urllib.request.Request(name, headers={"Accept": "application/geo+json, application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
            origin = answer.url
            while piece := answer.read1(_PIECE):
                content += piece
                if time.monotonic() > stop:
                    raise TimeoutError(f"more than {_WHOLE_S:.0f} s")
                if len(content) > MOST_BYTES:
                    break
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else error
        needed = "a server that answers with STAC items"
        raise InputError(
            name, f"cannot be fetched ({reason})", needed, "check the address, or download it first"
        ) from error
    return _check_size(name, bytes(content)), origin


def _check_size(name: str, content: bytes) -> bytes:
    if len(content) > MOST_BYTES:
        raise _refuse(name, f"more than {MOST_BYTES // 2**20} MiB")
    return content


def _refuse(name: str, found: str) -> InputError:
    return InputError(name, found, _KINDS, "name another document, or save fewer items in it")


@dataclass(frozen=True)
class _Item:
    """base: what its assets' addresses count from; times: (from, to), alike for a moment, None where it does
    not tell; box: west, south, east, north in degrees, east beyond 180 where it crosses the date line."""

    id: str
    base: str
    found: Found
    times: tuple[datetime, datetime] | None
    box: tuple[float, float, float, float] | None

    @property
    def listed_times(self) -> tuple[str, str]:
        if self.times is None:
            return "", ""
        start, end = (time.isoformat().replace("+00:00", "Z") for time in self.times)
        return start, end

    @property
    def place(self) -> list[float]:
        """Its box and its seconds; NaN, near to nothing, where it does not tell both or is of a span."""
        if self.box is None or self.times is None or self.times[0] != self.times[1]:
            return [math.nan] * 5
        return [*self.box, self.times[0].timestamp()]


def find_scenes(name: str) -> Listing:
    """The scenes of the document `name`: items that have PAN and MS, and items of which one has PAN
    and another MS of the same ground and pass. What is none is left out, with the reason."""
    document, origin = read_document(name)
    features = _read_features(document, name)
    strays: list[Stray] = []
    items: list[_Item] = []
    for number, feature in enumerate(features, 1):
        called = read_text(feature, "id") or f"item {number}"
        try:
            items.append(_read_item(feature, called, origin))
        except Unfit as unfit:
            strays.append(Stray(_shown(called), str(unfit)))
    scenes: list[Listed] = []
    taken: set[str] = set()
    for pan, ms, rule in _pair(items, strays):
        named = _name(pan.id)
        if named.casefold() in taken:
            strays.append(Stray(_shown(pan.id), "another item is called the same"))
            continue
        taken.add(named.casefold())
        place = f"{name}, item {_shown(pan.id)}"
        scenes.append(
            Listed(pan.found.pan, ms.found.ms, rule, place, named, source=pan.base, times=pan.listed_times)
        )
    if not scenes:
        why = f", of which none is a scene ({strays[0].file}: {strays[0].why})" if strays else ""
        needed = "items with a PAN asset and MS assets"
        raise InputError(name, f"{len(features)} items{why}", needed, "name a document with such items")
    return Listing(tuple(scenes), tuple(strays), name, tuple(_tell_more(document, name)))


def _read_features(document: Mapping[str, Any], name: str) -> list[Any]:
    kind = document.get("type")
    if kind == "Feature":
        return [document]
    features = document.get("features")
    if kind != "FeatureCollection" or not isinstance(features, list):
        remedy = "name an ItemCollection, such as the answer of a search"
        raise InputError(name, f"JSON of type {kind!r:.40}", _KINDS, remedy)
    if len(features) > _MOST_ITEMS:
        raise _refuse(name, f"{len(features)} items, more than {_MOST_ITEMS}")
    return features


def _tell_more(document: Mapping[str, Any], name: str) -> Iterator[str]:
    links = document.get("links")
    if any(read_text(link, "rel") == "next" for link in (links if isinstance(links, list) else [])):
        yield f"{name}: is one page of several, and others are not read"


def _read_item(feature: Any, called: str, origin: str) -> _Item:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise Unfit("is no STAC item")
    base = _find_base(feature, origin)
    return _Item(
        called, base, find_assets(feature, base), _read_times(feature), _read_box(feature.get("bbox"))
    )


def _find_base(feature: Mapping[str, Any], origin: str) -> str:
    """The address of the item by its own word where that is one of a server, else the document's."""
    links = feature.get("links")
    for link in links if isinstance(links, list) else []:
        href = read_text(link, "href")
        if read_text(link, "rel") == "self" and href.isprintable():
            with contextlib.suppress(ValueError):
                there = urljoin(origin, href) if is_remote(origin) else href
                if is_remote(there):
                    return there
    return origin


def _read_times(feature: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    properties = feature.get("properties")
    moment, start, end = (
        _read_time(read_text(properties, name)) for name in ("datetime", "start_datetime", "end_datetime")
    )
    if moment is not None:
        return moment, moment
    return None if start is None or end is None else (start, end)


def _read_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read_box(values: Any) -> tuple[float, float, float, float] | None:
    if not isinstance(values, list) or len(values) not in (4, 6):
        return None
    west, south, east, north = (values[at] for at in ((0, 1, 2, 3) if len(values) == 4 else (0, 1, 3, 4)))
    numbers = west, south, east, north
    if not all(isinstance(each, int | float) and abs(each) <= 360 for each in numbers):
        return None
    east += 360 if east < west else 0
    return (west, south, east, north) if east > west and north > south else None


def _pair(items: list[_Item], strays: list[Stray]) -> Iterator[tuple[_Item, _Item, str]]:
    """PAN's item, MS's and the rule, in the items' order; of others `strays` is told."""
    mss = [at for at, item in enumerate(items) if item.found.ms and not item.found.pan]
    places = np.array([items[at].place for at in mss]).reshape(-1, 5)
    # How many items fit each, and those that fit a PAN: how many more there are than two decides nothing.
    fitting, partners = np.zeros(len(items), int), dict[int, list[int]]()
    for at, item in enumerate(items):
        if item.found.pan and not item.found.ms:
            near = np.array(mss, int)[_are_near(np.array(item.place), places)]
            fitting[near] += 1
            fitting[at], partners[at] = len(near), near[:2].tolist()
    paired = {pan: ms[0] for pan, ms in partners.items() if len(ms) == 1 and fitting[ms[0]] == 1}
    used = {*paired, *paired.values()}
    for at, item in enumerate(items):
        if item.found.pan and item.found.ms:
            yield item, item, "by STAC item"
        elif at in paired:
            yield item, items[paired[at]], "by STAC items' time and place"
        elif at not in used:
            strays.append(Stray(_shown(item.id), _tell_why(item.found, int(fitting[at]))))


def _are_near(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of `others` (n, 5) are of the same pass and mostly of the same ground as `one` (5,), see
    _Item.place."""
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:4], others[:, 2:4])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    either = np.prod(one[2:4] - one[:2]) + np.prod(others[:, 2:4] - others[:, :2], axis=1) - both
    return np.asarray((both >= _MOSTLY * either) & (np.abs(others[:, 4] - one[4]) <= _APART))


def _tell_why(found: Found, others: int) -> str:
    role, partner = ("PAN", "MS") if found.pan else ("MS", "PAN")
    if not found.pan and not found.ms:
        return "has neither a PAN asset nor MS assets"
    if others == 0:
        return f"has no {partner} asset, and no other item has one of its time and place"
    return f"has no {partner} asset, and of its time and place there are several items of {role} or {partner}"


def _name(called: str) -> str:
    """A result's name of an item's id, whatever that holds."""
    plain = re.sub(r"[^\w.-]+", "_", called).strip("._ ")
    return plain.encode()[:_LONGEST].decode(errors="ignore") or "item"


def _shown(called: str) -> str:
    """An id as a message may have it."""
    return called[:80] if called.isprintable() else f"{called[:80]!r}"
