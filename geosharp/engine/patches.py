"""A scene's patches as a job reads them. No tensors: Brovey's job uses it too."""

from __future__ import annotations

from geosharp.raster.grid import Rect
from geosharp.raster.scene import Patch, Scene, SceneReader


class PatchReader:
    """Reads a tile with a method's halo."""

    def __init__(self, scene: Scene, halo: tuple[int, int]) -> None:
        self._reader = SceneReader(scene)
        self._halo = halo

    def read(self, tile: Rect) -> Patch | None:
        return self._reader.read(tile, self._halo)

    def close(self) -> None:
        self._reader.close()
