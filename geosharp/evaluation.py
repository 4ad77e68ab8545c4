"""How good results are: methods and finished files, scored on the same pixels of a scene."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

import numpy as np

from geosharp.engine.methods import METHODS
from geosharp.engine.stream import Progress, ProgressCallback
from geosharp.errors import PairError, UsageError
from geosharp.fusion import FilePath, Place, check_method, plan_fusion, write_fused
from geosharp.imaging.computing import computing
from geosharp.imaging.degradation import Degradation
from geosharp.quality.protocol import FullScoring, Read, ReducedScoring, check_counted
from geosharp.quality.reduced import reduce_scene, table_degradation
from geosharp.raster.area import Area, find_area
from geosharp.raster.content import fused_content
from geosharp.raster.fused import FusedImage, FusedReader, open_fused
from geosharp.raster.grid import Rect
from geosharp.raster.output import OutputFormat, SceneWriter
from geosharp.raster.scene import Scene, SceneReader, open_scene
from geosharp.raster.source import Array, Mask
from geosharp.version import __version__

PROTOCOLS = ("reduced", "full", "both")
# Coarse pixels at the rim of a scene that are not scored: their surroundings are not all there.
BORDER = 2
_SCRATCH = OutputFormat(overviews=False)

Results = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Evaluation:
    """Scores by protocol ("reduced", "full"), by method or file, by metric; see quality.scores.METRICS.

    degradation: what the scene was coarsened with, and results are held against the MS with.
    """

    scene: Scene
    degradation: Degradation
    protocols: Mapping[str, Results]

    @property
    def lacks_blocks(self) -> bool:
        """Whether a score has no value, though pixels were scored."""
        every = (row.values() for results in self.protocols.values() for row in results.values())
        return any(math.isnan(value) for values in every for value in values)

    def as_json(self) -> str:
        """All of it; scores without a finite value are words."""
        found = {
            "version": __version__,
            "pan": self.scene.pan.name,
            "ms": [source.name for source in self.scene.ms],
            "bands": [band.name for band in self.scene.bands],
            "sensor": self.scene.sensor.title,
            "degradation": asdict(self.degradation),
            "protocols": {
                protocol: {
                    name: {metric: _finite(value) for metric, value in scores.items()}
                    for name, scores in results.items()
                }
                for protocol, results in self.protocols.items()
            },
        }
        return json.dumps(found, indent=2, allow_nan=False) + "\n"


def evaluate(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    *,
    fused: FilePath | Sequence[FilePath] = (),
    methods: Sequence[str] | None = None,
    protocol: str = "both",
    bands: int | str | Sequence[int | str] | None = None,
    sensor: str | None = None,
    area: Place | None = None,
    degradation: Degradation | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Evaluation:
    """Score methods, and finished files `fused`, on one scene.

    protocol: "reduced" (the scene is coarsened by its ratio, and its MS is the truth; methods alone),
    "full" (no reference: how results agree with the MS and PAN) or "both". degradation: by default what
    the sensor's table states. methods: all by default.
    """
    files = [fused] if isinstance(fused, str | os.PathLike) else list(fused)
    names = list(METHODS) if methods is None else list(methods)
    _check(protocol, names, files)
    scene = open_scene(pan, ms, bands=bands, sensor=sensor)
    part = Area(scene.area) if area is None else find_area(area, scene.grid, scene.area)
    results = {name: open_fused(file, scene) for name, file in _named(files, names).items()}
    if on_note is not None:
        for note in scene.notes:
            on_note(note)
    evaluation = evaluate_scene(
        scene,
        names,
        results,
        protocol=protocol,
        part=part,
        degradation=degradation,
        threads=threads,
        progress=progress,
    )
    if on_note is not None and evaluation.lacks_blocks:
        on_note("n/a: what is made of blocks has no value, as no block of 32 x 32 pixels is valid as a whole")
    return evaluation


def evaluate_scene(
    scene: Scene,
    methods: Sequence[str],
    results: Mapping[str, FusedImage] = MappingProxyType({}),
    *,
    protocol: str = "both",
    part: Area | None = None,
    degradation: Degradation | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Evaluation:
    """As `evaluate`, for a scene that is open and results by name. part: PAN pixels, all by default."""
    part = part or Area(scene.area)
    degradation = degradation or table_degradation(scene)
    scored: dict[str, Results] = {}
    with tempfile.TemporaryDirectory(prefix="geosharp-") as folder:
        run = _Run(degradation, Path(folder), threads, progress)
        if protocol != "full":
            scored["reduced"] = _score_reduced(run, scene, methods, part)
        if protocol != "reduced":
            scored["full"] = _score_full(run, scene, methods, results, part)
    return Evaluation(scene, degradation, MappingProxyType(scored))


@dataclass(frozen=True)
class _Run:
    degradation: Degradation
    folder: Path
    threads: int | None
    progress: ProgressCallback | None


def _score_reduced(run: _Run, scene: Scene, methods: Sequence[str], part: Area) -> Results:
    """Every method on the coarse pair, against the MS."""
    with computing():
        coarse = reduce_scene(scene, run.degradation, run.folder)
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
        images = {name: _fuse(run, coarse, Area(coarse.area), name, "float32") for name in methods}
    except PairError as error:
        # Not by the names of files that nobody knows.
        raise PairError(
            f"{scene.pan.name} at reduced resolution", error.found, error.needed, error.remedy
        ) from error
    results = {}
    with SceneReader(scene) as reader, _Common(images, on_ms) as common:
        for name in images:
            scoring = ReducedScoring(scene, area)
            scoring.add(reader, common.reads(name), area)
            results[name] = check_counted(scoring.results())
    return results


def _score_full(
    run: _Run, scene: Scene, methods: Sequence[str], finished: Mapping[str, FusedImage], part: Area
) -> Results:
    """Finished results, then every method, on the PAN pixels of `part` that all results cover."""
    rect = part.rect
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
    images = dict(finished) | {name: _fuse(run, scene, Area(rect), name, None) for name in methods}
    results = {}
    with SceneReader(scene) as reader, _Common(images, part) as common, computing():
        for name in images:
            scoring = FullScoring(scene, run.degradation)
            scoring.add(reader, common.reads(name), rect)
            results[name] = check_counted(scoring.results())
    return results


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


def _fuse(run: _Run, scene: Scene, part: Area, method: str, dtype: str | None) -> FusedImage:
    """`part` fused by `method` into a file of the run's folder."""
    setup = plan_fusion(scene, part, method, dtype=dtype, threads=run.threads)
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


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _check(protocol: str, methods: Sequence[str], files: Sequence[FilePath]) -> None:
    if protocol not in PROTOCOLS:
        raise UsageError(
            "--protocol", f"'{protocol}'", f"one of {', '.join(PROTOCOLS)}", "choose one of these"
        )
    for method in methods:
        check_method(method)
    if files and protocol == "reduced":
        raise UsageError(
            "--fused",
            "a finished result at reduced resolution",
            "--protocol full, or methods alone",
            "leave --fused out: the coarse scene is fused anew, which a file cannot be",
        )
    if not methods and not files:
        raise UsageError("--method", "no method", "a method or a --fused file", "name one to score")
