"""Copy PAN into as many bands as MS has: by a bare rasterio loop, or by geosharp's engine.

What the engine takes longer is what reading with a halo, threads, ordering and hiding the result
until it is complete cost:  python examples/benchmarks/copying.py bare|engine PAN MS OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import rasterio
from made_pair import LAYOUT

from geosharp.engine.patches import PatchReader
from geosharp.engine.plan import make_plan
from geosharp.engine.stream import Fused, stream
from geosharp.imaging.rules import SizeRules
from geosharp.raster.area import Area
from geosharp.raster.environment import gdal_settings
from geosharp.raster.grid import Rect
from geosharp.raster.output import BandInfo, Content, OutputFormat, SceneWriter
from geosharp.raster.scene import Patch, Scene, open_scene

HALO = (40, 40)


class CopyJob:
    """A method that costs nothing."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def open_reader(self) -> PatchReader:
        return PatchReader(self._scene, HALO)

    def start_thread(self) -> None:
        pass

    def end_threads(self) -> None:
        pass

    def compute(self, tile: Rect, patch: Patch) -> Fused:
        pan = patch.pan[:, *tile.within(patch.pan_rect)]
        return Fused(np.repeat(pan, len(self._scene.bands), 0), None)


def copy_by_engine(pan: str, ms: str, out: str) -> None:
    scene = open_scene(pan, ms)
    plan = make_plan(scene, Area(scene.area), SizeRules(1, HALO), scene.dtype, tensors=False)
    content = Content(
        grid=scene.grid,
        dtype=scene.dtype,
        bands=tuple(BandInfo(None, None) for _ in scene.bands),
        nodata=None,
        masked=False,
        tags={},
        gcps=None,
        rpcs=None,
    )
    with (
        gdal_settings(plan.cache),
        SceneWriter(Path(out), content, OutputFormat(overviews=False), overwrite=True) as writer,
    ):
        stream(CopyJob(scene), plan, writer)


def copy_by_loop(pan: str, ms: str, out: str) -> None:
    with rasterio.open(pan) as fine, rasterio.open(ms) as coarse:
        profile = {**LAYOUT, "driver": "GTiff", "dtype": fine.dtypes[0], "count": coarse.count}
        shape = {"height": fine.height, "width": fine.width, "crs": fine.crs, "transform": fine.transform}
        with rasterio.open(out, "w", **profile, **shape) as target:
            for _, window in target.block_windows(1):
                pixels = fine.read(window=window)
                coarse.read(
                    window=rasterio.windows.Window(
                        window.col_off // 4, window.row_off // 4, window.width // 4, window.height // 4
                    )
                )
                target.write(np.repeat(pixels, coarse.count, 0), window=window)


if __name__ == "__main__":
    {"bare": copy_by_loop, "engine": copy_by_engine}[sys.argv[1]](*sys.argv[2:5])
