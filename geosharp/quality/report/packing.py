"""Arrays as text of a known size: WebP pictures within a budget, values as codes of 8 or 16 bits."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.errors import ResourceError
from geosharp.quality.report.content import Picture
from geosharp.quality.survey.survey import MAP_SIDE
from geosharp.raster.output.encode import MAX_SIDE, encode_webp

SPECTRA_SIDE = 160
# Tried in this order: (shrink, quality). Below 50 the codec's own blocks look like faults of the method.
LADDER = tuple((shrink, quality) for shrink in (1, 2, 4, 8) for quality in (92, 85, 75, 65, 50))
# Bands from which on each is kept smaller, so that all together take no more room.
_MANY = 8
# Quality is foreseen from the middle of each picture, which may be calmer than the rest.
_PROBE, _DOUBT = 192, 1.15

Packed = dict[str, Any]


@dataclass(frozen=True)
class Album:
    """Pictures as data URIs, all shrunk by `shrink` and encoded at `quality`, in the order they came."""

    uris: tuple[str, ...]
    shrink: int
    quality: int


def pack_pictures(pictures: Sequence[Picture], limit: int) -> Album:
    """The best encoding whose data URIs take at most `limit` characters together."""
    for shrink, quality in LADDER:
        if foresee(pictures, shrink, quality) > _DOUBT * limit:
            continue
        uris = tuple(_encode(reduce(picture, shrink), quality) for picture in pictures)
        if sum(map(len, uris)) <= limit:
            return Album(uris, shrink, quality)
    raise ResourceError(
        "report",
        f"{len(pictures)} pictures do not fit into {max(limit, 0) / 1e6:.1f} MB at any quality",
        "fewer or smaller pictures",
        "report on fewer bands (--bands)",
    )


def foresee(pictures: Sequence[Picture], shrink: int, quality: int) -> float:
    """Characters that `pictures` would take, judged from their middles."""
    total = 0.0
    for picture in pictures:
        rows, cols = (_middle(side, _PROBE * shrink) for side in picture.shape[1:])
        probe = reduce(picture[:, rows, cols], shrink)
        part = probe.shape[1] * probe.shape[2] * shrink**2 / (picture.shape[1] * picture.shape[2])
        total += len(_encode(probe, quality)) / part
    return total


def reduce(picture: Picture, factor: int) -> Picture:
    """Means over squares of about `factor` pixels, from edge to edge; no side longer than WebP allows."""
    sides = tuple(min(MAX_SIDE, math.ceil(side / factor)) for side in picture.shape[1:])
    if sides == picture.shape[1:]:
        return picture
    areas = _block_sums(np.ones((1, *picture.shape[1:]), np.float32), sides)
    means = _block_sums(picture.astype(np.float32), sides) / areas
    reduced: Picture = np.rint(means).astype(np.uint8)
    return reduced


def pack_cube(cubes: Sequence[NDArray[Any]]) -> Packed:
    """Values of equal (band, row, col) shape as little-endian 16-bit codes on one linear scale.

    value = low + step * code; code 65535 where nothing is finite. A code is off by half a step at most,
    1 / 131068 of the range.
    """
    side = _share(SPECTRA_SIDE, len(cubes[0]))
    small = [_thin(np.asarray(cube, np.float64), side) for cube in cubes]
    finite = [cube[np.isfinite(cube)] for cube in small]
    low = min((float(values.min()) for values in finite if values.size), default=0.0)
    high = max((float(values.max()) for values in finite if values.size), default=0.0)
    step = (high - low) / 65534 or 1.0
    codes = [np.where(np.isfinite(cube), np.rint((cube - low) / step), 65535) for cube in small]
    _, rows, cols = small[0].shape
    texts = [_base64(code.astype("<u2").tobytes()) for code in codes]
    return {"rows": rows, "cols": cols, "low": low, "step": step, "codes": texts}


def pack_maps(maps: Sequence[NDArray[Any]], *, signed: bool) -> Packed:
    """(row, col) values as 8-bit codes on one linear scale: 0 at `low`, 254 at `high`, 255 for none.

    high is the 99th percentile of the absolute values of all maps, low is -high or 0; values beyond take
    the last code.
    """
    side = _share(MAP_SIDE, len(maps))
    small = [_thin(np.asarray(each, np.float64)[None], side)[0] for each in maps]
    values = np.concatenate([np.abs(each[np.isfinite(each)]) for each in small])
    high = (float(np.percentile(values, 99)) if values.size else 0.0) or 1.0
    low = -high if signed else 0.0
    packed = []
    for each in small:
        codes = np.rint(254 * np.clip((np.nan_to_num(each, nan=low) - low) / (high - low), 0, 1))
        data = np.where(np.isfinite(each), codes, 255).astype(np.uint8).tobytes()
        packed.append({"rows": each.shape[0], "cols": each.shape[1], "codes": _base64(data)})
    return {"low": low, "high": high, "maps": packed}


def _share(side: int, bands: int) -> int:
    """The longest side kept of each of so many bands, which together take what `_MANY` of `side` would."""
    return math.floor(side * math.sqrt(min(1, _MANY / bands)))


def _thin(cube: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Means over squares, of what is finite in them, `side` pixels a side at most."""
    # A whole factor: means over one and over two pixels side by side differ in noise, and draw a grid.
    factor = math.ceil(max(cube.shape[1:]) / side)
    sides = tuple(math.ceil(length / factor) for length in cube.shape[1:])
    known = np.isfinite(cube)
    counts = _block_sums(known.astype(np.float64), sides)
    sums = _block_sums(np.where(known, cube, 0), sides)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means


def _block_sums(image: NDArray[Any], sides: tuple[int, ...]) -> NDArray[Any]:
    """(band, *sides) sums over blocks whose edges lie within half a pixel of equal parts of the image.

    Equal parts, since what is drawn from edge to edge must lie where it did before.
    """
    for axis, side in enumerate(sides, start=1):
        starts = (np.arange(side) * image.shape[axis] + side // 2) // side
        image = np.add.reduceat(image, starts, axis=axis)
    return image


def _middle(side: int, wanted: int) -> slice:
    start = max(0, (side - wanted) // 2)
    return slice(start, min(side, start + wanted))


def _encode(picture: Picture, quality: int) -> str:
    return "data:image/webp;base64," + _base64(encode_webp(picture, quality))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
