"""What a report shows: plain values and arrays, filled by whoever measured them.

Only `title` and `views` must be given; a section without content does not appear. Everything is checked
here, so that a page is never drawn from parts that contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geosharp.quality.scores import Metric
from geosharp.quality.survey.seams import Seams
from geosharp.raster.grid import Rect

if TYPE_CHECKING:
    # With them comes torch, which whoever only reads a result's tags does without.
    from geosharp.quality.survey.maps import Maps
    from geosharp.quality.survey.samples import Histogram

# uint8 (band, row, col) of 1 (grey), 3 (RGB) or 4 (RGB and opacity) bands.
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Fact:
    """One line of a list, such as Sensor: WorldView-2."""

    label: str
    value: str


@dataclass(frozen=True)
class Band:
    """wavelength: the centre in nm, None where unknown."""

    name: str
    wavelength: float | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """One image of a view: `pictures` holds it once per rendering, such as "True colour".

    A picture covers the view from edge to edge, whatever its number of pixels: MS may come at its own
    resolution. A layer that looks the same in every rendering, as PAN does, has one picture.
    """

    title: str
    pictures: Mapping[str, Picture]

    def __post_init__(self) -> None:
        if not self.pictures:
            raise ValueError(f"layer {self.title!r} has no picture")
        for name, picture in self.pictures.items():
            if picture.ndim != 3 or picture.shape[0] not in (1, 3, 4) or picture.dtype != np.uint8:
                raise ValueError(
                    f"{name!r} of layer {self.title!r} is {picture.dtype} {picture.shape}, no uint8 picture"
                )


@dataclass(frozen=True, eq=False)
class Spectra:
    """Values behind a view: a coarse (band, row, col) cube that covers it from edge to edge.

    ms, fused: means over the cells of one grid, any real dtype; nan where a cell holds nothing valid.
    Cells of one MS pixel or of several make the two comparable.
    """

    ms: NDArray[Any]
    fused: NDArray[Any]

    def __post_init__(self) -> None:
        if self.ms.ndim != 3 or self.ms.shape != self.fused.shape:
            raise ValueError(f"spectra of MS {self.ms.shape} and of the result {self.fused.shape} differ")


@dataclass(frozen=True)
class View:
    """A part of the scene: `rect` in PAN pixels, its layers and its spectra.

    The page opens with the first layer to the left of the divider and the last one, the result, to its
    right.
    """

    title: str
    rect: Rect
    layers: tuple[Layer, ...]
    spectra: Spectra | None = None
    note: str = ""

    def __post_init__(self) -> None:
        titles = [layer.title for layer in self.layers]
        if not titles or len(set(titles)) != len(titles) or self.rect.empty:
            raise ValueError(f"view {self.title!r} needs layers of different titles and a rectangle")


@dataclass(frozen=True)
class Score:
    """A row of the scores: one value per metric, nan where there is none."""

    method: str
    values: tuple[float, ...]
    reported: bool = False  # the method that this report is about


@dataclass(frozen=True)
class Scores:
    """One table: every method on the same pixels."""

    title: str
    metrics: tuple[Metric, ...]
    rows: tuple[Score, ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.values) != len(self.metrics):
                raise ValueError(f"{row.method}: {len(row.values)} values for {len(self.metrics)} metrics")
        if sum(row.reported for row in self.rows) > 1:
            raise ValueError(f"two rows of {self.title!r} are the reported one")


@dataclass(frozen=True)
class ReportData:
    """One result and what is known of it.

    pixel_size: a PAN pixel's side in metres, None where the scene is not georeferenced; unit: of the
    values; method and each of `parameters` and `lineage`: what made the result; scene: what it was made from.
    """

    title: str
    views: tuple[View, ...]
    method: str = ""
    summary: str = ""
    bands: tuple[Band, ...] = ()
    pixel_size: float | None = None
    unit: str = "DN"
    scene: tuple[Fact, ...] = ()
    parameters: tuple[Fact, ...] = ()
    lineage: tuple[Fact, ...] = ()
    scores: tuple[Scores, ...] = ()
    maps: tuple[Maps, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    seams: Seams | None = None

    def __post_init__(self) -> None:
        titles = [view.title for view in self.views]
        if not titles or len(set(titles)) != len(titles):
            raise ValueError("a report needs views of different titles")
        for view in self.views:
            if view.spectra is not None and len(view.spectra.ms) != len(self.bands):
                raise ValueError(f"{view.title!r}: {len(view.spectra.ms)} bands; named: {len(self.bands)}")

    @property
    def renderings(self) -> tuple[str, ...]:
        """Every rendering that some layer has, except those of layers that look the same in all."""
        layers = [layer for view in self.views for layer in view.layers]
        several = [layer for layer in layers if len(layer.pictures) > 1] or layers[:1]
        return tuple(dict.fromkeys(name for layer in several for name in layer.pictures))
