"""A result in parts, bands of rows with a GeoTIFF each: read as one, and shown as one by a VRT."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.windows import Window

from geosharp.errors import OutputError
from geosharp.raster.grid import Rect
from geosharp.raster.opening import quietly
from geosharp.raster.output.description import Content, write_content
from geosharp.raster.output.target import Temporary
from geosharp.raster.source import Array, Mask
from geosharp.raster.vrt import Span, band_xml, dataset_xml, mask_of_xml, source_xml

VRT_SUFFIXES = (".vrt",)


@dataclass(frozen=True)
class Piece:
    """A part of a result. rect: the output pixels it holds; path: of its GeoTIFF."""

    rect: Rect
    path: Path


class MosaicReader:
    """An open handle on pieces that lie below each other, for one thread."""

    def __init__(self, pieces: Sequence[Piece], *, masked: bool) -> None:
        self._pieces, self._masked = pieces, masked
        self._opened: tuple[Piece, Any] | None = None

    def close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
        self._opened = None

    def read(self, rect: Rect) -> tuple[Array, Mask | None]:
        """Output pixels `rect`, all of one piece: (band, row, col), and which are valid (row, col)."""
        piece = next(piece for piece in self._pieces if piece.rect.intersect(rect) == rect)
        window = Window(rect.col - piece.rect.col, rect.row - piece.rect.row, rect.width, rect.height)
        try:
            with quietly():
                raster = self._open(piece)
                data = raster.read(window=window)
                valid = raster.dataset_mask(window=window) > 0 if self._masked else None
        except (RasterioError, CPLE_BaseError, OSError) as error:
            found, remedy = f"cannot be read ({error})", "leave --resume out, to have all parts made anew"
            raise OutputError(piece.path, found, "a finished part of the result", remedy) from error
        return data, None if valid is None or valid.all() else valid

    def _open(self, piece: Piece) -> Any:
        if self._opened is None or self._opened[0] is not piece:
            self.close()
            self._opened = piece, rasterio.open(piece.path)
        return self._opened[1]


def write_mosaic(path: Path, content: Content, pieces: Sequence[Piece], *, overwrite: bool = False) -> None:
    """Write a VRT that shows the pieces as one raster of `content`; it finds them from where it lies."""
    temporary = Temporary(path)
    try:
        with rasterio.Env(GDAL_PAM_ENABLED=False), quietly():
            temporary.path.write_text(_mosaic_xml(path.parent, content, pieces), encoding="utf-8")
            with rasterio.open(temporary.path, "r+") as raster:
                if content.grid.crs is not None:
                    raster.crs = content.grid.crs
                if content.grid.transform is None and content.gcps is not None:
                    raster.gcps = content.gcps
                write_content(raster, content, colors=True)
        temporary.promote(overwrite=overwrite)
    except (RasterioError, CPLE_BaseError, OSError) as error:
        found, remedy = f"cannot be written: {error}", "free some space, then pass --resume"
        raise OutputError(path, found, "a few kB of room", remedy) from error
    finally:
        temporary.discard()


def _mosaic_xml(folder: Path, content: Content, pieces: Sequence[Piece]) -> str:
    shape, transform = content.grid.shape, content.grid.transform
    names = [os.path.relpath(piece.path, folder) for piece in pieces]
    spans = [_spans(piece.rect) for piece in pieces]

    def sources(band: int | str) -> list[str]:
        return [source_xml(name, band, *span, relative=True) for name, span in zip(names, spans, strict=True)]

    bands = "".join(
        band_xml(number, content.dtype, content.nodata, sources(number))
        for number in range(1, len(content.bands) + 1)
    )
    mask = mask_of_xml(sources("mask,1")) if content.masked else ""
    return dataset_xml(shape, bands, None if transform is None else transform.to_gdal(), mask)


def _spans(rect: Rect) -> tuple[Span, Span]:
    return (0, rect.height, rect.row, rect.height), (0, rect.width, rect.col, rect.width)
