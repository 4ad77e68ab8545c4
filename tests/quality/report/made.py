"""A report made by code: every section filled, each layer told from the others by its colour."""

from __future__ import annotations

from typing import Any

import numpy as np

from geosharp.quality.report.content import (
    Band,
    Fact,
    Layer,
    ReportData,
    Score,
    Scores,
    Spectra,
    View,
)
from geosharp.quality.scores import Metric
from geosharp.quality.survey.maps import Maps
from geosharp.quality.survey.samples import Histogram
from geosharp.quality.survey.seams import Seams
from geosharp.raster.grid import Rect
from tests.made import texture

BANDS = (Band("blue", 490.0), Band("green", 560.0), Band("red", 660.0), Band("nir", 830.0))
TRUE, FALSE = "True colour", "False colour"
CELL = 16  # PAN pixels that one cell of the spectra covers


def grey(shape: tuple[int, int], seed: int) -> np.ndarray:
    return np.rint(255 * texture(shape, seed)).astype(np.uint8)


def tinted(shape: tuple[int, int], channel: int, seed: int) -> np.ndarray:
    """Bright in one of red, green and blue alone, so that a screenshot tells which layer it shows."""
    picture = np.stack([grey(shape, seed) // 4] * 3)
    picture[channel] = 128 + picture[channel]
    return picture


def make_spectra(rect: Rect) -> Spectra:
    """Cell (r, c) of band b holds 100 (b + 1) + 10 r + c in MS, and 5 more in the result.

    The result has nothing in cell (0, 0), both have nothing in cell (1, 0).
    """
    rows, cols = np.mgrid[: rect.height // CELL, : rect.width // CELL]
    ms = np.stack([100.0 * (band + 1) + 10 * rows + cols for band in range(len(BANDS))])
    fused = ms + 5
    fused[:, 0, 0] = ms[:, 1, 0] = fused[:, 1, 0] = np.nan
    return Spectra(ms, fused)


def make_view(title: str, rect: Rect) -> View:
    shape = rect.shape
    coarse = (shape[0] // 4, shape[1] // 4)
    layers = (
        Layer("MS", {TRUE: tinted(coarse, 0, 1), FALSE: tinted(coarse, 1, 1)}),
        Layer("PAN", {"PAN": grey(shape, 2)[None]}),
        Layer("Result", {TRUE: tinted(shape, 2, 1), FALSE: tinted(shape, 1, 1)}),
    )
    return View(title, rect, layers, make_spectra(rect), note=f"About {title}")


SCORES = Scores(
    "Full resolution",
    (
        Metric("ERGAS", "Error over all bands; 0 is none.", "lower", "", 2, relative_noise=0.008),
        Metric("HQNR", "Quality without a reference; 1 is best.", "higher", "", 4, noise=0.003),
        Metric("SAM", "Angle between spectra.", "lower", "°", 2, relative_noise=0.008),
    ),
    (
        Score("exp", (3.5, 0.90, 2.000)),
        Score("gsa", (2.4, 0.951, 2.001)),
        Score("glp", (2.1, 0.95, 2.002), reported=True),
    ),
    note="The same pixels for all.",
)
SEAMS = Seams(256, 12.3, 12.25, 0.1, 0.5, tuple(12.25 + 0.05 * np.cos(np.arange(-4, 5.0))), "DN")


def make_histogram(band: str, bins: int = 50) -> Histogram:
    ms = np.bincount(np.arange(bins), minlength=bins) * 7
    return Histogram(band, 0.0, 1000.0, ms, 16 * ms)


def make_ramp() -> np.ndarray:
    """A (64, 48) map from -8 to 8, zero in the middle, with nothing in its first pixel."""
    ramp = np.add.outer(np.linspace(-4, 4, 64), np.linspace(-4, 4, 48))
    ramp[0, 0] = np.nan
    return ramp


def make_report(**changes: Any) -> ReportData:
    ramp = make_ramp()
    parts: dict[str, Any] = {
        "title": "A scene made by code",
        "views": (
            make_view("Whole scene", Rect(0, 0, 256, 320)),
            make_view("Window 1", Rect(64, 96, 128, 128)),
        ),
        "method": "glp",
        "summary": "One sentence that says how it went.",
        "bands": BANDS,
        "pixel_size": 0.5,
        "scene": (Fact("Sensor", "WorldView-2"), Fact("CRS", "EPSG:32633")),
        "parameters": (Fact("Tile", "256 PAN pixels"),),
        "lineage": (Fact("Command", "geosharp fuse pan.tif ms.tif -o out.tif"),),
        "scores": (SCORES,),
        "maps": (
            Maps("Against MS", {band.name: ramp for band in BANDS}, signed=True, unit="DN"),
            Maps("Against PAN", {"distance": np.abs(ramp)}, signed=False),
        ),
        "histograms": tuple(make_histogram(band.name) for band in BANDS),
        "seams": SEAMS,
    }
    return ReportData(**{**parts, **changes})
