"""What a method's job is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geosharp.engine.plan import Plan
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene


@dataclass(frozen=True)
class Setup:
    """A fusion once all is decided that can be before a pixel is read. weights: of brovey, one a band."""

    scene: Scene
    method: str
    pixels: Pixels
    plan: Plan
    weights: Sequence[float] | None = None
