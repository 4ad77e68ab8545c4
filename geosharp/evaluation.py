"""How good results are: methods and finished files, scored on the same pixels of a scene."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from geosharp.calibration import Learnt, check_choice, learn
from geosharp.document import make_document
from geosharp.engine.methods import METHODS
from geosharp.engine.plan import Limits
from geosharp.engine.preparation import Place, adopt, choose_options, plan_fusion
from geosharp.engine.setup import Options
from geosharp.engine.stream import Progress, ProgressCallback
from geosharp.engine.writing import write_fused
from geosharp.errors import PairError, UsageError
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.imaging.computing import computing
from geosharp.imaging.degradation import Degradation
from geosharp.notes import Tell
from geosharp.padm.calibration import Calibration
from geosharp.quality.coarsening import Read
from geosharp.quality.protocol import FullScoring, ReducedScoring, check_counted, find_peak
from geosharp.quality.reduced import reduce_scene
from geosharp.quality.scores import tell_scores
from geosharp.raster.area import Area, find_area
from geosharp.raster.content import fused_content
from geosharp.raster.fused import FusedImage, FusedReader, open_fused
from geosharp.raster.grid import Rect
from geosharp.raster.output import OutputFormat, SceneWriter
from geosharp.raster.output.scratch import scratch
from geosharp.raster.scene import Scene, SceneReader, open_scene
from geosharp.raster.source import Array, FilePath, Mask
from geosharp.version import __version__

PROTOCOLS = ("reduced", "full", "both")
# Coarse pixels at the rim of a scene that are not scored: their surroundings are not all there.
BORDER = 2
_SCRATCH = OutputFormat(overviews=False)

Results = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Evaluation:
    """Scores by protocol ("reduced", "full"), by method or file, by metric; see quality.scores.METRICS.

    degradation: what the scene was coarsened with, and results are held against the MS with; learnt: what
    methods took at full resolution; notes: what a user should know of what they learnt, and of the scores.
    """

    scene: Scene
    degradation: Degradation
    learnt: Learnt
    protocols: Mapping[str, Results]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What `geosharp evaluate --json` prints; a score that is not known, or not finite, is None."""
        facts = {
            "version": __version__,
            "pan": self.scene.pan.name,
            "ms": [source.name for source in self.scene.ms],
            "bands": [band.name for band in self.scene.bands],
            "sensor": self.scene.sensor.title,
            "degradation": self.degradation,
            "calibration": self.learnt.facts,
            "protocols": self.protocols,
            "notes": self.notes,
        }
        return make_document("evaluate/1", facts)


def evaluate(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    *,
    fused: FilePath | Sequence[FilePath] = (),
    methods: Sequence[str] | None = None,
    protocol: str = "both",
    bands: int | str | Sequence[int | str] | None = None,
    sensor: FilePath | None = None,
    area: Place | None = None,
    calibration: FilePath | Calibration = "auto",
    align: bool = True,
    degradation: Degradation | None = None,
    diffusion: Diffusion | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    on_note: Tell | None = None,
) -> Evaluation:
    """Score methods, and finished files `fused`, on one scene.

    protocol: "reduced" (the scene is coarsened by its ratio, and its MS is the truth; methods alone),
    "full" (no reference: how results agree with the MS and PAN) or "both". calibration, align: as of `fuse`;
    on the coarsened scene methods calibrate anew. degradation: what the scene is coarsened with and results
    are held against, by default what calibration tells. methods: by default all that the scene allows.
    diffusion: of hfreqdiff. What each makes, a file per
    method and protocol, is kept in the system's folder for temporary files (TMPDIR) until all are scored.
    """
    files = [fused] if isinstance(fused, str | os.PathLike) else list(fused)
    names = list(METHODS) if methods is None else list(methods)
    _check(protocol, names, files)
    check_choice(calibration)
    options = choose_options(names, diffusion=diffusion)
    scene = open_scene(pan, ms, bands=bands, sensor=sensor)
    if methods is None:
        names = [name for name in names if _fits(name, scene, options, on_note)]
    part = Area(scene.area) if area is None else find_area(area, scene.grid, scene.area)
    results = {name: open_fused(file, scene) for name, file in _named(files, names).items()}
    if on_note is not None:
        for note in (*options.settings.notes, *scene.notes):
            on_note(note)
    evaluation = evaluate_scene(
        scene,
        names,
        results,
        protocol=protocol,
        part=part,
        calibration=calibration,
        align=align,
        degradation=degradation,
        options=options,
        threads=threads,
        progress=progress,
    )
    if on_note is not None:
        for note in evaluation.notes:
            on_note(note)
    return evaluation


def evaluate_scene(
    scene: Scene,
    methods: Sequence[str],
    results: Mapping[str, FusedImage] = MappingProxyType({}),
    *,
    protocol: str = "both",
    part: Area | None = None,
    calibration: FilePath | Calibration = "auto",
    align: bool = True,
    degradation: Degradation | None = None,
    options: Options | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Evaluation:
    """As `evaluate`, for a scene that is open and results by name. part: PAN pixels, all by default."""
    part = part or Area(scene.area)
    learnt = learn(scene, calibration, align=align, progress=progress)
    degradation, notes = degradation or learnt.degradation, list(learnt.notes)
    scored: dict[str, Results] = {}
    needed = "room for one file per method, each as large as a result"
    remedy = "set TMPDIR to a folder with more room, or score fewer methods or a part of the scene"
    with scratch(needed, remedy) as folder, folder.told():
        run = _Run(degradation, folder.path, options or Options(), threads, progress)
        if protocol != "full":
            coarse = _reduce(run, scene)
            # Whatever is known of the scene: the coarse one was made with it, and methods are not to know.
            anew = learn(
                coarse, "sensor" if calibration == "sensor" else "auto", align=align, progress=progress
            )
            fresh = [note for note in anew.notes if note not in learnt.notes]
            notes += [f"at reduced resolution: {note}" for note in fresh]
            scored["reduced"] = _score_reduced(run, scene, coarse, anew, methods, part)
        if protocol != "reduced":
            scored["full"], counted = _score_full(run, scene, learnt, methods, results, part)
            if counted is not None:
                notes.append(counted)
    notes += tell_scores(scored)
    return Evaluation(scene, degradation, learnt, MappingProxyType(scored), tuple(notes))


def _fits(method: str, scene: Scene, options: Options, tell: Tell | None) -> bool:
    """Whether a method that nobody asked for by name can be scored on the scene; tells where not."""
    try:
        METHODS[method].check(scene, options)
    except PairError as error:
        if tell is not None:
            tell(f"{method} is left out: {error.found}; needed: {error.needed}")
        return False
    return True


@dataclass(frozen=True)
class _Run:
    """degradation: what scores are made with."""

    degradation: Degradation
    folder: Path
    options: Options
    threads: int | None
    progress: ProgressCallback | None


def _reduce(run: _Run, scene: Scene) -> Scene:
    with computing():
        return reduce_scene(scene, run.degradation, run.folder)


def _score_reduced(
    run: _Run, scene: Scene, coarse: Scene, learnt: Learnt, methods: Sequence[str], part: Area
) -> Results:
    """Every method on the coarse pair, against the MS."""
    rim = [math.ceil(BORDER * ratio) for ratio in scene.relation.ratio]
    area = coarse.area.intersect(scene.relation.ms_rect(part.rect)).grow(-rim[0], -rim[1])
    if min(area.shape) < 1:
        raise PairError(
            f"the {part.rect.width} x {part.rect.height} PAN pixels to be scored",
            "nothing left at reduced resolution once its rim is left out",
            "several times the squared ratio of PAN pixels a side",
            "score a larger part of the scene, or --protocol full",
        )
    on_ms = part.scaled(scene.relation.ratio, scene.relation.offset)
    try:
        images = {name: _fuse(run, coarse, learnt, Area(coarse.area), name, "float32") for name in methods}
    except PairError as error:
        # Not by the names of files that nobody knows.
        raise PairError(
            f"{scene.pan.name} at reduced resolution", error.found, error.needed, error.remedy
        ) from error
    results, peak = {}, find_peak(scene, area)
    with SceneReader(scene) as reader, _Common(images, on_ms) as common:
        for name in images:
            scoring = ReducedScoring(scene, peak)
            scoring.add(reader, common.reads(name), area)
            results[name] = check_counted(scoring.results())
    return results


def _score_full(
    run: _Run,
    scene: Scene,
    learnt: Learnt,
    methods: Sequence[str],
    finished: Mapping[str, FusedImage],
    part: Area,
) -> tuple[Results, str | None]:
    """Finished results, then every method, on the PAN pixels of `part` that all results cover.

    And a note of how many these are where a result does not cover all of them, or pixels are invalid.
    """
    rect, asked = part.rect, part.rect
    for name, image in finished.items():
        rect = rect.intersect(image.rect)
        if rect.empty:
            raise PairError(
                name,
                "no pixel in common with the other results and the part to be scored",
                "results that meet",
                "score them one by one",
            )
    part = Area(rect, part.shape)
    images = dict(finished) | {name: _fuse(run, scene, learnt, Area(rect), name, None) for name in methods}
    results, note = {}, None
    with SceneReader(scene) as reader, _Common(images, part) as common, computing():
        for name in images:
            scoring = FullScoring(scene, run.degradation)
            scoring.add(reader, common.reads(name), rect)
            results[name] = check_counted(scoring.results())
            if rect != asked or scoring.counted < scoring.seen:
                note = (
                    f"full resolution: scored on {scoring.counted} of the {asked.width} x {asked.height} PAN "
                    "pixels, those that are valid in MS, PAN and all results"
                )
    return results, note


class _Common:
    """Open results, of which pixels count that are valid in all of them and lie in an area."""

    def __init__(self, images: Mapping[str, FusedImage], area: Area) -> None:
        self._area = area
        self._readers = {name: FusedReader(image) for name, image in images.items()}
        # Where others can be invalid, their pixels are read for their masks alone.
        self._holed = [name for name, image in images.items() if image.source.masking != "none"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers.values():
            reader.close()

    def reads(self, name: str) -> Read:
        """Reads the result of that name."""

        def read(rect: Rect) -> tuple[Array, Mask | None]:
            data, valid = self._readers[name].read(rect)
            others = (self._readers[other].read(rect)[1] for other in self._holed if other != name)
            masks = [mask.all(0) for mask in (valid, *others) if mask is not None]
            if (inside := self._area.mask(rect)) is not None:
                masks.append(inside)
            return data, np.broadcast_to(np.logical_and.reduce(masks), data.shape) if masks else None

        return read


def _fuse(run: _Run, scene: Scene, learnt: Learnt, part: Area, method: str, dtype: str | None) -> FusedImage:
    """`part` fused by `method` into a file of the run's folder."""
    limits = Limits(threads=run.threads)
    setup = plan_fusion(scene, part, method, options=run.options, dtype=dtype, limits=limits)
    setup = adopt(setup, learnt.degradation)
    # A name of its own for each protocol, too.
    out = run.folder / f"{method}-{setup.pixels.dtype}-{len(list(run.folder.iterdir()))}.tif"
    output = SceneWriter(out, fused_content(scene, part, setup.pixels, {}), _SCRATCH)

    def tell(done: Progress) -> None:
        if run.progress is not None:
            run.progress(replace(done, stage=method if done.stage == "fuse" else done.stage))

    write_fused(setup, output, lambda _: None, tell)
    return open_fused(out, scene)


def _named(files: Sequence[FilePath], methods: Sequence[str]) -> dict[str, FilePath]:
    """Files by what tells them from each other and from methods: their names, else their paths."""
    names = [Path(file).name for file in files]
    short = len({*names, *methods}) == len(names) + len(methods)
    return {(Path(file).name if short else str(file)): file for file in files}


def _check(protocol: str, methods: Sequence[str], files: Sequence[FilePath]) -> None:
    if protocol not in PROTOCOLS:
        raise UsageError(
            "--protocol", f"'{protocol}'", f"one of {', '.join(PROTOCOLS)}", "choose one of these"
        )
    if files and protocol == "reduced":
        raise UsageError(
            "--fused",
            "a finished result at reduced resolution",
            "--protocol full, or methods alone",
            "leave --fused out: the coarse scene is fused anew, which a file cannot be",
        )
    if not methods and not files:
        raise UsageError("--method", "no method", "a method or a --fused file", "name one to score")
