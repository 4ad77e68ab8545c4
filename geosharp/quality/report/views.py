"""The pictures of a report: the whole scene, and windows at full resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from geosharp.quality.coarsening import Read
from geosharp.quality.report.content import Layer, Spectra, View
from geosharp.quality.report.packing import SPECTRA_SIDE
from geosharp.quality.report.pictures import Stretch
from geosharp.quality.survey.cells import Floats, cut_by_ms, floats, read_ms_on_pan
from geosharp.quality.survey.survey import Survey
from geosharp.raster.grid import Rect
from geosharp.raster.scene import SceneReader
from geosharp.raster.source import Array, Mask


@dataclass(frozen=True)
class Painter:
    """How every picture of a report is drawn. renderings: title -> bands shown."""

    renderings: Mapping[str, tuple[int, ...]]
    ms: Stretch
    pan: Stretch

    def paint(self, title: str, image: Floats) -> Layer:
        """A layer of MS's bands, nan where invalid."""
        return Layer(title, {name: self.ms.draw(image, bands) for name, bands in self.renderings.items()})

    def paint_pan(self, image: Floats) -> Layer:
        return Layer("PAN", {"PAN": self.pan.draw(image, (0,))})


def show_scene(seen: Survey, painter: Painter, title: str, others: Mapping[str, Read]) -> View:
    """All of it. others: results to compare with, by title; shown where cells are pixels."""
    shown = others if seen.whole else {}
    layers = [
        painter.paint("MS", seen.ms),
        *(painter.paint(name, _open_holes(*read(seen.rect))) for name, read in shown.items()),
        painter.paint_pan(seen.pan),
        painter.paint(title, seen.fused),
    ]
    note = ""
    if not seen.whole:
        side = max(seen.rect.shape) / max(seen.fine.shape)
        note = f"Pixels of these pictures are means of {side:.3g} x {side:.3g} PAN pixels; windows show all."
    spectra = Spectra(seen.ms_means, seen.fused_means)
    return View("Whole scene", seen.rect, tuple(layers), spectra, note)


def show_window(
    reader: SceneReader, number: int, rect: Rect, painter: Painter, results: Mapping[str, Read]
) -> View:
    """PAN pixels `rect` as they are. results: by title, the last being the one that is reported."""
    ms = _open_holes(*read_ms_on_pan(reader, rect))
    images = {title: _open_holes(*read(rect)) for title, read in results.items()}
    drawn = [painter.paint(title, image) for title, image in images.items()]
    pan = painter.paint_pan(_open_holes(*reader.read_pan(rect)))
    layers = (painter.paint("MS", ms), *drawn[:-1], pan, drawn[-1])
    cells = cut_by_ms(rect, reader.scene.relation, SPECTRA_SIDE)
    fused = [*images.values()][-1]
    both = np.logical_and.reduce(np.isfinite(np.concatenate([ms, fused])), axis=0)
    means = [cells.means(np.nan_to_num(image), both) for image in (ms, fused)]
    note = f"All pixels of columns {rect.col} to {rect.stop_col - 1}, rows {rect.row} to {rect.stop_row - 1}."
    return View(f"Window {number}", rect, layers, Spectra(*means), note)


def _open_holes(data: Array, valid: Mask | None) -> Floats:
    """float32, nan in all bands where one is invalid."""
    image, there = floats(data, valid)
    if there is not None:
        image[:, ~there] = np.nan
    return image
