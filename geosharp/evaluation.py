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

from geosharp.engine.methods import METHODS
from geosharp.engine.stream import Progress, ProgressCallback
from geosharp.errors import PairError, UsageError
from geosharp.fusion import FilePath, Place, check_method, plan_fusion, write_fused
from geosharp.imaging.degradation import Degradation
from geosharp.quality.protocol import FullScoring, ReducedScoring, check_counted
from geosharp.quality.reduced import reduce_scene, table_degradation
from geosharp.raster.area import Area, find_area
from geosharp.raster.content import fused_content
from geosharp.raster.fused import FusedImage, FusedReader, open_fused
from geosharp.raster.grid import Rect
from geosharp.raster.output import OutputFormat, SceneWriter
from geosharp.raster.scene import Scene, SceneReader, open_scene
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
    part = scene.area if area is None else find_area(area, scene.grid, scene.area).rect
    results = {Path(file).name: open_fused(file, scene) for file in files}
    if on_note is not None:
        for note in scene.notes:
            on_note(note)
    return evaluate_scene(
        scene,
        names,
        results,
        protocol=protocol,
        part=part,
        degradation=degradation,
        threads=threads,
        progress=progress,
    )


def evaluate_scene(
    scene: Scene,
    methods: Sequence[str],
    results: Mapping[str, FusedImage] = MappingProxyType({}),
    *,
    protocol: str = "both",
    part: Rect | None = None,
    degradation: Degradation | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Evaluation:
    """As `evaluate`, for a scene that is open and results by name. part: PAN pixels, all by default."""
    part = part or scene.area
    degradation = degradation or table_degradation(scene)
    scored: dict[str, Results] = {}
    with tempfile.TemporaryDirectory(prefix="geosharp-") as folder:
        if protocol != "full":
            scored["reduced"] = _score_reduced(
                scene, degradation, methods, part, Path(folder), threads, progress
            )
        if protocol != "reduced":
            scored["full"] = _score_full(
                scene, degradation, methods, results, part, Path(folder), threads, progress
            )
    return Evaluation(scene, degradation, MappingProxyType(scored))


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _score_reduced(
    scene: Scene,
    degradation: Degradation,
    methods: Sequence[str],
    part: Rect,
    folder: Path,
    threads: int | None,
    progress: ProgressCallback | None,
) -> Results:
    """Every method on the coarse pair, against the MS. part: PAN pixels."""
    coarse = reduce_scene(scene, degradation, folder)
    rim = [math.ceil(BORDER * ratio) for ratio in scene.relation.ratio]
    area = coarse.area.intersect(scene.relation.ms_rect(part)).grow(-rim[0], -rim[1])
    _check_area(area, part)
    results = {}
    for method in methods:
        image = _fuse(coarse, Area(coarse.area), method, "float32", folder, threads, progress)
        scoring = ReducedScoring(scene, area)
        with SceneReader(scene) as reader, FusedReader(image) as fused:
            scoring.add(reader, fused.read, area)
        results[method] = check_counted(scoring.results())
    return results


def _score_full(
    scene: Scene,
    degradation: Degradation,
    methods: Sequence[str],
    finished: Mapping[str, FusedImage],
    part: Rect,
    folder: Path,
    threads: int | None,
    progress: ProgressCallback | None,
) -> Results:
    """Finished results, then every method, on the PAN pixels of `part` that all results cover."""
    for image in finished.values():
        part = part.intersect(image.rect)
    results = {}
    for name in (*finished, *methods):
        image = finished.get(name) or _fuse(scene, Area(part), name, None, folder, threads, progress)
        scoring = FullScoring(scene, degradation)
        with SceneReader(scene) as reader, FusedReader(image) as fused:
            scoring.add(reader, fused.read, part)
        results[name] = check_counted(scoring.results())
    return results


def _fuse(
    scene: Scene,
    part: Area,
    method: str,
    dtype: str | None,
    folder: Path,
    threads: int | None,
    progress: ProgressCallback | None,
) -> FusedImage:
    """`part` fused by `method` into a file of `folder`, which the next replaces."""
    setup = plan_fusion(scene, part, method, dtype=dtype, threads=threads)
    out = folder / "fused.tif"
    output = SceneWriter(out, fused_content(scene, part, setup.pixels, {}), _SCRATCH, overwrite=True)

    def tell(done: Progress) -> None:
        if progress is not None:
            progress(replace(done, stage=method))

    write_fused(setup, output, lambda _: None, tell)
    return open_fused(out, scene)


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


def _check_area(area: Rect, part: Rect) -> None:
    if min(area.shape) < 1:
        raise PairError(
            f"the {part.width} x {part.height} PAN pixels to be scored",
            "nothing left at reduced resolution once its rim is left out",
            "several times the squared ratio of PAN pixels a side",
            "score a larger part of the scene, or --protocol full",
        )
