"""Georeferencing by points and polynomials, carried from PAN to a part of its grid."""

from __future__ import annotations

import copy
from typing import Any

from rasterio.control import GroundControlPoint

from geosharp.raster.grid import Rect
from geosharp.raster.source import Source


def move_gcps(source: Source, rect: Rect) -> tuple[list[Any], Any] | None:
    """The GCPs of `source` and their CRS, with pixel positions counted from `rect`'s corner."""
    if not source.gcps:
        return None
    points = [
        GroundControlPoint(
            row=p.row - rect.row, col=p.col - rect.col, x=p.x, y=p.y, z=p.z, id=p.id, info=p.info
        )
        for p in source.gcps
    ]
    return points, source.gcps_crs


def move_rpcs(source: Source, rect: Rect) -> Any | None:
    """The RPCs of `source` with line and sample offsets counted from `rect`'s corner."""
    if source.rpcs is None:
        return None
    moved = copy.copy(source.rpcs)
    moved.line_off = source.rpcs.line_off - rect.row
    moved.samp_off = source.rpcs.samp_off - rect.col
    return moved
