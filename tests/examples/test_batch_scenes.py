"""The example of an archive: what is whole is fused and lies in the mosaic, what is broken is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

EXAMPLE = Path(__file__).parents[2] / "examples" / "batch_scenes.py"


def test_an_archive_becomes_a_mosaic(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLE), "--out", "fused", "--method", "glp"]
    first, second = (
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True).stdout
        for _ in range(2)
    )
    assert "1/3 strip0_pan: done" in first
    assert "3/3 strip2_pan: failed" in first
    assert first.splitlines()[-1] == "fused/mosaic.vrt shows 2 results"
    assert "strip0_pan: skipped" in second
    with rasterio.open(tmp_path / "fused" / "mosaic.vrt") as mosaic:
        assert (mosaic.shape, mosaic.count, mosaic.crs.to_epsg()) == ((256, 512), 4, 32631)
        for number in range(2):
            with rasterio.open(tmp_path / "fused" / f"strip{number}_pan_fused.tif") as result:
                there = mosaic.read(window=Window(256 * number, 0, 256, 256))
                assert np.array_equal(there, result.read())
                assert there.std() > 10
