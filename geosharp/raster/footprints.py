"""What a raster's header tells of where and when: footprints on the ground, times, and pairs by both."""

from __future__ import annotations

import contextlib
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rasterio
import shapely
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.warp import transform_geom
from shapely.geometry import Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from geosharp.errors import InputError
from geosharp.raster.grid import MAX_RATIO, MIN_RATIO, Grid
from geosharp.raster.opening import beside, quietly, told

# Points on each side of a footprint, as straight lines of one CRS are bent in another.
_PIECES = 16
# Degrees that a corner may be off, about a centimetre.
_FINE = 7
# Degrees by which points on a side must be off the straight line to be kept, about a metre.
_BENT = 1e-5
# Share of what either covers that both must, where times agree, and where nothing tells when.
_MOSTLY, _NEARLY_ALL = 0.5, 0.8
# PAN and MS of one pass, as times in headers go: some tell when a file began, some when a line was seen.
_APART = timedelta(seconds=60)
_WORKERS = 8
# Tags that tell when a scene was taken, the surest first: by domain and name.
_TIME_TAGS = (
    ("IMAGERY", "ACQUISITIONDATETIME"),
    ("", "ACQUISITIONDATETIME"),
    ("", "ACQUISITION_DATETIME"),
    ("", "ACQUISITION_DATE_TIME"),
    ("", "NITF_IDATIM"),
)
# It may be of the file rather than of the scene: what names tell comes first.
_FILE_TIME = ("", "TIFFTAG_DATETIME")
_TIME = re.compile(r"(\d{4})[-:/]?(\d\d)[-:/]?(\d\d)[T _]?(\d\d):?(\d\d):?(\d\d)(?:\.\d+)?Z?")

# How files are paired that nothing else tells to be of one scene.
BY_TABLE = "a CSV with columns pan,ms (files of single MS bands with ; between)"

Tags = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Header:
    """Of a georeferenced raster. bands: without alpha; ground: what it covers, in degrees (longitude,
    latitude), or in its own coordinates where it names no CRS; pixel: of the ground, the root of its area."""

    path: Path
    bands: int
    ground: BaseGeometry
    pixel: float
    placed: bool
    time: datetime | None


def find_ground(grid: Grid) -> BaseGeometry | None:
    """What a grid covers in degrees (longitude, latitude), counter-clockwise, cut where it crosses the date
    line; None without a CRS."""
    if grid.transform is None or grid.crs is None:
        return None
    height, width = grid.shape
    corners = [grid.transform @ corner for corner in ((0, 0), (0, height), (width, height), (width, 0))]
    outline = Polygon(corners)
    bent = shapely.segmentize(outline, outline.length / (4 * _PIECES))
    there = transform_geom(grid.crs, "EPSG:4326", mapping(bent), antimeridian_cutting=True, precision=_FINE)
    ground: BaseGeometry = shapely.orient_polygons(shapely.simplify(shape(there), _BENT))
    return ground


def find_time(tags: Tags, named: datetime | None) -> datetime | None:
    """When a scene was taken, UTC: by metadata of the vendor, else by its name, else by the file's own."""
    for domain, key in _TIME_TAGS:
        if time := _read_time(tags, domain, key):
            return time
    return named or _read_time(tags, *_FILE_TIME)


def _read_time(tags: Tags, domain: str, key: str) -> datetime | None:
    values = {name.upper(): value for name, value in tags.get(domain, {}).items()}
    if match := _TIME.match(values.get(key, "").strip()):
        with contextlib.suppress(ValueError):
            year, month, day, hour, minute, second = map(int, match.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return None


def read_headers(files: Mapping[Path, datetime | None]) -> dict[Path, Header | str]:
    """The headers of files, of whose names the times are, or why they tell nothing."""
    # Filters of warnings are the process's: one for all threads.
    with quietly(), ThreadPoolExecutor(_WORKERS) as pool:
        return dict(zip(files, pool.map(_read_header, files, files.values()), strict=True))


def _read_header(path: Path, named: datetime | None) -> Header | str:
    try:
        with told(str(path)), beside(), rasterio.open(path) as raster:
            grid, bands = _grid_of(raster), raster.count - raster.colorinterp.count(ColorInterp.alpha)
            tags = {"": raster.tags(), "IMAGERY": raster.tags(ns="IMAGERY")}
            ground = find_ground(grid)
    except InputError as error:
        return error.found
    if grid.transform is None or bands == 0:
        return "it has no bands" if bands == 0 else "neither its name nor a georeference tells its partner"
    placed, height, width = ground is not None, *grid.shape
    if ground is None:
        ground = shapely.box(*grid.bounds())
    if ground.area == 0 or not math.isfinite(ground.area):
        return "its georeference leads nowhere"
    return Header(
        path, bands, ground, math.sqrt(ground.area / (height * width)), placed, find_time(tags, named)
    )


def _grid_of(raster: Any) -> Grid:
    """Its transform None where it is GDAL's way to say that there is none."""
    there = raster.transform
    none = there == Affine.identity() or there.is_degenerate or not all(map(math.isfinite, there))
    return Grid((raster.height, raster.width), None if none else there, raster.crs)


def pair_by_footprint(headers: Sequence[Header]) -> tuple[list[tuple[Path, Path, str]], dict[Path, str]]:
    """PAN, MS and the rule that paired them, where only these two can be meant; and of all others why not.

    A band of its own is PAN to several that are coarser, cover mostly the same ground and were seen within
    a minute. Where nothing tells when, they must cover nearly all of it.
    """
    pans = [header for header in headers if header.bands == 1]
    mss = [header for header in headers if header.bands > 1]
    found: dict[Path, list[tuple[Path, str]]] = defaultdict(list)
    apart: dict[Path, str] = {}
    tree = shapely.STRtree([ms.ground for ms in mss])
    for pan in pans:
        for index in sorted(tree.query(pan.ground, predicate="intersects").tolist()):
            ms = mss[index]
            rule, why = _judge(pan, ms)
            for one, other in ((pan, ms), (ms, pan)):
                if rule is not None:
                    found[one.path].append((other.path, rule))
                elif why is not None:
                    apart[one.path] = f"{other.path.name} shows the same ground, but {why}"
    pairs = [
        (pan.path, ms, rule)
        for pan in pans
        for ms, rule in found[pan.path]
        if len(found[pan.path]) == len(found[ms]) == 1
    ]
    return pairs, {header.path: _tell_why(header, found, apart) for header in headers}


def _judge(pan: Header, ms: Header) -> tuple[str | None, str | None]:
    """The rule by which both are a pair; or what speaks against it, None where they share nothing."""
    if pan.placed != ms.placed or not MIN_RATIO <= ms.pixel / pan.pixel <= MAX_RATIO:
        return None, None
    both = shapely.intersection(pan.ground, ms.ground).area
    share = both / (pan.ground.area + ms.ground.area - both)
    if share < _MOSTLY:
        return None, None
    if pan.time is None or ms.time is None:
        if share < _NEARLY_ALL:
            return None, f"only {share:.0%} of it, and nothing tells when it was seen"
        return "by footprint", None
    if (between := abs(pan.time - ms.time)) > _APART:
        return None, f"was seen {between} before or after"
    return "by footprint and time", None


def _tell_why(
    header: Header, found: Mapping[Path, Sequence[tuple[Path, str]]], apart: Mapping[Path, str]
) -> str:
    """Why a header is of no pair."""
    role, partner = ("PAN", "MS") if header.bands == 1 else ("MS", "PAN")
    fitting = found.get(header.path, ())
    if len(fitting) > 1:
        names = ", ".join(other.name for other, _ in fitting[:3])
        return f"{len(fitting)} files of the same ground could be its {partner}: {names}"
    if fitting:
        other = fitting[0][0]
        return f"its ground is that of {other.name}, to which others could be {role}, too"
    alone = f"; if it is a band of an MS, list all of them in {BY_TABLE}" if header.bands == 1 else ""
    return apart.get(header.path, f"no {partner} of its ground is there{alone}")
