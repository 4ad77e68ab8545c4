"""A made pair whose bands are named and behave so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geosharp.demo.ground import make_scene
from geosharp.demo.recording import observe
from tests.made import ORIGIN, write_raster

Pair = tuple[Path, Path]
Town = Callable[..., Pair]


@pytest.fixture(scope="session")
def recorded() -> tuple[np.ndarray, np.ndarray]:
    """PAN (1, 256, 256), and blue, green, red and near infrared (4, 64, 64). Shared: never write into it."""
    return observe(make_scene((256, 256), 0))


@pytest.fixture
def town(tmp_path: Path, recorded: tuple[np.ndarray, np.ndarray]) -> Town:
    def write(
        names: Sequence[str] | None = ("blue", "green", "red", "nir"),
        order: Sequence[int] = (0, 1, 2, 3),
        ms: np.ndarray | None = None,
        pixel: float = 1.0,
    ) -> Pair:
        """names: of the bands as they are told; order: of blue, green, red and nir in the file; ms: another
        MS; pixel: of PAN, in metres."""
        image = (recorded[1] if ms is None else ms)[list(order)]
        pan = write_raster(tmp_path / "pan.tif", recorded[0], transform=from_origin(*ORIGIN, pixel, pixel))
        coarse = from_origin(*ORIGIN, 4 * pixel, 4 * pixel)
        path = write_raster(tmp_path / "ms.tif", image, transform=coarse, photometric="MINISBLACK")
        if names is not None:
            with rasterio.open(path, "r+") as raster:
                raster.descriptions = tuple(names)
        return pan, path

    return write
