"""Two images seen through a window: what every score is fed with, a whole scene at once or piece by piece.

A score is a small object with `add(window)` and `result()`. Over windows whose cores cut a scene without
gap or overlap it gives what one window over the whole scene gives, to rounding:

- a core starts on a multiple of the score's block, and ends on one or at the scene's edge;
- a window holds HALO pixels of context on each side of its core, fewer only where the scene ends; no block
  or neighbourhood is wider than that.

`walk` yields such windows. A pixel or block counts in the window whose core holds it, a neighbourhood in
the one whose core holds its upper-left pixel. Only at a window's own edges are images mirrored or padded
as a metric's definition says, and with that context these are never seen from the core but at the edges of
the scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geosharp.errors import PairError
from geosharp.raster.grid import Rect, tiles

Image = NDArray[Any]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

BLOCK = 32
HALO = 32


@dataclass(frozen=True)
class Window:
    """Two images (band, row, col), zero where invalid; valid: (row, col), None where everything is.

    core: what counts in this window, in pixels from its upper-left corner.
    """

    reference: Floats
    fused: Floats
    valid: Mask | None
    core: Rect

    def near(self, before: int, after: int) -> Window:
        """The core, `before` pixels above and left of it and `after` below and right, or what there is."""
        core = self.core
        top, left = max(core.row - before, 0), max(core.col - before, 0)
        rows, cols = slice(top, core.stop_row + after), slice(left, core.stop_col + after)
        return Window(
            self.reference[:, rows, cols],
            self.fused[:, rows, cols],
            None if self.valid is None else self.valid[rows, cols],
            core.move(-top, -left),
        )

    def pixels(self) -> tuple[Floats, Floats, int]:
        """Both images' core as (band, pixel), and how many of its pixels are valid."""
        core = self.near(0, 0)
        x, y = (image.reshape(len(image), -1) for image in (core.reference, core.fused))
        return x, y, x.shape[1] if core.valid is None else int(core.valid.sum())


class Score(Protocol):
    """A metric that grows window by window; nan while nothing has been added that counts."""

    def add(self, window: Window) -> None: ...

    def result(self) -> float: ...


def cut_window(reference: Image, fused: Image, valid: Mask | None = None, core: Rect | None = None) -> Window:
    """A window of two images of one shape; without a core all of it counts, but for what is not finite."""
    if reference.ndim != 3 or reference.shape != fused.shape:
        raise PairError(
            "reference and fused image",
            f"shapes {reference.shape} and {fused.shape}",
            "one shape (band, row, col) of both",
            "bring both onto one grid and to the same bands before comparing them",
        )
    if valid is not None and valid.shape != reference.shape[1:]:
        raise PairError(
            "mask of valid pixels",
            f"shape {valid.shape}",
            f"{reference.shape[1:]}, the rows and columns of the images",
            "reduce the mask to one (row, col) plane of the images' grid",
        )
    first, second = (image.astype(np.float64, copy=False) for image in (reference, fused))
    core = core or Rect(0, 0, *first.shape[1:])
    for image in (reference, fused):
        if np.issubdtype(image.dtype, np.floating) and not (finite := np.isfinite(image)).all():
            there: Mask = np.logical_and.reduce(finite, axis=0)
            valid = there if valid is None else valid & there
    if valid is None or valid.all():
        return Window(first, second, None, core)
    return Window(np.where(valid, first, 0.0), np.where(valid, second, 0.0), valid.astype(bool), core)


def cut_pan_window(pan: Image, fused: Image, valid: Mask | None = None, core: Rect | None = None) -> Window:
    """A window in which the one band of `pan`, (1, row, col), is the reference of each band of `fused`."""
    if pan.ndim != 3 or pan.shape != (1, *fused.shape[1:]):
        raise PairError(
            "PAN and the bands held against it",
            f"shapes {pan.shape} and {fused.shape}",
            "(1, row, col) and (band, row, col) with the same rows and columns",
            "bring both onto one grid before comparing them",
        )
    return cut_window(np.broadcast_to(pan.astype(np.float64), fused.shape), fused, valid, core)


def walk(shape: tuple[int, int], size: int, block: int = BLOCK) -> Iterator[tuple[Rect, Rect]]:
    """Windows over a scene, row by row, as (what to read of it, the core within that).

    size: of a core, cut down to a multiple of `block`; block: one, or a common multiple, of all scores fed.
    """
    scene = Rect(0, 0, *shape)
    for core in tiles(scene, max(size // block, 1) * block):
        outer = core.grow(HALO, HALO).intersect(scene)
        yield outer, core.move(-outer.row, -outer.col)


def score_once(score: Score, window: Window) -> float:
    """The whole image as one window."""
    score.add(window)
    return score.result()
