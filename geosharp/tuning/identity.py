"""What a run is told apart by: all that decides its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from geosharp.hfreqdiff.checkpoint import Model
from geosharp.raster.scene import Scene
from geosharp.raster.stamp import read_sidecar
from geosharp.tuning.recipe import Recipe
from geosharp.version import __version__

_SETTING = "setting "


def identify(
    scenes: Sequence[Scene],
    hashes: Sequence[Mapping[str, str]],
    base: Model | None,
    recipe: Recipe,
    *,
    align: bool,
) -> dict[str, str]:
    """As text by name: settings, the base, and each scene, wherever its files lie; hashes: see hash_files."""
    settings = recipe.identity | {"align": str(align)}
    found = {f"{_SETTING}{name}": value for name, value in settings.items()}
    found["geosharp"] = __version__
    found["base"] = "none" if base is None else base.digest
    for number, (scene, known) in enumerate(zip(scenes, hashes, strict=True), 1):
        files = " ".join(f"{Path(file).name} {digest}" for file, digest in known.items())
        bands = ",".join(f"{band.number} {band.name}" for band in scene.bands)
        found[f"scene {number}"] = f"{scene.sensor.title} {bands} {files}"
    return found


def settings_in(identity: Mapping[str, str]) -> dict[str, str]:
    """The settings of an identity, less what was left open."""
    return {
        name.removeprefix(_SETTING): value
        for name, value in identity.items()
        if name.startswith(_SETTING) and value != str(None)
    }


def hash_files(scene: Scene) -> dict[str, str]:
    """SHA-256 of each file that is read, less what viewers leave beside it; empty for what is on no disk."""
    found = {}
    for name in scene.files or [scene.pan.name, *(ms.name for ms in scene.ms)]:
        path = Path(name)
        told = read_sidecar(path)
        if told == b"":
            continue
        found[name] = "" if told is None else hashlib.sha256(told).hexdigest()
        if told is None and path.is_file():
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
