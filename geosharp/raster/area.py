"""A part of a scene: a box or a polygon on the ground as pixels of PAN."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform_geom
from shapely import get_parts, make_valid, segmentize, union_all
from shapely.affinity import affine_transform
from shapely.errors import GeometryTypeError
from shapely.geometry import MultiPolygon, box, shape
from shapely.geometry.base import BaseGeometry
from shapely.lib import GEOSException

from geosharp.errors import InputError, PairError, UsageError
from geosharp.raster.grid import Grid, Rect
from geosharp.raster.source import Mask

Place = str | os.PathLike[str] | Sequence[float]

# Edges of a polygon in another CRS are bent in this many pieces over its extent.
_PIECES = 64
# Up to so many pixels an area is looked through for one whose centre it holds.
_SMALL = 2**20
# What reading a file that is not GeoJSON can raise.
_BROKEN = ValueError, LookupError, TypeError, AttributeError, RecursionError, GeometryTypeError, GEOSException
_EXPECTED = "left,bottom,right,top in PAN's CRS, or a GeoJSON file of polygons"


@dataclass(frozen=True)
class Area:
    """A part of a PAN grid: the PAN pixels `rect`, and within them those whose centre lies in `shape`.

    shape: polygons in PAN pixel coordinates (col, row); None for all of `rect`. Many threads may ask one
    area at once.
    """

    rect: Rect
    shape: BaseGeometry | None = None
    _edges: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_edges", _edges_of(self.shape))

    def mask(self, rect: Rect) -> Mask | None:
        """(row, col) over PAN pixels `rect`: which are in the area; None where all are."""
        if self.shape is None:
            return None
        inside = _fill(self._edges, rect)
        return None if inside.all() else inside

    def scaled(self, ratio: tuple[float, float], offset: tuple[float, float]) -> Area:
        """The shape in pixels `ratio` times as large, (rows, cols), of which the first begins at `offset`."""
        (ry, rx), (oy, ox) = ratio, offset
        rows = math.floor((self.rect.row - oy) / ry), math.ceil((self.rect.stop_row - oy) / ry)
        cols = math.floor((self.rect.col - ox) / rx), math.ceil((self.rect.stop_col - ox) / rx)
        rect = Rect(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0])
        if self.shape is None:
            return Area(rect)
        return Area(rect, affine_transform(self.shape, [1 / rx, 0, 0, 1 / ry, -ox / rx, -oy / ry]))

    def misses(self, rect: Rect) -> bool:
        """Whether the area holds nothing of PAN pixels `rect`."""
        return self.shape is not None and not _fill(self._edges, rect).any()


def _edges_of(shape: BaseGeometry | None) -> NDArray[np.float64]:
    """(edge, x0 y0 x1 y1) of all rings of polygons, which do not overlap, without the level ones."""
    if shape is None:
        return np.zeros((0, 4))
    polygons = [part for part in get_parts(shape) if part.geom_type == "Polygon"]
    rings = [np.asarray(ring.coords)[:, :2] for part in polygons for ring in (part.exterior, *part.interiors)]
    edges = np.concatenate([np.zeros((0, 4)), *(np.hstack([ring[:-1], ring[1:]]) for ring in rings)])
    return np.asarray(edges[edges[:, 1] != edges[:, 3]], np.float64)


def _fill(edges: NDArray[np.float64], rect: Rect) -> Mask:
    """Which pixels of `rect` have their centre inside: an odd number of edges lies left of it.

    With arrays that nobody writes to, since GEOS prepares a shape on first use, in whatever thread, and
    rasterio's rasterize changes the process's warning filters. Absolute coordinates decide, whatever the
    rectangle.
    """
    x0, y0, x1, y1 = edges.T
    # An edge crosses the rows whose centre line it starts on or passes, but not the one it ends on.
    first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), rect.row, rect.stop_row).astype(np.int64)
    stop = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), rect.row, rect.stop_row).astype(np.int64)
    count = stop - first
    edge = np.repeat(np.arange(len(edges)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    slope = (x1 - x0) / (y1 - y0)
    at = x0[edge] + (row + 0.5 - y0[edge]) * slope[edge]
    col = np.clip(np.ceil(at - 0.5), rect.col, rect.stop_col).astype(np.int64) - rect.col
    crossed = np.zeros((rect.height, rect.width + 1), np.int64)
    np.add.at(crossed, (row - rect.row, col), 1)
    return np.asarray(np.cumsum(crossed, axis=1)[:, :-1] % 2, bool)


def find_area(place: Place, grid: Grid, within: Rect) -> Area:
    """The area a user means by `place`, on PAN's `grid`, cut to `within`.

    place: a box as (left, bottom, right, top) or as text with commas or blanks between, in PAN's CRS
    (pixels where PAN has none); or a GeoJSON file, in longitude and latitude unless it names a CRS.
    """
    text, numbers = _read_place(place)
    if numbers is not None:
        left, bottom, right, top = numbers
        if left >= right or bottom >= top:
            raise UsageError(
                "--area", f"the empty box {text}", "left < right and bottom < top", f"give {_EXPECTED}"
            )
        geometry = box(left, bottom, right, top)
    else:
        geometry = _read_geojson(text, grid)
    pixels = _to_pixels(geometry, grid)
    left, top, right, bottom = pixels.bounds
    # A pixel belongs to the area if its centre does.
    row, col = math.ceil(top - 0.5 - 1e-6), math.ceil(left - 0.5 - 1e-6)
    stop_row, stop_col = math.ceil(bottom - 0.5 - 1e-6), math.ceil(right - 0.5 - 1e-6)
    rect = Rect(row, col, stop_row - row, stop_col - col).intersect(within)
    area = Area(rect, None if numbers is not None else pixels)
    if rect.empty or (rect.area <= _SMALL and _holds_nothing(area)):
        raise PairError(
            "--area",
            f"{text} holds no pixel of the scene, which covers {_bounds(grid.crop(within))}",
            "an area that meets the scene",
            f"give {_EXPECTED}",
        )
    return area


def _holds_nothing(area: Area) -> bool:
    mask = area.mask(area.rect)
    return mask is not None and not mask.any()


def _read_place(place: Place) -> tuple[str, tuple[float, ...] | None]:
    """`place` as text, and the four numbers of a box; None in place of them for the path of a file."""
    if isinstance(place, os.PathLike):
        return os.fspath(place), None
    parts = place.replace(",", " ").split() if isinstance(place, str) else place
    try:
        numbers = tuple(float(part) for part in parts)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(place, str):
            return place, None
        raise UsageError("--area", repr(place), _EXPECTED, "give four numbers or a path") from error
    text = place if isinstance(place, str) else ",".join(f"{number:.10g}" for number in numbers)
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        found = f"{len(numbers)} numbers in '{text}'"
        raise UsageError("--area", found, _EXPECTED, "give four finite numbers")
    return text, numbers


def _read_geojson(text: str, grid: Grid) -> BaseGeometry:
    """The polygons of a GeoJSON file in PAN's CRS; as they are where PAN has none."""
    try:
        document: Any = json.loads(Path(text).read_text(encoding="utf-8"))
        with np.errstate(over="ignore", invalid="ignore"):
            geometry, named = _polygons(document), _crs_name(document)
    except OSError as error:
        found = f"'{text}', which is neither a box nor a file that can be read ({error.strerror})"
        raise InputError("--area", found, _EXPECTED, "check the box or the path") from error
    except _BROKEN as error:
        found = f"{text}, which is not GeoJSON ({type(error).__name__})"
        raise InputError("--area", found, _EXPECTED, "save the polygon as GeoJSON again") from error
    if geometry.area == 0:
        found = f"no polygon in {text}"
        raise InputError("--area", found, _EXPECTED, "draw a polygon and save it as GeoJSON")
    if grid.crs is None:
        return geometry
    left, bottom, right, top = geometry.bounds
    try:
        bent = segmentize(geometry, max(right - left, top - bottom) / _PIECES)
        moved = shape(transform_geom(CRS.from_user_input(named), grid.crs, bent.__geo_interface__))
        if not all(math.isfinite(value) for value in moved.bounds):
            raise ValueError("it leaves the CRS's domain")
    except Exception as error:  # rasterio raises many kinds
        found = f"{text}: its CRS {named} does not transform to PAN's ({error})"
        raise InputError("--area", found, _EXPECTED, "save it in WGS 84") from error
    return _only_polygons([moved])


def _crs_name(document: Any) -> str:
    """The CRS that old GeoJSON may name; else longitude and latitude."""
    named = document.get("crs")
    return "OGC:CRS84" if named is None else str(named["properties"]["name"])


def _polygons(document: Any) -> BaseGeometry:
    """Union of the polygons of a GeoJSON FeatureCollection, Feature or geometry."""
    kind = document["type"]
    if kind == "FeatureCollection":
        parts = [feature["geometry"] for feature in document["features"]]
    else:
        parts = [document["geometry"] if kind == "Feature" else document]
    return _only_polygons([shape(part) for part in parts if part is not None])


def _only_polygons(geometries: list[BaseGeometry]) -> BaseGeometry:
    """Their union without points and lines, which would be burnt as pixels."""
    parts: list[BaseGeometry] = []
    waiting = [make_valid(geometry) for geometry in geometries]
    while waiting:
        geometry = waiting.pop()
        if geometry.geom_type == "Polygon":
            parts.append(geometry)
        else:
            waiting.extend(getattr(geometry, "geoms", ()))
    union: BaseGeometry = union_all(parts) if parts else MultiPolygon()
    return union


def _to_pixels(geometry: BaseGeometry, grid: Grid) -> BaseGeometry:
    """CRS coordinates -> PAN pixel coordinates (col, row)."""
    if grid.transform is None:
        return geometry
    inverse = ~grid.transform
    coefficients = [inverse.a, inverse.b, inverse.d, inverse.e, inverse.c, inverse.f]
    pixels: BaseGeometry = affine_transform(geometry, coefficients)
    return pixels


def _bounds(grid: Grid) -> str:
    return ",".join(f"{value:.10g}" for value in grid.bounds())
