"""What a result takes over from its inputs: tags, and PAN's georeferencing by points and polynomials."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from rasterio.control import GroundControlPoint

from geosharp.raster.grid import Rect
from geosharp.raster.source import Source

# Of the default domain: about the pixels and the layout of the file they were in.
_OF_THE_FILE = {
    *("AREA_OR_POINT", "OVR_RESAMPLING_ALG", "TIFFTAG_MINSAMPLEVALUE", "TIFFTAG_MAXSAMPLEVALUE"),
    *("TIFFTAG_XRESOLUTION", "TIFFTAG_YRESOLUTION", "TIFFTAG_RESOLUTIONUNIT"),
}
# About the flight and the owner: as true of the result as of PAN. By domain, in capitals.
_OF_THE_SCENE = {
    "": {
        *("METADATATYPE", "TIFFTAG_DATETIME", "TIFFTAG_COPYRIGHT", "ACQUISITIONDATETIME", "ACQUISITION_DATE"),
        *("DATE_ACQUIRED", "SATELLITEID", "SATELLITE_ID", "SPACECRAFT_ID", "SUN_ELEVATION", "SUN_AZIMUTH"),
    },
    "IMAGERY": {"SATELLITEID", "CLOUDCOVER", "ACQUISITIONDATETIME"},
}


def carry_tags(pan: Source, ms: Source) -> dict[str, dict[str, str]]:
    """The tags of a result: metadata domain -> items.

    All of MS's, whose bands the result has, but for what is about the file they were in (how its grid
    is to be read, statistics, resolution). Of PAN's only when, by what and under whose rights the scene
    was taken, and only where MS does not tell: anything else (calibration, band names, product ids)
    would be read as the bands'.
    """
    tags = {space: dict(items) for space, items in ms.tags.items()}
    tags[""] = {key: value for key, value in tags.get("", {}).items() if not _is_of_the_file(key)}
    for space, keys in _OF_THE_SCENE.items():
        theirs = pan.tags.get(space, {})
        told = {key.upper() for key in tags.get(space, {})}
        added = {key: theirs[key] for key in theirs if key.upper() in keys - told}
        if added:
            tags[space] = tags.get(space, {}) | added
    return tags


def carry_band_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of one band of MS, less its statistics, and its NBITS, which the result tells of itself."""
    return {key: value for key, value in tags.items() if not _is_of_the_file(key) and key != "NBITS"}


def _is_of_the_file(key: str) -> bool:
    return key in _OF_THE_FILE or key.startswith("STATISTICS_")


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
