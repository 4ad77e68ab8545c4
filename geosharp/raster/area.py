"""A part of a scene: a box or a polygon on the ground as pixels of PAN."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.warp import transform_geom
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union
from shapely.validation import make_valid

from geosharp.errors import InputError, PairError, UsageError
from geosharp.raster.grid import Grid, Rect
from geosharp.raster.source import Mask

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
        burnt = rasterize(
            [(self.shape, 1)],
            out_shape=rect.shape,
            transform=Affine.translation(rect.col, rect.row),
            dtype="uint8",
        )
        return np.asarray(burnt, bool)


def find_area(text: str, grid: Grid, within: Rect) -> Area:
    """The area a user means by `text`, on PAN's `grid`, cut to `within`.

    A box is in PAN's CRS (pixels where PAN has none). GeoJSON is in longitude and latitude unless
    it names a CRS.
    """
    numbers = _box_numbers(text)
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
    if rect.empty:
        raise PairError(
            "--area",
            f"{text} holds no pixel of the scene, which covers {_bounds(grid.crop(within))}",
            "an area that meets the scene",
            f"give {_EXPECTED}",
        )
    return Area(rect, None if numbers is not None else pixels)


def _box_numbers(text: str) -> tuple[float, float, float, float] | None:
    parts = text.replace(",", " ").split()
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return None
    if len(numbers) != 4 or not all(math.isfinite(n) for n in numbers):
        raise UsageError("--area", f"{len(numbers)} numbers in '{text}'", _EXPECTED, "give four finite numbers")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _read_geojson(text: str, grid: Grid) -> BaseGeometry:
    path = Path(text)
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        geometry = _polygons(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("--area", f"'{text}' ({error})", _EXPECTED, "check the box or the file") from error
    if geometry.is_empty or geometry.area == 0:
        raise InputError("--area", f"no polygon in {text}", _EXPECTED, "draw a polygon and save it as GeoJSON")
    if grid.crs is None:
        return geometry
    named = (document.get("crs") or {}).get("properties", {}).get("name", "OGC:CRS84")
    try:
        crs = CRS.from_user_input(named)
        return shape(transform_geom(crs, grid.crs, geometry.__geo_interface__))
    except Exception as error:
        raise InputError(
            "--area", f"{text}: its CRS {named} does not transform to PAN's ({error})", _EXPECTED, "save it in WGS 84"
        ) from error


def _polygons(document: Any) -> BaseGeometry:
    """Union of the polygons of a GeoJSON FeatureCollection, Feature or geometry."""
    kind = document["type"]
    if kind == "FeatureCollection":
        parts = [feature["geometry"] for feature in document["features"]]
    else:
        parts = [document["geometry"] if kind == "Feature" else document]
    return unary_union([make_valid(shape(part)) for part in parts if part is not None])


def _to_pixels(geometry: BaseGeometry, grid: Grid) -> BaseGeometry:
    from shapely.affinity import affine_transform

    if grid.transform is None:
        return geometry
    inverse = ~grid.transform
    return affine_transform(geometry, [inverse.a, inverse.b, inverse.d, inverse.e, inverse.c, inverse.f])


def _bounds(grid: Grid) -> str:
    return ",".join(f"{value:.10g}" for value in grid.bounds())
