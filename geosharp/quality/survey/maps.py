"""Where a result disagrees with its MS, and with PAN."""

from __future__ import annotations

import numpy as np

from geosharp.imaging.degradation import Degradation, degrade_bands
from geosharp.imaging.resample import Axis
from geosharp.quality.protocol import Read
from geosharp.quality.reduced import spans, tensors
from geosharp.quality.report.content import Maps
from geosharp.quality.survey.cells import Floats
from geosharp.quality.survey.survey import Survey
from geosharp.raster.grid import Rect, tiles
from geosharp.raster.scene import SceneReader

_TILE = 128  # MS pixels
# As in scores: an MS pixel is held against the result where its kernel lies in it as a whole, nearly.
_LEAST = 0.99


def map_difference(
    reader: SceneReader, fused: Read, degradation: Degradation, seen: Survey, *, exact: bool
) -> Maps:
    """The result made as coarse as the MS, less the MS, in DN.

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
    maps = dict(zip(names, values, strict=True))
    return Maps("Result less MS, at the MS's resolution", maps, signed=True, unit="DN", note=note)


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
    scene = reader.scene
    relation, area = scene.relation, scene.relation.ms_rect(rect).intersect(scene.ms_grid.rect)
    (ry, rx), (oy, ox) = relation.ratio, relation.offset
    axes = degradation.moved((Axis(ry, oy), Axis(rx, ox)))
    reach = degradation.reach(axes)
    difference = np.full((len(scene.bands), *area.shape), np.nan, np.float32)
    for tile in tiles(area, _TILE):
        need = relation.pan_rect(tile).grow(*reach)
        ms, ms_valid = reader.read_ms(tile)
        x, valid = tensors(*fused(need))
        low, seen = degrade_bands(x, valid, spans(need), spans(tile), axes, degradation.gains, _LEAST)
        told = low.numpy() - ms.astype(np.float32)
        if seen is not None:
            told[seen.numpy() == 0] = np.nan
        if ms_valid is not None:
            told[~ms_valid] = np.nan
        difference[:, *tile.within(area)] = told
    return difference
