"""XML of GDAL's virtual rasters: bands put together from parts of others, without a pixel copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from rasterio.io import MemoryFile
from rasterio.shutil import copy as copy_raster

# First source pixel, count, first target pixel, count along one axis.
Span = tuple[int, int, int, int]
# Which pixels are hidden, those of a value or (None) of a mask, and what they get instead.
Hide = tuple[float | None, float]
GDAL_TYPES = {
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


def dataset_xml(
    shape: tuple[int, int], bands: str, place: Sequence[float] | None = None, mask: str = ""
) -> str:
    at = "" if place is None else f"<GeoTransform>{', '.join(map(repr, place))}</GeoTransform>"
    return f'<VRTDataset rasterXSize="{shape[1]}" rasterYSize="{shape[0]}">{at}{bands}{mask}</VRTDataset>'


def band_xml(number: int, dtype: str, empty: float | None, sources: Sequence[str]) -> str:
    """empty: what pixels hold that no source fills."""
    value = "" if empty is None else f"<NoDataValue>{empty!r}</NoDataValue>"
    return (
        f'<VRTRasterBand dataType="{GDAL_TYPES[dtype]}" band="{number}">{value}{"".join(sources)}'
        "</VRTRasterBand>"
    )


def source_xml(
    name: str, band: int | str, row: Span, col: Span, hide: Hide | None = None, *, relative: bool = False
) -> str:
    """Pixels of a band, or of the mask of band n ("mask,n"), in their place, but for those to hide.

    relative: whether the name counts from where the VRT lies."""
    rects = "".join(
        f'<{tag} xOff="{col[i]}" yOff="{row[i]}" xSize="{col[i + 1]}" ySize="{row[i + 1]}"/>'
        for tag, i in (("SrcRect", 0), ("DstRect", 2))
    )
    kind, skipped = "SimpleSource", ""
    if hide is not None:
        kind = "ComplexSource"
        skipped = "<UseMaskBand>true</UseMaskBand>" if hide[0] is None else f"<NODATA>{hide[0]!r}</NODATA>"
    return (
        f"<{kind}>{file_xml(name, relative=relative)}<SourceBand>{band}</SourceBand>{rects}{skipped}</{kind}>"
    )


def mask_xml(name: str, band: str) -> str:
    """A dataset's mask out of a band, or out of the mask of band n: "mask,n"."""
    return mask_of_xml([f"<SimpleSource>{file_xml(name)}<SourceBand>{band}</SourceBand></SimpleSource>"])


def mask_of_xml(sources: Sequence[str]) -> str:
    """A dataset's mask out of sources, as `source_xml` makes them."""
    return f'<MaskBand><VRTRasterBand dataType="Byte">{"".join(sources)}</VRTRasterBand></MaskBand>'


def file_xml(name: str, *, relative: bool = False) -> str:
    # Without shared="0", which would give all readers of one thread a common file handle.
    return f'<SourceFilename relativeToVRT="{relative:d}">{escape(name)}</SourceFilename>'


def whole(shape: tuple[int, int]) -> tuple[Span, Span]:
    """Rows and columns of all pixels, each in its own place."""
    return (0, shape[0], 0, shape[0]), (0, shape[1], 0, shape[1])


def vrt_xml(warped: Any) -> str:
    """An open WarpedVRT as XML, by which GDAL opens it again."""
    with MemoryFile(ext=".vrt") as written:
        copy_raster(warped, written.name, driver="VRT")
        return bytes(written.getbuffer()).decode("utf-8")
