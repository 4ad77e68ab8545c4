"""What a result's tags tell of its making."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geosharp.quality.report.content import Fact
from geosharp.raster.scene import Scene

_PREFIX = "GEOSHARP_"
_TILE = 512
# Told with the scene, or as the method.
_ELSEWHERE = ("method", "ms", "pan")
# Of whose values, which may be paths, only the last part is shown: a page is passed on.
_PATHS = ("pan", "ms", "area", "sensor", "model", "calibration")
# A calibration's sources and verdicts in words.
_SOURCES = {"scene": "learnt from the scene", "sensor": "the sensor's table"}
_VERDICTS = {
    "bounded": "stopped at the limit of what is looked for",
    "unidentifiable": "the scene did not tell: the sensor's table instead",
}


@dataclass(frozen=True)
class Lineage:
    """method: "unknown" where no tag tells; bands, sensor: what was asked for, None for the default; tile:
    PAN pixels, of which `tile_known` says whether they were told or are assumed."""

    method: str
    bands: list[int | str] | int | str | None
    sensor: str | None
    tile: int
    tile_known: bool
    parameters: tuple[Fact, ...]
    facts: tuple[Fact, ...]


def read_lineage(tags: Mapping[str, str]) -> Lineage:
    """From a result's tags of any origin: what is not there, or not as geosharp writes it, is unknown."""
    own = {key.removeprefix(_PREFIX).lower(): value for key, value in tags.items() if key.startswith(_PREFIX)}
    parameters = _read_json(own.pop("parameters", ""))
    tile, sensor = parameters.get("tile"), parameters.get("sensor")
    known_tile = tile if isinstance(tile, int) and tile > 1 else None
    parameters |= {key: _bare(parameters[key]) for key in _PATHS if key in parameters}
    shown = {key: value for key, value in parameters.items() if key not in _ELSEWHERE}
    if calibration := _read_json(own.pop("calibration", "")):
        shown["calibration"] = _tell_calibration(calibration)
    if adaptation := _read_json(own.pop("adaptation", "")):
        shown["adaptation"] = str(adaptation.get("verdict", "unknown"))
    if output := _read_json(own.pop("output", "")):
        shown["output"] = _tell_output(output)
    return Lineage(
        method=own.pop("method", "") or "unknown",
        bands=_read_bands(parameters.get("bands")),
        sensor=sensor if isinstance(sensor, str) else None,
        tile=known_tile or _TILE,
        tile_known=known_tile is not None,
        parameters=_facts(shown),
        facts=_facts(
            {**own, **{f"made from {key}": parameters[key] for key in ("pan", "ms") if key in parameters}}
        ),
    )


def find_pixel_size(scene: Scene) -> float | None:
    """A PAN pixel's width in metres; None where the scene's coordinates are no lengths."""
    grid = scene.grid
    if grid.transform is None or grid.crs is None or not grid.crs.is_projected:
        return None
    return abs(grid.transform.a) * float(grid.crs.linear_units_factor[1])


def _read_json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _read_bands(value: object) -> list[int | str] | int | str | None:
    each = value if isinstance(value, list) else [value]
    known = [part for part in each if isinstance(part, int | str)]
    return known if known and len(known) == len(each) else None


def _tell_calibration(known: Mapping[str, Any]) -> str:
    """In a line, what a result was made with."""
    parts = [_tell(_SOURCES, known.get("source", "unknown"))]
    if "verdict" in known:
        parts.append(_tell(_VERDICTS, known["verdict"]))
    if isinstance(shift := known.get("shift"), list) and all(isinstance(each, float) for each in shift):
        parts.append(f"MS moved by {' rows and '.join(f'{each:+.2f}' for each in shift)} columns")
    return ", ".join(parts)


def _tell_output(form: Mapping[str, Any]) -> list[str]:
    """What of a file's form is not at its default."""
    creation = form.get("creation")
    told = ["Cloud Optimized GeoTIFF"] if form.get("cog") is True else []
    told += [f"without {part}" for part in ("overviews", "mask") if form.get(part) is False]
    return told + [
        f"{key}={value}" for key, value in (creation if isinstance(creation, dict) else {}).items()
    ]


def _tell(words: Mapping[str, str], told: object) -> str:
    return words.get(str(told), str(told))


def _facts(values: Mapping[str, object]) -> tuple[Fact, ...]:
    return tuple(Fact(key.replace("_", " ").capitalize(), _text(value)) for key, value in values.items())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def describe_scene(scene: Scene) -> tuple[Fact, ...]:
    """What a result was made from, in a few lines."""
    files = ", ".join(_bare(source.name) for source in scene.ms)
    (height, width), relation, crs = scene.grid.shape, scene.placed, scene.grid.crs
    ms_height, ms_width = scene.ms_grid.shape
    ratio = " x ".join(f"{value:.6g}" for value in dict.fromkeys(relation.ratio))
    facts = {
        "Sensor": f"{scene.sensor.title} ({scene.sensor_reason})",
        "PAN": f"{_bare(scene.pan.name)}, {width} x {height}, {scene.pan.dtype}",
        "MS": f"{files}, {ms_width} x {ms_height}, {scene.dtype}",
        "Bands": ", ".join(band.name for band in scene.bands),
        "CRS": "none" if crs is None else crs.to_string()[:80],
        "MS on PAN": f"ratio {ratio}, {relation.shift[0]:.3g} rows and {relation.shift[1]:.3g} columns aside",
    }
    notes = [Fact("Note", _hide_folders(note, scene)) for note in scene.notes]
    return (*(Fact(label, value) for label, value in facts.items()), *notes)


def _hide_folders(text: str, scene: Scene) -> str:
    for source in (scene.pan, *scene.ms):
        text = text.replace(source.name, _bare(source.name))
    return text


def _bare(value: Any) -> Any:
    """The last part of a path of any system, or of each in a list; what is no text stays."""
    if isinstance(value, list):
        return [_bare(each) for each in value]
    return value.replace("\\", "/").rsplit("/", 1)[-1] if isinstance(value, str) else value
