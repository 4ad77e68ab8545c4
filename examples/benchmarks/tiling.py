"""Whether tiles can be told from the result: every method at several tile sizes, pixel by pixel.

python examples/benchmarks/tiling.py PAN MS
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio

from geosharp import calibrate, fuse
from geosharp.engine.methods import METHODS

TILES = (128, 512, 2048, 65536)


def differing(
    pan: Path, ms: Path, method: str, dtype: str | None, folder: Path
) -> dict[int, tuple[float, float]]:
    """Per tile size: share of values unlike those of the scene as one tile, and the largest difference."""
    fused = {}
    calibration = calibrate(pan, ms) if METHODS[method].calibrated else "auto"
    for tile in TILES:
        out = folder / f"{method}_{tile}.tif"
        # Memory is not what is tested: the whole scene as one tile may take all it wants.
        fuse(
            pan,
            ms,
            out,
            method=method,
            dtype=dtype,
            tile=tile,
            calibration=calibration,
            overviews=False,
            overwrite=True,
        )
        with rasterio.open(out) as raster:
            fused[tile] = raster.read().astype(np.float64)
        out.unlink()
    whole = np.nan_to_num(fused[TILES[-1]])
    gaps = {tile: np.abs(np.nan_to_num(image) - whole) for tile, image in fused.items()}
    return {tile: (float((gap > 0).mean()), float(gap.max())) for tile, gap in gaps.items()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(f"{'':9} {'type':8} " + " ".join(f"{f'tile {tile}':>22}" for tile in TILES[:-1]))
        for fused_by in METHODS:
            for kind in (None, "float32"):
                found = differing(Path(sys.argv[1]), Path(sys.argv[2]), fused_by, kind, Path(temporary))
                cells = (
                    f"{share:.1e} by {most:.2g}" for tile, (share, most) in found.items() if tile != TILES[-1]
                )
                print(f"{fused_by:9} {kind or 'of MS':8} " + " ".join(f"{cell:>22}" for cell in cells))
