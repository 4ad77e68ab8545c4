"""Small rasters and PAN/MS pairs made by code, for the tests of every room."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin

ORIGIN = (500_000.0, 4_600_000.0)


def write_raster(path: Path, data: np.ndarray, **profile: Any) -> Path:
    """Write (band, row, col) `data`; georeferenced in UTM 33N at 1 m unless `profile` says else."""
    options: dict[str, Any] = {
        "driver": "GTiff",
        "count": data.shape[0],
        "height": data.shape[1],
        "width": data.shape[2],
        "dtype": data.dtype,
        "crs": "EPSG:32633",
        "transform": from_origin(*ORIGIN, 1.0, 1.0),
    }
    if "transform" in profile and profile["transform"] is None:
        options.pop("transform")
        profile.pop("transform")
    options.update(profile)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **options) as raster:
            raster.write(data)
    return path


def texture(shape: tuple[int, int], seed: int = 0, scales: tuple[int, ...] = (1, 3, 8, 24)) -> np.ndarray:
    """A float32 image in [0, 1] with detail at every scale."""
    rng = np.random.default_rng(seed)
    rows, cols = (np.arange(size, dtype=np.float64) for size in shape)
    # All is a sum of products of a row's term and a column's: one product of matrices.
    down, right = [np.sign(np.sin(rows / 17))], [np.sign(np.sin(cols / 13))]
    for scale in scales:
        for angle, phase in rng.uniform(0, 2 * np.pi, (4, 2)):
            # A plane wave, the sine of a sum of row and column angles.
            along, across = np.cos(angle) * rows / scale + phase, np.sin(angle) * cols / scale
            down += [np.sqrt(scale) * np.sin(along), np.sqrt(scale) * np.cos(along)]
            right += [np.cos(across), np.sin(across)]
    image = np.array(down, np.float32).T @ np.array(right, np.float32)
    low, high = image.min(), image.max()
    return (image - low) / (high - low)


def make_pair(
    folder: Path,
    *,
    pan_shape: tuple[int, int] = (256, 256),
    ratio: int = 4,
    bands: int = 4,
    dtype: str = "uint16",
    offset: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
    pan_profile: dict[str, Any] | None = None,
    ms_profile: dict[str, Any] | None = None,
) -> tuple[Path, Path]:
    """A PAN at 1 m and an MS at `ratio` m of one textured ground, block means for degradation.

    offset: where MS's upper-left corner lies in PAN pixels (row, col); its content follows.
    """
    pan, ms = _observe(pan_shape, ratio, bands, 200.0 if dtype == "uint8" else 1500.0, offset, seed)
    x, y = ORIGIN
    integer = np.issubdtype(np.dtype(dtype), np.integer)
    pan_path = write_raster(
        folder / "pan.tif", (np.rint(pan) if integer else pan)[None].astype(dtype), **(pan_profile or {})
    )
    ms_path = write_raster(
        folder / "ms.tif",
        (np.rint(ms) if integer else ms).astype(dtype),
        **{
            "transform": from_origin(x + offset[1], y - offset[0], ratio, ratio),
            "photometric": "MINISBLACK",
            **(ms_profile or {}),
        },
    )
    return pan_path, ms_path


# Most pairs are made again and again, each in as much time as it takes to fuse it.
@functools.lru_cache(maxsize=64)
def _observe(
    pan_shape: tuple[int, int], ratio: int, bands: int, scale: float, offset: tuple[float, float], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """PAN (row, col) and MS (band, row, col) as `make_pair` says, in DN up to `scale`. Shared: never write
    into them."""
    fine = 4  # sub-pixels per PAN pixel, so that offsets of a quarter pixel are exact
    height, width = pan_shape
    pad = 2 * ratio * fine
    ground = np.stack(
        [texture((height * fine + 2 * pad, width * fine + 2 * pad), seed + band) for band in range(bands)]
    )
    shared = texture(ground.shape[1:], seed + 100)
    ground = 0.4 * ground + 0.6 * shared
    ground = scale * (0.1 + 0.8 * ground)

    def block_mean(image: np.ndarray, block: int) -> np.ndarray:
        b, h, w = image.shape
        h, w = h // block, w // block
        return image[:, : h * block, : w * block].reshape(b, h, block, w, block).mean((2, 4))

    pan = block_mean(ground[:, pad : pad + height * fine, pad : pad + width * fine], fine).mean(0)
    row, col = (pad + round(o * fine) for o in offset)
    ms_height, ms_width = height // ratio, width // ratio
    window = ground[:, row : row + ms_height * ratio * fine, col : col + ms_width * ratio * fine]
    return pan, block_mean(window, ratio * fine)
