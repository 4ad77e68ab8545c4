"""GDAL's own pansharpening (weighted Brovey) as a method, on exactly PAN's pixels.

GDAL places MS by geotransform, adjusts extents to a union of its own making, wants a geotransform,
takes PAN's pixel type for both images and knows no invalid pixels but those of one value. Here MS is
placed by a Relation instead: PAN and MS are each wrapped in a VRT whose geotransform counts MS pixels,
MS is padded with whole pixels until it covers PAN, so that GDAL interpolates once, at the right place,
and whatever is invalid in MS comes to hold that one value before GDAL interpolates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from geosharp.errors import InputError, UsageError
from geosharp.raster.grid import Rect, Relation
from geosharp.raster.opening import beside, opened, told
from geosharp.raster.source import WARP_TOLERANCE, Array, Mask, Source, warped, warped_nodata
from geosharp.raster.vrt import (
    GDAL_TYPES,
    Hide,
    Span,
    band_xml,
    dataset_xml,
    file_xml,
    mask_xml,
    source_xml,
    vrt_xml,
    whole,
)

# GDAL switches to another, differently rounded path for a window that is one MS pixel or less in size.
_MIN_SIDE = 64
# NaN in an interpolation kernel makes its whole neighbourhood NaN: GDAL is shown this value instead.
_NAN_STAND_IN = float(np.finfo(np.float32).min)
# Side of the windows, in PAN pixels, in which GDAL computes where its positions are not exact.
_CELL = 256
# Positions that are multiples of 2 ** -_EXACT_BITS of an MS pixel add and multiply without rounding.
_EXACT_BITS = 24
# For rasters that have a geotransform but no CRS: any one will do, as it is the same on both sides.
_NO_CRS = 'LOCAL_CS["pixels",UNIT["metre",1]]'


def pansharpened_vrt(
    pan: Source,
    ms: Sequence[Source],
    bands: Sequence[tuple[int, int]],
    relation: Relation,
    *,
    weights: Sequence[float] | None = None,
    threads: int = 1,
) -> str:
    """XML of a VRTPansharpenedDataset that has exactly PAN's pixels and MS's dtype.

    ms: sources alike in size and dtype; bands: (index of the source, 1-based band in its file) in output
    order. relation: MS -> PAN in pixels, the geotransforms play no part. weights: each band's share in the
    pseudo-PAN, equal if None. An MS pixel that is invalid in any band takes no part in interpolation,
    and results are clipped to MS's NBITS. Around what is invalid or beyond MS the result means nothing
    (it repeats MS's edge where all of MS is valid), and so it does where PAN is invalid.
    """
    # GDAL computes in PAN's type: an 8-bit PAN would clip a 16-bit MS.
    work = np.promote_types(pan.dtype, ms[0].dtype).name
    fill = _choose_fill(ms, work)
    place = _Place(pan.grid.shape, ms[0].grid.shape, relation)
    pan_xml = _wrapped_pan(pan, place, work, fill)
    ms_xml = _wrapped_ms(ms, bands, place, fill)
    widths = [source.bits for source in ms if source.bits is not None]
    bits = max(widths) if len(widths) == len(ms) else None
    options = [
        _weights_xml(weights),
        "<Resampling>Cubic</Resampling>",
        f"<NumThreads>{threads}</NumThreads>",
        "" if bits is None else f"<BitDepth>{bits}</BitDepth>",
        f"<NoData>{fill!r}</NoData>",
        "<SpatialExtentAdjustment>NoneWithoutWarning</SpatialExtentAdjustment>",
        f"<PanchroBand>{file_xml(pan_xml)}<SourceBand>1</SourceBand></PanchroBand>",
    ]
    options += [
        f'<SpectralBand dstBand="{i}">{file_xml(ms_xml)}<SourceBand>{i}</SourceBand></SpectralBand>'
        for i in range(1, len(bands) + 1)
    ]
    return (
        '<VRTDataset subClass="VRTPansharpenedDataset"><PansharpeningOptions>'
        f"{''.join(options)}</PansharpeningOptions></VRTDataset>"
    )


class BroveyReader:
    """An open pansharpened_vrt, for one thread at a time: each thread opens its own."""

    def __init__(self, vrt: str, name: str = "PAN and MS") -> None:
        """name: what errors call the pair."""
        self._name = name
        with told(name):
            self._raster: Any = rasterio.open(vrt)
        place = self._raster.transform
        self._exact = all(
            math.ldexp(value, _EXACT_BITS).is_integer() for value in (place.a, place.c, place.e, place.f)
        )

    @property
    def shape(self) -> tuple[int, int]:
        """PAN's (height, width)."""
        return self._raster.height, self._raster.width

    def close(self) -> None:
        self._raster.close()

    def __enter__(self) -> BroveyReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, rect: Rect) -> tuple[Array, Mask | None]:
        """(band, row, col) of PAN pixels `rect`, which lies within PAN, in MS's dtype, and which are valid.

        The same pixels whatever the rectangle they are read with. The mask is (row, col), None where all
        of MS is valid: it tells what GDAL could interpolate. That is a little more than the valid pixels of
        MS, on their rim, and a little less, where one has no valid neighbours.
        """
        height, width = self.shape
        if rect.empty or rect.intersect(Rect(0, 0, height, width)) != rect:
            raise ValueError(f"{rect} is not within PAN's {height} x {width} pixels")
        # Else the last bits of GDAL's positions, and how it rounds halves, depend on the window.
        pieces = _widened if self._exact else _cells
        rows, cols = pieces(rect.row, rect.height, height), pieces(rect.col, rect.width, width)
        data = self._join(
            rect, [Rect(row, col, end - row, stop - col) for row, end in rows for col, stop in cols]
        )
        fill = self._raster.nodata
        return data, None if fill is None else np.asarray(data[0] != fill)

    def _join(self, rect: Rect, windows: Sequence[Rect]) -> Array:
        if list(windows) == [rect]:
            return self._read(rect)
        data: Array = np.empty((self._raster.count, *rect.shape), self._raster.dtypes[0])
        for window in windows:
            shared = rect.intersect(window)
            data[:, *shared.within(rect)] = self._read(window)[:, *shared.within(window)]
        return data

    def _read(self, rect: Rect) -> Array:
        # GDAL opens the files only now, and those beside them that hold their masks.
        with told(self._name), beside():
            data: Array = self._raster.read(window=Window(rect.col, rect.row, rect.width, rect.height))
        return data


def _choose_fill(ms: Sequence[Source], work: str) -> float | None:
    """The one value that tells GDAL, computing in type `work`, of invalid MS pixels; None where none can be.

    Valid pixels that hold it move aside by 1. Where GDAL computes in whole numbers it is 0: an undershoot
    becomes 1 then, and not a pseudo-PAN of 0, which GDAL takes for invalid. Other types it computes in
    float64, where only what is rounded afterwards would become 0: there it is the type's rarest value.
    """
    if all(source.masking == "none" for source in ms):
        return None
    if ms[0].value_range is None:
        return _NAN_STAND_IN
    if work in ("uint8", "uint16"):
        return 0.0
    limits = np.iinfo(ms[0].dtype)
    return float(limits.min or limits.max)


def _aside(fill: float, source: Source, nodata: float | None) -> Hide | None:
    """Where valid pixels of `source`, told by `nodata`, may hold `fill`: that, and what they get instead."""
    if fill in (nodata, _NAN_STAND_IN):
        return None
    if source.value_range is None:
        return fill, float(np.nextafter(np.float32(fill), np.float32(math.inf)))
    if not source.value_range[0] <= fill <= source.value_range[1]:
        return None
    inwards = 1 if fill <= 0 else -1
    return fill, fill + inwards if fill + inwards != nodata else fill + 2 * inwards


class _Place:
    """Whole pixels that MS is padded by to cover PAN, and geotransforms of both that count MS pixels."""

    def __init__(self, pan: tuple[int, int], ms: tuple[int, int], relation: Relation) -> None:
        self.pan_shape, self.ms_shape = pan, ms
        self.pads = [_padding(ms[axis], pan[axis], relation, axis) for axis in (0, 1)]
        self.padded = ms[0] + sum(self.pads[0]), ms[1] + sum(self.pads[1])
        (ry, rx), (oy, ox) = relation.ratio, relation.offset
        # y points up.
        self.of_pan = (-ox / rx, 1 / rx, 0.0, oy / ry, 0.0, -1 / ry)
        self.of_ms = (-float(self.pads[1][0]), 1.0, 0.0, float(self.pads[0][0]), 0.0, -1.0)


def _wrapped_pan(pan: Source, place: _Place, dtype: str, fill: float | None) -> str:
    """XML of a VRT of PAN in `dtype`, valid pixels that hold `fill` moved aside.

    Invalid ones need no hiding: a PAN pixel counts for itself alone.
    """
    hide = None if fill is None else _aside(fill, pan, pan.nodata[0])
    band = band_xml(
        1, dtype, hide and hide[1], [source_xml(pan.name, pan.bands[0], *whole(place.pan_shape), hide)]
    )
    return dataset_xml(place.pan_shape, band, place.of_pan)


def _wrapped_ms(
    ms: Sequence[Source], bands: Sequence[tuple[int, int]], place: _Place, fill: float | None
) -> str:
    """XML of a VRT of `bands` that covers PAN: pixels on the sides are `fill`, or repeat the edge if None."""
    shown = [_with_fill(source, fill) for source in ms]
    rows, cols = (
        _spans(size, *pads, fill is None) for size, pads in zip(place.ms_shape, place.pads, strict=True)
    )
    body = "".join(
        band_xml(
            i, ms[at].dtype, fill, [source_xml(*shown[at][number], row, col) for row in rows for col in cols]
        )
        for i, (at, number) in enumerate(bands, 1)
    )
    return dataset_xml(place.padded, body, place.of_ms)


def _with_fill(source: Source, fill: float | None) -> dict[int, tuple[str, int]]:
    """What GDAL opens to see each band of `source` on its grid, with `fill` for what is invalid."""
    data, mask = _on_grid(source)
    shown = [(data, number) for number in source.bands]
    if fill is None:
        return dict(zip(source.bands, shown, strict=True))
    nodatas = source.nodata if source.warp is None else [warped_nodata(source)] * len(shown)
    masked = source.masking == "mask"
    # GDAL hides one kind of pixels per layer: given a value as well, it forgets the mask.
    layers: tuple[list[Hide | None], ...] = (
        [_aside(fill, source, nodata) for nodata in nodatas],
        [None if n is None or n == fill or math.isnan(n) else (n, fill) for n in nodatas],
        [(math.nan, fill) if source.value_range is None else None] * len(shown),
        [(None, fill) if masked else None] * len(shown),
    )
    shape = source.grid.shape
    for hides in layers:
        # The first layer is there for all that are masked: it has the mask that the last one looks at.
        if not any(hides) and not (masked and hides is layers[0]):
            continue
        bands = "".join(
            band_xml(i, source.dtype, hide and hide[1], [source_xml(*band, *whole(shape), hide)])
            for i, (band, hide) in enumerate(zip(shown, hides, strict=True), 1)
        )
        xml = dataset_xml(shape, bands, mask=mask)
        shown = [(xml, i) for i in range(1, len(shown) + 1)]
    return dict(zip(source.bands, shown, strict=True))


def _on_grid(source: Source) -> tuple[str, str]:
    """What GDAL opens to see `source` on its grid, and the XML of the source of its mask."""
    if source.warp is None and not source.flip:
        band = str(source.alpha) if source.alpha else f"mask,{source.bands[0]}"
        return source.name, mask_xml(source.name, band)
    with opened(source.name) as raster:
        if source.warp is None:
            data = cover = _turned(raster, source)
        else:
            data = warped(raster, source.warp, warped_nodata(source))
            cover = warped(raster, source.warp, None)
        with data, cover:
            return vrt_xml(data), mask_xml(vrt_xml(cover), str(source.alpha or cover.count))


def _turned(raster: Any, source: Source) -> Any:
    """The open `raster` with its rows the other way up; with an alpha band where it has a mask."""
    crs = raster.crs or CRS.from_wkt(_NO_CRS)
    return WarpedVRT(
        raster,
        src_crs=crs,
        crs=crs,
        transform=source.grid.transform,
        height=source.grid.shape[0],
        width=source.grid.shape[1],
        resampling=Resampling.nearest,
        src_nodata=None,
        nodata=None,
        add_alpha=source.masking == "mask" and ColorInterp.alpha not in raster.colorinterp,
        tolerance=WARP_TOLERANCE,
    )


def _padding(size: int, pan_size: int, relation: Relation, axis: int) -> tuple[int, int]:
    """MS pixels missing before and after an MS of `size` pixels to cover PAN along that axis."""
    ratio, offset = relation.ratio[axis], relation.offset[axis]
    before = math.ceil(offset / ratio - 1e-9)
    after = math.ceil((pan_size - offset) / ratio - 1e-9) - size
    return max(before, 0), max(after, 0)


def _spans(size: int, before: int, after: int, repeat: bool) -> list[Span]:
    """The pieces of a padded axis."""
    spans = [(0, size, before, size)]
    if repeat and before:
        spans.append((0, 1, 0, before))
    if repeat and after:
        spans.append((size - 1, 1, before + size, after))
    return spans


def _weights_xml(weights: Sequence[float] | None) -> str:
    if weights is None:
        return ""
    listed = ",".join(repr(float(weight)) for weight in weights)
    return f"<AlgorithmOptions><Weights>{listed}</Weights></AlgorithmOptions>"


def _widened(start: int, size: int, limit: int) -> list[tuple[int, int]]:
    """The span as one piece (start, stop) of _MIN_SIDE pixels or more, or of all there are."""
    size = max(size, min(_MIN_SIDE, limit))
    start = min(start, limit - size)
    return [(start, start + size)]


def _cells(start: int, size: int, limit: int) -> list[tuple[int, int]]:
    """The pieces (start, stop) between multiples of _CELL that the span meets; the last holds the rest."""
    last = max(limit // _CELL, 1) - 1
    first, stop = min(start // _CELL, last), min((start + size - 1) // _CELL, last) + 1
    return [(i * _CELL, limit if i == last else (i + 1) * _CELL) for i in range(first, stop)]


def check_brovey(pan: Source, ms: Sequence[Source], bands: int, weights: Sequence[float] | None) -> None:
    """Refuse what GDAL's pansharpening cannot work on, before any work. bands: of MS."""
    for source in (pan, *ms):
        if source.dtype not in GDAL_TYPES:
            raise InputError(
                source.name,
                f"pixels of type {source.dtype}",
                f"one of {', '.join(GDAL_TYPES)} for brovey",
                "convert it with gdal_translate -ot, or choose another --method",
            )
    _check_weights(weights, bands)


def _check_weights(weights: Sequence[float] | None, bands: int) -> None:
    if weights is None:
        return
    text = ",".join(f"{weight:g}" for weight in weights)
    needed = f"{bands} numbers, one for each MS band, none negative and not all zero"
    if len(weights) != bands:
        found = f"{len(weights)} weights ({text}) for {bands} MS bands"
    elif not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        found = text
    else:
        return
    equal = ",".join([f"{1 / bands:.4g}"] * bands)
    raise UsageError("--weights", found, needed, f"give --weights {equal} or leave it out for equal weights")
