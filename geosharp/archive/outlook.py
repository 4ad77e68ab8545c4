"""What headers tell of a batch's scenes before any is fused: sizes, and why one cannot be."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from geosharp.archive.ledger import Row
from geosharp.errors import GeosharpError
from geosharp.raster.opening import quietly
from geosharp.raster.scene import open_scene

_WORKERS = 8
# Seconds after which no other scene is looked at.
_WHOLE_S = 60.0


@dataclass(frozen=True)
class Outlook:
    """pan_size, ms_size: (width, height); bands: names of those to be fused; ratio: PAN pixels an MS pixel,
    (rows, columns); all None where the scene was not looked at, or cannot be fused; unfit: why it cannot,
    else empty."""

    pan_size: tuple[int, int] | None = None
    ms_size: tuple[int, int] | None = None
    bands: tuple[str, ...] | None = None
    ratio: tuple[float, float] | None = None
    unfit: str = ""


def look_ahead(rows: Sequence[Row], options: Sequence[Mapping[str, Any]]) -> tuple[Outlook, ...]:
    """The outlook of each scene, in the order of rows; options: arguments of `fuse` for each. No pixel is
    read, and nothing that is on a server or in an archive is looked at, nor anything after a minute."""
    stop = time.monotonic() + _WHOLE_S

    def look(row: Row, given: Mapping[str, Any]) -> Outlook:
        if time.monotonic() > stop or any(map(_is_afar, (row.pan, *row.ms))):
            return Outlook()
        return _look(row, given)

    # Filters of warnings are the process's: one for all threads.
    with quietly(), ThreadPoolExecutor(_WORKERS) as pool:
        return tuple(pool.map(look, rows, options))


def _look(row: Row, options: Mapping[str, Any]) -> Outlook:
    try:
        scene = open_scene(row.pan, row.ms, bands=options.get("bands"), sensor=options.get("sensor"))
    except GeosharpError as error:
        return Outlook(unfit=str(error))
    (height, width), (ms_height, ms_width) = scene.grid.shape, scene.ms_grid.shape
    bands = tuple(band.name for band in scene.bands)
    return Outlook((width, height), (ms_width, ms_height), bands, scene.relation.ratio)


def _is_afar(name: str) -> bool:
    """Whether to open it may take long: it is on a server, or inside another file."""
    return "://" in name or name.startswith("/vsi")
