"""What ablation.py leaves out or changes, one thing at a time: of network, training and pairs."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from matrices import Kernels, sigma_of
from pretrain import inner
from simulate import Batch, Simulator
from torch import Tensor

from geosharp.hfreqdiff.conditions import ADDITIVE, MODULATED
from geosharp.hfreqdiff.diffusion import draw_sigmas
from geosharp.hfreqdiff.diffusion import loss as draw_loss
from geosharp.hfreqdiff.network import HFreqdiff
from geosharp.hfreqdiff.subbands import COUNT, SUBBANDS

# Of sensors that the table does not know.
_TABLE_GAIN = 0.3


class TableTold(Simulator):
    """The same pairs, but of their kernels only the table is known."""

    def kernels(self, scenes: int, bands: int, ratio: float) -> Kernels:
        kernels = super().kernels(scenes, bands, ratio)
        return replace(kernels, told=table_sigmas(kernels))


class FixedBlur(Simulator):
    """The same pairs, but every MS is blurred as the table says."""

    def kernels(self, scenes: int, bands: int, ratio: float) -> Kernels:
        kernels = super().kernels(scenes, bands, ratio)
        return replace(kernels, sigmas=table_sigmas(kernels), told=table_sigmas(kernels))


def table_sigmas(kernels: Kernels) -> Tensor:
    return torch.full_like(kernels.told, float(sigma_of(torch.tensor(_TABLE_GAIN), kernels.ratio)))


# What is known of a scene's kernels by --calibration.
KNOWN = {"auto": Simulator, "sensor": TableTold}


@dataclass(frozen=True)
class Use:
    """How a trained network is put to work. calibration: as of `fuse`; steps: of a diffusion's draw."""

    calibration: str = "auto"
    steps: int = 1

    @property
    def title(self) -> str:
        return f"{'PADM' if self.calibration == 'auto' else 'table'}, {self.steps}"


@dataclass(frozen=True)
class Variant:
    """flags: of pretrain.py; pairs: what it learns from; prior: whether it is shown the priors and adds to
    the additive one; split: into a mean and draws around it, of which only the mean is trained here."""

    title: str
    flags: tuple[str, ...] = ()
    pairs: type[Simulator] = Simulator
    prior: bool = True
    split: bool = True
    uses: tuple[Use, ...] = (Use(),)


VARIANTS = {
    "full": Variant("all of it, PADM pairs"),
    "no-cfb": Variant("without CFB", ("--no-fusion",)),
    "no-bamb": Variant("without BAMB", ("--no-modulation",)),
    "no-prior": Variant("without the prior", prior=False),
    "no-split": Variant("a plain diffusion, no mean", split=False, uses=(Use(), Use(steps=4))),
    "fixed": Variant("fixed-MTF pairs", pairs=FixedBlur, uses=(Use("sensor"), Use())),
    "random": Variant("random-MTF pairs, table told", pairs=TableTold, uses=(Use("sensor"),)),
}


def hide_prior(batch: Batch) -> Batch:
    """The same batch for a network that is to make all that interpolated MS lacks."""
    shown = batch.shown.clone()
    shown[:, :, [ADDITIVE, MODULATED]] = 0
    return replace(batch, shown=shown, missing=batch.missing + batch.shown[:, :, ADDITIVE])


def ignore_prior(network: HFreqdiff) -> HFreqdiff:
    """A copy that is shown the priors and does what `network` does without.

    It looks at neither, and its gates take the additive one, which its output is added to, away again.
    """
    changed = copy.deepcopy(network)
    gate = changed.mean_head.modulate
    if gate is None:
        raise ValueError("without gates the prior cannot be taken away")
    with torch.no_grad():
        for channel in (ADDITIVE, MODULATED):
            changed.stem.weight[:, channel * COUNT : (channel + 1) * COUNT] = 0
        for parameter in gate.parameters():
            parameter[SUBBANDS:] = 0
        gate.overall.bias[SUBBANDS : 2 * SUBBANDS] = -1
    return changed


def plain_loss(
    network: HFreqdiff, batch: Batch, margin: int, sigma_data: float, generator: torch.Generator
) -> Tensor:
    """Diffusion's loss on all that is missing, the encoder learning, too."""
    encoded, data = network.encode(batch.shown, batch.described), batch.missing
    noise = torch.randn(data.shape, generator=generator, device=data.device)
    sigma = draw_sigmas(len(data), sigma_data, generator)
    errors = draw_loss(lambda x, level: network.draw(encoded, x, level), data, noise, sigma, sigma_data)
    return inner(errors, margin).mean()
