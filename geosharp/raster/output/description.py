"""What a file says besides its pixels, and how that is put into a GeoTIFF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rasterio.enums import ColorInterp

from geosharp.raster.grid import Grid

XMP = "xml:XMP"


@dataclass(frozen=True)
class BandInfo:
    """What a band is. colorinterp: a name of rasterio's ColorInterp, or None where it is not known."""

    name: str | None = None
    colorinterp: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Content:
    """What a file says besides its pixels.

    nodata: the value that callers have put into invalid pixels; masked: whether there are any.
    tags: metadata domain -> items, "" being the default domain; "xml:XMP" holds one item of that
    name, an XMP packet. gcps: (points, CRS), used on a grid without transform. bits: how many the
    values take where that is fewer than the type has; told by an NBITS tag of each band, as GDAL
    itself tells it of packed samples only, which take 15 times as long to write and no predictor.
    """

    grid: Grid
    dtype: str
    bands: tuple[BandInfo, ...]
    nodata: float | None = None
    masked: bool = False
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    gcps: tuple[list[Any], Any] | None = None
    rpcs: Any | None = None
    bits: int | None = None

    @property
    def raw_bytes(self) -> int:
        """Size of the pixels without compression or overviews."""
        return self.grid.rect.area * len(self.bands) * np.dtype(self.dtype).itemsize

    def band_tags(self) -> list[dict[str, str]]:
        """The tags of each band."""
        bits = {} if self.bits is None else {"NBITS": str(self.bits)}
        return [_items(band.tags) | bits for band in self.bands]


def write_content(raster: Any, content: Content, *, colors: bool) -> None:
    """Put into a raster that is being written all of `content` that does not decide its layout.

    colors: also what the bands' colours are.
    """
    if colors:
        raster.colorinterp = [_color(band, len(content.bands)) for band in content.bands]
    raster.scales = [band.scale for band in content.bands]
    raster.offsets = [band.offset for band in content.bands]
    raster.units = [band.unit or "" for band in content.bands]
    for number, (band, tags) in enumerate(zip(content.bands, content.band_tags(), strict=True), 1):
        if band.name:
            raster.set_band_description(number, band.name)
        if tags:
            raster.update_tags(number, **tags)
    for domain, items in content.tags.items():
        if items:
            raster.update_tags(ns=domain or None, **_items(items))
    if content.rpcs is not None:
        raster.rpcs = content.rpcs


def _color(band: BandInfo, count: int) -> ColorInterp:
    name = band.colorinterp or ("gray" if count == 1 else "undefined")
    return ColorInterp.__members__.get(name, ColorInterp.undefined)


def _items(tags: Mapping[str, str]) -> dict[str, str]:
    # rasterio takes items as keyword arguments: these two names are its own.
    return {key: str(value) for key, value in tags.items() if key not in ("ns", "bidx")}
