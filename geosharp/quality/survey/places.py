"""Where a large scene is looked at closely: always the same places for the same scene."""

from __future__ import annotations

import math

import numpy as np

from geosharp.quality.survey.cells import Cells, Floats
from geosharp.raster.grid import Rect, Relation


def spread_windows(rect: Rect, side: int, most: int) -> tuple[Rect, ...]:
    """All of `rect` if it holds no more pixels than `most` windows of `side`, else those, evenly spread."""
    if rect.area <= most * side**2:
        return (rect,)
    height, width = min(side, rect.height), min(side, rect.width)
    rows = min(max(round(math.sqrt(most * rect.height / rect.width)), 1), rect.height // height)
    cols = min(most // rows, rect.width // width)
    return tuple(
        Rect(rect.row + row, rect.col + col, height, width)
        for row in _spread(rect.height - height, rows)
        for col in _spread(rect.width - width, cols)
    )


def choose_windows(
    detail: Floats, share: Floats, cells: Cells, relation: Relation, side: int, most: int
) -> tuple[Rect, ...]:
    """At most `most` windows of about `side` PAN pixels with much detail, apart from each other.

    detail, share: (row, col) by cell: the contrast of PAN and the share of valid pixels. Windows lie on
    whole MS pixels and cover two thirds of the scene at most: a scene of hardly more than one gets none.
    """
    scene = cells.rect
    most = min(most, 2 * scene.area // (3 * side**2))
    places = [rect for rect in _lattice(scene, relation, side) if not rect.empty]
    values = np.array([_worth(detail, share, cells, rect) for rect in places])
    centres = np.array([(rect.row + rect.height / 2, rect.col + rect.width / 2) for rect in places])
    # Detail counts in full only this far from the windows already chosen.
    apart = math.sqrt(scene.area / max(most, 1))
    picked: list[Rect] = []
    while len(picked) < most and values.size and values.max() > 0:
        best = int(values.argmax())
        picked.append(places[best])
        distance = np.abs(centres - centres[best])
        values = values * np.minimum(np.hypot(*distance.T) / apart, 1)
        values[(distance < side).all(1)] = 0
    return tuple(picked)


def _lattice(scene: Rect, relation: Relation, side: int) -> list[Rect]:
    """Windows of whole MS pixels inside the scene, every half window."""
    places = []
    for row in range(scene.row, scene.stop_row - side // 2, side // 2):
        for col in range(scene.col, scene.stop_col - side // 2, side // 2):
            inside = Rect(
                min(row, max(scene.stop_row - side, scene.row)),
                min(col, max(scene.stop_col - side, scene.col)),
                side,
                side,
            )
            ms = relation.ms_rect(inside.intersect(scene))
            places.append(relation.pan_rect(ms).intersect(scene))
    return places


def _worth(detail: Floats, share: Floats, cells: Cells, rect: Rect) -> float:
    """Mean detail in the window, none being where pixels are invalid."""
    rows = slice(*np.searchsorted(cells.rows[:-1], (rect.row, rect.stop_row)))
    cols = slice(*np.searchsorted(cells.cols[:-1], (rect.col, rect.stop_col)))
    seen = share[rows, cols]
    return float((detail[rows, cols] * seen).mean()) if seen.size else 0.0


def _spread(room: int, count: int) -> list[int]:
    return [0] if count == 1 else [room * place // (count - 1) for place in range(count)]
