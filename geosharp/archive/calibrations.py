"""One calibration for all scenes of a sensor: learnt of the first, kept, and taken by the others.

What is shared is how the sensor blurs and mixes; where MS lies is each scene's own, see calibration.learn.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geosharp.archive.ledger import Row
from geosharp.archive.options import PER_SENSOR
from geosharp.archive.outputs import make_folder
from geosharp.calibration import learn_scene
from geosharp.errors import GeosharpError
from geosharp.notes import Tell
from geosharp.raster.scene import Scene, open_scene
from geosharp.raster.sensors import UNKNOWN

FOLDER = ".calibrations"
_OWN = "auto"

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """The calibration for a scene, as `fuse` takes it; and a note where it is not its sensor's."""

    calibration: str
    note: str = ""


def share_calibrations(
    rows: Sequence[Row], options: Sequence[Options], waiting: Sequence[str], folder: Path, tell: Tell
) -> dict[str, Choice]:
    """For each result of `waiting` that is to be PER_SENSOR: the file in `folder` that its sensor has.

    rows, options: of all scenes in their order, and of `fuse`. A sensor that has no file is calibrated of the
    first scene in that order from which it can be told, whichever are waiting: the same in every run.
    """
    asking = {
        row.out: (row, given)
        for row, given in zip(rows, options, strict=True)
        if given.get("calibration") == PER_SENSOR
    }
    keys: dict[str, str | None] = {}
    for out in waiting:
        if out in asking:
            keys[out] = _find_key(*asking[out])
    files = {key: folder / FOLDER / f"{key}.json" for key in keys.values() if key is not None}
    missing = {key for key, file in files.items() if not file.exists()}
    for out, (row, given) in asking.items():
        if not missing:
            break
        if out not in keys:
            keys[out] = _find_key(row, given)
        if (key := keys[out]) in missing and _learn(row, given, files[key], tell):
            missing.discard(key)
    if there := files.keys() - missing:
        # With it comes torch, which archives of no calibration do without.
        from geosharp.padm.calibration import load_calibration

        # Better one message now than one for each scene.
        for key in there:
            load_calibration(files[key])
    return {out: _choose(keys[out], files, missing) for out in waiting if out in asking}


def _choose(key: str | None, files: Mapping[str, Path], missing: set[str]) -> Choice:
    if key is None:
        return Choice(_OWN, "calibrated on its own, as its sensor is not known")
    if key in missing:
        return Choice(_OWN, "calibrated on its own, as none of its sensor's scenes could be")
    return Choice(str(files[key]))


def _open(row: Row, options: Options) -> Scene:
    return open_scene(row.pan, row.ms, bands=options.get("bands"), sensor=options.get("sensor"))


def _find_key(row: Row, options: Options) -> str | None:
    """What scenes have in common that one calibration serves: sensor, bands and ratio, and whether MS may be
    moved, as kernels are others where it must not. None where that is not known, or the scene is no pair."""
    try:
        scene = _open(row, options)
    except GeosharpError:
        return None
    if scene.sensor.key == UNKNOWN.key:
        return None
    ratio = [round(each, 2) for each in scene.relation.ratio]
    origin = scene.sensor.origin
    facts = [
        scene.sensor.key,
        None if origin is None else origin.digest,
        [band.name for band in scene.bands],
        ratio,
        options.get("align", True),
    ]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]
    sensor = re.sub(r"[^0-9a-z]+", "-", scene.sensor.key.casefold())[:40]
    return f"{sensor}_{len(scene.bands)}-bands_ratio-{ratio[0]:g}_{digest}"


def _learn(row: Row, options: Options, file: Path, tell: Tell) -> bool:
    """Whether the sensor's calibration could be told from the scene, and is in `file`."""
    try:
        calibration = learn_scene(_open(row, options), align=options.get("align", True))
    except GeosharpError as error:
        tell(f"{row.name}: no calibration of its sensor is from it: {error}")
        return False
    if not calibration.usable:
        reasons = "; ".join(calibration.reasons)
        tell(f"{row.name}: no calibration of its sensor is from it: {reasons}")
        return False
    make_folder(file.parent)
    # Another batch may have written it meanwhile: to the same bits.
    calibration.save(file, overwrite=True)
    tell(f"{file.name}: learnt from {row.name}")
    return True
