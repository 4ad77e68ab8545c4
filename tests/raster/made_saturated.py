"""Pairs whose MS is cut off, made by code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio


def saturate(ms: Path, top: int = 2047, share: float = 0.01) -> None:
    """Stretch MS's values until so large a share of them is beyond `top`, and cut them off there."""
    with rasterio.open(ms, "r+") as raster:
        data = raster.read().astype(np.float64)
        data *= top / np.quantile(data, 1 - share)
        raster.write(np.minimum(np.rint(data), top).astype(raster.dtypes[0]))
