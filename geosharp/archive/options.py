"""What is asked of `fuse` for all scenes of a batch, and in a table for one of them alone."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from geosharp.calibration import check_choice
from geosharp.engine.methods import DEFAULT_METHOD, METHODS
from geosharp.engine.preparation import DTYPES, EXTENTS, check_among, choose_options
from geosharp.errors import GeosharpError, InputError, UsageError
from geosharp.fusion import fuse
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.raster.manifest import Listed
from geosharp.raster.sensors import find_sensor

# Calibrated once for all scenes of a sensor, see calibrations.
PER_SENSOR = "per-sensor"
# Of `fuse`'s arguments, those that are a batch's own business, and files that scenes cannot share.
_OURS = {"pan", "ms", "out", "overwrite", "resume", "progress", "on_note", "profile", "cluster"}
_OURS |= {"preview", "uncertainty", "save_model"}
_ALIASES = {"sensor_file": "sensor", "m": "method"}
_REMEDY = 'write options as {"method": "glp", "steps": 4}, by the names of fuse\'s flags or arguments'


def check_shared(options: Mapping[str, Any]) -> None:
    """Refuse options that scenes cannot share, or that `fuse` does not know."""
    if own := sorted(_OURS & options.keys()):
        raise UsageError("options", ", ".join(own), "arguments that all scenes share", "leave these out")
    known = inspect.signature(fuse).parameters.keys()
    if unknown := sorted(options.keys() - known):
        needed = f"arguments of geosharp.fuse: {', '.join(sorted(known - _OURS))}"
        raise UsageError("options", ", ".join(unknown), needed, "correct these")
    method = options.get("method")
    if options.get("calibration") == PER_SENSOR and method in METHODS and not METHODS[method].calibrated:
        remedy = f"leave --calibration out: {method} takes none"
        raise UsageError("--calibration", f"{PER_SENSOR} for {method}", "a method that is calibrated", remedy)
    _check(options)


def merge_options(shared: Mapping[str, Any], scene: Listed) -> dict[str, Any]:
    """The arguments of `fuse` for a scene: its own before those of all. What cannot be is refused by the
    scene's place in its list."""
    if not scene.options:
        return dict(shared)
    try:
        own = _read(scene.options, Path(scene.folder))
        if "diffusion" in own:
            own["diffusion"] = replace(shared.get("diffusion") or Diffusion(), **own["diffusion"])
        merged = _without_useless(dict(shared), own) | own
        _check(merged)
    except GeosharpError as error:
        raise InputError(
            f"{scene.place}, {error.subject}", error.found, error.needed, error.remedy
        ) from error
    return merged


def name_files(options: Mapping[str, Any]) -> Iterator[str]:
    """What may be a file among arguments of `fuse`."""
    for value in (*options.values(), getattr(options.get("diffusion"), "model", None)):
        if isinstance(value, str | os.PathLike):
            yield os.fspath(value)


def _without_useless(shared: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What all scenes share, less what the scene's own method has no use for."""
    method = METHODS.get(own.get("method", ""))
    if method is not None and not method.diffuses:
        shared.pop("diffusion", None)
        shared.pop("adapt", None)
    if method is not None and not method.calibrated:
        shared.pop("calibration", None)
    if method is not None and not method.weighted:
        shared.pop("weights", None)
    return shared


def _read(given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Arguments of `fuse` as a table has them; what belongs to `diffusion` as a dict."""
    read: dict[str, Any] = {}
    diffusion: dict[str, Any] = {}
    for flag, value in given.items():
        name = flag.strip().lstrip("-").replace("-", "_")
        name = _ALIASES.get(name, name)
        if name.startswith("no_") and name.removeprefix("no_") in _READERS and isinstance(value, bool):
            name, value = name.removeprefix("no_"), not value
        if name not in _READERS:
            known = ", ".join(sorted(_READERS))
            raise UsageError("options", f"'{flag:.40}', which is none of a scene's", known, _REMEDY)
        value = _READERS[name](name, value, folder)
        if name in read or name in diffusion:
            raise UsageError("options", f"{name} twice", "each option once", _REMEDY)
        (diffusion if name in _OF_DIFFUSION else read)[name] = value
    return read | ({"diffusion": diffusion} if diffusion else {})


def _check(options: Mapping[str, Any]) -> None:
    """Refuse what can be refused without a look at the scene."""
    weights, diffusion, adapt = (options.get(name) for name in ("weights", "diffusion", "adapt"))
    choose_options([options.get("method") or DEFAULT_METHOD], weights, diffusion, adapt)
    calibration = options.get("calibration", "auto")
    if calibration != PER_SENSOR:
        check_choice(calibration)
    if (sensor := options.get("sensor")) is not None:
        find_sensor(str(sensor))
    for name, known in (("extent", EXTENTS), ("dtype", DTYPES)):
        if (value := options.get(name)) is not None:
            check_among(f"--{name}", value, known)


def _refuse(name: str, value: object, needed: str) -> UsageError:
    return UsageError(f"--{name.replace('_', '-')}", f"{value!r:.40}", needed, _REMEDY)


def _text(name: str, value: Any, folder: Path) -> str:
    """A text; one that names a file in the table's folder is its path."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise _refuse(name, value, "a text")
    there = folder / value
    return str(there) if name in _FILES and there.is_file() else value


def _flag(name: str, value: Any, folder: Path) -> bool:
    if not isinstance(value, bool):
        raise _refuse(name, value, "true or false")
    return value


def _whole(name: str, value: Any, folder: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refuse(name, value, "a whole number")
    return value


def _number(name: str, value: Any, folder: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise _refuse(name, value, "a number")
    return float(value)


def _numbers(name: str, value: Any, folder: Path) -> tuple[float, ...]:
    """A list, or numbers with commas between."""
    parts = value.split(",") if isinstance(value, str) else value
    try:
        return tuple(_number(name, float(part), folder) for part in parts)
    except (TypeError, ValueError, OverflowError) as error:
        raise _refuse(name, value, "numbers") from error


def _bands(name: str, value: Any, folder: Path) -> list[str | int]:
    parts = value.split(",") if isinstance(value, str) else value
    known = isinstance(parts, list) and all(
        isinstance(part, str | int) and not isinstance(part, bool) for part in parts
    )
    if not known:
        raise _refuse(name, value, "bands by number or name")
    return [part.strip() if isinstance(part, str) else part for part in parts]


def _area(name: str, value: Any, folder: Path) -> str | tuple[float, ...]:
    """A box of four numbers, or the path of a file."""
    if isinstance(value, str) and value.count(",") != 3:
        return _text(name, value, folder)
    box = _numbers(name, value, folder)
    if len(box) != 4:
        raise _refuse(name, value, "left, bottom, right, top")
    return box


_FILES = {"sensor", "area", "calibration", "model"}
# What a table may ask for one scene: that which decides its pixels or its form, not where and how fast it is
# made, which is the machine's.
_READERS: dict[str, Callable[[str, Any, Path], Any]] = {
    **dict.fromkeys(("method", "sensor", "extent", "dtype", "calibration", "model", "precision"), _text),
    **dict.fromkeys(("cog", "overviews", "mask", "align"), _flag),
    **dict.fromkeys(("steps", "seed", "consistency"), _whole),
    "adapt": _number,
    "weights": _numbers,
    "bands": _bands,
    "area": _area,
}
_OF_DIFFUSION = {part.name for part in fields(Diffusion)} & _READERS.keys()
