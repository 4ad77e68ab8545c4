"""What a method's job is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geosharp.engine.plan import Plan
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene

if TYPE_CHECKING:
    from geosharp.imaging.degradation import Degradation


@dataclass(frozen=True)
class Setup:
    """A fusion once all is decided that is global for the scene.

    scene: aligned, where the method cares; weights: of brovey, one a band; degradation: what else computes
    with, by default what the sensor's table states.
    """

    scene: Scene
    method: str
    pixels: Pixels
    plan: Plan
    weights: Sequence[float] | None = None
    degradation: Degradation | None = None

    @property
    def known_degradation(self) -> Degradation:
        from geosharp.padm.table import table_degradation

        return self.degradation or table_degradation(self.scene)
