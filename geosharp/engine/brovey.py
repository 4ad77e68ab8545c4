"""GDAL's Brovey method as a job for the engine. It never imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geosharp.engine.patches import PatchReader
from geosharp.engine.stream import Fused
from geosharp.raster.area import Area
from geosharp.raster.brovey import BroveyReader, pansharpened_vrt
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import Pixels, valid_pixels
from geosharp.raster.scene import Scene
from geosharp.raster.source import Array, Mask


class BroveyJob:
    """Weighted Brovey on one scene, see engine.stream.Job. GDAL computes while it is read."""

    def __init__(
        self, scene: Scene, weights: Sequence[float] | None, area: Area, pixels: Pixels, threads: int
    ) -> None:
        self._scene = scene
        self._area = area
        self._pixels = pixels
        self._vrt = pansharpened_vrt(
            scene.pan,
            scene.ms,
            [(band.source, band.number) for band in scene.bands],
            scene.relation,
            weights=weights,
            threads=threads,
        )

    def open_reader(self) -> _Reader:
        return _Reader(self._vrt, self._scene, self._area)

    def start_thread(self) -> None:
        pass

    def end_threads(self) -> None:
        pass

    def compute(self, tile: Rect, patch: tuple[Array, Mask | None]) -> Fused | None:
        data, valid = patch
        if data.dtype != self._pixels.dtype:
            if self._pixels.limits is not None:
                data = np.clip(np.rint(data), *self._pixels.limits)
            data = data.astype(self._pixels.dtype)
        elif self._pixels.limits is not None:
            # GDAL knows of declared bits alone.
            least, most = map(int, self._pixels.limits)
            np.clip(data, least, most, out=data)
        self._pixels.hide_invalid(data, valid)
        return Fused(data, None if valid is None else np.asarray(valid.all(0)))


class _Reader:
    """Brovey's pixels of a tile and, where some may be invalid, which are valid."""

    def __init__(self, vrt: str, scene: Scene, area: Area) -> None:
        self._scene = scene
        self._area = area
        self._brovey = BroveyReader(vrt, " or ".join(source.name for source in (scene.pan, *scene.ms)))
        # What is invalid in GDAL's result, and areas, are ours to apply.
        self._patches = PatchReader(scene, (0, 0)) if scene.may_have_invalid else None

    def read(self, tile: Rect) -> tuple[Array, Mask | None] | None:
        if self._patches is None:
            valid = self._placed(tile)
        else:
            patch = self._patches.read(tile)
            if patch is None:
                return None
            valid = valid_pixels(self._scene, self._area, patch, tile)
        if valid is not None and not valid.any():
            return None
        data, computed = self._brovey.read(tile)
        if valid is not None:
            # A pixel that is invalid in one band has no pseudo-PAN, so no value in any.
            valid[:] = valid.all(0) if computed is None else valid.all(0) & computed
        return data, valid

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
