"""Where pixels lie: rectangles of whole pixels, grids on the ground, and how MS maps onto PAN."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from affine import Affine

if TYPE_CHECKING:
    from rasterio.crs import CRS

MIN_RATIO = 1.5
MAX_RATIO = 16.0
# PAN pixels that count for nothing: a ratio that drifts by less over the whole scene is taken for the
# integer it is near.
_DRIFT = 1e-3


@dataclass(frozen=True, slots=True)
class Rect:
    """Whole pixels of a grid: rows [row, row + height), columns [col, col + width)."""

    row: int
    col: int
    height: int
    width: int

    @property
    def stop_row(self) -> int:
        return self.row + self.height

    @property
    def stop_col(self) -> int:
        return self.col + self.width

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def area(self) -> int:
        return self.height * self.width

    @property
    def empty(self) -> bool:
        return self.height <= 0 or self.width <= 0

    def grow(self, rows: int, cols: int) -> Rect:
        """The same rectangle with `rows` and `cols` more pixels on each side."""
        return Rect(self.row - rows, self.col - cols, self.height + 2 * rows, self.width + 2 * cols)

    def move(self, rows: int, cols: int) -> Rect:
        return Rect(self.row + rows, self.col + cols, self.height, self.width)

    def intersect(self, other: Rect) -> Rect:
        """What both cover; empty, at this rectangle's corner, where they do not meet."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = min(self.stop_row, other.stop_row) - row
        width = min(self.stop_col, other.stop_col) - col
        if height <= 0 or width <= 0:
            return Rect(self.row, self.col, 0, 0)
        return Rect(row, col, height, width)

    def within(self, outer: Rect) -> tuple[slice, slice]:
        """Index of this rectangle in an array that holds `outer`."""
        row, col = self.row - outer.row, self.col - outer.col
        return slice(row, row + self.height), slice(col, col + self.width)


@dataclass(frozen=True)
class Grid:
    """A raster's pixels on the ground.

    transform: pixel (col, row) -> CRS coordinates, (0, 0) being the upper-left corner of the first
    pixel. Both transform and crs are None on an image without georeferencing.
    """

    shape: tuple[int, int]
    transform: Affine | None
    crs: CRS | None

    @property
    def rect(self) -> Rect:
        return Rect(0, 0, *self.shape)

    @property
    def georeferenced(self) -> bool:
        return self.transform is not None

    def as_json(self) -> dict[str, Any]:
        """crs as WKT or an authority's code; transform: a, b, c, d, e, f, pixel (col, row) -> CRS."""
        height, width = self.shape
        return {
            "crs": None if self.crs is None else self.crs.to_string(),
            "transform": None if self.transform is None else list(self.transform)[:6],
            "width": width,
            "height": height,
        }

    @property
    def south_up(self) -> bool:
        return self.transform is not None and self.transform.e > 0

    def crop(self, rect: Rect) -> Grid:
        """The grid of the pixels in `rect`; the same ground for the same pixel."""
        if self.transform is None:
            return Grid(rect.shape, None, self.crs)
        return Grid(rect.shape, self.transform @ Affine.translation(rect.col, rect.row), self.crs)

    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) in CRS coordinates; in pixels without a transform."""
        transform = self.transform or Affine.identity()
        height, width = self.shape
        xs, ys = zip(transform @ (0, 0), transform @ (width, height), strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def rotation_reason(self) -> str | None:
        """Why this grid's rows are not lines of constant y, or None where they are."""
        if self.transform is None:
            return None
        a, b, _, d, e, _ = tuple(self.transform)[:6]
        height, width = self.shape
        skew = max(abs(b) * height / max(abs(a), 1e-300), abs(d) * width / max(abs(e), 1e-300))
        if skew > 0.01:
            return f"a rotated grid (its rows turn by {math.degrees(math.atan2(d, a)):.3g} degrees)"
        if a < 0:
            return "a mirrored grid (columns run from east to west)"
        return None


@dataclass(frozen=True)
class Relation:
    """How MS pixels lie on PAN pixels, per axis as (row, col).

    pan = offset + ratio * ms for continuous coordinates that are 0 at the upper-left corner of
    the first pixel.
    """

    ratio: tuple[float, float]
    offset: tuple[float, float]

    @property
    def shift(self) -> tuple[float, float]:
        """Sub-pixel part of the offset in PAN pixels, in [-0.5, 0.5]."""
        row, col = self.offset
        return row - round(row), col - round(col)

    def moved(self, shift: tuple[float, float]) -> Relation:
        """The same with MS (down, right) by so many PAN pixels."""
        return Relation(self.ratio, (self.offset[0] + shift[0], self.offset[1] + shift[1]))

    @property
    def integer(self) -> bool:
        return all(ratio == round(ratio) for ratio in self.ratio)

    def nested(self) -> bool:
        """Whether every MS pixel is a block of whole PAN pixels."""
        return self.integer and all(offset == round(offset) for offset in self.offset)

    def footprint(self, ms_shape: tuple[int, int]) -> Rect:
        """PAN pixels whose centres lie in an MS image of that shape; may reach beyond PAN."""
        start = [math.ceil(o - 0.5 - 1e-6) for o in self.offset]
        stop = [
            math.ceil(o + r * n - 0.5 - 1e-6)
            for o, r, n in zip(self.offset, self.ratio, ms_shape, strict=True)
        ]
        return Rect(start[0], start[1], stop[0] - start[0], stop[1] - start[1])

    def ms_rect(self, pan: Rect) -> Rect:
        """The smallest rectangle of MS pixels that covers `pan`; may reach beyond MS."""
        (oy, ox), (ry, rx) = self.offset, self.ratio
        row = math.floor((pan.row - oy) / ry + 1e-9)
        col = math.floor((pan.col - ox) / rx + 1e-9)
        stop_row = math.ceil((pan.stop_row - oy) / ry - 1e-9)
        stop_col = math.ceil((pan.stop_col - ox) / rx - 1e-9)
        return Rect(row, col, stop_row - row, stop_col - col)

    def pan_rect(self, ms: Rect) -> Rect:
        """The smallest rectangle of PAN pixels that covers `ms`; may reach beyond PAN."""
        (oy, ox), (ry, rx) = self.offset, self.ratio
        row = math.floor(oy + ry * ms.row + 1e-9)
        col = math.floor(ox + rx * ms.col + 1e-9)
        stop_row = math.ceil(oy + ry * ms.stop_row - 1e-9)
        stop_col = math.ceil(ox + rx * ms.stop_col - 1e-9)
        return Rect(row, col, stop_row - row, stop_col - col)


@dataclass(frozen=True)
class Reason:
    """Why two grids cannot be related: what does not fit, and how in words for the user."""

    kind: Literal["georeference", "ratio", "overlap"]
    text: str


def counting_grids(
    pan_shape: tuple[int, int], ms_shape: tuple[int, int], relation: Relation
) -> tuple[Grid, Grid]:
    """Grids of a PAN and an MS so related whose coordinates count PAN's pixels, y upwards; no CRS."""
    (ry, rx), (oy, ox) = relation.ratio, relation.offset
    pan = Grid(pan_shape, Affine(1, 0, 0, 0, -1, 0), None)
    return pan, Grid(ms_shape, Affine(rx, 0, ox, 0, -ry, -oy), None)


def north_up(shape: tuple[int, int], corner: tuple[float, float], pixel: float, epsg: int) -> Grid:
    """A grid of square pixels of that size whose upper-left corner lies at `corner` (x, y) in EPSG `epsg`."""
    from rasterio.crs import CRS

    x, y = corner
    return Grid(shape, Affine(pixel, 0, x, 0, -pixel, y), CRS.from_epsg(epsg))


def relate(pan: Grid, ms: Grid) -> Relation | Reason:
    """MS -> PAN relation of two grids in one CRS, or the reason why they cannot be related.

    Grids without georeferencing are taken to cover the same ground.
    """
    if text := _georeference_reason(pan, ms):
        return Reason("georeference", text)
    if pan.transform is None or ms.transform is None:
        ratio = (pan.shape[0] / ms.shape[0], pan.shape[1] / ms.shape[1])
        relation = Relation(ratio, (0.0, 0.0))
    else:
        to_pan = ~pan.transform @ ms.transform
        relation = Relation((to_pan.e, to_pan.a), (to_pan.f, to_pan.c))
    relation = _without_float_noise(relation, ms.shape)
    if text := _ratio_reason(relation):
        return Reason("ratio", text)
    if text := _overlap_reason(relation, pan, ms):
        return Reason("overlap", text)
    return relation


def tiles(area: Rect, tile: int, strip: int | None = None) -> Iterator[Rect]:
    """Cut `area` row by row along multiples of `tile` counted from pixel (0, 0).

    strip: so many columns, a multiple of `tile`, from top to bottom before the next; None for all at once.
    """
    first, stop = area.col // tile * tile, area.stop_col
    for left in range(first, stop, strip or stop - first):
        right = stop if strip is None else min(left + strip, stop)
        for row in range(area.row // tile * tile, area.stop_row, tile):
            for col in range(left, right, tile):
                yield Rect(row, col, tile, tile).intersect(area)


def _without_float_noise(relation: Relation, ms_shape: tuple[int, int]) -> Relation:
    ratio, offset = list(relation.ratio), list(relation.offset)
    for axis, size in enumerate(ms_shape):
        if abs(ratio[axis] - round(ratio[axis])) * size < _DRIFT:
            ratio[axis] = float(round(ratio[axis]))
        offset[axis] = round(offset[axis], 4)
    return Relation((ratio[0], ratio[1]), (offset[0], offset[1]))


def _georeference_reason(pan: Grid, ms: Grid) -> str | None:
    for name, grid in (("PAN", pan), ("MS", ms)):
        if reason := grid.rotation_reason():
            return f"{name} has {reason}"
    if pan.georeferenced != ms.georeferenced:
        with_, without = ("PAN", "MS") if pan.georeferenced else ("MS", "PAN")
        return f"{with_} is georeferenced and {without} is not"
    if pan.south_up != ms.south_up:
        return "one grid is north-up and the other south-up"
    ratio = [fine / coarse for fine, coarse in zip(pan.shape, ms.shape, strict=True)]
    # One and the same footprint, each size rounded to whole MS pixels, cannot differ by more.
    if not pan.georeferenced and abs(ratio[0] - ratio[1]) > 2 * max(ratio) / min(ms.shape):
        sizes = [f"{width} x {height}" for height, width in (pan.shape, ms.shape)]
        return f"neither is georeferenced, and PAN's {sizes[0]} pixels and MS's {sizes[1]} differ in shape"
    return None


def _ratio_reason(relation: Relation) -> str | None:
    ry, rx = relation.ratio
    if max(ry, rx) < 1:
        return f"PAN's pixels are {1 / max(ry, rx):.3g} times coarser than MS's"
    if min(ry, rx) < MIN_RATIO:
        return f"PAN's pixels are only {min(ry, rx):.3g} times finer than MS's"
    if max(ry, rx) > MAX_RATIO:
        return f"PAN's pixels are {max(ry, rx):.4g} times finer than MS's"
    return None


def _overlap_reason(relation: Relation, pan: Grid, ms: Grid) -> str | None:
    """What PAN and MS share, where that is less than one MS pixel high or wide.

    No method learns anything there, and neighbouring scenes do touch like that.
    """
    ranges = zip(relation.offset, relation.ratio, pan.shape, ms.shape, strict=True)
    height, width = (min(start + ratio * n, size) - max(start, 0.0) for start, ratio, size, n in ranges)
    if height > relation.ratio[0] - _DRIFT and width > relation.ratio[1] - _DRIFT:
        return None
    covered = f"PAN covers {_extent(pan)} and MS {_extent(ms)}, which"
    if min(height, width) <= 0:
        return f"{covered} do not overlap"
    shared, pixel = (
        f"{round(size[1], 2):.10g} x {round(size[0], 2):.10g}" for size in ((height, width), relation.ratio)
    )
    return f"{covered} overlap by {shared} PAN pixels (width x height), less than an MS pixel of {pixel}"


def _extent(grid: Grid) -> str:
    left, bottom, right, top = grid.bounds()
    return f"x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}"
