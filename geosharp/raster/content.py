"""What a fused file says besides its pixels: MS's metadata on PAN's grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from geosharp.raster.area import Area
from geosharp.raster.carry import carry_band_tags, carry_tags, move_gcps, move_rpcs
from geosharp.raster.output import BandInfo, Content
from geosharp.raster.pixels import SPREAD, Pixels
from geosharp.raster.scene import Scene
from geosharp.raster.source import representable

_COLOURS = {"red", "green", "blue"}


def fused_pixels(scene: Scene, part: Area, dtype: str | None, bits: int | None = None) -> Pixels:
    """The pixels of a result over `part`: `dtype`, or MS's with its NBITS; of `bits` at most."""
    kind = dtype or scene.dtype
    limits = _choose_limits(scene, kind, bits)
    return Pixels(kind, limits, _choose_nodata(scene, part, kind, limits))


def fused_content(scene: Scene, part: Area, pixels: Pixels, lineage: Mapping[str, str]) -> Content:
    """The content of a result over `part`; `lineage` joins the inputs' tags."""
    tags = carry_tags(scene.pan, scene.ms[0])
    tags[""].update(lineage)
    return Content(
        grid=scene.grid.crop(part.rect),
        dtype=pixels.dtype,
        bands=_band_infos(scene),
        nodata=pixels.nodata,
        masked=_may_have_invalid(scene, part),
        tags=tags,
        gcps=move_gcps(scene.pan, part.rect),
        rpcs=move_rpcs(scene.pan, part.rect),
        bits=pixels.bits,
    )


def spread_content(scene: Scene, part: Area, lineage: Mapping[str, str]) -> Content:
    """The content of the standard deviations of a result over `part`, in its DN."""
    content = fused_content(scene, part, SPREAD, lineage)
    bands = tuple(
        replace(
            band,
            name=f"{band.name or f'band {number}'}, standard deviation",
            colorinterp="undefined",
            offset=0.0,
        )
        for number, band in enumerate(content.bands, 1)
    )
    return replace(content, bands=bands)


def _may_have_invalid(scene: Scene, part: Area) -> bool:
    return scene.may_have_invalid or part.shape is not None or part.rect.intersect(scene.area) != part.rect


def _choose_limits(scene: Scene, kind: str, bits: int | None) -> tuple[float, float] | None:
    """The range of whole numbers that `kind`, in MS's own type NBITS as well, and `bits` all hold."""
    if not np.issubdtype(np.dtype(kind), np.integer):
        return None
    info = np.iinfo(kind)
    tops = [info.max] if bits is None else [info.max, 2**bits - 1]
    if kind == scene.dtype and scene.value_range is not None:
        tops.append(int(scene.value_range[1]))
    return float(info.min), float(min(tops))


def _choose_nodata(scene: Scene, part: Area, dtype: str, limits: tuple[float, float] | None) -> float | None:
    """MS's no-data value, else PAN's, if the type holds it; else one is chosen where any can be needed."""
    for declared in (*(scene.ms[band.source].nodata[0] for band in scene.bands), scene.pan.nodata[0]):
        nodata = representable(declared, dtype)
        if nodata is not None and (limits is None or limits[0] <= nodata <= limits[1]):
            return nodata
    if not _may_have_invalid(scene, part):
        return None
    return float("nan") if limits is None else limits[0]


def _band_infos(scene: Scene) -> tuple[BandInfo, ...]:
    """Names, colours and scaling of MS's bands; a band's name outweighs the colour it is marked with."""
    infos = []
    for band in scene.bands:
        source = scene.ms[band.source]
        at = source.bands.index(band.number)
        named, known = band.name.casefold(), band.optics.wavelength_nm is not None
        marked = source.interps[at]
        if named in _COLOURS:
            colour = named
        else:
            colour = "undefined" if marked == "alpha" or (marked in _COLOURS and known) else marked
        infos.append(
            BandInfo(
                name=source.labels[at] or (band.name if known or scene.sensor.origin is not None else None),
                colorinterp=colour,
                scale=source.scales[at],
                offset=source.offsets[at],
                unit=source.units[at],
                tags=carry_band_tags(source.band_tags[at]),
            )
        )
    return tuple(infos)
