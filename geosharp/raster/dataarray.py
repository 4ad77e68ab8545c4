"""Between xarray's DataArrays, as rioxarray opens them, and images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from geosharp.errors import InputError, ResourceError
from geosharp.raster.grid import Grid, Rect
from geosharp.raster.memory import Image, native
from geosharp.raster.output import Content
from geosharp.raster.pixel_function import Provider

# Attributes that have their own place in an Image, or say how a file was read.
_OWN = {"_FillValue", "missing_value", "scale_factor", "add_offset", "long_name", "grid_mapping", "transform"}


def is_dataarray(value: object) -> bool:
    # Who has one has imported xarray.
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(value, xarray.DataArray)


def put_bands_first(array: Any, role: str) -> Any:
    """The DataArray as (band, row, col), whatever its dimensions are called; role: "pan" or "ms"."""
    _check_rioxarray()
    from rioxarray.exceptions import MissingSpatialDimensionError

    try:
        rows, cols = array.rio.y_dim, array.rio.x_dim
    except MissingSpatialDimensionError as error:
        remedy = "rename them, or tell them with .rio.set_spatial_dims"
        raise InputError(role, f"dimensions {_listed(array.dims)}", "y and x", remedy) from error
    others = [name for name in array.dims if name not in (rows, cols)]
    if len(others) > 1:
        remedy = f"choose one of each other with .isel, or .squeeze, {_listed(others)}"
        raise InputError(role, f"dimensions {_listed(array.dims)}", "y, x and at most one more", remedy)
    if not others:
        array, others = array.expand_dims("band"), ["band"]
    return array.transpose(others[0], rows, cols)


def describe_dataarray(array: Any, pixels: Provider, role: str) -> Image:
    """What a DataArray (band, row, col) says of itself, with `pixels` for its pixels."""
    source = array.encoding.get("source")
    attributes = array.attrs
    names = attributes.get("long_name", ())
    names = [names] if isinstance(names, str) else list(names)
    tags = {str(name): str(value) for name, value in attributes.items() if name not in _OWN}
    nodata = array.rio.nodata
    return Image(
        label=PurePath(source).name if isinstance(source, str) else role,
        pixels=pixels,
        bands=array.shape[0],
        dtype=native(array.dtype),
        grid=Grid(array.shape[1:], array.rio.transform(), array.rio.crs),
        nodata=None if nodata is None else float(nodata),
        names=names if len(names) == array.shape[0] else (),
        tags=tags,
        scale=_number(attributes.get("scale_factor"), 1.0),
        offset=_number(attributes.get("add_offset"), 0.0),
    )


def build_dataarray(data: Any, content: Content, pan: Any, ms: Any, rect: Rect, bands: Sequence[int]) -> Any:
    """A result (band, row, col) as a DataArray: of PAN's coordinates, and what a file of `content` says.

    rect: the PAN pixels it holds; bands: of MS, from 0.
    """
    import xarray

    band, rows, cols = ms.dims[0], pan.dims[1], pan.dims[2]
    numbers = ms.coords[band].values[list(bands)] if band in ms.coords else [each + 1 for each in bands]
    coords: dict[Any, Any] = {band: numbers}
    for name, first, size in ((rows, rect.row, rect.height), (cols, rect.col, rect.width)):
        if name in pan.coords:
            coords[name] = pan.coords[name][first : first + size]
    attributes: dict[str, Any] = dict(content.tags.get("", {}))
    names = [info.name for info in content.bands]
    if any(names):
        attributes["long_name"] = tuple(name or f"band {number}" for number, name in enumerate(names, 1))
    attributes |= {"scale_factor": content.bands[0].scale, "add_offset": content.bands[0].offset}
    result = xarray.DataArray(data, coords, (band, rows, cols), ms.name, attributes)
    if content.grid.crs is not None:
        result = result.rio.write_crs(content.grid.crs)
    if content.grid.transform is not None:
        result = result.rio.write_transform(content.grid.transform)
    return result if content.nodata is None else result.rio.write_nodata(content.nodata)


def _check_rioxarray() -> None:
    try:
        import rioxarray  # noqa: F401
    except ImportError as error:
        found, remedy = f"not there ({error.name or error})", "run pip install 'geosharp[xarray]'"
        raise ResourceError("rioxarray", found, "the extra 'xarray'", remedy) from error


def _number(value: Any, default: float) -> float:
    try:
        return default if value is None else float(value)
    except (TypeError, ValueError):  # a file's bands may differ
        return default


def _listed(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names))
