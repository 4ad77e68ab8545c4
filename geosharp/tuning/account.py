"""What a tuned model tells of itself in its header: where it comes from, and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geosharp.hfreqdiff.checkpoint import Model
from geosharp.raster.scene import Scene
from geosharp.tuning.ground import Ground
from geosharp.tuning.judge import Scores
from geosharp.tuning.tune import Tuned
from geosharp.tuning.verdict import Verdict
from geosharp.version import __version__


def tell_scene(
    scene: Scene, hashes: Mapping[str, str], calibration: Mapping[str, object], ground: Ground
) -> dict[str, Any]:
    """A scene that was learnt from; hashes: see identity.hash_files; calibration: its facts."""
    return {
        "pan": Path(scene.pan.name).name,
        "ms": [Path(source.name).name for source in scene.ms],
        "sha256": [[Path(file).name, digest] for file, digest in hashes.items()],
        "sensor": scene.sensor.title,
        "sensor_file": None if scene.sensor.origin is None else scene.sensor.origin.name,
        "sensor_sha256": None if scene.sensor.origin is None else scene.sensor.origin.digest,
        "bands": [band.name for band in scene.bands],
        "ratio": list(scene.relation.ratio),
        "calibration": calibration,
        "kept_aside_ms_pixels": [[r.row, r.col, r.height, r.width] for r in ground.places.scored],
    }


def tell_origin(
    command: str, scenes: Sequence[Mapping[str, Any]], base: Model | None, settings: Mapping[str, str]
) -> dict[str, Any]:
    """Where a model comes from; scenes: see tell_scene; settings: of the recipe, and what else decides it."""
    return {
        "made_by": f"geosharp {command} {__version__}",
        "scenes": list(scenes),
        "base": {"sha256": None if base is None else base.digest},
        "licences": [] if base is None else base.header.facts.get("licences", []),
        "settings": dict(settings),
    }


def tell_outcome(tuned: Tuned, means: Mapping[str, Scores], verdict: Verdict) -> dict[str, Any]:
    """How a model was made, and what it is worth. Without seconds: the same run tells the same."""
    return {
        "steps_made": tuned.steps,
        "step_of_weights": tuned.step,
        "scores": {
            name: {
                protocol: {metric: _finite(value) for metric, value in found.items()}
                for protocol, found in scores.items()
            }
            for name, scores in means.items()
        },
        "verdict": verdict.text,
        "gains": [round(gain, 3) for gain in verdict.gains],
    }


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
