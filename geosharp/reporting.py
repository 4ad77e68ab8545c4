"""One page that shows how good a result is: pictures, scores, maps, seams."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geosharp.calibration import Learnt, check_choice, learn
from geosharp.document import make_document
from geosharp.engine.methods import METHODS
from geosharp.engine.ondemand import MethodReader
from geosharp.engine.plan import available_cores
from geosharp.engine.preparation import adopt, plan_fusion
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Job, Progress, ProgressCallback
from geosharp.errors import InputError, OutputError, PairError
from geosharp.imaging.computing import computing
from geosharp.notes import Notes, Tell
from geosharp.padm.calibration import Calibration
from geosharp.quality.coarsening import Read
from geosharp.quality.protocol import FullScoring, check_counted
from geosharp.quality.report.content import Band, Fact, ReportData, Score, Scores, View
from geosharp.quality.report.lineage import Lineage, describe_scene, find_pixel_size, read_lineage
from geosharp.quality.report.page import render
from geosharp.quality.report.pictures import center, choose_renderings, find_stretch
from geosharp.quality.report.views import Painter, show_scene, show_window
from geosharp.quality.scores import METRICS
from geosharp.quality.survey.cells import read_ms_on_pan
from geosharp.quality.survey.maps import Maps, map_difference, map_dissent
from geosharp.quality.survey.places import choose_windows, spread_windows
from geosharp.quality.survey.samples import Samples, count_values, take_samples
from geosharp.quality.survey.survey import Survey, name_unit, survey
from geosharp.raster.area import Area
from geosharp.raster.environment import gdal_settings
from geosharp.raster.fused import FusedImage, FusedReader, open_fused
from geosharp.raster.grid import Rect
from geosharp.raster.output.text import HTML_SUFFIXES, check_text, write_text
from geosharp.raster.scene import Scene, SceneReader, open_scene
from geosharp.raster.source import Array, FilePath, Mask, describe

# What every result is held against.
BASELINES = {"exp": "Interpolation (exp)", "glp": "glp"}
_WINDOW, _WINDOWS = 512, 6
# Scored, and compared with the MS by its kernel, up to so many windows' pixels; else in so many windows.
_SCORED, _SCORINGS = 1024, 16
_CACHE = 256 * 2**20
# Tools fill with the lowest float32, or some number near it; no sensor measures such values.
_FILL = -1e37


@dataclass(frozen=True)
class ReportResult:
    """What a report is. size in bytes; method: what made the result, "unknown" where its tags do not tell;
    warnings: what a user should know; scores: at full resolution by contestant and by metric, the result's
    first, none where they cannot be scored."""

    path: Path
    seconds: float
    size: int
    method: str
    warnings: tuple[str, ...]
    scores: Mapping[str, Mapping[str, float]]

    def as_json(self) -> dict[str, Any]:
        """What `geosharp report --json` prints."""
        facts = {
            "out": self.path,
            "bytes": self.size,
            "method": self.method,
            "scores": self.scores,
            "seconds": self.seconds,
            "warnings": self.warnings,
        }
        return make_document("report/1", facts)


class _Run:
    """A report in the making: its inputs, and what is told on the way."""

    def __init__(
        self,
        scene: Scene,
        image: FusedImage,
        lineage: Lineage,
        learnt: Learnt,
        tell: Tell | None,
        progress: ProgressCallback | None,
    ) -> None:
        # As the geotransforms say, and with its MS where the content lies.
        self.placed = scene
        self.scene = scene.aligned(learnt.degradation.shift)
        self.image = image
        self.lineage = lineage
        self.learnt = learnt
        self.degradation = learnt.degradation
        # PAN pixels that PAN, MS and result have in common.
        self.rect = image.rect.intersect(scene.area)
        self.places = spread_windows(self.rect, _SCORED, _SCORINGS)
        self.baselines = [name for name in BASELINES if name != lineage.method]
        known = lineage.method != "unknown"
        self.label = lineage.method if known else "result"
        self.title = f"Result ({self.label})" if known else "Result"
        self.notes = Notes(tell)
        self._progress = progress
        self._start = time.perf_counter()
        self._done = self._parts = 0
        self._total = self.rect.area + (1 + len(self.baselines)) * sum(place.area for place in self.places)
        self._lock = threading.Lock()
        self._over = False

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
    sensor: FilePath | None = None,
    overwrite: bool = False,
    calibration: FilePath | Calibration = "auto",
    align: bool = True,
    progress: ProgressCallback | None = None,
    on_note: Tell | None = None,
) -> ReportResult:
    """Show how good `fused`, a result of geosharp or any other tool, is: one HTML page `out`, under 15 MB.

    bands, sensor: as of `fuse`; by default what the result's tags say that it was made with. calibration,
    align: as of `fuse`: what the result, and glp beside it, is held against. Every pixel is
    looked at once; scores of a large scene come from windows spread over it. Raises a GeosharpError that
    says what to do; `out` appears complete or not at all.
    """
    start = time.perf_counter()
    inputs = [os.fspath(name) for name in (fused, pan, *([ms] if isinstance(ms, str | os.PathLike) else ms))]
    check_report(out, overwrite=overwrite, inputs=inputs)
    check_choice(calibration)
    lineage = read_lineage(describe(fused, "result").tags.get("", {}))
    _check_order(pan)
    scene = open_scene(
        pan, ms, bands=lineage.bands if bands is None else bands, sensor=sensor or lineage.sensor
    )
    image = open_fused(fused, scene)
    inputs += [file for source in (image.source, scene.pan, *scene.ms) for file in source.files]
    check_report(out, overwrite=overwrite, inputs=inputs)
    learnt = learn(scene, calibration, align=align, progress=progress)
    run = _Run(scene, image, lineage, learnt, on_note, progress)
    for note in (*scene.notes, *learnt.notes):
        run.notes.add(note)
    if not lineage.tile_known:
        run.notes.add(f"the result does not tell its tiles: seams are sought every {lineage.tile} PAN pixels")
    with gdal_settings(_CACHE):
        data = _gather(run, title or Path(fused).name)
        page = render(data)
    write_text(Path(out), page, HTML_SUFFIXES, overwrite=overwrite, inputs=inputs)
    seconds = time.perf_counter() - start
    scores = {
        row.method: dict(zip(METRICS["full"], row.values, strict=True))
        for table in data.scores
        for row in table.rows
    }
    return ReportResult(Path(out), seconds, len(page.encode()), lineage.method, tuple(run.notes.told), scores)


def check_report(out: FilePath, *, overwrite: bool = False, inputs: Sequence[str | Path] = ()) -> None:
    """Refuse a path that no report can or must be written to."""
    if Path(out).is_dir():
        raise OutputError(out, "is a folder", "the path of a page", "add a file name, such as report.html")
    check_text(Path(out), HTML_SUFFIXES, overwrite=overwrite, inputs=inputs)


def _check_order(pan: FilePath) -> None:
    """Refuse an MS or a result in PAN's place."""
    source = describe(pan, "PAN")
    if (count := len(source.bands)) > 1:
        raise InputError(
            source.name,
            f"{count} bands",
            "a panchromatic image of one band as PAN",
            "check the order of the arguments: the result comes first, then PAN, then MS",
        )


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
        _tell_fill(run, samples)
        scores = _tabulate(run, scored)
    names, sensor, unit = [band.name for band in scene.bands], scene.sensor.title, name_unit(scene)
    plural = "" if len(names) == 1 else "s"
    return ReportData(
        title=title,
        views=views,
        method=run.lineage.method,
        summary=f"{run.label}: {rect.width} x {rect.height} pixels, {len(names)} band{plural}, {sensor}.",
        bands=tuple(Band(band.name, center(band)) for band in scene.bands),
        pixel_size=find_pixel_size(scene),
        unit=unit,
        scene=(*describe_scene(scene), Fact("Calibration", run.learnt.summary), *_notes(run.learnt)),
        parameters=run.lineage.parameters,
        lineage=run.lineage.facts,
        scores=scores,
        maps=maps,
        histograms=count_values(samples, names),
        seams=replace(seen.steps.measure(run.lineage.tile, scene.relation.ratio), unit=unit),
    )


def _notes(learnt: Learnt) -> tuple[Fact, ...]:
    usable = learnt.calibration is None or learnt.calibration.usable
    return tuple(Fact("Note", note) for note in learnt.notes) if usable else ()


def _look(run: _Run, handles: _Handles) -> tuple[Survey, Samples, tuple[Maps, ...], tuple[View, ...]]:
    reader, fused = handles.reader, handles.fused
    with computing():
        seen = survey(reader, fused, run.rect, run.count)
        samples = take_samples(reader, fused, run.places)
        exact = len(run.places) == 1
        maps = map_difference(reader, fused, run.degradation, seen, exact=exact), map_dissent(reader, seen)
        return seen, samples, maps, _show(run, handles, seen, samples)


def _tell_fill(run: _Run, samples: Samples) -> None:
    """Say where values can only be meant to stand for none."""
    found = {"MS": samples.ms, "PAN": samples.pan, "the result": samples.fused}
    lowest = {name: float(values.min()) for name, values in found.items() if values.size}
    if filled := {name: value for name, value in lowest.items() if value < _FILL}:
        run.notes.add(
            f"{min(filled.values()):.8g} in {', '.join(filled)} looks like a no-data value that nothing "
            "tells of: declare it (gdal_edit.py -a_nodata)"
        )


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
            run.notes.add(f"no scores: {scores}")
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
    setup = adopt(plan_fusion(run.placed, Area(run.rect), method), run.degradation)
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
        reported = own if other is fused else fused(rect)[1]
        valid = own, reported, reader.read_pan(rect)[1], read_ms_on_pan(reader, rect)[1]
        there = [mask.all(0) for mask in valid if mask is not None]
        return data, np.broadcast_to(np.logical_and.reduce(there), data.shape) if there else None

    return read
