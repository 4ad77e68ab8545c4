"""What GDAL's copies, cloud-optimised or packed, lose of a GeoTIFF, and how they get it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import rasterio

from geosharp.raster.output.tiff import declare_no_alpha, overwrite_metadata, read_metadata

_PADDING = "PADDING"


def pad_metadata(raster: rasterio.io.DatasetWriter, tags: Iterable[Mapping[str, str]]) -> None:
    """Make room in the metadata of a raster that will be copied: a copy loses the bands' `tags`."""
    size = sum(
        64 + len(key.encode()) + 6 * len(str(value).encode())
        for items in tags
        for key, value in items.items()
    )
    if size:
        raster.update_tags(**{_PADDING: "x" * size})


def restore_content(source: Path, out: Path) -> None:
    """Undo what GDAL does to the content of an intact copy `out` of `source`, by its COG driver or GTiff's.

    Copying domains other than its own it drops the tags of bands, and the fourth uint8 band of a COG it
    declares to be opacity. Both are set right in place, so that the order of the parts stays that of a COG.
    """
    declare_no_alpha(out)
    whole = read_metadata(source)
    lines = whole.splitlines(keepends=True)
    kept = b"".join(line for line in lines if not line.startswith(f'  <Item name="{_PADDING}">'.encode()))
    if kept != whole:
        overwrite_metadata(out, kept)
