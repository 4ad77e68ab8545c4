"""What a method is asked, and what its job is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from geosharp.engine.plan import Plan
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene

if TYPE_CHECKING:
    import torch

    from geosharp.hfreqdiff.checkpoint import Model
    from geosharp.imaging.degradation import Degradation


@dataclass(frozen=True)
class Options:
    """What a user asks of a method but its name, for one run; None leaves it open. weights: of brovey, one a
    band; diffusion: of hfreqdiff."""

    weights: Sequence[float] | None = None
    diffusion: Diffusion | None = None

    @property
    def settings(self) -> Diffusion:
        """Of hfreqdiff: what was asked for, or its defaults."""
        return self.diffusion or Diffusion()

    @property
    def device(self) -> torch.device:
        """What hfreqdiff computes on."""
        from geosharp.hfreqdiff.models import find_device

        return find_device(self.settings.device)

    @cached_property
    def model(self) -> Model:
        """Of hfreqdiff, on its device. Read when first asked for, and once: a file that changes in the
        meantime changes nothing."""
        from geosharp.hfreqdiff.models import open_model

        return open_model(self.settings.model, self.device)


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
    options: Options = field(default_factory=Options)
    degradation: Degradation | None = None
    notes: tuple[str, ...] = ()

    @property
    def known_degradation(self) -> Degradation:
        from geosharp.padm.table import table_degradation

        return self.degradation or table_degradation(self.scene)
