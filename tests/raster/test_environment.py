"""GDAL's settings last as long as the work, and its state is told as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import rasterio
from rasterio._env import get_gdal_config

from geosharp.raster.environment import gdal_settings, look_at_gdal


def test_the_cache_is_bounded_while_work_lasts() -> None:
    with gdal_settings(64 * 2**20):
        assert get_gdal_config("GDAL_CACHEMAX") == 64 * 2**20
        assert get_gdal_config("GDAL_TIFF_INTERNAL_MASK") is True
    assert get_gdal_config("GDAL_TIFF_INTERNAL_MASK") in (None, False)


def test_gdals_state_is_that_of_rasterio() -> None:
    state = look_at_gdal()
    assert (state.rasterio, state.gdal) == (rasterio.__version__, rasterio.__gdal_version__)
    assert {"GTiff", "COG", "VRT"} <= state.drivers
    assert "no such driver" not in state.drivers
    assert state.proj_fault is None
    assert state.proj_variables == {}
    assert any((Path(path) / "proj.db").is_file() for path in state.proj_paths)


def test_data_of_another_proj_is_told(tmp_path: Path) -> None:
    code = (
        "from geosharp.raster.environment import look_at_gdal; s = look_at_gdal(); "
        "print(s.proj_variables, s.proj_paths, s.proj_fault.remedy)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PROJ_LIB": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    paths = {"PROJ_LIB": str(tmp_path)}, (str(tmp_path),)
    assert done.stdout == f"{paths[0]} {paths[1]} unset PROJ_DATA and PROJ_LIB and run again\n"
