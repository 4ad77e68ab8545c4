"""Real scenes with real defects: each is fused as a person would expect, or refused in a sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp import fuse
from geosharp.evaluation import evaluate_scene
from geosharp.imaging.degradation import Degradation
from geosharp.padm.calibration import Calibration
from geosharp.raster.scene import open_scene

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
def test_scene_fuses(tmp_path: Path, data: Path, name: str) -> None:
    folder = data / ("edge" if name in EDGE else "bench") / name
    pan, ms = folder / "pan.tif", folder / "ms.tif"
    smooth = fuse(pan, ms, tmp_path / "exp.tif", method="exp", overviews=False).path
    # Learnt once: the first method tells the others.
    learnt: str | Calibration = "auto"
    for method in ("glp", "gsa", "glp-hpm"):
        out = tmp_path / f"{method}.tif"
        result = fuse(pan, ms, out, method=method, calibration=learnt, overviews=False)
        assert result.calibration is not None
        learnt = result.calibration
        _check(out, pan, ms, smooth, EDGE.get(name, (1.0, 1.0)), 0.05)
    fuse(pan, ms, tmp_path / "brovey.tif", method="brovey", preview=tmp_path / "brovey.png")
    # GDAL's weights are equal, not learnt: its pseudo-PAN is brighter or darker than PAN.
    _check(tmp_path / "brovey.tif", pan, ms, smooth, EDGE.get(name, (1.0, 1.0)), 0.4)


def _check(
    out: Path, pan: Path, ms: Path, smooth: Path, shares: tuple[float, float], tolerance: float
) -> None:
    """Grid, types, valid share of PAN, bands' means within `tolerance`, more detail than `smooth` has."""
    with rasterio.open(out) as fused, rasterio.open(pan) as fine, rasterio.open(ms) as coarse:
        assert fused.count == coarse.count
        assert fused.dtypes == coarse.dtypes
        assert fused.crs == fine.crs
        left, top = ~fine.transform @ (fused.transform.c, fused.transform.f)
        assert abs(left - round(left)) < 1e-6
        assert abs(top - round(top)) < 1e-6
        pixels, seen = fused.read(), coarse.read()
        valid = fused.dataset_mask() > 0
        assert shares[0] <= valid.sum() / (fine.height * fine.width) <= shares[1]
        for ours, theirs in zip(pixels, seen, strict=True):
            mean = theirs.mean() if coarse.nodata is None else theirs[theirs != coarse.nodata].mean()
            assert abs(ours[valid].mean() - mean) < tolerance * abs(mean), out.name
    with rasterio.open(smooth) as interpolated:
        assert _roughness(pixels[1], valid) > 1.1 * _roughness(interpolated.read(2), valid), out.name


def _roughness(band: np.ndarray, valid: np.ndarray) -> float:
    """Mean step between valid neighbours in a row."""
    steps = np.abs(np.diff(band.astype(float), axis=1))
    return float(steps[valid[:, 1:] & valid[:, :-1]].mean())


# An independent implementation's figures, PSNR in dB pooled over bands and ERGAS, for PAN and MS degraded
# by Gaussians of these Nyquist gains and methods that take the MS's as given.
OTHERS = {
    "wv2_urban": ((0.345, 0.11), (24.28, 26.62, 26.66, 27.72), (7.58, 5.39, 5.36, 4.86)),
    "ikonos_urban": ((0.30, 0.15), (29.25, 32.88, 32.90, 33.44), (3.77, 2.44, 2.43, 2.28)),
    "gf2_strip": ((0.30, 0.15), (27.43, 35.36, 35.81, 35.76), (3.51, 1.41, 1.34, 1.33)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_scores_are_those_of_an_independent_implementation(data: Path, name: str) -> None:
    (gain, pan_gain), decibels, errors = OTHERS[name]
    scene = open_scene(data / "bench" / name / "pan.tif", data / "bench" / name / "ms.tif")
    bands = tuple(replace(band, optics=replace(band.optics, gain=gain)) for band in scene.bands)
    scores = evaluate_scene(
        replace(scene, bands=bands),
        ["exp", "gsa", "glp", "glp-hpm"],
        protocol="reduced",
        calibration="sensor",
        degradation=Degradation.alike([gain] * len(bands), pan_gain),
    ).protocols["reduced"]
    for found, psnr, ergas in zip(scores.values(), decibels, errors, strict=True):
        assert found["psnr"] == pytest.approx(psnr, abs=0.3)
        assert found["ergas"] == pytest.approx(ergas, rel=0.03)
