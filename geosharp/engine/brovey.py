"""GDAL's Brovey method as a job for the engine. It never imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geosharp.engine.patches import PatchReader
from geosharp.engine.stream import Fused
from geosharp.raster.area import Area
from geosharp.raster.brovey import BroveyReader, pansharpened_vrt, warped_vrt
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import Pixels, valid_pixels
from geosharp.raster.scene import Scene
from geosharp.raster.source import Array, Mask, Source


class BroveyJob:
    """Weighted Brovey on one scene, see engine.stream.Job. GDAL computes while it is read."""

    def __init__(
        self, scene: Scene, weights: Sequence[float] | None, area: Area, pixels: Pixels, threads: int
    ) -> None:
        self._scene = scene
        self._area = area
        self._pixels = pixels
        nodata = _common_nodata(scene)
        names = [_name_on_grid(source, nodata) for source in scene.ms]
        self._vrt = pansharpened_vrt(
            _name_on_grid(scene.pan, nodata),
            [(names[band.source], band.number) for band in scene.bands],
            scene.relation,
            weights=weights,
            nodata=nodata,
            bit_depth=scene.ms[0].bits,
            threads=threads,
        )

    def open_reader(self) -> _Reader:
        return _Reader(self._vrt, self._scene, self._area)

    def start_thread(self) -> None:
        pass

    def compute(self, tile: Rect, patch: tuple[Array, Mask | None]) -> Fused | None:
        data, valid = patch
        if data.dtype != self._pixels.dtype:
            if self._pixels.limits is not None:
                data = np.clip(np.rint(data), *self._pixels.limits)
            data = data.astype(self._pixels.dtype)
        self._pixels.hide_invalid(data, valid)
        return Fused(data, None if valid is None else np.asarray(valid.all(0)))


class _Reader:
    """Brovey's pixels of a tile and, where some may be invalid, which are valid."""

    def __init__(self, vrt: str, scene: Scene, area: Area) -> None:
        self._scene = scene
        self._area = area
        self._brovey = BroveyReader(vrt, scene.pan.name)
        # GDAL knows one no-data value for all; masks and areas are ours to apply.
        self._patches = PatchReader(scene, (0, 0)) if scene.may_have_invalid else None

    def read(self, tile: Rect) -> tuple[Array, Mask | None] | None:
        valid = None
        if self._patches is not None:
            patch = self._patches.read(tile)
            if patch is None:
                return None
            valid = valid_pixels(self._scene, self._area, patch, tile)
        else:
            valid = self._placed(tile)
        if valid is not None and not valid.any():
            return None
        return self._brovey.read(tile), valid

    def _placed(self, tile: Rect) -> Mask | None:
        """Validity by place alone: inside the area, and where there is MS."""
        covered = tile.intersect(self._scene.area)
        inside = self._area.mask(tile)
        if covered == tile and inside is None:
            return None
        valid = np.zeros((len(self._scene.bands), *tile.shape), bool)
        if not covered.empty:
            valid[:, *covered.within(tile)] = True
        return valid if inside is None else valid & inside

    def close(self) -> None:
        self._brovey.close()
        if self._patches is not None:
            self._patches.close()


def _name_on_grid(source: Source, nodata: float | None) -> str:
    """What GDAL opens to see `source` on its grid: itself, or a VRT that warps it or turns its rows."""
    if source.warp is None and not source.flip:
        return source.name
    return warped_vrt(
        source.name,
        source.grid,
        nodata=nodata,
        resampling="cubic" if source.warp is not None else "nearest",
    )


def _common_nodata(scene: Scene) -> float | None:
    """GDAL takes one value for both images: MS's, whose no-data would bleed into its neighbours."""
    for nodata in (scene.ms[0].nodata[0], scene.pan.nodata[0]):
        if nodata is not None:
            return nodata
    if scene.ms[0].value_range is None:
        return float("nan")
    # What a warped MS does not reach is 0, and must not be mixed into its rim.
    return 0.0 if scene.ms[0].warp is not None else None
