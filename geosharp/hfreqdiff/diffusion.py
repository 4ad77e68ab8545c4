"""Diffusion as Karras et al. write it: "Elucidating the design space of diffusion-based models", 2022 (EDM).

x is data plus noise of standard deviation sigma. Knows no network: a `Denoiser` gives the expected data, of
all of x, or of its middle if it uses up what is around.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from geosharp.imaging.resample import middle

Denoiser = Callable[[Tensor, Tensor], Tensor]
# (x, sigma (item,)) -> what EDM calls F; see `denoise`.
Raw = Callable[[Tensor, Tensor], Tensor]

# The noise that training draws, as the logarithm of sigma over that of the data: mean and deviation.
_LOG_MEAN, _LOG_DEVIATION = -0.4, 1.2
# The most and the least noise of a schedule, in standard deviations of the data.
_MOST, _LEAST = 20.0, 0.02


def scalings(sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """c_skip, c_out, c_in and c_noise of EDM's table 1; c_noise counts from the data's own deviation."""
    total = sigma**2 + sigma_data**2
    root = total.sqrt()
    return sigma_data**2 / total, sigma * sigma_data / root, 1 / root, torch.log(sigma / sigma_data) / 4


def denoise(raw: Raw, x: Tensor, sigma: Tensor, sigma_data: float) -> Tensor:
    """The expected data given x (item, ...), whose noise has standard deviation sigma (item,)."""
    skip, out, into, noise = scalings(sigma, sigma_data)
    found = raw(_like(into, x) * x, noise)
    return _like(skip, x) * middle(x, found.shape) + _like(out, x) * found


def draw_sigmas(count: int, sigma_data: float, generator: torch.Generator) -> Tensor:
    """How much noise training adds to each of `count` items, log-normal."""
    normal = torch.randn(count, generator=generator, device=generator.device)
    return sigma_data * torch.exp(_LOG_MEAN + _LOG_DEVIATION * normal)


def loss(raw: Raw, data: Tensor, noise: Tensor, sigma: Tensor, sigma_data: float) -> Tensor:
    """EDM's weighted squared error, (item, ...); 1 on average for one that knows only the scale."""
    error = denoise(raw, data + _like(sigma, data) * noise, sigma, sigma_data) - data
    return error**2 / _like(scalings(sigma, sigma_data)[1], data) ** 2


def schedule(steps: int, sigma_data: float, rho: float = 7.0) -> list[float]:
    """`steps` sigmas from much noise to little, and 0 at the end (EDM's equation 5)."""
    if steps == 1:
        return [_MOST * sigma_data, 0.0]
    first, last = (value ** (1 / rho) for value in (_MOST, _LEAST))
    inner = [(first + step / (steps - 1) * (last - first)) ** rho for step in range(steps)]
    return [sigma_data * value for value in inner] + [0.0]


def euler(denoiser: Denoiser, noise: Tensor, sigmas: list[float]) -> Tensor:
    """One evaluation a step; noise: standard normal, (item, ...), from which all follows."""
    x = noise * sigmas[0]
    for sigma, following in itertools.pairwise(sigmas):
        expected = denoiser(x, _full(sigma, x))
        x = torch.lerp(expected, middle(x, expected.shape), following / sigma)
    return x


def multistep(denoiser: Denoiser, noise: Tensor, sigmas: list[float]) -> Tensor:
    """DPM-Solver++(2M): one evaluation a step, second order (Lu et al. 2022)."""
    x, before, span_before = noise * sigmas[0], None, 0.0
    for sigma, following in itertools.pairwise(sigmas):
        expected = denoiser(x, _full(sigma, x))
        if following == 0:
            return expected
        span = math.log(sigma / following)
        extrapolated = expected
        if before is not None:
            change = expected - middle(before, expected.shape)
            extrapolated = expected + change * (span / (2 * span_before))
        x = torch.lerp(extrapolated, middle(x, expected.shape), following / sigma)
        before, span_before = expected, span
    return x


SAMPLERS: dict[str, Callable[[Denoiser, Tensor, list[float]], Tensor]] = {
    "euler": euler,
    "multistep": multistep,
}


def _full(sigma: float, x: Tensor) -> Tensor:
    return x.new_full((len(x),), sigma)


def _like(value: Tensor, x: Tensor) -> Tensor:
    return value.reshape(-1, *(1,) * (x.ndim - 1))
