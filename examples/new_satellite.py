"""Three small scenes of a satellite that does not exist, for the walk in new_satellite.md.

    python examples/new_satellite.py [FOLDER]

Writes north and south into FOLDER/scenes, to learn from, and east into FOLDER/aside: each a PAN at 2 m and
an MS at 6 m with green, red and near infrared, 12 bit. What no file tells: MS is blurrier than those of most
sensors, and lies half a PAN pixel lower than it says.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

RATIO = 3
PIXEL = 2.0
SHAPE = 264, 528
MOST_DN = 2**12 - 1
# MTF at Nyquist of MS's bands and of PAN, share of the bands in PAN, MS's place in PAN pixels.
MS_GAINS, PAN_GAIN = (0.2, 0.18, 0.15), 0.4
IN_PAN = (0.35, 0.4, 0.25)
LOWER, RIGHT = 0.5, 0.0
SNR = 150.0
# Bare soil, crops, meadow, roofs, asphalt and water in green, red and near infrared.
COVERS = np.array([[700, 900, 1200], [500, 350, 2300], [600, 450, 1800], [1500, 1700, 1900], [550, 560, 600],
                   [300, 180, 80]], np.float32)  # fmt: skip
# Upper-left corners in UTM zone 31 north, far from each other.
PLACES = {"scenes/north": (440_000, 5_480_000), "scenes/south": (440_000, 5_400_000),
          "aside/east": (520_000, 5_440_000)}  # fmt: skip
Image = NDArray[np.float32]


def make_ground(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Radiance (band, row, col) at PAN's resolution: fields, houses on them, and the grain of both."""
    rows, cols = shape
    ground = np.full((3, *shape), 700, np.float32)
    for most, count in ((70, 120), (14, 900)):
        for cover in rng.integers(len(COVERS), size=count):
            row, col = rng.integers(-most // 2, shape)
            height, width = rng.integers(most // 5, most, 2)
            colour = COVERS[cover] * rng.uniform(0.8, 1.2)
            ground[:, max(row, 0) : row + height, max(col, 0) : col + width] = colour[:, None, None]
    grain = rng.normal(0, 0.05, (1, rows, cols)) + rng.normal(0, 0.02, ground.shape)
    return np.asarray(ground * (1 + grain), np.float32)


def look(band: Image, gain: float, ratio: int, down: float = 0.0, right: float = 0.0) -> Image:
    """A band (row, col) as an instrument sees it that takes every `ratio`-th pixel: blurred by a Gaussian of
    that MTF at its Nyquist frequency, from so many pixels further down and right; the ground wraps around."""
    v, u = np.meshgrid(np.fft.fftfreq(band.shape[0]), np.fft.rfftfreq(band.shape[1]), indexing="ij")
    blur = gain ** ((2 * ratio) ** 2 * (u**2 + v**2))
    centre = (ratio - 1) / 2
    moved = np.exp(2j * np.pi * (v * (centre + down) + u * (centre + right)))
    seen = np.fft.irfft2(np.fft.rfft2(band) * blur * moved, band.shape)
    return np.asarray(seen[::ratio, ::ratio], np.float32)


def record(image: Image, rng: np.random.Generator) -> NDArray[np.uint16]:
    """As DN, with noise; never 0, which stands for no data."""
    noise = rng.normal(0, 1, image.shape) * image.mean((1, 2), keepdims=True) / SNR
    return np.clip(np.rint(image + noise), 1, MOST_DN).astype(np.uint16)


def write(path: Path, image: NDArray[np.uint16], corner: tuple[float, float], pixel: float) -> None:
    count, height, width = image.shape
    shape = {"count": count, "height": height, "width": width}
    place = {"crs": "EPSG:32631", "transform": from_origin(*corner, pixel, pixel)}
    with rasterio.open(path, "w", driver="GTiff", dtype="uint16", nodata=0, **shape, **place) as file:
        file.write(image)


def make_scene(shape: tuple[int, int], seed: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """PAN (1, row, col) of that shape, a multiple of RATIO, and its MS (3, row / RATIO, col / RATIO)."""
    rng = np.random.default_rng(seed)
    ground = make_ground(shape, rng)
    pan = look(np.tensordot(np.array(IN_PAN, np.float32), ground, 1), PAN_GAIN, 1)[None]
    ms = np.stack(
        [look(band, gain, RATIO, LOWER, RIGHT) for band, gain in zip(ground, MS_GAINS, strict=True)]
    )
    return record(pan, rng), record(ms, rng)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "newsat")
    for seed, (name, corner) in enumerate(PLACES.items()):
        pan, ms = make_scene(SHAPE, seed)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path.with_name(f"{path.name}_pan.tif"), pan, corner, PIXEL)
        write(path.with_name(f"{path.name}_ms.tif"), ms, corner, PIXEL * RATIO)
        print(f"{path}_pan.tif {path}_ms.tif")


if __name__ == "__main__":
    main()
