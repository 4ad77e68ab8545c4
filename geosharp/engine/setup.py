"""What a method is asked, and what its job is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geosharp.engine.plan import Plan
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene

if TYPE_CHECKING:
    from geosharp.imaging.degradation import Degradation


@dataclass(frozen=True)
class Options:
    """What a user asks of a method but its name; None leaves it open. weights: of brovey, one a band;
    diffusion: of hfreqdiff."""

    weights: Sequence[float] | None = None
    diffusion: Diffusion | None = None

    @property
    def settings(self) -> Diffusion:
        """Of hfreqdiff: what was asked for, or its defaults."""
        return self.diffusion or Diffusion()


@dataclass(frozen=True)
class Setup:
    """A fusion once all is decided that is global for the scene.

    scene: aligned, where the method cares; degradation: what it computes with, by default what the sensor's
    table states; notes: what a user should know of these choices.
    """

    scene: Scene
    method: str
    pixels: Pixels
    plan: Plan
    options: Options = Options()
    degradation: Degradation | None = None
    notes: tuple[str, ...] = ()

    @property
    def known_degradation(self) -> Degradation:
        from geosharp.padm.table import table_degradation

        return self.degradation or table_degradation(self.scene)
