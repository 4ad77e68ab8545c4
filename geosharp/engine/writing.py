"""Tiles into files: whatever fuses them, and whatever keeps them meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext

from geosharp.engine.journal import Journal
from geosharp.engine.methods import METHODS
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Job, ProgressCallback, stream
from geosharp.errors import PairError
from geosharp.notes import Tell
from geosharp.raster.environment import gdal_settings
from geosharp.raster.output import SceneWriter
from geosharp.raster.scene import Scene

_log = logging.getLogger(__name__)


def write_fused(
    setup: Setup,
    output: SceneWriter,
    tell: Tell,
    progress: ProgressCallback | None = None,
    beside: SceneWriter | None = None,
    journal: Journal | None = None,
) -> int:
    """Fuse into `output`, and how uncertain that is into `beside`: complete afterwards, `output` last.

    journal: holds what is finished until then. The number of tiles that held valid pixels."""

    def make() -> Job:
        return METHODS[setup.method].make_job(setup, tell)

    return write_tiles(make, setup, output, progress, beside, journal)


def write_tiles(
    make: Callable[[], Job],
    setup: Setup,
    output: SceneWriter,
    progress: ProgressCallback | None = None,
    beside: SceneWriter | None = None,
    journal: Journal | None = None,
    *,
    may_be_empty: bool = False,
) -> int:
    """As `write_fused`, whoever makes the tiles of the setup's plan."""
    plan = setup.plan
    with (
        journal or nullcontext(),
        gdal_settings(plan.cache),
        plan.within_memory(),
        output as writer,
        beside or nullcontext() as spread,
    ):
        job = make()
        _log.info("%d tiles of %d PAN pixels, %d threads", plan.tile_count, plan.tile, plan.threads)
        filled = stream(job, plan, writer, progress, spread, setup.clock, journal)
        if not may_be_empty:
            check_filled(setup.scene, filled)
    _log.info("%s is complete", output.path)
    return filled


def check_filled(scene: Scene, filled: int) -> None:
    """Refuse a result in which so many tiles, none, hold valid pixels."""
    if not filled:
        raise PairError(
            f"{scene.pan.name} and {scene.ms[0].name}",
            "not one pixel of the result would be valid",
            "pixels that are valid in both, inside the area",
            "check --area and the no-data values (geosharp info shows them)",
        )
