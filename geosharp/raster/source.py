"""One raster as the rest of geosharp sees it: its data bands, grid, masks and metadata."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from geosharp.errors import InputError
from geosharp.raster.bounds import check_bounds
from geosharp.raster.grid import Grid, Rect
from geosharp.raster.opening import (
    Texts,
    band_texts,
    beside,
    check_exists,
    check_proj,
    gdal_name,
    no_bands,
    opened,
    quietly,
    told,
)

FilePath = str | os.PathLike[str]
Array = NDArray[Any]
Mask = NDArray[np.bool_]

# How far GDAL's approximated coordinate transformation may stray, in source pixels. On 11-bit texture this
# changes 1 DN in a hundredth of the pixels and takes no more time than GDAL's own 0.125, which changes 16 DN.
WARP_TOLERANCE = 0.001
# Share of half-transparent values among those not fully transparent from which an alpha band is data.
_ALPHA_SHARE = 0.25
# Relative distance within which GDAL takes a floating value for no-data, in float64 as well.
_NODATA_NEAR = 4 * float(np.finfo("float32").eps)
# Metadata domains that GDAL makes from the file, or that have their own place in Source. Left out like
# them are whole documents (xml:ESRI, xml:VRT ...): they describe that file, not the scene.
_DERIVED_DOMAINS = frozenset(
    ("IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "SUBDATASETS", "RPC", "GEOLOCATION", "COLOR_PROFILE")
)


@dataclass(frozen=True)
class Source:
    """A raster's data bands (alpha left out) and what it says of itself.

    name: what GDAL opens; bands: 1-based numbers in the file; nodata, labels, interps, scales,
    offsets, units, band_tags: one per data band; masking: where invalid pixels are told from
    ("values" stands for no-data values and, in float data, NaN; "mask" for a mask or alpha band and
    those); files: what GDAL reads for it, a VRT's sources too; alpha: number of the alpha band, 0 for
    none; bits: NBITS where declared; grid: after `warp`, which is set where the file is read through a
    WarpedVRT; flip: rows are read upside down.
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
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alpha: int = 0
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
        with told(source.name), quietly(), beside():
            self._file = rasterio.open(source.name)
            # What pixels are read from, and what tells of a mask: both are the file unless it is warped.
            self._raster: Any = self._file
            self._cover: Any = self._file
            if source.warp is not None:
                nodata = warped_nodata(source)
                self._raster = self._cover = warped(self._file, source.warp, nodata)
                if nodata is not None and source.masking == "mask":
                    self._cover = warped(self._file, source.warp, None)

    def close(self) -> None:
        for handle in (self._cover, self._raster, self._file):
            handle.close()

    def read(self, rect: Rect) -> tuple[Array, Mask | None]:
        """Pixels of `rect` in the file's dtype (band, row, col), and per band which are valid.

        `rect` may reach beyond the raster: pixels there repeat the nearest edge and are invalid.
        None for the mask means that all are valid.
        """
        height, width = self._shape
        row, col = min(max(rect.row, 0), height - 1), min(max(rect.col, 0), width - 1)
        stop_row = max(min(rect.stop_row, height), row + 1)
        stop_col = max(min(rect.stop_col, width), col + 1)
        inside = Rect(row, col, stop_row - row, stop_col - col)
        data, valid = self._read_inside(inside)
        if inside == rect:
            return data, valid
        rows = np.arange(rect.row, rect.stop_row)
        cols = np.arange(rect.col, rect.stop_col)
        at_rows, at_cols = np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)
        exists = (rows == at_rows)[:, None] & (cols == at_cols)[None]
        at_rows, at_cols = (at_rows - row)[:, None], (at_cols - col)[None]
        data = data[:, at_rows, at_cols]
        if valid is None:
            return data, np.repeat(exists[None], len(data), 0)
        return data, valid[:, at_rows, at_cols] & exists

    def _read_inside(self, rect: Rect) -> tuple[Array, Mask | None]:
        if self.source.flip:
            rect = Rect(self._shape[0] - rect.stop_row, rect.col, *rect.shape)
        window = Window(rect.col, rect.row, rect.width, rect.height)
        bands = list(self.source.bands)
        with told(self.source.name):
            data: Array = self._raster.read(bands, window=window)
            valid = self._valid(data, window)
        if self.source.flip:
            return data[:, ::-1], None if valid is None else valid[:, ::-1]
        return data, valid

    def _valid(self, data: Array, window: Window) -> Mask | None:
        source = self.source
        if source.masking == "none":
            return None
        floating = np.issubdtype(data.dtype, np.floating)
        valid: Mask = np.ones(data.shape, bool)
        if source.masking == "mask":
            valid &= self._unmasked(window)
        for band, nodata, seen in zip(data, source.nodata, valid, strict=True):
            if nodata is None or not math.isfinite(nodata):
                continue
            value = data.dtype.type(nodata)
            if floating:
                near = data.dtype.type(_NODATA_NEAR) * abs(value)
                with np.errstate(over="ignore", invalid="ignore"):
                    seen &= np.abs(band - value) > near
            else:
                seen &= band != value
        if floating:
            valid &= np.isfinite(data)
        return None if valid.all() else valid

    def _unmasked(self, window: Window) -> Mask:
        """What a mask or alpha band leaves visible: (1 or band, row, col)."""
        added = self._cover.count if self.source.warp is not None else 0
        if alpha := self.source.alpha or added:
            return np.asarray(self._cover.read([alpha], window=window) > 0)
        return np.asarray(self._cover.read_masks(list(self.source.bands), window=window) > 0)


def describe(name: str | os.PathLike[str], role: str) -> Source:
    """Open a raster and take down what it says of itself; `role` ("PAN" or "MS") names it in errors."""
    name = gdal_name(os.fspath(name))
    check_exists(name, role)
    check_proj()
    with opened(name) as raster:
        check_bounds(raster, name, role)
        return _describe(raster, name, role)


def warp_to(source: Source, grid: Grid) -> Source:
    """The same raster read through a WarpedVRT on `grid` (cubic, mask kept)."""
    if "alpha" in source.interps:
        raise InputError(
            source.name,
            "its alpha band holds data and it lies in another CRS than PAN",
            "a band whose colour interpretation is not alpha",
            "mark it with gdal_edit.py -colorinterp_N undefined and run again",
        )
    if len({str(nodata) for nodata in source.nodata}) > 1:
        raise InputError(
            source.name,
            "bands with different no-data values, in another CRS than PAN",
            "one no-data value, or MS in PAN's CRS",
            "pass one file per band, or reproject MS with gdalwarp -t_srs",
        )
    # GDAL tells what lies outside the file by no-data where there is such a value, else by a mask.
    by_values = source.masking == "values" and warped_nodata(source) is not None
    return replace(source, grid=grid, warp=grid, masking="values" if by_values else "mask")


def flip_rows(source: Source) -> Source:
    """The same raster with its rows in the opposite order, south-up become north-up or back."""
    transform = source.grid.transform
    if transform is None:
        raise ValueError("only a georeferenced raster has an up")
    upside = transform @ Affine.translation(0, source.grid.shape[0]) @ Affine.scale(1, -1)
    return replace(source, grid=Grid(source.grid.shape, upside, source.grid.crs), flip=True)


def _describe(raster: Any, name: str, role: str) -> Source:
    if raster.count == 0:
        raise no_bands(raster, name, role)
    labels, units = band_texts(raster)
    alpha, notes = _alpha_bands(raster, labels)
    bands = tuple(i for i in raster.indexes if i not in alpha)
    _check_bands(raster, bands, name, role)
    if raster.subdatasets:
        notes.append(f"holds {len(raster.subdatasets)} images; the first is read")
    at = [band - 1 for band in bands]
    dtype = raster.dtypes[at[0]]
    nodata = tuple(representable(raster.nodatavals[i], dtype) for i in at)
    bits = raster.tags(bands[0], ns="IMAGE_STRUCTURE").get("NBITS", "")
    if not bits and "GEOSHARP_VERSION" in raster.tags():
        # A result of ours tells so of pixels that it did not pack.
        bits = raster.tags(bands[0]).get("NBITS", "")
    gcps, gcps_crs = raster.gcps
    return Source(
        name=name,
        bands=bands,
        grid=_grid(raster),
        dtype=dtype,
        nodata=nodata,
        masking=_masking(raster, bands[0], alpha, nodata),
        bits=_possible_bits(bits, dtype),
        labels=tuple(labels[i] for i in at),
        interps=tuple(raster.colorinterp[i].name for i in at),
        scales=tuple(float(raster.scales[i]) for i in at),
        offsets=tuple(float(raster.offsets[i]) for i in at),
        units=tuple(units[i] for i in at),
        band_tags=tuple(dict(raster.tags(band)) for band in bands),
        tags=_tags(raster),
        gcps=tuple(gcps),
        gcps_crs=gcps_crs,
        rpcs=raster.rpcs,
        block=tuple(raster.block_shapes[at[0]]),
        files=tuple(raster.files),
        notes=tuple(notes),
        alpha=max(alpha, default=0),
    )


def _possible_bits(told: str, dtype: str) -> int | None:
    """NBITS as it is told, where pixels of `dtype` can be of so many."""
    whole = told.isdecimal() and len(told) <= 2 and "float" not in dtype
    return int(told) if whole and 1 <= int(told) <= 8 * np.dtype(dtype).itemsize else None


def _check_bands(raster: Any, bands: tuple[int, ...], name: str, role: str) -> None:
    if not bands:
        needed = f"at least one data band as {role}"
        raise InputError(name, "only an alpha band", needed, "pass the image itself")
    dtypes = {raster.dtypes[i - 1] for i in bands}
    if len(dtypes) > 1 or any(not d.lstrip("u").startswith(("int", "float")) for d in dtypes):
        found = f"pixels of type {', '.join(sorted(dtypes))}"
        needed = f"one integer or floating type in all bands of {role}"
        raise InputError(name, found, needed, "convert it with gdal_translate -ot")
    if ColorInterp.palette in raster.colorinterp:
        raise InputError(
            name,
            "a colour table (its pixels are indexes, not radiances)",
            f"measured values as {role}",
            "expand it with gdal_translate -expand rgb, or pass the original image",
        )


def _grid(raster: Any) -> Grid:
    place = raster.transform
    # Identity stands for none in GDAL; pixels without a size are how some software writes it.
    none = place == Affine.identity() or place.is_degenerate or not all(map(math.isfinite, place))
    return Grid((raster.height, raster.width), None if none else place, raster.crs)


def _masking(
    raster: Any, band: int, alpha: set[int], nodata: tuple[float | None, ...]
) -> Literal["none", "values", "mask"]:
    flags = raster.mask_flag_enums[band - 1]
    if alpha or (MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags):
        return "mask"
    floating = "float" in raster.dtypes[band - 1]
    return "values" if floating or any(n is not None for n in nodata) else "none"


def _alpha_bands(raster: Any, labels: Texts) -> tuple[set[int], list[str]]:
    """Numbers of true alpha bands; a note for each band only called so.

    GDAL marks the fourth band of many 4-band 8-bit TIFFs as alpha although it is near infrared. A
    mask is opaque nearly everywhere it is not transparent, an image is not.
    """
    alpha = {i for i in raster.indexes if raster.colorinterp[i - 1] == ColorInterp.alpha}
    notes = []
    for band in sorted(alpha):
        shape = (min(raster.height, 256), min(raster.width, 256))
        sample = raster.read(band, out_shape=shape, resampling=Resampling.nearest)
        opaque = np.iinfo(sample.dtype).max if sample.dtype.kind in "iu" else 1
        shown = sample[sample != 0]
        between = float(np.mean(~np.isin(shown, (1, 255, opaque)))) if shown.size else 0.0
        if between > _ALPHA_SHARE:
            alpha.remove(band)
            label = f" ({labels[band - 1]})" if labels[band - 1] else ""
            notes.append(
                f"band {band}{label} is marked as alpha, but {between:.0%} of its values are neither "
                "opaque nor transparent: taken as data"
            )
    return alpha, notes


def _tags(raster: Any) -> dict[str, dict[str, str]]:
    """Metadata domain -> items, "" being the default domain; "xml:XMP" holds one item of that name."""
    spaces = [
        ns
        for ns in raster.tag_namespaces()
        if ns not in _DERIVED_DOMAINS and (ns == "xml:XMP" or not ns.startswith("xml:"))
    ]
    tags = {"": dict(raster.tags())}
    for space in spaces:
        if items := dict(raster.tags(ns=space)):
            tags[space] = items
    return tags


def representable(nodata: float | None, dtype: str) -> float | None:
    """`nodata` if a pixel of `dtype` can hold it (a uint16 never equals -9999)."""
    if nodata is None:
        return None
    if "float" in dtype:
        fits = not math.isfinite(nodata) or abs(nodata) <= float(np.finfo(dtype).max)
        return float(nodata) if fits else None
    limits = np.iinfo(dtype)
    whole = math.isfinite(nodata) and nodata == int(nodata)
    return nodata if whole and limits.min <= nodata <= limits.max else None


def warped_nodata(source: Source) -> float | None:
    """What pixels without data hold once warped: the no-data value, in float data NaN; None for a mask."""
    if "float" not in source.dtype:
        return source.nodata[0]
    return None if source.masking == "mask" and source.nodata[0] is None else math.nan


def warped(file: Any, grid: Grid, nodata: float | None) -> Any:
    """`file` on `grid` with `nodata` for what it does not cover; by an alpha band where that is None."""
    told = file.nodata if file.nodata is not None and nodata is not None else nodata
    return WarpedVRT(
        file,
        crs=grid.crs,
        transform=grid.transform,
        height=grid.shape[0],
        width=grid.shape[1],
        resampling=Resampling.cubic,
        nodata=nodata,
        src_nodata=told,
        add_alpha=nodata is None and ColorInterp.alpha not in file.colorinterp,
        tolerance=WARP_TOLERANCE,
        # Else GDAL widens the kernel where pixels shrink a little, and ramps come out bent.
        XSCALE="1",
        YSCALE="1",
    )
