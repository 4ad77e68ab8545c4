"""Where pixels of one grid lie on another, which may be in another CRS."""

from __future__ import annotations

import math

from rasterio.warp import transform_bounds

from geosharp.raster.grid import Grid, Rect


def locate(rect: Rect, grid: Grid, other: Grid) -> Rect | None:
    """The smallest rectangle of `other`'s pixels that covers `rect` of `grid`; may reach beyond `other`.

    None where nobody can say: one has no transform or no CRS, or the CRS of `other` does not reach there.
    """
    if grid.transform is None or other.transform is None or grid.crs is None or other.crs is None:
        return None
    bounds = grid.crop(rect).bounds()
    if grid.crs != other.crs:
        try:
            bounds = transform_bounds(grid.crs, other.crs, *bounds, densify_pts=21)
        # Whatever PROJ and GDAL raise where ground is out of a CRS's reach.
        except Exception:
            return None
    left, bottom, right, top = bounds
    corners = [~other.transform @ (x, y) for x in (left, right) for y in (bottom, top)]
    if not all(math.isfinite(value) for corner in corners for value in corner):
        return None
    # As elsewhere, float noise is no pixel.
    (col, stop_col), (row, stop_row) = (
        (math.floor(min(along) + 1e-6), math.ceil(max(along) - 1e-6)) for along in zip(*corners, strict=True)
    )
    return Rect(row, col, stop_row - row, stop_col - col)
