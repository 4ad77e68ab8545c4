"""Check a pair before work: whether it is fit to fuse, in words, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geosharp.calibration import learn_scene
from geosharp.checkup.colours import check_cloud, check_order
from geosharp.checkup.look import take_look
from geosharp.checkup.needs import check_duration, check_memory
from geosharp.checkup.registration import check_agreement, check_map, check_registration, draw_map
from geosharp.checkup.values import check_bits, check_holes, check_saturation, read_channels
from geosharp.document import make_document
from geosharp.engine.cautions import check_disk, check_georeference, check_overlap, check_times, raw_size
from geosharp.engine.methods import DEFAULT_METHOD
from geosharp.engine.plan import Limits
from geosharp.engine.preparation import choose_options, preliminary_notes, prepare_scene
from geosharp.errors import GeosharpError, ResourceError, UsageError
from geosharp.finding import Finding, Level, find_worst, refuse
from geosharp.raster.ceiling import find_ceiling
from geosharp.raster.scene import Scene, name_inputs, open_scene
from geosharp.raster.source import FilePath


@dataclass(frozen=True)
class Checkup:
    """What was found. files: PAN and MS as they were called; shift_map: lines that show where MS lies on PAN,
    place by place, empty where that is not known."""

    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    shift_map: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        """The worst of the findings'."""
        return find_worst(self.findings)

    @property
    def fit(self) -> bool:
        """Whether fuse would give something of use."""
        return self.level != "stop"

    def as_json(self) -> dict[str, Any]:
        """What `geosharp check --json` prints."""
        facts = {
            "pan": self.files[0],
            "ms": self.files[1:],
            "fit": self.fit,
            "level": self.level,
            "findings": self.findings,
            "shift_map": self.shift_map,
        }
        return make_document("check/1", facts)


def check(
    pan: FilePath,
    ms: FilePath | Sequence[FilePath],
    *,
    bands: int | str | Sequence[int | str] | None = None,
    sensor: FilePath | None = None,
    method: str | None = None,
    threads: int | None = None,
    max_memory: int | None = None,
    folder: FilePath = ".",
) -> Checkup:
    """Say whether PAN and MS are fit to fuse, from headers and a sample of pixels, in seconds.

    Arguments as of `fuse`; folder: where the result would be written. What `fuse` would refuse the pair for
    is a finding; only wrong arguments raise.
    """
    files = tuple(name_inputs(pan, ms))
    scene, setup, findings = None, None, list[Finding]()
    options = choose_options([DEFAULT_METHOD if method is None else method])
    try:
        scene = open_scene(pan, ms, bands=bands, sensor=sensor)
        setup = prepare_scene(scene, method, options, limits=Limits(threads=threads, max_memory=max_memory))
    except UsageError:
        raise
    except GeosharpError as error:
        subject = "pair" if scene is None else "memory" if isinstance(error, ResourceError) else "method"
        findings.append(refuse(subject, error))
    if scene is None:
        return Checkup(files, tuple(findings))
    for note in scene.notes if setup is None else preliminary_notes(setup):
        findings.append(Finding("pair", "note", note, "see that this is what you expect"))
    findings += [check_overlap(scene), check_georeference(scene), check_times(scene)]
    shift_map: tuple[str, ...] = ()
    try:
        found, shift_map = _check_pixels(scene, None if setup is None else setup.plan.tile_count)
        findings += found
    except GeosharpError as error:
        # Headers are whole, and pixels are not.
        findings.append(refuse("pair", error))
    if setup is not None:
        findings += [check_memory(setup), check_duration(setup), check_disk(Path(folder), raw_size(setup))]
    return Checkup(files, tuple(findings), shift_map)


def _check_pixels(scene: Scene, tiles: int | None) -> tuple[list[Finding], tuple[str, ...]]:
    """What a sample of pixels tells, and the map of shifts. tiles: that fuse would work on, where known."""
    look = take_look(scene)
    holes = check_holes(look, tiles)
    if holes.level == "stop":
        return [holes], ()
    calibration = learn_scene(scene)
    channels = read_channels(scene, look)
    findings = [
        check_registration(scene, calibration),
        check_map(calibration),
        check_agreement(calibration),
        holes,
        check_saturation(channels, find_ceiling(scene)),
        check_bits(scene, channels),
        check_order(scene, look),
        check_cloud(scene, look),
    ]
    return findings, tuple(draw_map(calibration.local_shifts, scene.area))
