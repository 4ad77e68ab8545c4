"""Values as pictures: which bands are shown in which colours, stretched alike in all layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.quality.report.content import Picture
from geosharp.raster.identity import SceneBand

# nm; where in a range of colours a band's centre is sought, and where it is best.
_COLORS = {"red": (600, 700, 660), "green": (500, 600, 555), "blue": (430, 520, 480), "nir": (750, 1000, 840)}
_PERCENTILES = (2.0, 98.0)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Per band, the values shown black and white."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def draw(self, image: NDArray[Any], bands: Sequence[int]) -> Picture:
        """Bands, in this order, of a (band, row, col) image that is nan, in all bands, where invalid.

        Grey or RGB; with opacity where some pixel is invalid.
        """
        shown = np.stack([image[band] for band in bands]).astype(np.float32)
        valid = np.isfinite(shown).all(0)
        low, high = (limit[list(bands), None, None].astype(np.float32) for limit in (self.low, self.high))
        scaled = (np.clip(shown, low, high) - low) / np.where(high > low, high - low, np.float32(1))
        picture: Picture = np.rint(255 * np.where(valid, scaled, 0)).astype(np.uint8)
        if valid.all():
            return picture
        opacity = np.where(valid, 255, 0).astype(np.uint8)[None]
        return np.concatenate([np.repeat(picture, 3 // len(picture), 0), opacity])


def find_stretch(values: NDArray[Any]) -> Stretch:
    """From (band, pixel) valid values: all but the darkest and brightest 2 % are told apart."""
    low, high = np.percentile(values, _PERCENTILES, axis=1) if values.size else np.zeros((2, len(values)))
    return Stretch(low, high)


def center(band: SceneBand) -> float | None:
    """The middle of its wavelengths in nm."""
    span = band.optics.wavelength_nm
    return None if span is None else sum(span) / 2


def choose_renderings(bands: Sequence[SceneBand]) -> Mapping[str, tuple[int, ...]]:
    """Title -> which bands are shown as red, green and blue, or the one shown in grey."""
    found = {color: _nearest(bands, *span) for color, span in _COLORS.items()}
    true, false = (_all_of(found, names) for names in (("red", "green", "blue"), ("nir", "red", "green")))
    renderings = {"True colour": true, "False colour": false}
    if known := {title: shown for title, shown in renderings.items() if shown is not None}:
        return known
    count = 3 if len(bands) >= 3 else 1
    return {", ".join(band.name for band in bands[:count]): tuple(range(count))}


def _nearest(bands: Sequence[SceneBand], low: float, high: float, best: float) -> int | None:
    centers = {index: middle for index, band in enumerate(bands) if (middle := center(band)) is not None}
    within = [index for index, middle in centers.items() if low <= middle <= high]
    return min(within, key=lambda index: abs(centers[index] - best), default=None)


def _all_of(found: Mapping[str, int | None], names: tuple[str, ...]) -> tuple[int, ...] | None:
    places = tuple(place for name in names if (place := found[name]) is not None)
    return places if len(places) == len(names) else None
