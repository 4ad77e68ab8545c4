"""How a result is made: told in its tags; and what of that decides its pixels, by which a run is known."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from geosharp.engine.methods import METHODS
from geosharp.engine.setup import Setup
from geosharp.errors import OutputError
from geosharp.raster.output import OutputFormat
from geosharp.raster.scene import Scene
from geosharp.raster.stamp import stamp_inputs
from geosharp.version import __version__

# What the file is like besides its pixels, as JSON of what is not at its default.
OUTPUT = "GEOSHARP_OUTPUT"


def tell_lineage(
    setup: Setup,
    chosen: Mapping[str, object],
    form: OutputFormat,
    learnt: Mapping[str, object] | None,
    adaptation: Mapping[str, object] | None,
) -> dict[str, str]:
    """Tags, with the arguments that decide the result's pixels as JSON.

    chosen: what the user asked for, None where it was left open; form: of the file; learnt: how the scene
    came about, None where nobody asks or that is still to be learnt; adaptation: what came of it.
    """
    scene, method = setup.scene, setup.method
    parameters = {name: value for name, value in chosen.items() if value is not None}
    parameters |= {"method": method, **METHODS[method].facts(setup.options)}
    # Decides no pixel, but whoever looks for seams must know where they would be.
    parameters["tile"] = setup.plan.tile
    if setup.ceiling is not None:
        parameters["clipped_at"] = setup.ceiling
    tags = {
        "GEOSHARP_VERSION": __version__,
        "GEOSHARP_METHOD": method,
        "GEOSHARP_SENSOR": f"{scene.sensor.title} ({scene.sensor_reason})",
    }
    if not METHODS[method].calibrated:
        for name in ("calibration", "calibration_sha256", "align"):
            parameters.pop(name, None)
    if learnt is not None:
        tags["GEOSHARP_CALIBRATION"] = json.dumps(learnt)
    if adaptation is not None:
        tags["GEOSHARP_ADAPTATION"] = json.dumps(adaptation)
    shape = {"cog": form.cog, "overviews": form.overviews, "mask": form.mask, "creation": dict(form.creation)}
    plain = asdict(OutputFormat())
    if special := {name: value for name, value in shape.items() if value != plain[name]}:
        tags[OUTPUT] = json.dumps(special)
    return tags | {"GEOSHARP_PARAMETERS": json.dumps(parameters, sort_keys=True, default=str)}


def identify(lineage: Mapping[str, str], scene: Scene) -> dict[str, str]:
    """What decides the result's pixels, as text by name: the files, and how it is made."""
    told = dict(lineage)
    parameters = json.loads(told.pop("GEOSHARP_PARAMETERS"))
    # Files are known by what is in them.
    settings = {name: str(value) for name, value in parameters.items() if name not in ("pan", "ms", "model")}
    told.pop(OUTPUT, None)
    tags = {name.removeprefix("GEOSHARP_").lower(): value for name, value in told.items()}
    return identify_place(scene) | tags | settings


def identify_place(scene: Scene) -> dict[str, str]:
    """Of that, what another process or computer may see otherwise: the files, and what computes."""
    # What computes may round otherwise once it is another version.
    versions = {name: version(name) for name in ("rasterio", "torch")}
    inputs = stamp_inputs(scene.pan.name, [source.name for source in scene.ms], scene.files)
    bands = ", ".join(f"{band.number} {band.name}" for band in scene.bands)
    return inputs | {"bands of MS": bands} | versions | {"version": __version__}


def find_differences(told: Mapping[str, str], now: Mapping[str, str]) -> tuple[list[str], str]:
    """The names of what differs, none where nothing does, and how: what was told, and what is now."""
    names = sorted({*told, *now})
    differing = [name for name in names if told.get(name) != now.get(name)]
    return differing, "; ".join(
        f"{name} was {told.get(name) or 'not given'}, is {now.get(name) or 'not given'}" for name in differing
    )


def check_same(told: Mapping[str, str], now: Mapping[str, str], path: Path, what: str) -> None:
    """Refuse to go on with what another run has left, by what differs.

    told, now: what decided its pixels and decides these; path: where it is told; what: that is.
    """
    differing, changes = find_differences(told, now)
    if not differing:
        return
    found = f"{what} of a run with other {', '.join(differing)} ({changes})"
    remedy = "take the files and settings of before, or leave --resume out to start anew"
    if differing == ["tile"] and "tile" in told:
        remedy = f"pass --tile {told['tile']}, or leave --resume out to start anew"
    raise OutputError(path, found, "the same inputs, model and settings", remedy)


def name_file(value: object) -> str | None:
    """A file's name as it was given; None for what is no name."""
    return os.fspath(value) if isinstance(value, str | os.PathLike) else None


def hash_file(value: object) -> str | None:
    """Of the file that a setting is from, if it is from one."""
    if not isinstance(value, str | os.PathLike) or not Path(value).is_file():
        return None
    return hashlib.sha256(Path(value).read_bytes()).hexdigest()
