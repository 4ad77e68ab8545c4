"""How a scene's MS came of what its PAN shows: learnt from it, read from a file, or the sensor's table."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geosharp.document import make_document
from geosharp.engine.methods import METHODS
from geosharp.engine.stream import Progress, ProgressCallback
from geosharp.errors import InputError, UsageError
from geosharp.notes import Tell
from geosharp.raster.output.target import PNG_SUFFIXES
from geosharp.raster.output.text import JSON_SUFFIXES, check_text, write_bytes, write_text
from geosharp.raster.scene import Scene, name_inputs, open_scene
from geosharp.raster.source import FilePath

if TYPE_CHECKING:
    from geosharp.imaging.degradation import Degradation
    from geosharp.padm.calibration import Calibration


WORDS = ("auto", "sensor")
# Relative difference of ratios up to which a calibration of another scene fits this one.
_SAME_RATIO = 0.01
# Of a scene's own shift: windows that starts are tried on, steps from none to the farthest, the share of
# PAN's detail that must be explained at all, and by how much more of it than with a shift that is known.
_TRIED, _LATTICE = 9, 2
_LEAST_EXPLAINED, _CLEARLY = 0.5, 5e-4

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Learnt:
    """degradation: what methods and scores are to take; calibration: what it is from, None where it is the
    sensor's table by choice; source: "scene", "sensor" or a name; notes: what a user should
    know of it."""

    degradation: Degradation
    calibration: Calibration | None
    source: str
    notes: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[float, float, float | None, float | None] | None:
        """Of the kernels' gains and of the shift, see Calibration; None where nothing is learnt."""
        found = self.calibration
        return found.errors if found is not None and found.usable else None

    @property
    def summary(self) -> str:
        """In a line."""
        sources = {"scene": "learnt from the scene", "sensor": "the sensor's published values"}
        known = sources.get(self.source, f"from {self.source}")
        if self.calibration is not None and not self.calibration.usable:
            reasons = "; ".join(self.calibration.reasons)
            known = f"the sensor's published values, as calibration failed ({reasons})"
        rows, cols = self.degradation.mean_gain
        gain = f"{rows:.2f} down rows and {cols:.2f} along columns"
        down, right = self.degradation.shift
        text = f"{known}: Nyquist gains {gain}, MS {down:+.2f} rows and {right:+.2f} columns aside"
        if self.calibration is not None and self.calibration.usable:
            text += f", {self.calibration.explained:.1%} of PAN's detail explained"
        return text

    @property
    def facts(self) -> dict[str, object]:
        """For JSON: how MS was taken to have come of PAN, and how that is known."""
        found: dict[str, object] = {
            "source": self.source,
            "nyquist_gains": [list(gain) for gain in self.degradation.gains],
            "shift": list(self.degradation.shift),
        }
        if self.calibration is not None:
            found["verdict"] = self.calibration.verdict
            found["explained"] = self.calibration.explained
            if self.calibration.reasons:
                found["reasons"] = list(self.calibration.reasons)
        return found


def calibrate(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    out: FilePath | None = None,
    *,
    plot: FilePath | None = None,
    bands: int | str | Sequence[int | str] | None = None,
    sensor: FilePath | None = None,
    align: bool = True,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    on_note: Tell | None = None,
) -> Calibration:
    """Learn from PAN and MS how blurred, mixed and misplaced MS is, see padm.calibrate; in seconds.

    out: a JSON to write, which `fuse`, `evaluate` and `report` take; plot: a PNG that shows it. align:
    whether MS may lie elsewhere than the geotransforms say. Raises a GeosharpError that says what to do.
    """
    check_files(out, plot, overwrite=overwrite, inputs=name_inputs(pan, ms))
    scene = open_scene(pan, ms, bands=bands, sensor=sensor)
    calibration = learn_scene(scene, align=align, progress=progress)
    save(calibration, scene, out, plot, overwrite=overwrite)
    if on_note is not None:
        for note in (*scene.notes, *calibration.notes):
            on_note(note)
    return calibration


def check_files(
    out: FilePath | None, plot: FilePath | None, *, overwrite: bool, inputs: Sequence[str]
) -> None:
    """Refuse paths that no calibration and no plot of it can or must be written to."""
    for path, suffixes in ((out, JSON_SUFFIXES), (plot, PNG_SUFFIXES)):
        if path is not None:
            check_text(Path(path), suffixes, overwrite=overwrite, inputs=inputs)
    if plot is not None:
        from geosharp.padm.figure import check_drawing

        check_drawing()


def save(
    calibration: Calibration,
    scene: Scene,
    out: FilePath | None,
    plot: FilePath | None,
    *,
    overwrite: bool = False,
) -> None:
    """Write the calibration of `scene` to `out`, and a picture of it to `plot`, where they are wanted."""
    inputs = scene.files
    check_files(out, plot, overwrite=overwrite, inputs=inputs)
    if plot is not None:
        from geosharp.padm.figure import draw_figure

        picture = draw_figure(calibration, scene)
        write_bytes(Path(plot), picture, PNG_SUFFIXES, overwrite=overwrite, inputs=inputs)
    if out is not None:
        write_text(Path(out), calibration.as_json() + "\n", JSON_SUFFIXES, overwrite=overwrite, inputs=inputs)


def describe_saved(
    calibration: Calibration, scene: Scene, out: FilePath, plot: FilePath | None
) -> dict[str, Any]:
    """What `geosharp calibrate --json` prints of what `save` has written."""
    facts = {
        "out": out,
        "plot": plot,
        "sensor": scene.sensor.title,
        "calibration": calibration.figures,
        "notes": (*scene.notes, *calibration.notes),
    }
    return make_document("calibrate/1", facts)


def learn(
    scene: Scene,
    choice: FilePath | Calibration = "auto",
    *,
    align: bool = True,
    progress: ProgressCallback | None = None,
) -> Learnt:
    """The degradation that `choice` says: "auto" learns it from the scene, "sensor" takes the sensor's table,
    else a calibration or the path of a saved one. Of these the kernels are the sensor's, and taken as they
    are; the shift is the scene's own: the saved one where nothing else explains the scene better. align:
    whether MS is moved at all."""
    from geosharp.padm.calibration import Calibration, load_calibration, tell_shift
    from geosharp.padm.table import table_degradation

    check_choice(choice)
    table = table_degradation(scene)
    if choice == "sensor":
        return Learnt(table, None, "sensor")
    if choice == "auto":
        calibration, source = learn_scene(scene, align=align, progress=progress), "scene"
    elif isinstance(choice, Calibration):
        calibration, source = _fit(choice, scene, "calibration"), "the calibration given"
    else:
        calibration = _fit(load_calibration(Path(choice)), scene, os.fspath(choice))
        source = Path(choice).name
    if not calibration.usable:
        # Not its gains: a table knows the bands apart, and PAN's own sharpness.
        note = f"calibration: {'; '.join(calibration.reasons)}: the sensor's table is used instead"
        return Learnt(table, calibration, source, (note,))
    degradation = calibration.degradation
    if choice == "auto":
        return Learnt(degradation, calibration, source, calibration.notes)
    if not align:
        return Learnt(degradation.unshifted, calibration, source)
    shift = _find_shift(scene, calibration)
    if shift == degradation.shift:
        return Learnt(degradation, calibration, source)
    where = (
        "MS stays where the geotransforms put it" if shift == (0.0, 0.0) else f"MS lies {tell_shift(shift)}"
    )
    note = f"the shift of {source} is not this pair's: {where}"
    return Learnt(replace(degradation, shift=shift), calibration, source, (note,))


def _find_shift(scene: Scene, calibration: Calibration) -> tuple[float, float]:
    """Where MS lies with the calibration's kernels: where it says or where the geotransforms do, unless the
    scene's own pixels clearly tell otherwise."""
    from geosharp.imaging.computing import computing
    from geosharp.padm.iterate import MOST_SHIFT, Operator, explain, iterate
    from geosharp.padm.sample import take_sample

    gains = calibration.operator.gains
    with computing():
        sample = take_sample(scene)
        if sample is None:
            return 0.0, 0.0
        known = {
            shift: explain(sample, Operator(gains, shift))
            for shift in ((0.0, 0.0), calibration.operator.shift)
        }
        best = max(known, key=lambda shift: known[shift])
        thin = sample.thin(_TRIED)
        far = [math.floor(MOST_SHIFT) * step / _LATTICE for step in range(-_LATTICE, _LATTICE + 1)]
        tried = [Operator(gains, (down, right)) for down in far for right in far]
        start = max([Operator(gains, best), *tried], key=lambda each: explain(thin, each))
        found = iterate(sample, start).operator.shift
        own = round(found[0], 4), round(found[1], 4)
        explained = explain(sample, Operator(gains, own))
    inside = max(map(abs, own)) < MOST_SHIFT and explained >= _LEAST_EXPLAINED
    return own if inside and explained > known[best] + _CLEARLY else best


def check_choice(choice: object, method: str | None = None) -> None:
    """Refuse what is neither a calibration, nor the path of a file, nor a word that is known; and one for a
    method that has no use for it."""
    if isinstance(choice, str | os.PathLike):
        fits = choice in WORDS or Path(choice).is_file()
    else:
        from geosharp.padm.calibration import Calibration

        fits = isinstance(choice, Calibration)
    if not fits:
        raise UsageError(
            "--calibration",
            f"'{choice!s:.60}'",
            f"{', '.join(WORDS)} or the JSON of a calibration",
            "write one with geosharp calibrate, or leave it out",
        )
    if method in METHODS and not METHODS[method].calibrated and choice not in WORDS:
        taking = ", ".join(name for name, other in METHODS.items() if other.calibrated)
        remedy = f"leave --calibration out: {method} takes none"
        raise UsageError("--calibration", f"a calibration for {method}", f"--method {taking}", remedy)


def learn_scene(scene: Scene, *, align: bool = True, progress: ProgressCallback | None = None) -> Calibration:
    """What the scene's own pixels tell."""
    from geosharp.padm import calibrate as padm

    start, total = time.perf_counter(), scene.area.area

    def tell(_: str, share: float) -> None:
        if progress is not None:
            done = round(share * total)
            progress(Progress("calibrate", 0, 0, done, total, time.perf_counter() - start))

    calibration = padm.calibrate(scene, align=align, progress=tell)
    _log.info(
        "calibration: %s, Nyquist gains %s, shift %s PAN pixels, R2 %.3f (the sensor's table: %.3f), %.1f s",
        calibration.verdict,
        calibration.operator.gains,
        calibration.operator.shift,
        calibration.explained,
        calibration.table_explained,
        time.perf_counter() - start,
    )
    return calibration


def _fit(calibration: Calibration, scene: Scene, name: str) -> Calibration:
    """The calibration for the scene's bands in their order, which are found by their names."""
    by_name = {band.name: band for band in calibration.bands}
    wanted = [band.name for band in scene.bands]
    if lacking := [band for band in wanted if band not in by_name]:
        raise InputError(
            name,
            f"a calibration of bands {', '.join(by_name)}",
            f"one of the scene's bands, also of {', '.join(lacking)}",
            "calibrate this scene (geosharp calibrate), or name its bands' sensor (--sensor)",
        )
    pairs = zip(calibration.ratio, scene.relation.ratio, strict=True)
    if any(abs(theirs / ours - 1) > _SAME_RATIO for theirs, ours in pairs):
        raise InputError(
            name,
            f"a calibration at a ratio of {calibration.ratio[0]:.4g}",
            f"one at the scene's ratio, {scene.relation.ratio[0]:.4g}",
            "calibrate this scene (geosharp calibrate)",
        )
    return replace(calibration, bands=tuple(by_name[band] for band in wanted))
