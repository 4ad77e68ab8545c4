"""What a raster may declare of itself: more is no scene, and would take hours or all memory to find out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from geosharp.errors import InputError

MOST_BANDS = 1024
# Bytes of the pixels that GDAL reads at once: a block, of all bands where these are interleaved by pixel.
MOST_BLOCK = 2**28
# Of pixels, for a byte of their files. Nothing measured is compressed so; what stores next to nothing is.
MOST_PACKED = 10_000


def check_bounds(raster: Any, name: str, role: str) -> None:
    """Refuse an open raster of too many bands or too large blocks, or whose pixels cannot be in its files."""
    if raster.count > MOST_BANDS:
        found = f"{raster.count} bands"
        remedy = "extract those that count with gdal_translate -b"
        raise InputError(name, found, f"at most {MOST_BANDS} bands as {role}", remedy)
    sizes = [_item_size(dtype) for dtype in raster.dtypes]
    if not sizes:
        return
    by_pixel = raster.interleaving is not None and raster.interleaving.name == "pixel"
    block = max(map(math.prod, raster.block_shapes)) * (sum(sizes) if by_pixel else max(sizes))
    if block > MOST_BLOCK:
        height, width = max(raster.block_shapes, key=math.prod)
        found = f"blocks of {width} x {height} pixels, {block / 1e6:.0f} MB each"
        remedy = "write it in smaller ones with gdal_translate -co TILED=YES"
        raise InputError(name, found, f"blocks of at most {MOST_BLOCK / 1e6:.0f} MB", remedy)
    stored, declared = _stored(raster.files), raster.width * raster.height * sum(sizes)
    if stored is not None and declared > MOST_PACKED * stored:
        found = (
            f"{raster.width} x {raster.height} pixels ({declared / 1e9:.3g} GB) in a file of {stored} bytes"
        )
        remedy = (
            "fetch it again; where it is nearly empty, cut out what it holds with gdal_translate -projwin"
        )
        raise InputError(name, found, "a file that holds the pixels it declares", remedy)


def _item_size(dtype: str) -> int:
    """Bytes of a pixel; what numpy does not know, such as GDAL's complex integers, is refused elsewhere."""
    try:
        return np.dtype(dtype).itemsize
    except TypeError:
        return 1


def _stored(files: list[str]) -> int | None:
    """Bytes of all files together; None where not all lie on a disk here."""
    paths = [Path(file) for file in files]
    if not all(path.is_file() for path in paths):
        return None
    return sum(path.stat().st_size for path in paths) or None
