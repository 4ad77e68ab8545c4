"""A part of a scene: a box or a polygon on the ground as pixels of PAN."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.warp import transform_geom
from shapely import contains_xy, make_valid, segmentize, union_all
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

    shape: in PAN pixel coordinates (col, row); None for all of `rect`.
    """

    rect: Rect
    shape: BaseGeometry | None = None

    def mask(self, rect: Rect) -> Mask | None:
        """(row, col) over PAN pixels `rect`: which are in the area; None where all are."""
        if self.shape is None or self.shape.contains(box(rect.col, rect.row, rect.stop_col, rect.stop_row)):
            return None
        # Not rasterio's rasterize: it changes the process's warning filters, and tiles come in many threads.
        cols, rows = np.meshgrid(
            np.arange(rect.col, rect.stop_col) + 0.5, np.arange(rect.row, rect.stop_row) + 0.5
        )
        return np.asarray(contains_xy(self.shape, cols, rows), bool)

    def misses(self, rect: Rect) -> bool:
        """Whether the area holds nothing of PAN pixels `rect`, by its outline alone: cheap."""
        place = box(rect.col, rect.row, rect.stop_col, rect.stop_row)
        return self.shape is not None and not self.shape.intersects(place)


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
