"""What a report shows: plain values and arrays, filled by whoever measured them.

Only `title` and `views` must be given; a section without content does not appear. Everything is checked
here, so that a page is never drawn from parts that contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.quality.scores import Metric
from geosharp.raster.grid import Rect

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
    """Values behind a view, in DN: a coarse (band, row, col) cube that covers it from edge to edge.

    ms, fused: means over the cells of one grid, any real dtype; nan where a cell holds nothing valid.
    Cells of one MS pixel or of several make the two comparable. At most 160 a side are kept.
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


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps on one colour scale, title -> (row, col) values, nan where there is none.

    signed: around zero, such as a difference; else from zero up, such as a distance. They cover the scene
    from edge to edge. At most 320 pixels a side are kept.
    """

    title: str
    maps: Mapping[str, NDArray[Any]]
    signed: bool
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Histogram:
    """One band's counts in equal bins between `low` and `high` (DN), of MS and of the result."""

    band: str
    low: float
    high: float
    ms: NDArray[Any]
    fused: NDArray[Any]

    def __post_init__(self) -> None:
        if self.ms.ndim != 1 or self.ms.shape != self.fused.shape or not self.low < self.high:
            raise ValueError(f"the two histograms of {self.band} are not on the same bins")


@dataclass(frozen=True)
class Seams:
    """Steps from pixel to pixel at tile borders against steps elsewhere.

    at_borders, elsewhere: mean absolute steps in `unit`; spread: standard deviation that the mean over as
    many steps elsewhere has; z: (at_borders - elsewhere) / spread; profile: mean absolute step at
    distances -n..n from the border, an odd number of values, the middle one at the border.
    """

    tile: int
    at_borders: float
    elsewhere: float
    spread: float
    z: float
    profile: tuple[float, ...] = ()
    unit: str = "DN"

    def __post_init__(self) -> None:
        if self.profile and len(self.profile) % 2 == 0:
            raise ValueError(f"a seam profile of {len(self.profile)} values has no middle")


@dataclass(frozen=True)
class ReportData:
    """One result and what is known of it.

    pixel_size: a PAN pixel's side in metres, None where the scene is not georeferenced; method and each of
    `parameters` and `lineage`: what made the result; scene: what it was made from.
    """

    title: str
    views: tuple[View, ...]
    method: str = ""
    summary: str = ""
    bands: tuple[Band, ...] = ()
    pixel_size: float | None = None
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
