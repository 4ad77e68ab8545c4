"""GDAL's settings while geosharp works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import rasterio


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
