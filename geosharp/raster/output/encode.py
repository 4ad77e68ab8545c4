"""Pictures as bytes in memory, to be embedded in a page."""

from __future__ import annotations

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import DriverRegistrationError, RasterioError
from rasterio.io import MemoryFile

from geosharp.errors import ResourceError
from geosharp.raster.opening import quietly

# The format's own limit, in pixels a side.
MAX_SIDE = 16383


def encode_webp(image: np.ndarray, quality: int) -> bytes:
    """A WebP file of a uint8 (band, row, col) image of 1 (grey), 3 (RGB) or 4 (RGB and opacity) bands.

    quality: 1 to 99 is lossy, with colour at half the resolution; 100 keeps every pixel that is not
    wholly transparent.
    """
    if image.ndim != 3 or image.shape[0] not in (1, 3, 4) or image.dtype != np.uint8:
        raise ValueError(f"{image.dtype} image of shape {image.shape} is not a uint8 picture")
    if not 0 < min(image.shape[1:]) <= max(image.shape[1:]) <= MAX_SIDE:
        raise ValueError(f"a WebP picture of {image.shape[1:]} pixels: needed 1 to {MAX_SIDE} a side")
    color = np.repeat(image, 3, axis=0) if image.shape[0] == 1 else image
    count, height, width = color.shape
    how = {"LOSSLESS": "YES"} if quality == 100 else {"QUALITY": str(quality)}
    try:
        with quietly(), rasterio.Env(GDAL_PAM_ENABLED=False), MemoryFile() as memory:
            with memory.open(
                driver="WEBP", count=count, height=height, width=width, dtype="uint8", **how
            ) as raster:
                raster.write(color)
            encoded: bytes = memory.read()
    except (DriverRegistrationError, RasterioError, CPLE_BaseError) as error:
        found = f"cannot encode a WebP picture ({error})"
        raise ResourceError("GDAL", found, "a build with its WEBP driver", "use rasterio's wheel") from error
    return encoded
