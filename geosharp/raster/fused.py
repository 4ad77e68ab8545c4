"""A finished result, read on the grid of the scene it was made from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

import numpy as np

from geosharp.errors import PairError
from geosharp.raster.grid import Grid, Rect
from geosharp.raster.scene import Scene
from geosharp.raster.source import Array, Mask, Source, SourceReader, describe

# How far a result's pixels may lie from PAN's, in PAN pixels: headers round coordinates.
_SAME = 0.01


@dataclass(frozen=True)
class FusedImage:
    """A result of a scene. rect: the PAN pixels it covers; order: of the scene's bands, their places in the
    file, None where the file holds them alone and in that order."""

    source: Source
    rect: Rect
    order: tuple[int, ...] | None = None


class FusedReader:
    """An open handle on a FusedImage, for one thread."""

    def __init__(self, image: FusedImage) -> None:
        self._corner = image.rect.row, image.rect.col
        self._order = None if image.order is None else list(image.order)
        self._reader = SourceReader(image.source)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()

    def read(self, rect: Rect) -> tuple[Array, Mask | None]:
        """The scene's bands (band, row, col) of PAN pixels `rect`, and per band which are valid.

        Pixels beyond the image are invalid.
        """
        data, valid = self._reader.read(rect.move(-self._corner[0], -self._corner[1]))
        if self._order is None:
            return data, valid
        return data[self._order], None if valid is None else valid[self._order]


def open_fused(name: str | os.PathLike[str], scene: Scene) -> FusedImage:
    """Look at a result and prove that it is one of `scene`: PAN's grid or a part of it, and the MS's bands.

    Where the result names all of the scene's bands they are taken by their names, else in their order.
    """
    source = describe(name, "result")
    names = f"{source.name} and {scene.pan.name}"
    order = _find_bands(source, scene)
    rect = _place(source.grid, scene.grid)
    if isinstance(rect, str):
        raise PairError(
            names, rect, "a result on PAN's pixels", "fuse this pair again, or pass the PAN it was made from"
        )
    if rect.intersect(scene.area).empty:
        found = "a result that does not meet the common area of PAN and MS"
        raise PairError(names, found, "a result of this scene", "check that all files are of one scene")
    return FusedImage(source, rect, order)


def _find_bands(source: Source, scene: Scene) -> tuple[int, ...] | None:
    """FusedImage.order of a result."""
    named = [(label or "").strip().casefold() for label in source.labels]
    wanted = [band.name.strip().casefold() for band in scene.bands]
    if len({*wanted}) == len(wanted) and all(named.count(name) == 1 for name in wanted):
        order = tuple(named.index(name) for name in wanted)
        return None if order == tuple(range(len(named))) else order
    names = f"{source.name} and {scene.ms[0].name}"
    shown = ", ".join(band.name for band in scene.bands)
    if len(named) != len(wanted):
        plural = "" if len(named) == 1 else "s"
        raise PairError(
            names,
            f"{len(named)} band{plural} in the result and {len(wanted)} in MS ({shown})",
            "the same bands in both",
            "choose those of the result with --bands",
        )
    for place, (name, band) in enumerate(zip(named, wanted, strict=True), 1):
        if name != band and name in wanted:
            raise PairError(
                names,
                f"{source.labels[place - 1]} as band {place} of the result, where MS ({shown}) has another",
                "the same bands in both",
                "choose those of the result, in its order, with --bands",
            )
    return None


def _place(fused: Grid, pan: Grid) -> Rect | str:
    """The PAN pixels that a result covers, or why its pixels are none of PAN's."""
    if fused.transform is None or pan.transform is None:
        if (fused.transform is None) != (pan.transform is None):
            placed, bare = ("PAN", "the result") if fused.transform is None else ("the result", "PAN")
            return f"{placed} is georeferenced and {bare} is not"
        if fused.shape != pan.shape:
            sizes = [f"{width} x {height}" for height, width in (fused.shape, pan.shape)]
            return f"no georeference, and {sizes[0]} pixels where PAN has {sizes[1]}"
        return pan.rect
    if fused.crs is not None and pan.crs is not None and fused.crs != pan.crs:
        return f"CRS {fused.crs.to_string()} where PAN is in {pan.crs.to_string()}"
    height, width = fused.shape
    to_pan = ~pan.transform @ fused.transform
    corners = np.array([to_pan @ corner for corner in ((0, 0), (width, 0), (0, height))])
    col, row = (round(value) for value in corners[0])
    expected = np.array([(col, row), (col + width, row), (col, row + height)])
    apart = float(np.abs(corners - expected).max())
    if apart > _SAME:
        size = [abs(pan.transform.a), abs(fused.transform.a)]
        if abs(size[0] - size[1]) * width > _SAME * size[0]:
            return f"pixels of {size[1]:.9g} where PAN's are {size[0]:.9g}"
        return f"pixels that lie {apart:.3g} PAN pixels beside PAN's"
    return Rect(row, col, height, width)
