"""One page that shows how good a result is: pictures, scores, maps, seams."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geosharp.engine.methods import METHODS
from geosharp.engine.ondemand import MethodReader
from geosharp.engine.plan import available_cores
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Job, Progress, ProgressCallback
from geosharp.errors import PairError
from geosharp.fusion import FilePath, plan_fusion
from geosharp.imaging.computing import computing
from geosharp.quality.protocol import FullScoring, Read, check_counted
from geosharp.quality.reduced import table_degradation
from geosharp.quality.report.content import Band, Maps, ReportData, Score, Scores, View
from geosharp.quality.report.lineage import Lineage, describe_scene, find_pixel_size, read_lineage
from geosharp.quality.report.page import render
from geosharp.quality.report.pictures import center, choose_renderings, find_stretch
from geosharp.quality.report.views import Painter, show_scene, show_window
from geosharp.quality.scores import METRICS
from geosharp.quality.survey.cells import read_ms_on_pan
from geosharp.quality.survey.maps import map_difference, map_dissent
from geosharp.quality.survey.places import choose_windows, spread_windows
from geosharp.quality.survey.samples import Samples, count_values, take_samples
from geosharp.quality.survey.survey import Survey, survey
from geosharp.raster.area import Area
from geosharp.raster.environment import gdal_settings
from geosharp.raster.fused import FusedImage, FusedReader, open_fused
from geosharp.raster.grid import Rect
from geosharp.raster.output.text import HTML_SUFFIXES, check_text, write_text
from geosharp.raster.scene import Scene, SceneReader, open_scene
from geosharp.raster.source import Array, Mask, describe

# What every result is held against.
BASELINES = {"exp": "Interpolation (exp)", "glp": "glp"}
_WINDOW, _WINDOWS = 512, 6
# Scored, and compared with the MS by its kernel, up to so many windows' pixels; else in so many windows.
_SCORED, _SCORINGS = 1024, 16
_CACHE = 256 * 2**20

Tell = Callable[[str], None]


@dataclass(frozen=True)
class ReportResult:
    """What a report is. size in bytes; method: what made the result, "unknown" where its tags do not tell;
    warnings: what a user should know."""

    path: Path
    seconds: float
    size: int
    method: str
    warnings: tuple[str, ...]


class _Run:
    """A report in the making: its inputs, and what is told on the way."""

    def __init__(
        self,
        scene: Scene,
        image: FusedImage,
        lineage: Lineage,
        tell: Tell | None,
        progress: ProgressCallback | None,
    ) -> None:
        self.scene = scene
        self.image = image
        self.lineage = lineage
        self.degradation = table_degradation(scene)
        # PAN pixels that PAN, MS and result have in common.
        self.rect = image.rect.intersect(scene.area)
        self.places = spread_windows(self.rect, _SCORED, _SCORINGS)
        self.baselines = [name for name in BASELINES if name != lineage.method]
        known = lineage.method != "unknown"
        self.label = lineage.method if known else "result"
        self.title = f"Result ({self.label})" if known else "Result"
        self.told: list[str] = []
        self._tell = tell
        self._progress = progress
        self._start = time.perf_counter()
        self._done = self._parts = 0
        self._total = self.rect.area + (1 + len(self.baselines)) * sum(place.area for place in self.places)
        self._lock = threading.Lock()
        self._over = False

    def note(self, text: str) -> None:
        self.told.append(text)
        if self._tell is not None:
            self._tell(text)

    def count(self, pixels: int) -> None:
        """Called, in any thread, when so many pixels have been looked at or scored."""
        with self._lock:
            if self._over:
                raise CancelledError
            self._parts, self._done = self._parts + 1, self._done + pixels
            if self._progress is not None:
                seconds = time.perf_counter() - self._start
                self._progress(Progress("report", self._parts, 0, self._done, self._total, seconds))

    def stop(self) -> None:
        """Whatever is still counting ends there."""
        self._over = True


def report(
    fused: FilePath,
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    out: FilePath,
    *,
    title: str | None = None,
    bands: int | str | Sequence[int | str] | None = None,
    sensor: str | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    on_note: Tell | None = None,
) -> ReportResult:
    """Show how good `fused`, a result of geosharp or any other tool, is: one HTML page `out`, under 15 MB.

    bands, sensor: as of `fuse`; by default what the result's tags say that it was made with. Every pixel is
    looked at once; scores of a large scene come from windows spread over it. Raises a GeosharpError that
    says what to do; `out` appears complete or not at all.
    """
    start = time.perf_counter()
    inputs = [os.fspath(name) for name in (fused, pan, *([ms] if isinstance(ms, str | os.PathLike) else ms))]
    check_report(out, overwrite=overwrite, inputs=inputs)
    lineage = read_lineage(describe(fused, "result").tags.get("", {}))
    scene = open_scene(
        pan, ms, bands=lineage.bands if bands is None else bands, sensor=sensor or lineage.sensor
    )
    run = _Run(scene, open_fused(fused, scene), lineage, on_note, progress)
    inputs += [file for source in (run.image.source, scene.pan, *scene.ms) for file in source.files]
    check_report(out, overwrite=overwrite, inputs=inputs)
    for note in scene.notes:
        run.note(note)
    if not lineage.tile_known:
        run.note(f"the result does not tell its tiles: seams are sought every {lineage.tile} PAN pixels")
    with gdal_settings(_CACHE):
        page = render(_gather(run, title or Path(fused).name))
    write_text(Path(out), page, HTML_SUFFIXES, overwrite=overwrite, inputs=inputs)
    seconds = time.perf_counter() - start
    return ReportResult(Path(out), seconds, len(page.encode()), lineage.method, tuple(run.told))


def check_report(out: FilePath, *, overwrite: bool = False, inputs: Sequence[str | Path] = ()) -> None:
    """Refuse a path that no report can or must be written to."""
    check_text(Path(out), HTML_SUFFIXES, overwrite=overwrite, inputs=inputs)


@dataclass(frozen=True)
class _Handles:
    """Open inputs, for one thread. results: what reads each, by name: the reported one, then baselines."""

    reader: SceneReader
    results: Mapping[str, Read]

    @property
    def fused(self) -> Read:
        return next(iter(self.results.values()))


def _gather(run: _Run, title: str) -> ReportData:
    """All that the page shows. What takes long runs side by side, in threads that have one core each."""
    scene, rect = run.scene, run.rect
    with ExitStack() as stack:
        jobs = [_prepare(run, name) for name in run.baselines]
        # Files are opened in this thread alone, and before there are others: see raster.opening.quietly.
        shown, *handles = (_open(run, jobs, stack) for _ in range(2 + len(jobs)))
        pool = ThreadPoolExecutor(available_cores(), initializer=torch.set_num_threads, initargs=(1,))
        stack.callback(pool.shutdown, cancel_futures=True)
        stack.callback(run.stop)
        looked = pool.submit(_look, run, shown)
        scored = {
            name: pool.submit(_score, run, each, name)
            for name, each in zip(shown.results, handles, strict=True)
        }
        under_way: list[Future[Any]] = [looked, *scored.values()]
        for future in wait(under_way, return_when=FIRST_EXCEPTION).done:
            future.result()
        seen, samples, maps, views = looked.result()
        scores = _tabulate(run, scored)
    names, sensor = [band.name for band in scene.bands], scene.sensor.title
    return ReportData(
        title=title,
        views=views,
        method=run.lineage.method,
        summary=f"{run.label}: {rect.width} x {rect.height} pixels, {len(names)} bands, {sensor}.",
        bands=tuple(Band(band.name, center(band)) for band in scene.bands),
        pixel_size=find_pixel_size(scene),
        scene=describe_scene(scene),
        parameters=run.lineage.parameters,
        lineage=run.lineage.facts,
        scores=scores,
        maps=maps,
        histograms=count_values(samples, names),
        seams=seen.steps.measure(run.lineage.tile, scene.relation.ratio),
    )


def _look(run: _Run, handles: _Handles) -> tuple[Survey, Samples, tuple[Maps, ...], tuple[View, ...]]:
    reader, fused = handles.reader, handles.fused
    with computing():
        seen = survey(reader, fused, run.rect, run.count)
        samples = take_samples(reader, fused, run.places)
        exact = len(run.places) == 1
        maps = map_difference(reader, fused, run.degradation, seen, exact=exact), map_dissent(reader, seen)
        return seen, samples, maps, _show(run, handles, seen, samples)


def _show(run: _Run, handles: _Handles, seen: Survey, samples: Samples) -> tuple[View, ...]:
    painter = Painter(choose_renderings(run.scene.bands), find_stretch(samples.ms), find_stretch(samples.pan))
    windows = choose_windows(seen.detail, seen.share, seen.coarse, run.scene.relation, _WINDOW, _WINDOWS)
    others = {BASELINES[name]: handles.results[name] for name in run.baselines}
    results = {**others, run.title: handles.fused}
    numbered = [
        show_window(handles.reader, number, rect, painter, results) for number, rect in enumerate(windows, 1)
    ]
    return (show_scene(seen, painter, run.title, others), *numbered)


def _score(run: _Run, handles: _Handles, name: str) -> dict[str, float] | str:
    """Scores by metric, or the reason why there are none."""
    scoring = FullScoring(run.scene, run.degradation)
    read = _common(handles.reader, handles.fused, handles.results[name])
    try:
        with computing():
            for place in run.places:
                scoring.add(handles.reader, read, place)
                run.count(place.area)
        return check_counted(scoring.results())
    except PairError as error:
        return str(error)


def _tabulate(run: _Run, scored: Mapping[str, Future[dict[str, float] | str]]) -> tuple[Scores, ...]:
    """One table of all results, first the reported one; none, and a note, where they cannot be scored."""
    metrics, found = METRICS["full"], {}
    for name, future in scored.items():
        scores = future.result()
        if isinstance(scores, str):
            run.note(f"no scores: {scores}")
            return ()
        found[name] = scores
    rows = tuple(
        Score(name, tuple(values[metric] for metric in metrics), reported=place == 0)
        for place, (name, values) in enumerate(found.items())
    )
    note = "Of all pixels."
    if len(run.places) > 1:
        height, width = run.places[0].shape
        size = f"{width} x {height} PAN pixels"
        note = f"Of {len(run.places)} windows of {size}, evenly spread: the scene is large."
    return (Scores("Full resolution, without a reference", tuple(metrics.values()), rows, note),)


def _prepare(run: _Run, method: str) -> tuple[Setup, Job]:
    """A method with its scene-wide constants."""
    setup = plan_fusion(run.scene, Area(run.rect), method)
    return setup, METHODS[method].make_job(setup, lambda _: None)


def _open(run: _Run, jobs: Sequence[tuple[Setup, Job]], stack: ExitStack) -> _Handles:
    """All inputs, which `stack` closes."""
    reader = stack.enter_context(SceneReader(run.scene))
    results = {run.label: stack.enter_context(FusedReader(run.image)).read}
    for setup, job in jobs:
        results[setup.method] = stack.enter_context(MethodReader(setup, job)).read
    return _Handles(reader, results)


def _common(reader: SceneReader, fused: Read, other: Read) -> Read:
    """Reads `other` where PAN, MS and `fused` are valid: any two results are scored on the same pixels."""

    def read(rect: Rect) -> tuple[Array, Mask | None]:
        data, own = other(rect)
        valid = own, fused(rect)[1], reader.read_pan(rect)[1], read_ms_on_pan(reader, rect)[1]
        there = [mask.all(0) for mask in valid if mask is not None]
        return data, np.broadcast_to(np.logical_and.reduce(there), data.shape) if there else None

    return read
