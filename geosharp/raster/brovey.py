"""GDAL's own pansharpening (weighted Brovey) as a method, on exactly PAN's pixels.

GDAL places MS by geotransform, adjusts extents to a union of its own making, wants a geotransform
and takes PAN's pixel type and no-data value for both images. Here MS is placed by a Relation
instead: PAN and MS are each wrapped in a VRT whose geotransform counts PAN pixels, and MS is
padded with whole pixels until it covers PAN, so that GDAL interpolates once, at the right place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.shutil import copy as copy_raster
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from geosharp.errors import InputError, PairError, UsageError
from geosharp.raster.grid import Grid, Rect, Relation
from geosharp.raster.opening import opened, told
from geosharp.raster.source import representable

RESAMPLINGS = ("Nearest", "Bilinear", "Cubic", "CubicSpline", "Lanczos", "Average")
_GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
}
# GDAL switches to another, differently rounded path for a window that is one MS pixel or less in size.
_MIN_SIDE = 64
# NaN in an interpolation kernel makes its whole neighbourhood NaN: GDAL is shown this value instead.
_NAN_STAND_IN = float(np.finfo(np.float32).min)
# How far a warped MS may stray from the exact transformation, in source pixels.
_WARP_TOLERANCE = 0.01
# For rasters that have a geotransform but no CRS: any one will do, as it is the same on both sides.
_NO_CRS = 'LOCAL_CS["pixels",UNIT["metre",1]]'


@dataclass(frozen=True)
class _Image:
    """What the XML needs to know of a raster."""

    shape: tuple[int, int]
    dtype: str


def pansharpened_vrt(
    pan: str,
    ms_bands: Sequence[tuple[str, int]],
    relation: Relation,
    *,
    weights: Sequence[float] | None = None,
    nodata: float | None = None,
    bit_depth: int | None = None,
    threads: int | Literal["ALL_CPUS"] = "ALL_CPUS",
    resampling: str = "Cubic",
) -> str:
    """XML of a VRTPansharpenedDataset that has exactly PAN's pixels and MS's dtype.

    pan: what GDAL opens, its first band is used; ms_bands: (what GDAL opens, 1-based band) in output
    order, all of one size and dtype. relation: MS -> PAN in pixels as stored, the geotransforms of
    the files play no part. weights: each band's share in the pseudo-PAN, equal if None. nodata: an
    MS or PAN pixel of this value gives nodata and takes no part in interpolation; for the pixels of
    gdal_pansharpen give PAN's value. Outside MS the result is nodata, or repeats MS's edge if None.
    NaN stands for NaN pixels: give it for floating data that may hold any. bit_depth: results are
    clipped to 2**bit_depth - 1.
    """
    _check_weights(weights, len(ms_bands))
    _check_choices(threads, resampling)
    pan_image, ms_image = _look(pan, 1), _same_image(ms_bands)
    # GDAL computes in PAN's type: an 8-bit PAN would clip a 16-bit MS.
    work = np.promote_types(pan_image.dtype, ms_image.dtype).name
    _check_bit_depth(bit_depth, work)
    value = representable(nodata, ms_image.dtype)
    pan_vrt = _wrapped([(pan, 1)], pan_image, Relation((1.0, 1.0), (0.0, 0.0)), pan_image.shape, work, value)
    ms_vrt = _wrapped(ms_bands, ms_image, relation, pan_image.shape, ms_image.dtype, value)
    options = [
        _weights_xml(weights),
        f"<Resampling>{resampling}</Resampling>",
        f"<NumThreads>{threads}</NumThreads>",
        "" if bit_depth is None else f"<BitDepth>{bit_depth}</BitDepth>",
        f"<NoData>{'None' if value is None else _shown(value)}</NoData>",
        "<SpatialExtentAdjustment>NoneWithoutWarning</SpatialExtentAdjustment>",
        f"<PanchroBand>{_file_xml(pan_vrt)}<SourceBand>1</SourceBand></PanchroBand>",
    ]
    options += [
        f'<SpectralBand dstBand="{i}">{_file_xml(ms_vrt)}<SourceBand>{i}</SourceBand></SpectralBand>'
        for i in range(1, len(ms_bands) + 1)
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

    def read(self, rect: Rect) -> NDArray[Any]:
        """(band, row, col) of PAN pixels `rect`, which lies within PAN, in MS's dtype.

        The same pixels whatever the rectangle they are read with.
        """
        height, width = self.shape
        if rect.empty or rect.intersect(Rect(0, 0, height, width)) != rect:
            raise ValueError(f"{rect} is not within PAN's {height} x {width} pixels")
        row, rows = _at_least(rect.row, rect.height, height)
        col, cols = _at_least(rect.col, rect.width, width)
        with told(self._name):
            data: NDArray[Any] = self._raster.read(window=Window(col, row, cols, rows))
        data = data[:, *rect.within(Rect(row, col, rows, cols))]
        if self._raster.nodata == _NAN_STAND_IN:
            data[data == _NAN_STAND_IN] = math.nan
        return data


def warped_vrt(name: str, grid: Grid, *, nodata: float | None, resampling: str = "cubic") -> str:
    """XML of the raster `name` on `grid`, which is in another CRS or has its rows the other way up.

    The result is a name that pansharpened_vrt takes. Take "nearest" where only the rows are turned.
    """
    crs = grid.crs or CRS.from_wkt(_NO_CRS)
    with opened(name) as raster:
        warped = WarpedVRT(
            raster,
            src_crs=raster.crs or crs,
            crs=crs,
            transform=grid.transform,
            height=grid.shape[0],
            width=grid.shape[1],
            resampling=Resampling[resampling],
            src_nodata=nodata,
            nodata=nodata,
            tolerance=_WARP_TOLERANCE,
        )
        with warped, MemoryFile(ext=".vrt") as written:
            copy_raster(warped, written.name, driver="VRT")
            return bytes(written.getbuffer()).decode("utf-8")


def _wrapped(
    bands: Sequence[tuple[str, int]],
    image: _Image,
    relation: Relation,
    pan_shape: tuple[int, int],
    dtype: str,
    nodata: float | None,
) -> str:
    """XML of a VRT of `bands`, with a geotransform to PAN pixels (y pointing up), that covers PAN.

    Pixels added on the sides are nodata, or repeat the edge where there is no such value.
    """
    pads = [_padding(image.shape[axis], pan_shape[axis], relation, axis) for axis in (0, 1)]
    (top, bottom), (left, right) = pads
    (ry, rx), (oy, ox) = relation.ratio, relation.offset
    place = (ox - left * rx, rx, 0.0, top * ry - oy, 0.0, -ry)
    rows = _spans(image.shape[0], top, bottom, nodata is None)
    cols = _spans(image.shape[1], left, right, nodata is None)
    value = "" if nodata is None else f"<NoDataValue>{_shown(nodata)}</NoDataValue>"
    hides_nan = nodata is not None and math.isnan(nodata)
    body = "".join(
        f'<VRTRasterBand dataType="{_GDAL_TYPES[dtype]}" band="{i}">{value}'
        + "".join(_source_xml(name, number, row, col, hides_nan) for row in rows for col in cols)
        + "</VRTRasterBand>"
        for i, (name, number) in enumerate(bands, 1)
    )
    height, width = image.shape[0] + top + bottom, image.shape[1] + left + right
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">'
        f"<GeoTransform>{', '.join(map(repr, place))}</GeoTransform>{body}</VRTDataset>"
    )


def _padding(size: int, pan_size: int, relation: Relation, axis: int) -> tuple[int, int]:
    """MS pixels missing before and after an MS of `size` pixels to cover PAN along that axis."""
    ratio, offset = relation.ratio[axis], relation.offset[axis]
    before = math.ceil(offset / ratio - 1e-9)
    after = math.ceil((pan_size - offset) / ratio - 1e-9) - size
    return max(before, 0), max(after, 0)


def _spans(size: int, before: int, after: int, repeat: bool) -> list[tuple[int, int, int, int]]:
    """(first source pixel, count, first target pixel, count) of the pieces of a padded axis."""
    spans = [(0, size, before, size)]
    if repeat and before:
        spans.append((0, 1, 0, before))
    if repeat and after:
        spans.append((size - 1, 1, before + size, after))
    return spans


def _source_xml(name: str, number: int, row: tuple[int, ...], col: tuple[int, ...], hides_nan: bool) -> str:
    rects = "".join(
        f'<{tag} xOff="{col[i]}" yOff="{row[i]}" xSize="{col[i + 1]}" ySize="{row[i + 1]}"/>'
        for tag, i in (("SrcRect", 0), ("DstRect", 2))
    )
    kind, skipped = ("ComplexSource", "<NODATA>nan</NODATA>") if hides_nan else ("SimpleSource", "")
    return f"<{kind}>{_file_xml(name)}<SourceBand>{number}</SourceBand>{rects}{skipped}</{kind}>"


def _file_xml(name: str) -> str:
    # Without shared="0", which would give all readers of one thread a common file handle.
    return f'<SourceFilename relativeToVRT="0">{escape(name)}</SourceFilename>'


def _weights_xml(weights: Sequence[float] | None) -> str:
    if weights is None:
        return ""
    listed = ",".join(repr(float(weight)) for weight in weights)
    return f"<AlgorithmOptions><Weights>{listed}</Weights></AlgorithmOptions>"


def _shown(nodata: float) -> str:
    """The no-data value that GDAL is told."""
    return repr(_NAN_STAND_IN if math.isnan(nodata) else float(nodata))


def _at_least(start: int, size: int, limit: int) -> tuple[int, int]:
    """The span widened to _MIN_SIDE pixels, or to all there are, as (start, size)."""
    if size >= _MIN_SIDE:
        return start, size
    size = min(_MIN_SIDE, limit)
    return min(start, limit - size), size


def _look(name: str, *numbers: int) -> _Image:
    with opened(name) as raster:
        for number in numbers:
            if not 1 <= number <= raster.count:
                raise InputError(
                    name, f"{raster.count} bands", f"a band {number}", "check the band numbers with gdalinfo"
                )
        dtypes = {raster.dtypes[number - 1] for number in numbers}
        dtype = min(dtypes)
        if len(dtypes) > 1 or dtype not in _GDAL_TYPES:
            raise InputError(
                name,
                f"pixels of type {', '.join(sorted(dtypes))}",
                f"one of {', '.join(_GDAL_TYPES)}",
                "convert it with gdal_translate -ot",
            )
        return _Image((raster.height, raster.width), dtype)


def _same_image(bands: Sequence[tuple[str, int]]) -> _Image:
    if not bands:
        raise UsageError("--bands", "no MS band", "one band or more", "name the bands to pansharpen")
    images = {name: _look(name, *(number for other, number in bands if other == name)) for name, _ in bands}
    first = bands[0][0]
    for name, image in images.items():
        if image != images[first]:
            height, width = image.shape
            raise PairError(
                f"{first} and {name}",
                f"{images[first].shape[1]} x {images[first].shape[0]} {images[first].dtype} "
                f"and {width} x {height} {image.dtype}",
                "MS bands of one size and pixel type",
                "resample or convert the odd one with gdalwarp -tr -ot",
            )
    return images[first]


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


def _check_choices(threads: int | str, resampling: str) -> None:
    if threads != "ALL_CPUS" and not (isinstance(threads, int) and threads >= 1):
        raise UsageError("--threads", str(threads), "a number from 1 up", "leave it out to use all cores")
    if resampling not in RESAMPLINGS:
        known = ", ".join(RESAMPLINGS)
        raise UsageError("--resampling", resampling, f"one of {known}", "leave it out for Cubic")


def _check_bit_depth(bit_depth: int | None, work: str) -> None:
    if bit_depth is None or np.issubdtype(np.dtype(work), np.floating):
        return
    bits = min(np.dtype(work).itemsize * 8, 31)
    if not 1 <= bit_depth <= bits:
        raise UsageError(
            "--bit-depth",
            str(bit_depth),
            f"1 to {bits} for pixels of type {work}",
            "leave it out to clip to the pixel type only",
        )
