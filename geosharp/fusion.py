"""Fuse one scene: from two files to one."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geosharp.calibration import WORDS, Learnt, check_choice, learn
from geosharp.document import make_document
from geosharp.engine.cautions import RESERVE, tell_cautions
from geosharp.engine.clock import ADAPT, CALIBRATE, WRITTEN, Clock, Profile, take_profile
from geosharp.engine.heap import trim
from geosharp.engine.journal import Form, Journal
from geosharp.engine.lineage import hash_file, identify, name_file, tell_lineage
from geosharp.engine.methods import METHODS
from geosharp.engine.preparation import Place, adopt, adopted_notes, preliminary_notes, prepare
from geosharp.engine.setup import Setup
from geosharp.engine.stream import ProgressCallback
from geosharp.engine.writing import write_fused
from geosharp.errors import UsageError
from geosharp.hfreqdiff.models import SUFFIX, find_model
from geosharp.hfreqdiff.settings import DEFAULT_DRAWS, Diffusion
from geosharp.notes import Notes, Tell
from geosharp.raster.content import fused_content, spread_content
from geosharp.raster.grid import Grid
from geosharp.raster.output import OutputFormat, SceneWriter, check_target
from geosharp.raster.output.creation import check_creation
from geosharp.raster.output.preview import check_preview, write_preview
from geosharp.raster.output.text import check_text
from geosharp.raster.scene import name_inputs
from geosharp.raster.source import FilePath

if TYPE_CHECKING:
    from geosharp.adaptation import Adapted
    from geosharp.cluster.connection import Cluster
    from geosharp.padm.calibration import Calibration


@dataclass(frozen=True)
class FuseResult:
    """What a fusion did. grid: the result's; tiles: how many held valid pixels; warnings: what a
    user should know of the scene; preview, uncertainty: the files' paths where they were asked for;
    calibration: of the scene, None where the method or the caller wants none; model: the file of the adapted
    model, None where it was not asked for or is no better; profile: where the time went, if asked for;
    bands: their names; dtype: of the file; settings: of the method, as the file's tags tell them."""

    path: Path
    grid: Grid
    seconds: float
    tiles: int
    method: str
    warnings: tuple[str, ...]
    preview: Path | None = None
    uncertainty: Path | None = None
    calibration: Calibration | None = None
    model: Path | None = None
    profile: Profile | None = None
    bands: tuple[str, ...] = ()
    dtype: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What `geosharp fuse --json` prints."""
        facts = {
            "out": self.path,
            "uncertainty": self.uncertainty,
            "preview": self.preview,
            "saved_model": self.model,
            "method": self.method,
            "model": self.settings.get("model"),
            "model_sha256": self.settings.get("model_sha256"),
            "grid": self.grid.as_json(),
            "bands": self.bands,
            "dtype": self.dtype,
            "calibration": None if self.calibration is None else self.calibration.figures,
            "seconds": self.seconds,
            "tiles": self.tiles,
            "profile": self.profile,
            "warnings": self.warnings,
        }
        return make_document("fuse/1", facts)


def fuse(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    out: FilePath,
    *,
    method: str | None = None,
    bands: int | str | Sequence[int | str] | None = None,
    sensor: FilePath | None = None,
    weights: Sequence[float] | None = None,
    area: Place | None = None,
    extent: str = "intersection",
    dtype: str | None = None,
    cog: bool = False,
    overviews: bool = True,
    mask: bool = True,
    creation: Mapping[str, str] | None = None,
    overwrite: bool = False,
    preview: FilePath | None = None,
    uncertainty: FilePath | None = None,
    tile: int | None = None,
    threads: int | None = None,
    max_memory: int | None = None,
    calibration: FilePath | Calibration = "auto",
    align: bool = True,
    diffusion: Diffusion | None = None,
    adapt: float | None = None,
    save_model: FilePath | None = None,
    resume: bool = False,
    profile: bool = False,
    cluster: Cluster | None = None,
    progress: ProgressCallback | None = None,
    on_note: Tell | None = None,
) -> FuseResult:
    """Fuse PAN and MS into `out`, a GeoTIFF on PAN's grid with the bands of MS.

    method: hfreqdiff, exp, brovey, gsa, glp or glp-hpm; None for hfreqdiff, or glp at ratios that its model
    does not serve. bands: which MS bands in which order, by 1-based number or name. sensor: its name, where
    metadata does not tell, or a sensor file (.toml). weights: of brovey, one per band. area: (left, bottom,
    right, top) in PAN's CRS or a GeoJSON file. extent: "intersection" of PAN and MS, or all of "pan". dtype:
    MS's unless given. creation: GeoTIFF creation options. max_memory in bytes. calibration: of the methods
    but exp and brovey: "auto" learns it from the scene, "sensor" takes the sensor's published values, or a
    saved one; align: whether MS goes where calibration finds its content. diffusion: of hfreqdiff.
    adapt: minutes of two cores, told in steps, for which a copy of its model learns from the scene, from
    places drawn by its seed; taken if it is better on places kept aside. save_model: a safetensors file for
    it, there before `out` is. uncertainty: a GeoTIFF to write beside `out`, float32: the standard deviation
    of each pixel in DN, as hfreqdiff's draws have it. resume: whether to go on where an interrupted run with
    the same arguments stopped, if there was one. profile: whether to tell where the time goes. cluster: whose
    workers compute, on files that they see too; this computer then puts their parts together. on_note:
    called with what a user should know as soon as it is known; the result holds it all. Raises a
    GeosharpError that says what to do; `out` appears complete or not, and after all else that is asked for
    but the preview.
    """
    start = time.perf_counter()
    clock = Clock(running=profile)
    # What can be refused without a look at the scene is refused first.
    form = OutputFormat(cog=cog, overviews=overviews, mask=mask, creation=creation or {})
    check_creation(form)
    named = name_inputs(pan, ms)
    files = _Files(out, preview, uncertainty, save_model, overwrite)
    files.check(named)
    check_choice(calibration, method)
    if cluster is not None and profile:
        found = "the time of what other computers do"
        raise UsageError("--profile", found, "a run on this computer", "leave --profile or --dask out")
    if save_model is not None and adapt is None:
        remedy = "add --adapt, or leave --save-model out"
        raise UsageError("--save-model", "nothing to save", "--adapt", remedy)
    asked = {
        "pan": pan,
        "ms": ms,
        "method": method,
        "bands": bands,
        "sensor": sensor,
        "weights": weights,
        "diffusion": _with_draws(diffusion, uncertainty),
        "adapt": adapt,
        "area": area,
        "extent": extent,
        "dtype": dtype,
        "bits": form.bits,
        "tile": tile,
        "threads": threads,
        "max_memory": max_memory,
    }
    setup = prepare(**asked)  # type: ignore[arg-type]
    scene = setup.scene
    # A VRT or URI names other files than it is called; none of them may be replaced.
    inputs = [*named, *scene.files]
    if save_model is not None:
        base = find_model(setup.options.settings.model)
        inputs += [os.fspath(name) for name in (base, sensor) if name is not None]
    files.check(inputs)
    notes = Notes(on_note)
    notes.add(*preliminary_notes(setup), *tell_cautions(setup, Path(out)))
    setup, learnt = _learn(replace(setup, clock=clock), calibration, align, notes, progress)
    adapted, model = None, None
    if learnt is not None and adapt is not None:
        adapted, model = _adapt(setup, learnt, files, notes, progress)
        setup = adapted.setup
    chosen = {
        "pan": named[0],
        "ms": named[1:],
        "bands": bands,
        "sensor": sensor,
        "sensor_sha256": None if scene.sensor.origin is None else scene.sensor.origin.digest,
        "weights": weights,
        "area": area,
        "area_sha256": hash_file(area),
        "extent": extent,
        "dtype": dtype,
        "bits": form.bits,
        "calibration": name_file(calibration),
        "calibration_sha256": None if calibration in WORDS else hash_file(calibration),
        "align": align,
    }
    known, what_became = None if learnt is None else learnt.facts, None if adapted is None else adapted.facts
    lineage = tell_lineage(setup, chosen, form, known, what_became)
    output, beside = files.open(setup, form, lineage, inputs)
    identity = identify(lineage, scene)
    if cluster is None:
        filled = _write_here(setup, output, beside, identity, notes, progress, resume=resume)
    else:
        from geosharp.distribution import Asked, fuse_in_parts

        told = Asked(asked, identity, None if adapted is None else adapted.content)
        filled = fuse_in_parts(setup, told, output, beside, cluster, notes.add, progress, resume=resume)
    quick_look = None if preview is None else Path(preview)
    if quick_look is not None:
        write_preview(output.path, quick_look, overwrite=overwrite)
    seconds = time.perf_counter() - start
    return FuseResult(
        path=output.path,
        grid=output.content.grid,
        seconds=seconds,
        tiles=filled,
        method=setup.method,
        warnings=tuple(notes.told),
        preview=quick_look,
        uncertainty=None if beside is None else beside.path,
        calibration=None if learnt is None else learnt.calibration,
        model=model,
        profile=take_profile(clock, setup.plan, seconds, gpu=setup.on_gpu) if profile else None,
        bands=tuple(band.name for band in scene.bands),
        dtype=setup.pixels.dtype,
        settings=METHODS[setup.method].facts(setup.options),
    )


@dataclass(frozen=True)
class _Files:
    """What a fusion writes."""

    out: FilePath
    preview: FilePath | None
    uncertainty: FilePath | None
    save_model: FilePath | None
    overwrite: bool

    def check(self, inputs: Sequence[str]) -> None:
        """Refuse what cannot or must not be written, an input above all."""
        check_target(Path(self.out), overwrite=self.overwrite, inputs=inputs)
        if self.preview is not None:
            check_preview(Path(self.preview), overwrite=self.overwrite, inputs=inputs)
        if self.uncertainty is not None:
            check_target(Path(self.uncertainty), overwrite=self.overwrite, inputs=inputs)
        if self.save_model is not None:
            check_text(Path(self.save_model), (SUFFIX,), overwrite=self.overwrite, inputs=inputs)
        for flag, path in (("--uncertainty", self.uncertainty), ("--save-model", self.save_model)):
            if path is not None and Path(path).resolve() == Path(self.out).resolve():
                found = f"{path}, as --out"
                raise UsageError(flag, found, "a file of its own", "choose another name")

    def open(
        self, setup: Setup, form: OutputFormat, lineage: Mapping[str, str], inputs: Sequence[str]
    ) -> tuple[SceneWriter, SceneWriter | None]:
        """What writes the result, and the uncertainty where it is asked for."""
        scene, area = setup.scene, setup.plan.area
        content = fused_content(scene, area, setup.pixels, lineage)
        output = SceneWriter(Path(self.out), content, form, overwrite=self.overwrite, inputs=inputs)
        if self.uncertainty is None:
            return output, None
        path, spread = Path(self.uncertainty), spread_content(scene, area, lineage)
        # Creation options are for the result's type.
        plain = replace(form, creation={})
        return output, SceneWriter(path, spread, plain, overwrite=self.overwrite, inputs=inputs)


def _learn(
    setup: Setup,
    calibration: FilePath | Calibration,
    align: bool,
    notes: Notes,
    progress: ProgressCallback | None,
) -> tuple[Setup, Learnt | None]:
    """The setup, knowing what pixels tell, and how the scene came about; None where its method does not
    care."""
    learnt = None
    if METHODS[setup.method].calibrated:
        with setup.clock.time(CALIBRATE):
            learnt = learn(setup.scene, calibration, align=align, progress=progress)
        notes.add(*learnt.notes)
    setup = adopt(setup, None if learnt is None else learnt.degradation)
    notes.add(*adopted_notes(setup))
    trim()  # Else what learning took is there beside the first tiles.
    return setup, learnt


def _adapt(
    setup: Setup, learnt: Learnt, files: _Files, notes: Notes, progress: ProgressCallback | None
) -> tuple[Adapted, Path | None]:
    """What the model has learnt from the scene, and where that is kept, if it is asked for and better."""
    from geosharp import adaptation

    with setup.clock.time(ADAPT):
        adapted = adaptation.adapt(setup, learnt, notes.add, progress)
    if files.save_model is None:
        return adapted, None
    kept = Path(files.save_model)
    return adapted, adaptation.keep(adapted, kept, notes.add, overwrite=files.overwrite)


def _write_here(
    setup: Setup,
    output: SceneWriter,
    beside: SceneWriter | None,
    identity: Mapping[str, str],
    notes: Notes,
    progress: ProgressCallback | None,
    *,
    resume: bool,
) -> int:
    """Fuse into the files on this computer, or go on with that; how many tiles held valid pixels."""
    form = Form(len(setup.scene.bands), setup.pixels.dtype, beside is not None)
    reserve = round(RESERVE * output.content.raw_bytes)
    journal = Journal(output.path, identity, form, resume=resume, reserve=reserve)
    with setup.clock.time(WRITTEN), journal.told(notes.add):
        return write_fused(setup, output, notes.add, progress, beside, journal)


def _with_draws(diffusion: Diffusion | None, uncertainty: FilePath | None) -> Diffusion | None:
    """The settings with draws for the uncertainty where it is asked for; draws for nothing are refused."""
    if uncertainty is None:
        if isinstance(diffusion, Diffusion) and diffusion.draws:
            found = f"{diffusion.draws} of them, and nowhere to write what they tell"
            raise UsageError(
                "--draws", found, "--uncertainty", "add --uncertainty FILE, or leave --draws out"
            )
        return diffusion
    if isinstance(diffusion, Diffusion) and diffusion.draws:
        return diffusion
    return replace(diffusion or Diffusion(), draws=DEFAULT_DRAWS)
