"""Where a result disagrees with its MS, and with PAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.imaging.degradation import Degradation
from geosharp.quality.coarsening import Coarsening, Read
from geosharp.quality.survey.cells import Floats
from geosharp.quality.survey.survey import Survey, name_unit
from geosharp.raster.grid import Rect, tiles
from geosharp.raster.scene import SceneReader

_TILE = 128  # MS pixels


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps on one colour scale, title -> (row, col) values, nan where there is none.

    signed: around zero, such as a difference; else from zero up, such as a distance. They cover the scene
    from edge to edge. A page keeps some hundred pixels a side.
    """

    title: str
    maps: Mapping[str, NDArray[Any]]
    signed: bool
    unit: str = ""
    note: str = ""


def map_difference(
    reader: SceneReader, fused: Read, degradation: Degradation, seen: Survey, *, exact: bool
) -> Maps:
    """The result made as coarse as the MS, less the MS.

    exact: by the sensor's kernel on every MS pixel; else by means over the survey's cells, which hold so
    many MS pixels that the kernel hardly matters.
    """
    names = [band.name for band in reader.scene.bands]
    if exact:
        values = _degraded_difference(reader, fused, degradation, seen.rect)
        note = "The result blurred and decimated as the sensor does it, less the MS, on the MS's pixels."
    else:
        values = seen.fused_means - seen.ms_means
        side = round(seen.rect.width / seen.coarse.shape[1])
        note = (
            f"Means of the result less means of the MS, over cells of {side} PAN pixels: the scene is large."
        )
    maps, unit = dict(zip(names, values, strict=True)), name_unit(reader.scene)
    return Maps("Result less MS, at the MS's resolution", maps, signed=True, unit=unit, note=note)


def map_dissent(reader: SceneReader, seen: Survey) -> Maps:
    """How far each band's detail goes another way than PAN's: 1 - correlation, from 0 to 2."""
    side = round(seen.rect.width / seen.coarse.shape[1])
    maps = {band.name: 1 - values for band, values in zip(reader.scene.bands, seen.likeness, strict=True)}
    note = (
        f"1 - correlation of each band with PAN over cells of {side} PAN pixels: 0 is the same pattern, 1 "
        "none in common. Bands that PAN does not see, such as infrared over plants, rightly differ."
    )
    return Maps("Disagreement with PAN", maps, signed=False, note=note)


def _degraded_difference(reader: SceneReader, fused: Read, degradation: Degradation, rect: Rect) -> Floats:
    """(band, row, col) on the MS pixels under PAN pixels `rect`; nan where it cannot be told."""
    coarsening = Coarsening(reader.scene, degradation)
    scene = coarsening.scene
    area = scene.relation.ms_rect(rect).intersect(scene.ms_grid.rect)
    difference = np.full((len(scene.bands), *area.shape), np.nan, np.float32)
    for tile in tiles(area, _TILE):
        ms, ms_valid = reader.read_ms(tile)
        low, seen = coarsening.bands(fused, tile)
        told = low - ms.astype(np.float32)
        for known in (seen, ms_valid):
            if known is not None:
                told[~known] = np.nan
        difference[:, *tile.within(area)] = told
    return difference
