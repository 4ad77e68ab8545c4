"""Whether PAN and MS fit each other, what is done so that they do, and the refusal where they cannot."""

from __future__ import annotations

import math
import re

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.warp import transform_bounds

from geosharp.errors import PairError
from geosharp.raster.grid import MAX_RATIO, MIN_RATIO, Grid, Reason, Relation, relate
from geosharp.raster.source import Source, flip_rows, warp_to

Box = tuple[float, float, float, float]

# Two CRS that agree to this many PAN pixels at the corners of MS are the same for our purpose.
_SAME_CRS = 0.01
# How far band files may lie apart, in their pixels: headers round coordinates, and a hundredth of an MS
# pixel is beneath what the registration of bands is known to. What follows takes the first file's grid.
_SAME_GRID = 0.01
# MS pixels kept around PAN when MS is warped: as much as any method's halo asks for.
_WARP_MARGIN = 32


def check_alike(sources: tuple[Source, ...]) -> None:
    """Refuse MS files that are not on one grid and of one type."""
    first = sources[0]
    for other in sources[1:]:
        if difference := _difference(first, other):
            raise PairError(
                f"{first.name} and {other.name}",
                difference,
                "MS band files on one grid and of one pixel type",
                "resample the odd one with gdalwarp -te -tr, or fuse the groups separately",
            )


def _difference(first: Source, other: Source) -> str | None:
    """What two MS files differ in, with both values; None where their pixels are of one place and kind."""
    if first.grid.shape != other.grid.shape:
        return f"size {_size(first)} and {_size(other)}"
    if first.dtype != other.dtype:
        return f"pixel type {first.dtype} and {other.dtype}"
    if first.grid.crs != other.grid.crs:
        mine, theirs = _crs_name(first.grid.crs), _crs_name(other.grid.crs)
        if mine != theirs:
            return f"CRS {mine} and {theirs}"
    apart = _apart(first.grid, other.grid)
    if apart <= _SAME_GRID:
        return None
    mine, theirs = _places(first.grid.transform, other.grid.transform)
    by = f" (up to {apart:.3g} pixels apart)" if math.isfinite(apart) else ""
    return f"geotransforms {mine} and {theirs}{by}"


def _apart(first: Grid, other: Grid) -> float:
    """How far the corners of two grids of one size lie apart, in pixels of `first`."""
    if first.transform is None or other.transform is None:
        return 0.0 if first.transform == other.transform else math.inf
    to_first = ~first.transform @ other.transform
    height, width = first.shape
    corners = ((0, 0), (width, 0), (0, height), (width, height))
    return max(math.dist(corner, to_first @ corner) for corner in corners)


def _places(first: Affine | None, other: Affine | None) -> tuple[str, str]:
    """Both geotransforms, with as many digits as it takes to tell them apart."""
    for digits in range(6, 18):
        mine, theirs = (
            "none" if place is None else ", ".join(f"{value:.{digits}g}" for value in tuple(place)[:6])
            for place in (first, other)
        )
        if mine != theirs:
            break
    return mine, theirs


def put_onto_pan(pan: Source, sources: tuple[Source, ...], notes: list[str]) -> tuple[Source, ...]:
    """MS files made comparable with PAN: rows the same way up, CRS the same. They are on one grid."""
    for source, role in ((pan, "PAN"), (sources[0], "MS")):
        if reason := source.grid.rotation_reason():
            needed = f"a {role} whose rows run from west to east"
            raise PairError(source.name, reason, needed, "make it north-up with gdalwarp")
    first = sources[0]
    if pan.grid.transform is None or first.grid.transform is None:
        return sources
    known = pan.grid.crs is not None and first.grid.crs is not None
    if known and not _same_crs(pan.grid, first.grid):
        grid = _nested_grid(pan, first)
        notes.append(
            f"{first.name}: MS is in {_crs_name(first.grid.crs)} and PAN in {_crs_name(pan.grid.crs)}: "
            "MS is warped (cubic) onto a grid nested in PAN's"
        )
        return tuple(warp_to(source, grid) for source in sources)
    if (pan.grid.crs is None) != (first.grid.crs is None):
        without = first if first.grid.crs is None else pan
        notes.append(f"{without.name}: no CRS; taken to be in the other file's, since both have coordinates")
    if pan.grid.south_up == first.grid.south_up:
        return sources
    return tuple(flip_rows(source) for source in sources)


def find_relation(pan: Source, ms: Source, notes: list[str]) -> Relation:
    """How MS lies on PAN, once `put_onto_pan` has been at it; `notes` grows by what a user should know."""
    relation = relate(pan.grid, ms.grid)
    if isinstance(relation, Reason):
        raise _refusal(pan, ms, relation)
    if pan.grid.transform is None:
        _check_nominal_overlap(pan, ms)
        carried = [kind for kind, there in (("GCPs", pan.gcps), ("RPCs", pan.rpcs)) if there]
        kept = f"; PAN's {' and '.join(carried)} go to the output" if carried else ""
        notes.append(
            "neither PAN nor MS has a geotransform: taken to cover the same ground from corner to "
            f"corner, ratio {relation.ratio[0]:.6g} x {relation.ratio[1]:.6g}{kept}"
        )
    if max(relation.ratio) > 8.5:
        notes.append(f"the ratio is {max(relation.ratio):.3g}; results beyond 8 are mostly PAN's detail")
    return relation


def _size(source: Source) -> str:
    return f"{source.grid.shape[1]} x {source.grid.shape[0]}"


def _crs_name(crs: CRS | None) -> str:
    if crs is None:
        return "no CRS"
    if code := crs.to_epsg():
        return f"EPSG:{code}"
    named = re.search(r'"([^"]+)"', crs.to_wkt())
    return named[1] if named else str(crs.to_string())


def _same_crs(pan: Grid, ms: Grid) -> bool:
    if pan.crs == ms.crs or pan.transform is None:
        return True
    left, bottom, right, top = ms.bounds()
    xs, ys = [left, left, right, right], [bottom, top, bottom, top]
    try:
        there = transform_points(ms.crs, pan.crs, xs, ys)
    except Exception:  # rasterio raises many kinds; _nested_grid says what is wrong
        return False
    limit = _SAME_CRS * min(abs(pan.transform.a), abs(pan.transform.e))
    return bool(np.hypot(np.subtract(there[0], xs), np.subtract(there[1], ys)).max() < limit)


def _nested_grid(pan: Source, ms: Source) -> Grid:
    """A grid in PAN's CRS whose pixels are whole blocks of PAN pixels about the size of MS's.

    It covers what MS covers, at most _WARP_MARGIN of its pixels beyond PAN.
    """
    grid = pan.grid
    if grid.transform is None or ms.grid.transform is None:
        raise ValueError("only georeferenced rasters nest")
    to_pan = ~grid.transform
    place = _common_box(pan, ms, 0)
    x, y = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
    a, e = ms.grid.transform.a, ms.grid.transform.e
    xs, ys = _transformed(pan, ms, [x, x + a, x], [y, y, y + e])
    cols, rows = (np.array(axis) for axis in to_pan @ (np.array(xs), np.array(ys)))
    # Both steps of MS count on each axis: one CRS may lie turned in the other.
    ratio_y, ratio_x = (math.hypot(v[1] - v[0], v[2] - v[0]) for v in (rows, cols))
    if min(ratio_x, ratio_y) < MIN_RATIO or max(ratio_x, ratio_y) > MAX_RATIO:
        raise _ratio_error(pan, ms, f"MS pixels of {ratio_y:.3g} x {ratio_x:.3g} PAN pixels")
    nest = max(2, round(ratio_y)), max(2, round(ratio_x))
    left, bottom, right, top = _common_box(pan, ms, _WARP_MARGIN * max(nest))
    try:
        bounds = transform_bounds(ms.grid.crs, grid.crs, left, bottom, right, top, densify_pts=51)
    except Exception as error:
        raise _crs_error(pan, ms, str(error)) from error
    corners = [to_pan @ (x, y) for x in bounds[::2] for y in bounds[1::2]]
    if not np.isfinite(corners).all():
        raise _crs_error(pan, ms, "it leaves the CRS's domain")
    start_row, stop_row = _nested_span([corner[1] for corner in corners], nest[0], grid.shape[0])
    start_col, stop_col = _nested_span([corner[0] for corner in corners], nest[1], grid.shape[1])
    corner = grid.transform @ Affine.translation(start_col * nest[1], start_row * nest[0])
    shape = stop_row - start_row, stop_col - start_col
    return Grid(shape, corner @ Affine.scale(nest[1], nest[0]), grid.crs)


def _common_box(pan: Source, ms: Source, margin: int) -> Box:
    """What MS and PAN with `margin` pixels around it both cover, in MS's CRS."""
    grown = pan.grid.crop(pan.grid.rect.grow(margin, margin)).bounds()
    try:
        box = transform_bounds(pan.grid.crs, ms.grid.crs, *grown, densify_pts=51)
    except Exception as error:
        raise _crs_error(pan, ms, str(error)) from error
    if not np.isfinite(box).all():
        raise _crs_error(pan, ms, "it leaves the CRS's domain")
    other = ms.grid.bounds()
    left, bottom = max(box[0], other[0]), max(box[1], other[1])
    right, top = min(box[2], other[2]), min(box[3], other[3])
    if left >= right or bottom >= top:
        raise _overlap_error(pan, ms, "PAN and MS, once in one CRS, do not overlap")
    return left, bottom, right, top


def _transformed(
    pan: Source, ms: Source, xs: list[float], ys: list[float]
) -> tuple[list[float], list[float]]:
    """Points of MS's CRS in PAN's."""
    try:
        there = transform_points(ms.grid.crs, pan.grid.crs, xs, ys)
    except Exception as error:
        raise _crs_error(pan, ms, str(error)) from error
    return there[0], there[1]


def _nested_span(pan_positions: list[float], ratio: int, pan_size: int) -> tuple[int, int]:
    """MS pixels [start, stop) that cover those PAN positions, at most _WARP_MARGIN beyond PAN."""
    start = max(math.floor(min(pan_positions) / ratio), -_WARP_MARGIN)
    stop = min(math.ceil(max(pan_positions) / ratio), math.ceil(pan_size / ratio) + _WARP_MARGIN)
    return start, stop


def _refusal(pan: Source, ms: Source, reason: Reason) -> PairError:
    if reason.kind == "overlap":
        return _overlap_error(pan, ms, reason.text)
    if reason.kind == "ratio":
        return _ratio_error(pan, ms, reason.text)
    return PairError(
        f"{pan.name} and {ms.name}",
        reason.text,
        "both with a geotransform, or both without and of one footprint",
        "give both their georeference, or take it from both (gdal_translate -a_ullr sets one)",
    )


def _crs_error(pan: Source, ms: Source, reason: str) -> PairError:
    theirs, ours = _crs_name(ms.grid.crs), _crs_name(pan.grid.crs)
    return PairError(
        f"{pan.name} and {ms.name}",
        f"MS in {theirs}, which cannot be transformed to PAN's {ours} there ({reason})",
        "two CRS that PROJ relates over the scene",
        "check both CRS, or reproject MS with gdalwarp -t_srs",
    )


def _ratio_error(pan: Source, ms: Source, found: str) -> PairError:
    return PairError(
        f"{pan.name} and {ms.name}",
        found,
        f"PAN {MIN_RATIO:g} to {MAX_RATIO:g} times finer than MS",
        "check the order of the arguments (PAN comes first) and that both are of one scene",
    )


def _overlap_error(pan: Source, ms: Source, found: str) -> PairError:
    needed = "a common area of one MS pixel or more in height and width"
    return PairError(f"{pan.name} and {ms.name}", found, needed, "check that both files are of one scene")


def _check_nominal_overlap(pan: Source, ms: Source) -> None:
    """Refuse images whose GCPs or RPCs say that they are of different places."""
    boxes = [box for box in (_nominal_box(pan), _nominal_box(ms)) if box]
    if len(boxes) == 2 and not (
        boxes[0][0] <= boxes[1][2]
        and boxes[1][0] <= boxes[0][2]
        and boxes[0][1] <= boxes[1][3]
        and boxes[1][1] <= boxes[0][3]
    ):
        raise _overlap_error(pan, ms, "GCPs or RPCs that place PAN and MS apart")


def _nominal_box(source: Source) -> Box | None:
    """(left, bottom, right, top) in degrees by RPCs, else by GCPs; None where they do not tell."""
    rpcs = source.rpcs
    if rpcs is not None:
        return (
            rpcs.long_off - rpcs.long_scale,
            rpcs.lat_off - rpcs.lat_scale,
            rpcs.long_off + rpcs.long_scale,
            rpcs.lat_off + rpcs.lat_scale,
        )
    if not source.gcps or source.gcps_crs is None:
        return None
    xs, ys = [p.x for p in source.gcps], [p.y for p in source.gcps]
    try:
        xs, ys = transform_points(source.gcps_crs, CRS.from_epsg(4326), xs, ys)[:2]
    except Exception:  # rasterio raises many kinds; GCPs that say nothing forbid nothing
        return None
    return min(xs), min(ys), max(xs), max(ys)
