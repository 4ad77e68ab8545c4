"""Fuse one scene on many computers: each makes bands of rows of it, as files, which then become one.

All that is global is decided here once and told to the workers, which see the same files: a band's pixels are
those that this computer would make.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from geosharp.calibration import WORDS
from geosharp.cluster.connection import Cluster
from geosharp.cluster.tasks import Lost, run_tasks
from geosharp.engine.lineage import find_differences, identify_place
from geosharp.engine.methods import METHODS
from geosharp.engine.parts import IDENTITY, RUN, Folder, PartsJob, cut
from geosharp.engine.preparation import adopt_known, prepare
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Job, Progress, ProgressCallback
from geosharp.engine.writing import check_filled, write_tiles
from geosharp.errors import InputError, ResourceError
from geosharp.hfreqdiff.models import SUFFIX, find_model, shipped_models
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.notes import Tell
from geosharp.raster.content import fused_content, spread_content
from geosharp.raster.grid import Rect
from geosharp.raster.output import OutputFormat, SceneWriter
from geosharp.raster.output.mosaic import write_mosaic
from geosharp.raster.output.target import await_others
from geosharp.raster.output.text import write_bytes
from geosharp.raster.sensor_file import SUFFIX as SENSOR_SUFFIX
from geosharp.raster.source import FilePath

# GDAL's file systems in a file, or a URI's schemes, and the name of a file that counts from here.
_INSIDE = re.compile(
    r"((?:/vsi(?:zip|tar|gzip|7z|rar)/)+|(?:(?:zip|tar|gzip|file)\+?)+://)([^/{].*)", re.DOTALL
)
# Such names of which GDAL alone knows where the file's is, as GTIFF_DIR:2:pan.tif.
_WITHIN = re.compile(r"\w{2,}:(?!/|.*[:\"]/)|/vsi\w+/\{[^/]", re.DOTALL)
# Of parts, which one pass reads again.
_PART_FORM = OutputFormat(overviews=False)


@dataclass(frozen=True)
class Asked:
    """What workers are to repeat. arguments: of `prepare`; identity: what decides the pixels; model: the
    adapted one's file, None where the one that was asked for serves."""

    arguments: Mapping[str, Any]
    identity: Mapping[str, str]
    model: bytes | None = None


def fuse_in_parts(
    setup: Setup,
    asked: Asked,
    output: SceneWriter,
    beside: SceneWriter | None,
    cluster: Cluster,
    tell: Tell,
    progress: ProgressCallback | None = None,
    *,
    resume: bool,
) -> int:
    """As `write_fused`, with the tiles made by the cluster's workers. Parts that an earlier run has left are
    taken over with `resume`. The number of tiles that held valid pixels."""
    plan, content = setup.plan, output.content
    folder = Folder.beside(output.path, plan, asked.identity)
    orders = _order(setup, asked, folder, masked=content.masked)
    with folder.kept(orders, resume=resume, tell=tell):
        if asked.model is not None:
            write_bytes(folder.path / _MODEL, asked.model, (SUFFIX,), overwrite=True)
        bands = cut(plan)
        filled = _make_parts(setup, folder, bands, cluster, tell, progress)
        check_filled(setup.scene, filled)
        pieces = folder.pieces(bands, folder.name)
        vrt = folder.path / f"{output.path.stem}.vrt"
        write_mosaic(vrt, content, pieces, overwrite=True)
        tell(f"all parts are there: {vrt} shows them while {output.path} is written")
        spread = [] if beside is None else folder.pieces(bands, folder.name_spread)
        job = PartsJob(pieces, spread, content.masked, folder.corner)
        return write_tiles(lambda: job, setup, output, progress, beside)


_MODEL = f"model{SUFFIX}"


def _order(setup: Setup, asked: Asked, folder: Folder, *, masked: bool) -> dict[str, Any]:
    """All that a worker needs, as JSON; see `_open`."""
    # What was left open is decided, and the model has learnt.
    arguments = reach(asked.arguments) | {"adapt": None, "method": setup.method, "tile": setup.plan.tile}
    if (settings := setup.options.diffusion) is not None:
        adapted = replace(settings, model=str(folder.path.absolute() / _MODEL))
        arguments["diffusion"] = asdict(reach_model(settings) if asked.model is None else adapted)
    degradation = setup.degradation
    return {
        "arguments": arguments,
        "degradation": None if degradation is None else asdict(degradation),
        "ceiling": setup.ceiling,
        "same": _tell_same(setup),
        "masked": masked,
    }


def reach(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `fuse` as other computers find the files among them."""
    return {name: _REACHED[name](value) if name in _REACHED else value for name, value in arguments.items()}


def _reach_rasters(value: FilePath | Sequence[FilePath]) -> str | list[str]:
    return _reach_raster(value) if isinstance(value, str | os.PathLike) else list(map(_reach_raster, value))


def _reach_raster(value: FilePath) -> str:
    """A file's name from the root, also of one that holds the image; addresses stay as they are."""
    name = os.fspath(value)
    if os.path.lexists(name):
        return str(Path(name).absolute())
    if inside := _INSIDE.fullmatch(name):
        return inside[1] + str(Path(inside[2]).absolute())
    if _WITHIN.match(name):
        found, needed = "counts from this computer's folder", "a name that other computers understand, too"
        raise InputError(name, found, needed, "write the path in it from the root")
    return name


def _reach_sensor(value: FilePath | None) -> str | None:
    """A sensor file's name from the root; a sensor's is a word, whatever files there are."""
    name = None if value is None else os.fspath(value)
    return name if name is None or not name.casefold().endswith(SENSOR_SUFFIX) else str(Path(name).absolute())


def _reach_file(value: Any) -> Any:
    """The name of a file from the root, unless it is a word for a calibration; whatever else stays."""
    if not isinstance(value, str | os.PathLike) or value in WORDS or not Path(value).is_file():
        return value
    return str(Path(value).absolute())


_REACHED: dict[str, Callable[[Any], Any]] = {
    "pan": _reach_rasters,
    "ms": _reach_rasters,
    "sensor": _reach_sensor,
    "area": _reach_file,
    "calibration": _reach_file,
}


def reach_model(settings: Diffusion) -> Diffusion:
    """Settings whose model other computers find: by its name where it is shipped."""
    if settings.model in shipped_models():
        return settings
    return replace(settings, model=str(find_model(settings.model).absolute()))


def _tell_same(setup: Setup) -> dict[str, str]:
    """What must be the same on all computers, by name."""
    model = METHODS[setup.method].facts(setup.options).get("model_sha256", "none")
    decided = {"model": str(model), "tile": str(setup.plan.tile)}
    return identify_place(setup.scene) | decided


def _make_parts(
    setup: Setup,
    folder: Folder,
    bands: Sequence[Rect],
    cluster: Cluster,
    tell: Tell,
    progress: ProgressCallback | None,
) -> int:
    """The tiles that hold valid pixels, once the bands' files are all there."""
    start, total = time.perf_counter(), setup.plan.area.rect.area
    finished = folder.finished(bands)
    if finished:
        tell(f"{len(finished)} of {len(bands)} parts were there from an earlier run")
    lacking = [band for band in bands if band not in finished]
    for band, made in run_tasks(cluster, partial(make_part, str(folder.path.absolute())), lacking, tell):
        if isinstance(made, Lost):
            found, remedy = "each worker that made them died", "give --max-memory or a smaller --tile"
            raise ResourceError(f"rows {band.row} to {band.stop_row}", found, "memory enough", remedy)
        finished[band] = made
        if progress is not None:
            done = sum(each.area for each in finished)
            progress(Progress("fuse", len(finished), len(bands), done, total, time.perf_counter() - start))
    return sum(finished.values())


def make_part(folder: str, band: Rect, threads: int) -> int:
    """On a worker: write the files of a band of PAN pixels, as the folder's run.json tells. The number of
    tiles that held valid pixels."""
    try:
        text = (Path(folder) / RUN).read_text(encoding="utf-8")
    except OSError as error:
        found = f"is not seen by the worker on {socket.gethostname()} ({error.strerror})"
        remedy = "write to such a disk, and have the inputs there"
        raise InputError(folder, found, "a folder on a disk that all computers share", remedy) from error
    place = Folder(Path(folder), (band.row, band.col), json.loads(text)[IDENTITY])
    return await_others(partial(_write_part, place, band, *_open(text, threads)))


def _write_part(place: Folder, band: Rect, setup: Setup, job: Job, masked: bool) -> int:
    area = replace(setup.plan.area, rect=band)
    part = replace(setup, plan=replace(setup.plan, area=area))
    content = replace(fused_content(setup.scene, area, setup.pixels, {}), masked=masked)
    output = SceneWriter(place.name(band), content, _PART_FORM, overwrite=True)
    beside = None
    if setup.options.settings.draws:
        deviations = replace(spread_content(setup.scene, area, {}), masked=masked)
        beside = SceneWriter(place.name_spread(band), deviations, _PART_FORM, overwrite=True)
    filled = write_tiles(lambda: job, part, output, None, beside, may_be_empty=True)
    place.finish(band, filled)
    return filled


@lru_cache(maxsize=1)
def _open(text: str, threads: int) -> tuple[Setup, Job, bool]:
    """What a run.json tells, ready to compute: once for all bands of it that a process makes; and whether
    pixels may be invalid."""
    run = json.loads(text)
    arguments = run["arguments"]
    arguments["threads"] = arguments["threads"] or threads
    if arguments["diffusion"] is not None:
        arguments["diffusion"] = Diffusion(**arguments["diffusion"])
    setup, degradation = prepare(**arguments), None
    if (known := run["degradation"]) is not None:
        # With it comes torch, which Brovey's processes do without.
        from geosharp.imaging.degradation import Degradation

        gains = tuple((rows, cols) for rows, cols in known["gains"])
        degradation = Degradation(gains, tuple(known["pan_gain"]), tuple(known["shift"]))
    setup = adopt_known(setup, degradation, run["ceiling"])
    differing, changes = find_differences(run["same"], _tell_same(setup))
    if differing:
        found, needed = f"other {', '.join(differing)} ({changes})", "what is the same on all computers"
        remedy = "install geosharp there as it is here, and have it read the same files"
        raise ResourceError(f"the worker on {socket.gethostname()}", found, needed, remedy)
    return setup, METHODS[setup.method].make_job(setup, lambda _: None), run["masked"]
