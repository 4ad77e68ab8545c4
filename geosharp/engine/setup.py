"""What a method is asked, and what its job is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from geosharp.engine.clock import STOPPED, Clock
from geosharp.engine.plan import Gpus, Plan
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
    band; diffusion: of hfreqdiff; adapt: minutes for which its model is to learn from the scene; adapted: the
    model that came of it, where that is better."""

    weights: Sequence[float] | None = None
    diffusion: Diffusion | None = None
    adapt: float | None = None
    adapted: Model | None = None

    @property
    def settings(self) -> Diffusion:
        """Of hfreqdiff: what was asked for, or its defaults."""
        return self.diffusion or Diffusion()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of what is asked for."""
        # Places and patches that are learnt from are drawn, whatever the steps.
        return self.settings.notes if self.adapt is None else ()

    @cached_property
    def devices(self) -> tuple[torch.device, ...]:
        """What hfreqdiff computes on."""
        import torch

        from geosharp.hfreqdiff.models import check_gpu, find_devices

        found = find_devices(self.settings.device)
        if found[0].type == "cpu":
            return found
        # Threads begin on the first GPU, whichever the caller is on: one without a number is the caller's.
        own = torch.device("cuda", torch.cuda.current_device())
        devices = tuple(own if str(device) == "cuda" else device for device in found)
        for device in devices:
            check_gpu(device)
        return devices

    @property
    def device(self) -> torch.device:
        """The first of them."""
        return self.devices[0]

    @property
    def gpus(self) -> Gpus | None:
        """Those among them, None on the CPU."""
        from geosharp.hfreqdiff.models import gpu_room

        if self.device.type == "cpu":
            return None
        rooms = [gpu_room(device) // self.devices.count(device) for device in self.devices]
        return Gpus(len(self.devices), min(rooms))

    @cached_property
    def model(self) -> Model:
        """Of hfreqdiff, on its device. Read when first asked for, and once: a file that changes in the
        meantime changes nothing."""
        from geosharp.hfreqdiff.models import open_model

        if self.adapted is not None:
            return self.adapted
        return open_model(self.settings.model, self.device)

    @cached_property
    def models(self) -> tuple[tuple[torch.device, Model], ...]:
        """Of hfreqdiff: its devices, and the model on each."""
        from geosharp.hfreqdiff.models import copy_model

        first, *others = self.devices
        return ((first, self.model), *((other, copy_model(self.model, other)) for other in others))


@dataclass(frozen=True)
class Setup:
    """A fusion once all is decided that is global for the scene.

    scene: aligned, where the method cares; degradation: what it computes with, by default what the sensor's
    table states; ceiling: the DN at which MS's own pixels show it to saturate, None where they do not;
    notes: what a user should know of these choices; clock: of the work.
    """

    scene: Scene
    method: str
    pixels: Pixels
    plan: Plan
    options: Options = field(default_factory=Options)
    degradation: Degradation | None = None
    ceiling: int | None = None
    notes: tuple[str, ...] = ()
    clock: Clock = STOPPED

    @property
    def on_gpu(self) -> bool:
        from geosharp.engine.methods import METHODS

        return METHODS[self.method].diffuses and self.options.device.type != "cpu"

    @property
    def known_degradation(self) -> Degradation:
        from geosharp.padm.table import table_degradation

        return self.degradation or table_degradation(self.scene)
