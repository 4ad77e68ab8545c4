"""A small 8-bit picture of a scene, to look at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from geosharp.errors import InputError, OutputError, UsageError
from geosharp.raster.opening import quietly
from geosharp.raster.output.target import PNG_SUFFIXES, Temporary, check_target

_COLORS = ("red", "green", "blue")
_PERCENTILES = (2.0, 98.0)


def write_preview(
    source_path: str | Path,
    out_path: str | Path,
    *,
    bands: tuple[int, int, int] | None = None,
    size: int = 1024,
    overwrite: bool = False,
) -> None:
    """Write a PNG of at most `size` pixels a side, stretched per band, transparent where invalid.

    bands: numbers, from 1, of what to show as red, green and blue; by default those that call
    themselves so, else 3, 2, 1, and the first one in grey where there are fewer than three.
    Where the PNG cannot be written, the error says that the source, which was read by then, is complete.
    """
    if size < 1:
        raise UsageError("size", str(size), "a number of pixels from 1", "leave it out for 1024")
    try:
        with quietly(), rasterio.open(source_path) as source:
            shown = _choose_bands(source, bands)
            image, valid = _read_small(source, shown, size)
    except (RasterioError, CPLE_BaseError) as error:
        found = f"cannot be read ({error})"
        raise InputError(source_path, found, "a raster that GDAL reads", "check the file") from error
    picture = np.stack([_stretch(band, valid) for band in image])
    if not valid.all():
        color = picture if len(picture) == 3 else np.repeat(picture, 3, 0)
        picture = np.concatenate([color, np.where(valid, 255, 0).astype(np.uint8)[None]])
    try:
        write_png(out_path, picture, overwrite=overwrite, inputs=[source_path])
    except OutputError as error:
        found = f"{error.found} ({source_path} is complete, only its preview failed)"
        raise OutputError(error.subject, found, error.needed, error.remedy) from error


def check_preview(path: str | Path, *, overwrite: bool = False, inputs: Iterable[str | Path] = ()) -> None:
    """Refuse a path that no PNG can or must be written to, as check_target does for GeoTIFF."""
    check_target(path, overwrite=overwrite, inputs=inputs, suffixes=PNG_SUFFIXES)


def write_png(
    path: str | Path, image: np.ndarray, *, overwrite: bool = False, inputs: Iterable[str | Path] = ()
) -> None:
    """Write a uint8 (band, row, col) image of 1 (grey), 3 (RGB) or 4 (RGB and opacity) bands."""
    check_preview(path, overwrite=overwrite, inputs=inputs)
    if image.ndim != 3 or image.shape[0] not in (1, 3, 4) or image.dtype != np.uint8:
        raise ValueError(f"{image.dtype} image of shape {image.shape} is not a uint8 picture")
    path = Path(path)
    temporary = Temporary(path)
    try:
        count, height, width = image.shape
        with quietly(), rasterio.Env(GDAL_PAM_ENABLED=False):
            with rasterio.open(
                temporary.path, "w", driver="PNG", count=count, height=height, width=width, dtype="uint8"
            ) as raster:
                raster.write(image)
            with rasterio.open(temporary.path) as raster:  # a truncated PNG fails to read
                intact = np.array_equal(raster.read(), image)
        if not intact:
            raise OSError("the file does not hold what was written")
        temporary.promote(overwrite=overwrite)
    except (RasterioError, CPLE_BaseError, OSError) as error:
        found = f"cannot be written: {error}"
        needed = f"up to {image.nbytes / 1e6:.1f} MB of free space"
        raise OutputError(path, found, needed, "free some space or write to another disk") from error
    finally:
        temporary.discard()


def _choose_bands(source: Any, bands: tuple[int, int, int] | None) -> list[int]:
    if bands is not None:
        if not all(1 <= band <= source.count for band in bands):
            raise UsageError("bands", str(bands), f"three numbers from 1 to {source.count}", "correct them")
        return list(bands)
    interpretations = [color.name for color in source.colorinterp]
    names = [(name or "").strip().lower() for name in source.descriptions]
    for labels in (interpretations, names):
        if all(color in labels for color in _COLORS):
            return [labels.index(color) + 1 for color in _COLORS]
    return [3, 2, 1] if source.count >= 3 else [1]


def _read_small(source: Any, bands: list[int], size: int) -> tuple[np.ndarray, np.ndarray]:
    """(band, row, col) float32 pixels and their (row, col) mask, from overviews where there are some."""
    factor = max(1.0, max(source.shape) / size)
    shape = tuple(max(1, round(side / factor)) for side in source.shape)
    image = source.read(bands, out_shape=(len(bands), *shape), resampling=Resampling.average)
    valid = source.dataset_mask(out_shape=shape, resampling=Resampling.nearest) > 0
    image = image.astype(np.float32)
    return image, valid & np.isfinite(image).all(0)


def _stretch(band: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """uint8 of a (row, col) band: its 2nd percentile over valid pixels at 0, its 98th at 255."""
    if not valid.any():
        return np.zeros(band.shape, np.uint8)
    low, high = np.percentile(band[valid], _PERCENTILES)
    scaled = (np.where(valid, band, low) - low) / max(high - low, 1e-12)
    picture: np.ndarray = np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    return picture
