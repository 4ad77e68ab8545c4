"""GDAL's settings while geosharp works, and the state that GDAL and PROJ are in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import rasterio
from rasterio._env import get_proj_data_search_paths

from geosharp.errors import ResourceError
from geosharp.raster.opening import check_proj

# What PROJ's data is told by, before rasterio's own.
PROJ_VARIABLES = ("PROJ_DATA", "PROJ_LIB")


@contextmanager
def gdal_settings(cache: int) -> Iterator[None]:
    """GDAL with a block cache of `cache` bytes and masks inside TIFF files.

    What its own threads say goes nowhere, as rasterio hears nothing of it: what fails is seen in the file.
    """
    with rasterio.Env(
        CPL_LOG=os.devnull,
        GDAL_CACHEMAX=cache,
        GDAL_TIFF_INTERNAL_MASK=True,
        GDAL_HTTP_MAX_RETRY=3,
        GDAL_HTTP_RETRY_DELAY=1,
    ):
        yield


@dataclass(frozen=True)
class GdalState:
    """Versions of rasterio, GDAL, PROJ and GEOS; drivers: names of all formats that GDAL knows here;
    proj_paths: where PROJ seeks its data; proj_variables: what the environment says of that; proj_fault: why
    PROJ knows no CRS, None where it does."""

    rasterio: str
    gdal: str
    proj: str
    geos: str
    drivers: frozenset[str]
    proj_paths: tuple[str, ...]
    proj_variables: dict[str, str]
    proj_fault: ResourceError | None


def look_at_gdal() -> GdalState:
    """What GDAL and PROJ are like in this process."""
    fault: ResourceError | None = None
    try:
        check_proj()
    except ResourceError as error:
        fault = error
    with rasterio.Env() as env:
        drivers = frozenset(env.drivers())
    return GdalState(
        rasterio=rasterio.__version__,
        gdal=rasterio.__gdal_version__,
        proj=rasterio.__proj_version__,
        geos=rasterio.__geos_version__,
        drivers=drivers,
        proj_paths=tuple(get_proj_data_search_paths()),
        proj_variables={name: os.environ[name] for name in PROJ_VARIABLES if name in os.environ},
        proj_fault=fault,
    )
