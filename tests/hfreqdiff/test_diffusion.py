from __future__ import annotations

import math

import pytest
import torch

from geosharp.hfreqdiff.diffusion import SAMPLERS, denoise, draw_sigmas, loss, scalings, schedule

DATA = 0.3
COUNT = 20_000


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gaussian_denoiser(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The best there is for data about 0.1 with deviation DATA."""
    gain = DATA**2 / (DATA**2 + sigma.double() ** 2)
    return 0.1 + gain.reshape(-1, *(1,) * (x.ndim - 1)) * (x - 0.1)


def test_a_silent_network_is_the_best_linear_guess() -> None:
    data, sigma = DATA * normal(0, 8, COUNT), torch.linspace(0.05, 2, 8, dtype=torch.float64)
    x = data + sigma[:, None] * normal(1, 8, COUNT)
    found = denoise(lambda x, _: torch.zeros_like(x), x, sigma, DATA)
    left = (found - data).square().mean(1)
    expected = 1 / (1 / DATA**2 + 1 / sigma**2)
    assert torch.allclose(left, expected, rtol=0.05)


def test_inputs_and_what_is_asked_for_have_unit_variance_at_every_level() -> None:
    sigma = torch.logspace(-3, 2, 6, dtype=torch.float64)
    data, noise = DATA * normal(2, 6, COUNT), normal(3, 6, COUNT)
    skip, out, into, _ = (value[:, None] for value in scalings(sigma, DATA))
    x = data + sigma[:, None] * noise
    for value in (into * x, (data - skip * x) / out):
        assert torch.allclose(value.square().mean(1), torch.ones(6, dtype=torch.float64), rtol=0.05)


def test_the_loss_is_one_for_a_silent_network_and_zero_for_the_truth() -> None:
    data, noise = DATA * normal(4, 16, COUNT // 4), normal(5, 16, COUNT // 4)
    sigma = torch.logspace(-2, 1, 16, dtype=torch.float64) * DATA
    silent = loss(lambda x, _: torch.zeros_like(x), data, noise, sigma, DATA)
    assert float(silent.mean()) == pytest.approx(1, abs=0.03)
    skip, out, into, _ = (value[:, None] for value in scalings(sigma, DATA))
    knowing = loss(lambda x, _: (data - skip * x / into) / out, data, noise, sigma, DATA)
    assert float(knowing.max()) < 1e-12


def test_training_sees_noise_around_the_deviation_of_the_data() -> None:
    sigmas = draw_sigmas(COUNT, DATA, torch.Generator().manual_seed(0))
    logs = torch.log(sigmas / DATA)
    assert float(logs.mean()) == pytest.approx(-0.4, abs=0.05)
    assert float(logs.std()) == pytest.approx(1.2, abs=0.05)


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_a_schedule_falls_to_zero(steps: int) -> None:
    sigmas = schedule(steps, DATA)
    assert len(sigmas) == steps + 1
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[0] == pytest.approx(20 * DATA)
    assert sigmas[-1] == 0


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_many_steps_draw_from_the_distribution(sampler: str) -> None:
    drawn = SAMPLERS[sampler](gaussian_denoiser, normal(6, 1, COUNT), schedule(64, DATA))
    assert float(drawn.mean()) == pytest.approx(0.1, abs=0.02)
    assert float(drawn.std()) == pytest.approx(DATA, rel=0.05)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_step_is_the_mean(sampler: str) -> None:
    drawn = SAMPLERS[sampler](gaussian_denoiser, normal(6, 1, 100), schedule(1, DATA))
    assert float((drawn - 0.1).abs().max()) < 0.06


def test_second_order_needs_fewer_steps() -> None:
    noise = normal(7, 1, COUNT)
    # The flow of Gaussian data has a closed form.
    sigma = schedule(8, DATA)[0]
    exact = 0.1 + (noise * sigma - 0.1) * DATA / math.sqrt(DATA**2 + sigma**2)
    errors = {
        name: float((sample(gaussian_denoiser, noise, schedule(8, DATA)) - exact).std())
        for name, sample in SAMPLERS.items()
    }
    assert errors["multistep"] < 0.6 * errors["euler"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_all_follows_from_the_noise(sampler: str) -> None:
    noise = normal(8, 2, 10)
    first, second = (SAMPLERS[sampler](gaussian_denoiser, noise, schedule(4, DATA)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_denoiser_that_gives_the_middle_alone_leaves_it_as_it_is(sampler: str, steps: int) -> None:
    """Every step uses up 2 rows and 1 column on each side."""
    noise, sigmas = normal(9, 2, 3, 20, 14), schedule(steps, DATA)
    whole = SAMPLERS[sampler](gaussian_denoiser, noise, sigmas)
    inner = SAMPLERS[sampler](lambda x, sigma: gaussian_denoiser(x, sigma)[..., 2:-2, 1:-1], noise, sigmas)
    assert inner.shape == (2, 3, 20 - 4 * steps, 14 - 2 * steps)
    assert torch.equal(inner, whole[..., 2 * steps : -2 * steps, steps:-steps])


def test_what_is_left_of_x_is_its_middle_where_the_network_gives_less() -> None:
    x, sigma = normal(10, 2, 3, 12, 10), torch.tensor([0.1, 0.4], dtype=torch.float64)
    whole = denoise(lambda y, _: y.sin(), x, sigma, DATA)
    inner = denoise(lambda y, _: y.sin()[..., 4:-4, 2:-2], x, sigma, DATA)
    assert torch.equal(inner, whole[..., 4:-4, 2:-2])
