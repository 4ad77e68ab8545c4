"""Where GDAL asks Python for the pixels of an image that is in no file; see raster.memory.

A virtual raster names a function, and GDAL runs it only if its module is trusted: this one is, and nothing
else is in it.
"""

from __future__ import annotations

from typing import Any, Protocol


class Provider(Protocol):
    """What has the pixels of an image, or gets them. Many threads may ask at once."""

    def read(self, band: int, row: int, col: int, height: int, width: int) -> Any:
        """(row, col) of a band, counted from 0, within the image."""


# Of the images that are shown, by their token.
PROVIDERS: dict[str, Provider] = {}


def fill(
    in_ar: Any,
    out_ar: Any,
    xoff: int,
    yoff: int,
    xsize: int,
    ysize: int,
    raster_xsize: int,
    raster_ysize: int,
    buf_radius: int,
    gt: Any,
    *,
    token: bytes,
    band: bytes,
) -> None:
    """The signature is GDAL's for functions of pixels; out_ar (row, col) is to be filled."""
    out_ar[:] = PROVIDERS[token.decode()].read(int(band), yoff, xoff, ysize, xsize)
