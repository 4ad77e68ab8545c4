"""One raster as the rest of geosharp sees it: its data bands, grid, masks and metadata."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from geosharp.errors import InputError, ResourceError
from geosharp.raster.grid import Grid, Rect

Array = NDArray[Any]
Mask = NDArray[np.bool_]

# How far GDAL's approximated coordinate transformation may stray, in source pixels.
_WARP_TOLERANCE = 0.01
# Share of values other than fully opaque and fully transparent from which an alpha band is data.
_ALPHA_SHARE = 0.25


@dataclass(frozen=True)
class Source:
    """A raster's data bands (alpha left out) and what it says of itself.

    name: what GDAL opens; bands: 1-based numbers in the file; nodata, labels, interps, scales,
    offsets, units, band_tags: one per data band; masking: where invalid pixels are told from
    ("values" stands for no-data values and, in float data, NaN); bits: NBITS where declared;
    grid: after `warp`, which is set where the file is read through a WarpedVRT.
    """

    name: str
    bands: tuple[int, ...]
    grid: Grid
    dtype: str
    nodata: tuple[float | None, ...]
    masking: Literal["none", "values", "mask"]
    bits: int | None
    labels: tuple[str | None, ...]
    interps: tuple[str, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    units: tuple[str | None, ...]
    band_tags: tuple[Mapping[str, str], ...]
    tags: Mapping[str, Mapping[str, str]]
    gcps: tuple[Any, ...]
    gcps_crs: CRS | None
    rpcs: Any
    block: tuple[int, int]
    notes: tuple[str, ...] = ()
    warp: Grid | None = None
    flip: bool = False

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Smallest and largest DN that dtype and NBITS allow; None for floats."""
        if np.issubdtype(np.dtype(self.dtype), np.floating):
            return None
        limits = np.iinfo(self.dtype)
        return float(limits.min), float(limits.max if self.bits is None else 2**self.bits - 1)


class SourceReader:
    """An open handle on a Source, for one thread."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._shape = source.grid.shape
        with _told(source.name), _quietly():
            self._file = rasterio.open(source.name)
            self._raster: Any = self._file
            if source.warp is not None:
                self._raster = _warped(self._file, source, source.warp)

    def close(self) -> None:
        if self._raster is not self._file:
            self._raster.close()
        self._file.close()

    def read(self, rect: Rect) -> tuple[Array, Mask | None]:
        """Pixels of `rect` in the file's dtype (band, row, col), and per band which are valid.

        `rect` may reach beyond the raster: pixels there repeat the nearest edge and are invalid.
        None for the mask means that all are valid.
        """
        height, width = self._shape
        inside = Rect(
            min(max(rect.row, 0), height - 1),
            min(max(rect.col, 0), width - 1),
            0,
            0,
        )
        stop_row = max(min(rect.stop_row, height), inside.row + 1)
        stop_col = max(min(rect.stop_col, width), inside.col + 1)
        inside = Rect(inside.row, inside.col, stop_row - inside.row, stop_col - inside.col)
        data, valid = self._read_inside(inside)
        if inside == rect:
            return data, valid
        rows = np.arange(rect.row, rect.stop_row)
        cols = np.arange(rect.col, rect.stop_col)
        at_rows, at_cols = np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)
        pick = np.ix_(at_rows - inside.row, at_cols - inside.col)
        exists = (rows == at_rows)[:, None] & (cols == at_cols)[None]
        if valid is None:
            return data[:, *pick], np.repeat(exists[None], len(data), 0)
        return data[:, *pick], valid[:, *pick] & exists

    def _read_inside(self, rect: Rect) -> tuple[Array, Mask | None]:
        if self.source.flip:
            rect = Rect(self._shape[0] - rect.stop_row, rect.col, *rect.shape)
        window = Window(rect.col, rect.row, rect.width, rect.height)
        bands = list(self.source.bands)
        with _told(self.source.name):
            data: Array = self._raster.read(bands, window=window)
            valid = self._valid(data, window)
        if self.source.flip:
            return data[:, ::-1], None if valid is None else valid[:, ::-1]
        return data, valid

    def _valid(self, data: Array, window: Window) -> Mask | None:
        if self.source.masking == "none":
            return None
        if self.source.masking == "mask":
            valid: Mask = self._raster.read_masks(list(self.source.bands), window=window) > 0
        else:
            valid = np.ones(data.shape, bool)
            for band, nodata, seen in zip(data, self.source.nodata, valid, strict=True):
                if nodata is not None and not math.isnan(nodata):
                    np.not_equal(band, data.dtype.type(nodata), out=seen)
        if np.issubdtype(data.dtype, np.floating):
            valid &= np.isfinite(data)
        return None if valid.all() else valid


def describe(name: str | os.PathLike[str], role: str) -> Source:
    """Open a raster and take down what it says of itself; `role` ("PAN" or "MS") names it in errors."""
    name = os.fspath(name)
    _check_exists(name, role)
    _check_proj()
    with _told(name), _quietly(), rasterio.open(name) as raster:
        return _describe(raster, name, role)


def warp_to(source: Source, grid: Grid) -> Source:
    """The same raster read through a WarpedVRT on `grid` (cubic, mask kept)."""
    if any("taken as data" in note for note in source.notes):
        raise InputError(
            source.name,
            "its alpha band holds data and it lies in another CRS than PAN",
            "a band whose colour interpretation is not alpha",
            "mark it with gdal_edit.py -colorinterp_N undefined and run again",
        )
    masking = source.masking if source.masking == "values" and None not in source.nodata else "mask"
    return replace(source, grid=grid, warp=grid, masking=masking)


def flip_rows(source: Source) -> Source:
    """The same raster with its rows in the opposite order, south-up become north-up or back."""
    transform = source.grid.transform
    if transform is None:
        raise ValueError("only a georeferenced raster has an up")
    upside = transform @ Affine.translation(0, source.grid.shape[0]) @ Affine.scale(1, -1)
    return replace(source, grid=Grid(source.grid.shape, upside, source.grid.crs), flip=True)


def _describe(raster: Any, name: str, role: str) -> Source:
    if raster.count == 0:
        raise _no_bands(raster, name, role)
    alpha, notes = _alpha_bands(raster)
    bands = tuple(i for i in raster.indexes if i not in alpha)
    if not bands:
        raise InputError(name, "only an alpha band", f"at least one data band as {role}", "pass the image itself")
    first = bands[0] - 1
    dtypes = {raster.dtypes[i - 1] for i in bands}
    if len(dtypes) > 1 or any(d.startswith("complex") or "int" not in d and "float" not in d for d in dtypes):
        raise InputError(
            name,
            f"pixels of type {', '.join(sorted(dtypes))}",
            f"one integer or floating type in all bands of {role}",
            "convert it with gdal_translate -ot",
        )
    if ColorInterp.palette in raster.colorinterp:
        raise InputError(
            name,
            "a colour table (its pixels are indexes, not radiances)",
            f"measured values as {role}",
            "expand it with gdal_translate -expand rgb, or pass the original image",
        )
    floating = "float" in raster.dtypes[first]
    nodata = tuple(_representable(raster.nodatavals[i - 1], raster.dtypes[first]) for i in bands)
    flags = raster.mask_flag_enums[first]
    if MaskFlags.per_dataset in flags and not notes:
        masking: Literal["none", "values", "mask"] = "mask"
    else:
        masking = "values" if floating or any(n is not None for n in nodata) else "none"
    bits = raster.tags(bands[0], ns="IMAGE_STRUCTURE").get("NBITS")
    transform = None if raster.transform == Affine.identity() else raster.transform
    gcps, gcps_crs = raster.gcps
    return Source(
        name=name,
        bands=bands,
        grid=Grid((raster.height, raster.width), transform, raster.crs),
        dtype=raster.dtypes[first],
        nodata=nodata,
        masking=masking,
        bits=int(bits) if bits and not floating else None,
        labels=tuple(raster.descriptions[i - 1] for i in bands),
        interps=tuple(raster.colorinterp[i - 1].name for i in bands),
        scales=tuple(float(raster.scales[i - 1]) for i in bands),
        offsets=tuple(float(raster.offsets[i - 1]) for i in bands),
        units=tuple(raster.units[i - 1] for i in bands),
        band_tags=tuple(dict(raster.tags(i)) for i in bands),
        tags=_tags(raster),
        gcps=tuple(gcps),
        gcps_crs=gcps_crs,
        rpcs=raster.rpcs,
        block=tuple(raster.block_shapes[first]),
        notes=notes,
    )


def _alpha_bands(raster: Any) -> tuple[set[int], tuple[str, ...]]:
    """Numbers of true alpha bands; a note for each band only called so.

    GDAL marks the fourth band of many 4-band 8-bit TIFFs as alpha although it is near infrared. A
    mask is opaque or transparent nearly everywhere, an image is not.
    """
    alpha = {i for i in raster.indexes if raster.colorinterp[i - 1] == ColorInterp.alpha}
    notes = []
    for band in sorted(alpha):
        shape = (min(raster.height, 256), min(raster.width, 256))
        sample = raster.read(band, out_shape=shape, resampling=Resampling.nearest)
        opaque = np.iinfo(sample.dtype).max if sample.dtype.kind in "iu" else 1
        between = float(np.mean((sample != 0) & (sample != opaque) & (sample != 255) & (sample != 1)))
        if between > _ALPHA_SHARE:
            alpha.remove(band)
            label = f" ({raster.descriptions[band - 1]})" if raster.descriptions[band - 1] else ""
            notes.append(
                f"band {band}{label} is marked as alpha, but {between:.0%} of its values are neither "
                "opaque nor transparent: taken as data"
            )
    return alpha, tuple(notes)


def _tags(raster: Any) -> dict[str, dict[str, str]]:
    skipped = {"IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "SUBDATASETS", "RPC", "GEOLOCATION", "COLOR_PROFILE"}
    spaces = [ns for ns in raster.tag_namespaces() if ns not in skipped and not ns.startswith("xml:")]
    tags = {"": dict(raster.tags())}
    for space in spaces:
        if items := dict(raster.tags(ns=space)):
            tags[space] = items
    return tags


def _representable(nodata: float | None, dtype: str) -> float | None:
    """`nodata` if a pixel of `dtype` can hold it (a uint16 never equals -9999)."""
    if nodata is None or "float" in dtype:
        return nodata
    limits = np.iinfo(dtype)
    whole = math.isfinite(nodata) and nodata == int(nodata)
    return nodata if whole and limits.min <= nodata <= limits.max else None


def _warped(file: Any, source: Source, grid: Grid) -> Any:
    nodata = source.nodata[0] if source.masking == "values" else None
    has_alpha = ColorInterp.alpha in file.colorinterp
    return WarpedVRT(
        file,
        crs=grid.crs,
        transform=grid.transform,
        height=grid.shape[0],
        width=grid.shape[1],
        resampling=Resampling.cubic,
        nodata=nodata,
        add_alpha=nodata is None and not has_alpha,
        tolerance=_WARP_TOLERANCE,
    )


def _no_bands(raster: Any, name: str, role: str) -> InputError:
    inside = list(raster.subdatasets)
    if not inside:
        return InputError(name, "a dataset without bands", f"a raster as {role}", "pass the image file itself")
    listed = ", ".join(inside[:4]) + (", ..." if len(inside) > 4 else "")
    return InputError(
        name, f"a container of {len(inside)} images", f"one image as {role}", f"pass one of: {listed}"
    )


def _check_exists(name: str, role: str) -> None:
    if name.startswith("/vsi") or "://" in name or ":" in name.split("/", 1)[0] or name.lstrip()[:1] == "<":
        return
    path = Path(name)
    if not path.exists():
        raise InputError(name, "no such file", f"a raster as {role}", _nearest_file(path))
    if path.is_dir():
        # Some formats are folders; GDAL decides.
        return
    if not os.access(path, os.R_OK):
        raise InputError(name, "no permission to read it", f"a readable raster as {role}", "check its permissions")
    if path.stat().st_size == 0:
        raise InputError(name, "an empty file (0 bytes)", f"a raster as {role}", "fetch or copy it again")


def _nearest_file(path: Path) -> str:
    import difflib

    try:
        siblings = sorted(p.name for p in path.parent.iterdir())
    except OSError:
        return f"check the path: the folder {path.parent} is not there"
    close = difflib.get_close_matches(path.name, siblings, 1)
    return f"did you mean {path.parent / close[0]}?" if close else "check the path"


_proj_checked = False


def _check_proj() -> None:
    """PROJ_DATA set for another PROJ makes every CRS of rasterio's own PROJ unreadable."""
    global _proj_checked
    if _proj_checked:
        return
    try:
        CRS.from_epsg(4326)
    except CRSError as error:
        found = [f"{key}={os.environ[key]}" for key in ("PROJ_DATA", "PROJ_LIB") if key in os.environ]
        raise ResourceError(
            ", ".join(found) or "PROJ",
            f"PROJ data of another version ({error})",
            "the data that comes with rasterio",
            "unset PROJ_DATA and PROJ_LIB and run again",
        ) from error
    _proj_checked = True


@contextmanager
def _told(name: str) -> Iterator[None]:
    """GDAL's failures on reading `name` as InputErrors."""
    try:
        yield
    except RasterioError as error:
        reason = str(error.__cause__ or error).replace("\n", " ").strip().rstrip(".")
        raise InputError(
            name,
            f"GDAL cannot read it ({reason})",
            "a complete file in a format that GDAL reads",
            "check it with gdalinfo -checksum, or fetch it again",
        ) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Without rasterio's warning about a missing georeference, of which a Scene tells in its own words.

    Warning filters are the process's: only for the thread that opens files, before others start.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
