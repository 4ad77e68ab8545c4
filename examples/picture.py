"""The picture of README: MS, PAN and what geosharp makes of them, on the scene of `geosharp demo`.

python examples/picture.py [--out examples/picture.png]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import rasterio

import geosharp
from geosharp.demo import demo
from geosharp.raster.output.preview import write_png

# The part that is shown, and how wide it is drawn.
CORNER, SIDE, SCALE, GAP = (150, 150), 170, 2, 6


def read(path: Path, ratio: int, bands: list[int]) -> np.ndarray:
    """The part of an image on PAN's grid, (band, row, col): each pixel as large as it is."""
    row, col, side = CORNER[0] // ratio, CORNER[1] // ratio, -(-SIDE // ratio)
    with rasterio.open(path) as file:
        part = file.read(bands, window=((row, row + side), (col, col + side))).astype(float)
    return part.repeat(ratio, 1).repeat(ratio, 2)[:, :SIDE, :SIDE]


def stretch(image: np.ndarray, like: np.ndarray) -> np.ndarray:
    """8 bits between the percentiles of another image."""
    low, high = np.percentile(like, [1, 99], axis=(1, 2))[:, :, None, None]
    shown = np.clip((image - low) / (high - low), 0, 1) ** 0.8
    return (255 * shown).astype(np.uint8).repeat(SCALE, 1).repeat(SCALE, 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("examples/picture.png"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = demo(folder, size=512)
        colours = [3, 2, 1]
        fused = read(made.fused, 1, colours)
        panels = [
            stretch(read(made.ms, 4, colours), fused),
            stretch(read(made.pan, 1, [1]), read(made.pan, 1, [1])).repeat(3, 0),
            stretch(fused, fused),
        ]
    gap = np.full((3, SIDE * SCALE, GAP), 255, np.uint8)
    write_png(options.out, np.concatenate([panels[0], gap, panels[1], gap, panels[2]], 2), overwrite=True)
    print(f"{options.out}: MS, PAN, and geosharp {geosharp.__version__}'s result")


if __name__ == "__main__":
    main()
