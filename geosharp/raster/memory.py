"""Images that are in no file, under names that GDAL opens: whatever reads files reads them, uncopied."""

from __future__ import annotations

import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.io import MemoryFile

from geosharp.errors import GeosharpError, InputError, UsageError
from geosharp.raster import pixel_function
from geosharp.raster.grid import Grid, Rect
from geosharp.raster.pixel_function import PROVIDERS, Provider
from geosharp.raster.source import Array, representable
from geosharp.raster.vrt import GDAL_TYPES, band_xml, dataset_xml, source_xml, whole

# What GDAL trusts. As a variable of the environment: rasterio takes settings of its own back and gives them
# again at any time, while other threads read.
_TRUSTED = "GDAL_VRT_PYTHON_TRUSTED_MODULES"
_FOLDER = re.compile("/vsimem/geosharp-[0-9a-f]{32}/")


@dataclass(frozen=True)
class Image:
    """An image, and what a file of it would say.

    pixels: in native byte order; label: what messages and sensors' patterns take for the file's name; names:
    of the bands; nodata, scale, offset, bits: of all bands; tags: of the default domain.
    """

    label: str
    pixels: Provider
    bands: int
    dtype: str
    grid: Grid
    nodata: float | None = None
    names: Sequence[str | None] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.dtype not in GDAL_TYPES:
            needed = f"one of {', '.join(GDAL_TYPES)}"
            raise InputError(self.label, f"pixels of type {self.dtype}", needed, "convert it with astype")
        if len(self.names) not in (0, self.bands):
            found, needed = f"{len(self.names)} names of bands", f"as many as it has bands, {self.bands}"
            raise InputError(self.label, found, needed, "name each, or none")


class ArrayPixels:
    """Those of an array (band, row, col)."""

    def __init__(self, data: Array) -> None:
        self._data = data

    def read(self, band: int, row: int, col: int, height: int, width: int) -> Array:
        return self._data[band, row : row + height, col : col + width]


class PartialPixels:
    """Those of an image of which parts are at hand, and others are fetched when they are asked for.

    fetch: (band, row, col) of a rectangle; another process fetches anew. failure: why that failed, of which
    GDAL tells but a part.
    """

    def __init__(self, fetch: Callable[[Rect], Array]) -> None:
        self.failure: Exception | None = None
        self._fetch = fetch
        self._parts: list[tuple[Rect, Array]] = []
        # Bands are asked for one by one.
        self._last: list[tuple[Rect, Array]] = []
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[PartialPixels], tuple[Callable[[Rect], Array]]]:
        return type(self), (self._fetch,)

    @contextmanager
    def having(self, rect: Rect, data: Array) -> Iterator[None]:
        """With `rect` at hand for as long as the context lasts."""
        part = rect, data
        with self._lock:
            self._parts.append(part)
        try:
            yield
        finally:
            with self._lock:
                self._parts = [other for other in self._parts if other is not part]

    def read(self, band: int, row: int, col: int, height: int, width: int) -> Array:
        rect = Rect(row, col, height, width)
        found = _find([*self._parts, *self._last], band, rect)
        if found is None:
            with self._lock:
                found = _find(self._last, band, rect)
                if found is None:
                    self._last = [(rect, self._get(rect))]
                    found = self._last[0][1][band]
        return found

    def _get(self, rect: Rect) -> Array:
        try:
            return self._fetch(rect)
        except Exception as error:
            self.failure = error
            raise


def _find(parts: Sequence[tuple[Rect, Array]], band: int, rect: Rect) -> Array | None:
    for where, data in parts:
        if rect.intersect(where) == rect:
            return data[band, *rect.within(where)]
    return None


@contextmanager
def shown(image: Image) -> Iterator[str]:
    """What GDAL opens the image by for as long as the context lasts; errors call it by its label."""
    token = uuid.uuid4().hex
    _trust(pixel_function.__name__)
    PROVIDERS[token] = image.pixels
    text = _image_xml(image, token).encode()
    try:
        with MemoryFile(text, dirname=f"geosharp-{token}", filename=image.label) as file:
            yield file.name
    except GeosharpError as error:
        parts = [error.subject, error.found, error.needed, error.remedy]
        if (told := [plain(part) for part in parts]) == parts:
            raise
        raise type(error)(*told) from error
    finally:
        del PROVIDERS[token]


def plain(text: str) -> str:
    """A message with images called by their labels."""
    return _FOLDER.sub("", text)


def place(shape: tuple[int, int], transform: Sequence[float] | None, crs: object, flag: str) -> Grid:
    """The grid of an array. transform: pixel (col, row) -> CRS, an Affine or its six first numbers; crs:
    whatever rasterio takes for one; flag: what the transform is called where it is none."""
    affine, known = None, None
    if transform is not None:
        try:
            affine = Affine(*map(float, tuple(transform)[:6]))
        except (TypeError, ValueError) as error:
            needed = "six numbers, as rasterio's dataset.transform"
            raise UsageError(flag, f"{transform!r:.80}", needed, "give an affine.Affine") from error
    if crs is not None:
        try:
            known = CRS.from_user_input(crs)
        except CRSError as error:
            needed = "a CRS, such as 'EPSG:32631'"
            raise UsageError("crs", f"{crs!r:.80}", needed, "give what rasterio takes for one") from error
    return Grid(shape, affine, known)


def _trust(module: str) -> None:
    trusted = os.environ.get(_TRUSTED, "")
    if module not in trusted.split(","):
        os.environ[_TRUSTED] = ",".join(filter(None, (trusted, module)))


def _image_xml(image: Image, token: str) -> str:
    grid = image.grid
    tags = "".join(f"<MDI key={quoteattr(key)}>{escape(value)}</MDI>" for key, value in image.tags.items())
    head = "" if grid.crs is None else f"<SRS>{escape(grid.crs.to_wkt())}</SRS>"
    head += f"<Metadata>{tags}</Metadata>"
    pixels = _pixels_xml(image, token)
    bands = "".join(_band_xml(image, pixels, at) for at in range(image.bands))
    place = None if grid.transform is None else grid.transform.to_gdal()
    return dataset_xml(grid.shape, head + bands, place)


def _band_xml(image: Image, pixels: str, at: int) -> str:
    name = image.names[at] if image.names else None
    bits = image.tags.get("NBITS")
    parts = [
        "" if name is None else f"<Description>{escape(name)}</Description>",
        f"<Offset>{image.offset!r}</Offset><Scale>{image.scale!r}</Scale>",
        source_xml(pixels, at + 1, *whole(image.grid.shape)),
    ]
    if bits is not None:
        parts.append(f'<Metadata domain="IMAGE_STRUCTURE"><MDI key="NBITS">{escape(bits)}</MDI></Metadata>')
    return band_xml(at + 1, image.dtype, representable(image.nodata, image.dtype), parts)


def _pixels_xml(image: Image, token: str) -> str:
    """A virtual raster of the bare pixels.

    Its no-data value means nothing. Without one GDAL clears as many bytes as it is to fill, in one piece
    (VRTDerivedRasterBand::IRasterIO), also where lines lie apart: those of other rasters in between are lost.
    """
    kind = GDAL_TYPES[image.dtype]
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{at + 1}" subClass="VRTDerivedRasterBand">'
        f"<NoDataValue>1</NoDataValue><PixelFunctionType>{pixel_function.__name__}.fill</PixelFunctionType>"
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"
        f'<PixelFunctionArguments token="{token}" band="{at}"/></VRTRasterBand>'
        for at in range(image.bands)
    )
    return dataset_xml(image.grid.shape, bands)


def native(dtype: Any) -> str:
    """The name of a type in this computer's byte order."""
    return str(np.dtype(dtype).newbyteorder("=").name)
