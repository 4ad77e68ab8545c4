"""A large PAN/MS pair made by code, for benchmarks: 4 bands, 11 bit, ratio 4, tiled and compressed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

RATIO = 4
BANDS = 4
LAYOUT = {
    "tiled": True,
    "blockxsize": 512,
    "blockysize": 512,
    "compress": "zstd",
    "zstd_level": 1,
    "predictor": 2,
    "num_threads": "all_cpus",
    "bigtiff": "yes",
}


def make_pair(folder: Path, size: int) -> tuple[Path, Path]:
    """PAN of `size` x `size` pixels at 0.5 m and its MS; made once and kept.

    In a process of its own: the peak memory of a process counts its parent's at the fork.
    """
    pan_path, ms_path = folder / f"pan_{size}.tif", folder / f"ms_{size}.tif"
    if not (pan_path.exists() and ms_path.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, __file__, str(size), str(pan_path), str(ms_path)], check=True)
    return pan_path, ms_path


def write_pair(size: int, pan_path: Path, ms_path: Path) -> None:
    rng = np.random.default_rng(size)
    side = min(size, 2048)
    block = _block(rng, side)
    common = {"driver": "GTiff", "dtype": "uint16", "crs": "EPSG:32631", **LAYOUT}
    with (
        rasterio.open(
            pan_path,
            "w",
            width=size,
            height=size,
            count=1,
            transform=from_origin(5e5, 5e6, 0.5, 0.5),
            **common,
        ) as pan,
        rasterio.open(
            ms_path,
            "w",
            width=size // RATIO,
            height=size // RATIO,
            count=BANDS,
            transform=from_origin(5e5, 5e6, 0.5 * RATIO, 0.5 * RATIO),
            **common,
        ) as ms,
    ):
        for row in range(0, size, side):
            for col in range(0, size, side):
                fine = np.roll(block, rng.integers(0, side, 2), (0, 1))
                side_y, side_x = min(side, size - row), min(side, size - col)
                fine = fine[:, :side_y, :side_x]
                pan.write(fine.mean(0).astype("uint16"), 1, window=Window(col, row, side_x, side_y))
                small = fine.reshape(BANDS, side_y // RATIO, RATIO, side_x // RATIO, RATIO).mean((2, 4))
                window = Window(col // RATIO, row // RATIO, side_x // RATIO, side_y // RATIO)
                ms.write(small.astype("uint16"), window=window)


def _block(rng: np.random.Generator, side: int) -> np.ndarray:
    """(band, row, col) float32 in 11-bit DN: fields, edges and sensor noise."""
    rows, cols = np.mgrid[:side, :side].astype(np.float32)
    shade = np.sin(rows / 61 + 2 * np.sin(cols / 97)) + np.sign(np.sin(rows / 23) * np.sin(cols / 31))
    bands = [
        600 + 150 * band + (120 + 30 * band) * shade + 60 * np.sin(cols / (5 + band)) for band in range(BANDS)
    ]
    noise = rng.normal(0, 10, (BANDS, side, side)).astype(np.float32)
    return np.clip(np.stack(bands) + noise, 1, 2047).astype(np.float32)


if __name__ == "__main__":
    write_pair(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
