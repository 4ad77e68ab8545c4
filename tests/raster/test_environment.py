"""GDAL's settings last as long as the work."""

from __future__ import annotations

from rasterio._env import get_gdal_config

from geosharp.raster.environment import gdal_settings


def test_the_cache_is_bounded_while_work_lasts() -> None:
    with gdal_settings(64 * 2**20):
        assert get_gdal_config("GDAL_CACHEMAX") == 64 * 2**20
        assert get_gdal_config("GDAL_TIFF_INTERNAL_MASK") is True
    assert get_gdal_config("GDAL_TIFF_INTERNAL_MASK") in (None, False)
