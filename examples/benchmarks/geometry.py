"""How exactly the result lies on the ground: an image of its own coordinates, fused and compared.

MS's bands hold the PAN column and row of their own pixels' centres and PAN the sum of both; the
fused bands must hold the column and row of each PAN pixel's centre. Prints the largest error in
PAN pixels away from the border:  python examples/benchmarks/geometry.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.transform import from_origin
from rasterio.warp import transform, transform_bounds

from geosharp import fuse

PAN_CRS = "EPSG:32633"
PAN_AT = from_origin(500_000.0, 4_600_000.0, 0.5, 0.5)
SIZE = 480
BORDER = 48  # PAN pixels: where kernels reach beyond the smaller of both images

# Name of the pair -> (ratio, where MS's upper-left corner lies in PAN pixels as (row, col)).
ALIGNED = {
    "aligned, ratio 4": (4.0, (0.0, 0.0)),
    "half a PAN pixel (Landsat)": (2.0, (-0.5, 0.5)),
    "non-integer ratio 4.000245": (4.000245, (0.0, 0.0)),
    "other extent": (4.0, (60.25, -33.5)),
    "ratio 3, south-up MS": (3.0, (0.25, 0.75)),
}
OTHER_CRS = "another CRS (UTM 33 and 34)"


def measure(folder: Path, method: str = "exp") -> dict[str, float]:
    """Largest error in PAN pixels per kind of pair."""
    errors = {}
    for name, (ratio, offset) in ALIGNED.items():
        place = PAN_AT @ Affine.translation(offset[1], offset[0]) @ Affine.scale(ratio, ratio)
        shape = (round(SIZE / ratio), round(SIZE / ratio))
        if "south-up" in name:
            place = place @ Affine.translation(0, shape[0]) @ Affine.scale(1, -1)
        errors[name] = _error(folder, PAN_CRS, place, shape, method)
    left, bottom, right, top = transform_bounds(
        PAN_CRS, "EPSG:32634", 500_000.0, 4_600_000.0 - SIZE / 2, 500_000.0 + SIZE / 2, 4_600_000.0
    )
    shape = (int((top - bottom) / 2), int((right - left) / 2))
    errors[OTHER_CRS] = _error(folder, "EPSG:32634", from_origin(left, top, 2.0, 2.0), shape, method)
    return errors


def _error(folder: Path, ms_crs: str, ms_at: Affine, ms_shape: tuple[int, int], method: str) -> float:
    cols, rows = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    pan = _write(folder / "pan.tif", (cols + rows)[None], PAN_CRS, PAN_AT)
    ms_cols, ms_rows = np.meshgrid(np.arange(ms_shape[1]) + 0.5, np.arange(ms_shape[0]) + 0.5)
    xs, ys = ms_at @ (ms_cols, ms_rows)
    if ms_crs != PAN_CRS:
        there = transform(ms_crs, PAN_CRS, xs.ravel(), ys.ravel())
        xs, ys = (np.reshape(values, ms_shape) for values in there)
    ms = _write(folder / "ms.tif", np.stack((~PAN_AT) @ (xs, ys)), ms_crs, ms_at)
    out = folder / "fused.tif"
    # Where the files say that MS lies, not where the coordinates in it say.
    fuse(pan, ms, out, method=method, calibration="sensor", overwrite=True)
    with rasterio.open(out) as raster:
        fused, valid, place = raster.read(), raster.dataset_mask() > 0, raster.transform
    height, width = valid.shape
    corner_col, corner_row = (~PAN_AT) @ (place.c, place.f)
    cols, rows = np.meshgrid(corner_col + np.arange(width) + 0.5, corner_row + np.arange(height) + 0.5)
    inner = _away_from_border(valid)
    return float(np.abs(fused - np.stack([cols, rows]))[:, inner].max())


def _away_from_border(valid: np.ndarray) -> np.ndarray:
    """Pixels with nothing invalid within BORDER pixels."""
    holes = np.pad(~valid, BORDER, constant_values=True).astype(int)
    table = np.pad(holes.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    side = 2 * BORDER + 1
    count = table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    return count == 0


def _write(path: Path, data: np.ndarray, crs: str, place: Affine) -> Path:
    shape = {"count": len(data), "height": data.shape[1], "width": data.shape[2]}
    with rasterio.open(
        path, "w", driver="GTiff", dtype="float64", crs=crs, transform=place, **shape
    ) as raster:
        raster.write(data)
    return path


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for fused_by in ("exp", "glp"):
            for pair, error in measure(Path(temporary), fused_by).items():
                print(f"{fused_by:4} {pair:32} {error:.2g} PAN px")
