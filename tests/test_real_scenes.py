"""Real scenes with real defects: each is fused as a person would expect, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp import fuse

BENCH = (
    "wv2_urban",
    "ikonos_urban",
    "geoeye1_urban",
    "spot6_cropland",
    "gf2_strip",
    "l8_scene5",
    "l8_scene12",
)
EDGE = {
    # name -> part of PAN's pixels that must be valid in the result, as (least, most)
    "l8_201px": (0.99, 1.0),
    "l7_slcoff_201px": (0.6, 0.75),
    "l8_collar_decimated": (0.6, 0.75),
    "wv2_rotterdam_chip3": (0.55, 0.65),
    "l8_pamplona_misregistered": (0.9, 1.0),
    "wv3_128px_nogeo_0": (1.0, 1.0),
    "wv3_128px_nogeo_1": (1.0, 1.0),
}


@pytest.mark.parametrize("name", [*BENCH, *EDGE])
@pytest.mark.parametrize("method", ["brovey", "gsa", "glp", "glp-hpm"])
def test_scene_fuses(tmp_path: Path, data: Path, name: str, method: str) -> None:
    folder = data / ("edge" if name in EDGE else "bench") / name
    pan, ms, out = folder / "pan.tif", folder / "ms.tif", tmp_path / "out.tif"
    fuse(pan, ms, out, method=method, preview=tmp_path / "out.png")
    with rasterio.open(out) as fused, rasterio.open(pan) as fine, rasterio.open(ms) as coarse:
        assert fused.count == coarse.count
        assert fused.dtypes == coarse.dtypes
        assert fused.crs == fine.crs
        left, top = ~fine.transform @ (fused.transform.c, fused.transform.f)
        assert abs(left - round(left)) < 1e-6
        assert abs(top - round(top)) < 1e-6
        valid = fused.dataset_mask() > 0
        share = valid.sum() / (fine.height * fine.width)
        least, most = EDGE.get(name, (1.0, 1.0))
        assert least <= share <= most
        # GDAL's weights are equal, not learnt: its pseudo-PAN is brighter or darker than PAN.
        tolerance = 0.4 if method == "brovey" else 0.05
        nodata = coarse.nodata
        for band in range(1, fused.count + 1):
            seen = coarse.read(band)
            theirs = seen[seen != nodata].mean() if nodata is not None else seen.mean()
            assert abs(fused.read(band)[valid].mean() - theirs) < tolerance * abs(theirs)
        detail = _roughness(fused.read(2), valid)
    smooth = fuse(pan, ms, tmp_path / "exp.tif", method="exp").path
    with rasterio.open(smooth) as interpolated:
        assert detail > 1.1 * _roughness(interpolated.read(2), valid)


def _roughness(band: np.ndarray, valid: np.ndarray) -> float:
    """Mean step between valid neighbours in a row."""
    steps = np.abs(np.diff(band.astype(float), axis=1))
    return float(steps[valid[:, 1:] & valid[:, :-1]].mean())
