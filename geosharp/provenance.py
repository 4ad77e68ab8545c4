"""How a result was made, from its own tags, and the command that makes it again."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geosharp.document import make_document
from geosharp.engine.lineage import OUTPUT
from geosharp.errors import InputError, UsageError
from geosharp.hfreqdiff.models import find_model
from geosharp.hfreqdiff.settings import DEFAULT_DRAWS, Diffusion
from geosharp.quality.report.lineage import read_lineage
from geosharp.raster.source import FilePath, describe
from geosharp.version import __version__

_PREFIX = "GEOSHARP_"
# Arguments that `fuse` takes as options of the same name; what is left out where it holds the default.
_PLAIN = {
    "method": None,
    "bands": None,
    "sensor": None,
    "weights": None,
    "area": None,
    "extent": "intersection",
    "dtype": None,
    "calibration": "auto",
    "model": Diffusion.model,
    "steps": Diffusion.steps,
    "seed": Diffusion.seed,
    "consistency": Diffusion.consistency,
    "precision": Diffusion.precision,
    "adapt": None,
    "device": None,
    "tile": None,
}


def trace(name: FilePath) -> dict[str, Any]:
    """What a result of `fuse` tells of its making, as JSON-ready values: version, method, facts as text by
    name, parameters as `fuse` was given them, command, and notes on what may be otherwise now."""
    source = describe(name, "result")
    tags = {key: value for key, value in source.tags.get("", {}).items() if key.startswith(_PREFIX)}
    parameters = _read(tags.get(f"{_PREFIX}PARAMETERS", ""))
    if not {"pan", "ms", "method"} <= parameters.keys():
        found, needed = "has no tags of geosharp that tell how it was made", "a result of geosharp fuse"
        raise InputError(name, found, needed, "name PAN and MS instead, or such a result")
    output = _read(tags.get(OUTPUT, ""))
    known = read_lineage(tags)
    facts = {
        "file": str(name),
        "version": tags.get(f"{_PREFIX}VERSION", "unknown"),
        "method": known.method,
        "facts": {fact.label: fact.value for fact in (*known.facts, *known.parameters)},
        "parameters": parameters,
        "command": _command(Path(name), parameters, output),
        "notes": _notes(tags, parameters),
    }
    return make_document("origin/1", facts)


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _command(name: Path, parameters: Mapping[str, Any], output: Mapping[str, Any]) -> str:
    """As a shell takes it; beside the result, which is not replaced."""
    again = name.with_name(f"{name.stem}-again{name.suffix}")
    words = ["geosharp", "fuse", parameters["pan"], *parameters["ms"], "-o", str(again)]
    for key, default in _PLAIN.items():
        if (value := parameters.get(key)) not in (None, default):
            words += [f"--{key}", _word(value)]
    if parameters.get("align") is False:
        words.append("--no-align")
    if (draws := parameters.get("draws")) is not None:
        words += ["--uncertainty", str(again.with_stem(f"{again.stem}-uncertainty"))]
        words += [] if draws == DEFAULT_DRAWS else ["--draws", str(draws)]
    words += ["--cog"] if output.get("cog") else []
    words += ["--no-overviews"] if output.get("overviews") is False else []
    words += ["--no-mask"] if output.get("mask") is False else []
    for key, value in output.get("creation", {}).items():
        words += ["--co", f"{key}={value}"]
    return shlex.join(map(str, words))


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _notes(tags: Mapping[str, str], parameters: Mapping[str, Any]) -> list[str]:
    """What would make other pixels of the same command."""
    notes, version = [], tags.get(f"{_PREFIX}VERSION", "unknown")
    if version != __version__:
        notes.append(f"made by geosharp {version}, and this is {__version__}: pixels may differ")
    adaptation = _read(tags.get(f"{_PREFIX}ADAPTATION", ""))
    # What learnt from the scene began with the model that the command names.
    base = {"model_sha256": adaptation.get("base_sha256")} if adaptation.get("better") else {}
    for what in ("model", "sensor", "area", "calibration"):
        name, digest = parameters.get(what), {**parameters, **base}.get(f"{what}_sha256")
        if not (isinstance(name, str) and isinstance(digest, str)):
            continue
        if (now := _hash(what, name)) is None:
            notes.append(f"its {what} {name} is not here: it had the hash {digest}")
        elif now != digest:
            notes.append(f"the {what} {name} is another one now than it was ({digest[:8]})")
    inputs = (parameters["pan"], *parameters["ms"])
    notes += [f"{name} is not here" for name in inputs if _is_path(name) and not Path(name).exists()]
    if f"{_PREFIX}CALIBRATION" in tags and "calibration" not in parameters:
        notes.append("it was given a calibration in Python, which the command lacks: save that, and name it")
    return notes


def _is_path(name: str) -> bool:
    """Whether it is the name of a file, and not one that GDAL alone understands."""
    return not name.startswith(("/vsi", "<")) and ":" not in name.split("/", 1)[0]


def _hash(what: str, name: str) -> str | None:
    """SHA-256 of the file that serves under a name now; None where there is none."""
    try:
        path = find_model(name) if what == "model" else Path(name)
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (UsageError, OSError):
        return None
