"""Results as STAC items, and the catalogue of all: what a batch writes, the next tool reads.

SpatioTemporal Asset Catalog 1.1, https://stacspec.org, and its extensions below.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import shapely

from geosharp.archive.outputs import CATALOGUE
from geosharp.errors import GeosharpError, OutputError, UsageError
from geosharp.raster.footprints import find_ground, find_time
from geosharp.raster.grid import Grid
from geosharp.raster.output.text import JSON_SUFFIXES, write_text
from geosharp.raster.sensors import UNKNOWN, Sensor, find_sensor, match_bands
from geosharp.raster.source import Source, describe
from geosharp.raster.vendors import read_name
from geosharp.version import __version__

_EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "raster/v2.0.0", "eo/v2.0.0", "processing/v1.2.0", "file/v2.1.0")
]
# Names of https://github.com/stac-extensions/eo#common-band-names for those of sensor_table.
_COMMON = {name: name for name in ("coastal", "blue", "green", "yellow", "red", "rededge", "nir", "cirrus")}
_COMMON |= {"nir1": "nir08", "nir2": "nir09", "swir1": "swir16", "swir2": "swir22"}
_COMMON |= {"thermal": "lwir", "thermal1": "lwir11", "thermal2": "lwir12"}
# Where nothing tells when a scene was taken: not before there were such satellites (Landsat 1's launch).
_EARLIEST = "1972-07-23T00:00:00Z"
_ASSET = "fused"
# Of a multihash, see the file extension: SHA-256, of 32 bytes.
_SHA256 = "1220"


@dataclass(frozen=True)
class Origin:
    """What is known of a result beside its pixels. name: in the catalogue; source: the address of the STAC
    item that PAN is from, empty where there is none; times: (from, to) of that item, alike or empty."""

    name: str
    source: str = ""
    times: tuple[str, str] = ("", "")


def write_item(out: str | Path, pan: str, origin: Origin) -> dict[str, Any]:
    """The item of a result, written beside it; pan: from whose name the time may be known. An earlier item of
    a result gives way, any other file of that name does not."""
    there = item_beside(out)
    if os.path.lexists(there) and not _is_ours(_read(there)):
        found, needed = "is there, and no item of a result of geosharp", "a place for the result's item"
        raise OutputError(there, found, needed, "move it away, or name the result otherwise")
    item = describe_result(Path(out), pan, origin)
    write_text(there, json.dumps(item, indent=1) + "\n", JSON_SUFFIXES, overwrite=True)
    return item


def item_beside(out: str | Path) -> Path:
    return Path(out).with_suffix(".json")


def describe_result(out: Path, pan: str, origin: Origin) -> dict[str, Any]:
    """The STAC item of the result `out`, which is opened; its asset's address counts from the item."""
    source = describe(out, "result")
    tags, sensor = source.tags.get("", {}), _find_sensor(source)
    ground = find_ground(source.grid)
    state = out.stat()
    created = _format(datetime.fromtimestamp(state.st_mtime, UTC))
    properties: dict[str, Any] = {
        **_tell_times(source, pan, origin, created),
        "created": created,
        **_tell_grid(source.grid),
        "processing:software": {"geosharp": tags.get("GEOSHARP_VERSION", __version__)},
        "processing:datetime": created,
        "processing:lineage": _tell_lineage(tags),
    }
    if sensor is not UNKNOWN:
        properties["platform"] = sensor.key
    asset = {
        "href": f"./{out.name}",
        "type": "image/tiff; application=geotiff",
        "title": "pansharpened MS",
        "roles": ["data"],
        "bands": _tell_bands(source, sensor),
        "file:size": state.st_size,
        "file:checksum": _SHA256 + _hash(out),
    }
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": _EXTENSIONS,
        "id": origin.name,
        "geometry": None if ground is None else json.loads(shapely.to_geojson(ground)),
        "properties": properties,
        "links": [{"rel": "derived_from", "href": origin.source}] if origin.source else [],
        "assets": {_ASSET: asset},
    }
    if ground is not None:
        item["bbox"] = _tell_box(ground)
    return item


def check_catalogue(folder: Path, source: str) -> None:
    """Refuse to write the catalogue over what the scenes are from, or over what is none."""
    there = folder / CATALOGUE
    if not there.exists():
        return
    if source and Path(source).exists() and there.samefile(source):
        found = f"{there}, which the scenes are from"
        raise UsageError("--stac", found, "another folder for results", "choose another --out")
    known = _read(there)
    if known is None or known.get("type") != "FeatureCollection":
        found = "is there, and no catalogue of items"
        raise OutputError(there, found, f"a place for {CATALOGUE}", "move it away, or choose another --out")


def complete_items(folder: Path, results: Sequence[tuple[str, str, Origin]]) -> list[str]:
    """Write the items that are missing of finished results (path, PAN, origin), and the catalogue of all that
    are in `folder`, of earlier batches, too; notes on what could not be."""
    notes = []
    for out, pan, origin in results:
        try:
            if not _is_current(item_beside(out), Path(out)):
                write_item(out, pan, origin)
        except (GeosharpError, OSError) as error:
            notes.append(f"{Path(out).name} is without a STAC item: {error}")
    collected = (_collect(path, folder) for path in sorted(folder.rglob("*.json")))
    features = [each for each in collected if each is not None]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    write_text(folder / CATALOGUE, text + "\n", JSON_SUFFIXES, overwrite=True)
    return notes


def _is_current(item: Path, result: Path) -> bool:
    """Whether it is of the result as that is now; a file that is no item of one is not."""
    return item.exists() and item.stat().st_mtime_ns >= result.stat().st_mtime_ns and _is_ours(_read(item))


def _is_ours(item: Any) -> bool:
    """Whether it is the item of a result of geosharp."""
    try:
        return "geosharp" in item["properties"]["processing:software"] and _ASSET in item["assets"]
    except (LookupError, TypeError):
        return False


def _collect(path: Path, folder: Path) -> dict[str, Any] | None:
    """The item in `path`, its asset's address counted from `folder`; None where it is none of geosharp's, or
    its result is gone."""
    inside = path.relative_to(folder)
    item = None if any(part.startswith(".") for part in inside.parts) else _read(path)
    try:
        if item is None or not _is_ours(item):
            return None
        asset = item["assets"][_ASSET]
        result = path.parent / asset["href"]
    except (LookupError, TypeError):
        return None
    if not result.is_file():
        return None
    asset["href"] = f"./{result.relative_to(folder).as_posix()}"
    return item


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _find_sensor(source: Source) -> Sensor:
    """By the tag that fuse writes, "WorldView-2 (what told)"."""
    title = source.tags.get("", {}).get("GEOSHARP_SENSOR", "").partition(" (")[0]
    try:
        return find_sensor(title) if title and not title.endswith(".toml") else UNKNOWN
    except UsageError:
        return UNKNOWN


def _tell_times(source: Source, pan: str, origin: Origin, created: str) -> dict[str, str | None]:
    """When it was taken; where only a span is known, that, and where nothing is, all of the time."""
    start, end = origin.times
    if not start or not end:
        time = find_time(source.tags, read_name(Path(pan)).time)
        start, end = (_format(time),) * 2 if time is not None else (_EARLIEST, created)
    if start == end:
        return {"datetime": start}
    return {"datetime": None, "start_datetime": start, "end_datetime": end}


def _format(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tell_grid(grid: Grid) -> dict[str, Any]:
    """Of the projection extension, and the size of a pixel where it is in metres."""
    told: dict[str, Any] = {"proj:shape": list(grid.shape)}
    if grid.transform is not None:
        told["proj:transform"] = list(grid.transform)[:6]
        told["proj:bbox"] = list(grid.bounds())
    if grid.crs is None:
        return told | {"proj:code": None}
    code = grid.crs.to_epsg()
    told |= {"proj:code": f"EPSG:{code}"} if code else {"proj:code": None, "proj:wkt2": grid.crs.to_wkt()}
    if grid.crs.is_projected and grid.transform is not None:
        told["gsd"] = float(f"{abs(grid.transform.e) * grid.crs.linear_units_factor[1]:.6g}")
    return told


def _tell_bands(source: Source, sensor: Sensor) -> list[dict[str, Any]]:
    labels = [label or "" for label in source.labels]
    bands = []
    for at, known in enumerate(match_bands(sensor, labels, len(labels))):
        band: dict[str, Any] = {"name": labels[at] or known.name, "data_type": source.dtype}
        if (nodata := source.nodata[at]) is not None:
            band["nodata"] = nodata if math.isfinite(nodata) else str(nodata)
        if source.units[at]:
            band["unit"] = source.units[at]
        if (source.scales[at], source.offsets[at]) != (1.0, 0.0):
            band |= {"raster:scale": source.scales[at], "raster:offset": source.offsets[at]}
        if source.bits is not None:
            band["raster:bits_per_sample"] = source.bits
        if common := _COMMON.get(known.name):
            band["eo:common_name"] = common
        if known.wavelength_nm is not None:
            low, high = known.wavelength_nm
            band["eo:center_wavelength"] = round((low + high) / 2000, 4)
            band["eo:full_width_half_max"] = round((high - low) / 1000, 4)
        bands.append(band)
    return bands


def _tell_lineage(tags: Any) -> str:
    method, parameters = tags.get("GEOSHARP_METHOD", "?"), tags.get("GEOSHARP_PARAMETERS", "{}")
    return f"PAN and MS fused by geosharp, method {method}, with {parameters}"


def _tell_box(ground: Any) -> list[float]:
    """West, south, east, north; west is the larger where the ground crosses the date line."""
    west, south, east, north = ground.bounds
    if ground.geom_type == "MultiPolygon" and (west, east) == (-180.0, 180.0):
        boxes = [part.bounds for part in ground.geoms]
        west = min(box[0] for box in boxes if box[2] == 180.0)
        east = max(box[2] for box in boxes if box[0] == -180.0)
    return [west, south, east, north]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
