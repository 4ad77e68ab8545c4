"""Which assets of a STAC item are PAN and MS, and what of their addresses may be opened.

An item may be anybody's: whatever it says is taken for what it might be, never for what it should be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from geosharp.errors import InputError
from geosharp.raster.opening import check_exists
from geosharp.raster.vendors import read_role

_REMOTE = ("http", "https", "s3")
_PAN = "pan"
# What an asset of one band may be, in the order that sensors have them.
_ORDER = (
    *("coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075"),
    *("rededge078", "nir", "nir08", "nir09", "swir16", "swir22"),
)
# Of Landsat 7 to 9, whose bands' numbers other satellites have for others.
_LANDSAT = re.compile(r"landsat|l[ceot]0?[789]", re.IGNORECASE)
_LANDSAT_PAN, _LANDSAT_MS = "b8", ("b1", "b2", "b3", "b4", "b5", "b6", "b7")
# Assets that are made for the eye, or are about an image.
_NO_DATA = {"thumbnail", "overview", "visual", "metadata", "mask", "cloud", "saturation", "quality", "date"}
_IMAGES = ("image/", "application/x-hdf", "application/octet-stream")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_MOST_ASSETS = 1000
_LONGEST_HREF = 4000


class Unfit(Exception):  # noqa: N818  becomes the reason why an item is left out
    """Why an item, or an asset of it, is of no use."""


@dataclass(frozen=True)
class Asset:
    """key, href: as the item has them; names: common names of its bands, None for one without; roles and
    kind (of its file): in small letters; size: what tells its pixels' size, None where nothing does."""

    key: str
    href: str
    names: tuple[str | None, ...]
    roles: frozenset[str]
    kind: str
    size: str | None


@dataclass(frozen=True)
class Found:
    """pan, ms: what GDAL is to open; either is empty where the item has none."""

    pan: str
    ms: tuple[str, ...]


def find_assets(item: Mapping[str, Any], base: str) -> Found:
    """PAN and MS of an item at the address, or absolute path, `base`: by the common names of bands, else by
    roles, else by keys. Unfit where several could be meant, or an address is not to be opened."""
    assets = list(_read_assets(item))
    landsat = bool(
        _LANDSAT.search(f"{read_text(item, 'id')} {read_text(_table(item, 'properties'), 'platform')}")
    )
    pan = _pick(assets, "PAN", (_is_pan_by_band, _is_by_role(_PAN), _is_pan_by_key(landsat)))
    others = [asset for asset in assets if asset is not pan and _PAN not in asset.names]
    ms = _pick(others, "MS", (_has_several, _is_by_role("ms"), _is_ms_by_key))
    parts = _pick_bands(others, landsat) if ms is None else [ms]
    return Found(
        "" if pan is None else resolve(pan.href, base),
        tuple(resolve(part.href, base) for part in parts),
    )


def _read_assets(item: Mapping[str, Any]) -> Iterator[Asset]:
    assets = _table(item, "assets")
    if len(assets) > _MOST_ASSETS:
        raise Unfit(f"it has {len(assets)} assets")
    for key, asset in assets.items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            continue
        roles = asset.get("roles")
        known = frozenset(str(role).casefold() for role in roles) if isinstance(roles, list) else frozenset()
        kind = read_text(asset, "type").casefold()
        if known & _NO_DATA or (kind and not kind.startswith(_IMAGES)):
            continue
        size = next(
            (asset[name] for name in ("gsd", "raster:spatial_resolution", "proj:shape") if name in asset),
            None,
        )
        yield Asset(
            str(key), asset["href"], _read_names(asset), known, kind, None if size is None else repr(size)
        )


def _read_names(asset: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Of the bands of STAC 1.1, and of its extension before."""
    for key, name in (("bands", "eo:common_name"), ("eo:bands", "common_name")):
        bands = asset.get(key)
        if isinstance(bands, list) and bands:
            return tuple(
                read_text(band, name).casefold() or None if isinstance(band, dict) else None for band in bands
            )
    return ()


def _pick(assets: list[Asset], role: str, tests: tuple[Callable[[Asset], bool], ...]) -> Asset | None:
    """The asset that the first test finds which finds any; Unfit where it finds several."""
    for test in tests:
        found = [asset for asset in assets if test(asset)]
        geotiffs = [asset for asset in found if "tiff" in asset.kind]
        found = geotiffs or found
        if len(found) > 1:
            keys = ", ".join(f"{asset.key:.40}" for asset in found[:4])
            raise Unfit(f"several of its assets could be {role}: {keys}")
        if found:
            return found[0]
    return None


def _is_pan_by_band(asset: Asset) -> bool:
    return asset.names == (_PAN,)


def _is_by_role(role: str) -> Callable[[Asset], bool]:
    return lambda asset: any(read_role(name) == role for name in asset.roles)


def _is_pan_by_key(landsat: bool) -> Callable[[Asset], bool]:
    def is_pan(asset: Asset) -> bool:
        key = asset.key.casefold()
        return set(asset.names) <= {None} and (read_role(key) == _PAN or (landsat and key == _LANDSAT_PAN))

    return is_pan


def _has_several(asset: Asset) -> bool:
    return len({*asset.names} - {None}) > 1


def _is_ms_by_key(asset: Asset) -> bool:
    return read_role(asset.key.casefold()) == "ms"


def _pick_bands(assets: list[Asset], landsat: bool) -> list[Asset]:
    """Assets of one band each, of one size, in the order of wavelengths; as many as there are of a size."""
    by_size: dict[str | None, dict[int, Asset]] = {}
    for asset in assets:
        key = asset.key.casefold()
        name = asset.names[0] if len(asset.names) == 1 and asset.names[0] is not None else key
        if landsat and name in _LANDSAT_MS:
            place = _LANDSAT_MS.index(name)
        elif name in _ORDER:
            place = _ORDER.index(name)
        else:
            continue
        if place in (alike := by_size.setdefault(asset.size, {})):
            raise Unfit(
                f"several of its assets could be band {name}: {alike[place].key:.40}, {asset.key:.40}"
            )
        alike[place] = asset
    most = max(by_size.values(), key=len, default={})
    return [most[place] for place in sorted(most)]


def resolve(href: str, base: str) -> str:
    """What GDAL is to open for an asset's address, counted from `base`.

    Unfit for whatever is neither a file, beside the item or by its whole path, nor an address of http, https
    or s3: GDAL would take it for a document, a driver's own name or a file system of its own. What is from a
    server names no files of this machine.
    """
    shown = f"{href!r:.80}"
    if not href or len(href) > _LONGEST_HREF or not href.isprintable() or href != href.strip():
        raise Unfit(f"{shown} is no address")
    remote = is_remote(base)
    scheme = told[1] if (told := _SCHEME.match(href)) else ""
    if not scheme and remote:
        # urljoin knows nothing of s3.
        scheme, _, place = base.partition("://")
        href = scheme + _join(f"https://{place}", href, shown).removeprefix("https")
    if scheme:
        _check_address(href, scheme.casefold(), shown)
        return href
    if href.startswith(("<", "/vsi", "//")) or ":" in href or "\\" in href:
        raise Unfit(f"{shown} is more than a file's name to GDAL")
    path = Path(base).parent / href
    if str(path).startswith("/vsi"):
        raise Unfit(f"{shown} is more than a file's name to GDAL")
    try:
        check_exists(str(path), "an asset")
    except InputError as error:
        raise Unfit(f"{path}: {error.found}") from error
    return str(path)


def _join(base: str, href: str, shown: str) -> str:
    try:
        return urljoin(base, href)
    except ValueError as error:
        raise Unfit(f"{shown} is no address") from error


def is_remote(base: str) -> bool:
    return base.casefold().startswith(tuple(f"{scheme}://" for scheme in _REMOTE))


def _check_address(href: str, scheme: str, shown: str) -> None:
    try:
        parts = urlsplit(href)
        host = parts.netloc
    except ValueError as error:
        raise Unfit(f"{shown} is no address") from error
    if scheme not in _REMOTE or not host or not href.casefold().startswith(f"{scheme}://"):
        raise Unfit(f"{shown} is neither a file nor an address of {', '.join(_REMOTE)}")
    if parts.path.casefold().endswith((".vrt", ".xml")):
        raise Unfit(f"{shown} is a document that may name other files")


def read_text(holder: object, key: str) -> str:
    """Empty where there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, str) else ""


def _table(holder: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}
