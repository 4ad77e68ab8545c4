"""Scenes whose degradation is known: a random ground, blurred, moved and sampled in the frequency domain."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.transform import from_origin

from geosharp.raster.scene import Scene, open_scene
from tests.made import ORIGIN, write_raster

WEIGHTS = (0.2, 0.3, 0.4, 0.1)


def make_ground(size: int, bands: int, seed: int = 0, common: float = 0.8) -> np.ndarray:
    """(band, row, col) periodic fields of a natural image's spectrum, standard deviation about 1."""
    rng = np.random.default_rng(seed)
    rows, cols = np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None]
    fall = 1 / np.maximum(np.hypot(rows, cols), 2 / size) ** 1.2
    fields = np.fft.ifft2(np.fft.fft2(rng.normal(size=(bands + 1, size, size))) * fall).real
    fields /= fields.std((1, 2), keepdims=True)
    return common * fields[:1] + math.sqrt(1 - common**2) * fields[1:]


def degrade_exactly(
    ground: np.ndarray,
    ratio: float,
    gains: tuple[float, float],
    place: tuple[float, float],
    shape: tuple[int, int],
) -> np.ndarray:
    """MS (row, col) of a periodic ground (row, col): Gaussians of those Nyquist gains (rows, cols).

    place: where the MS's first edge lies on the ground, (row, col) in PAN pixels.
    """
    size = len(ground)
    sides = []
    for gain, start, count in zip(gains, place, shape, strict=True):
        waves = 2 * np.pi * np.fft.fftfreq(size)
        centres = start + ratio * (np.arange(count) + 0.5) - 0.5
        variance = -2 * (ratio / np.pi) ** 2 * math.log(gain)
        sides.append(np.exp(1j * centres[:, None] * waves - 0.5 * variance * waves**2) / size)
    return (sides[0] @ np.fft.fft2(ground) @ sides[1].T).real


def plant(
    folder: Path,
    *,
    ratio: float = 4.0,
    gains: tuple[float, float] | list[tuple[float, float]] = (0.3, 0.3),
    shift: tuple[float, float] = (0.0, 0.0),
    offset: tuple[float, float] = (0.0, 0.0),
    weights: tuple[float, ...] = WEIGHTS,
    size: int = 256,
    noise: float | None = None,
    ground: np.ndarray | None = None,
    level: float = 1000.0,
    contrast: float = 100.0,
    dtype: str = "float32",
    **profile: Any,
) -> Scene:
    """A PAN and an MS as if so degraded; gains for all bands, or for each; noise: of MS, in dB.

    offset: where MS's corner lies on PAN by the geotransforms, `shift`: how much further its content.
    """
    if ground is None:
        ground = make_ground(size, len(weights))
    size = ground.shape[1]
    per_band = gains if isinstance(gains, list) else [gains] * len(ground)
    shape = tuple(math.floor((size - max(o, 0.0)) / ratio) for o in offset)
    place = (offset[0] + shift[0], offset[1] + shift[1])
    ms = np.stack(
        [
            degrade_exactly(band, ratio, own, place, (shape[0], shape[1]))
            for band, own in zip(ground, per_band, strict=True)
        ]
    )
    if noise is not None:
        ms += 10 ** (-noise / 20) * ms.std() * np.random.default_rng(1).normal(size=ms.shape)
    pan = np.einsum("b,brc->rc", weights, ground)[None]
    x, y = ORIGIN
    place_ms = from_origin(x + offset[1], y - offset[0], ratio, ratio)
    names = []
    for name, image, transform in (("pan", pan, from_origin(x, y, 1, 1)), ("ms", ms, place_ms)):
        image = level + contrast * image
        image = image.astype(dtype) if dtype.startswith("float") else np.rint(image).astype(dtype)
        names.append(write_raster(folder / f"{name}.tif", image, transform=transform, **profile))
    return open_scene(names[0], names[1])
