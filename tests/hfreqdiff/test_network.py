from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from geosharp.hfreqdiff.conditions import ADDITIVE, CHANNELS, DESCRIPTORS, MODULATED
from geosharp.hfreqdiff.network import PRESETS, Architecture, HFreqdiff

TINY = Architecture(width=8, encoder_blocks=1, mean_blocks=2, draw_blocks=1)
VARIANTS = {
    "tiny": TINY,
    "unshuffle": replace(TINY, transform="unshuffle"),
    "no fusion": replace(TINY, fusion=False),
    "no modulation": replace(TINY, modulation=False),
    "neither": replace(TINY, fusion=False, modulation=False),
}


def lively(architecture: Architecture) -> HFreqdiff:
    """As if trained: no weight is zero."""
    torch.manual_seed(0)
    network = HFreqdiff(architecture).eval()
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network.requires_grad_(False)


def inputs(side: int, bands: int = 3, scenes: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(bands)
    shown = torch.randn(scenes, bands, CHANNELS, side, side, generator=generator)
    return shown, torch.randn(scenes, bands, DESCRIPTORS, generator=generator)


def both(
    network: HFreqdiff, shown: torch.Tensor, described: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean, and one step of a draw from a noise that is the same for every band."""
    encoded = network.encode(shown, described)
    side = shown.shape[-1]
    noise = torch.randn(side, side, generator=torch.Generator().manual_seed(5))
    noisy = noise.expand(*shown.shape[:2], side, side)
    return network.mean(encoded), network.draw(encoded, noisy, torch.full((len(shown),), -0.3))


@pytest.mark.parametrize("name", VARIANTS)
def test_bands_come_in_any_order_and_number(name: str) -> None:
    network = lively(VARIANTS[name])
    for bands in (1, 2, 5):
        shown, described = inputs(16, bands)
        order = torch.randperm(bands, generator=torch.Generator().manual_seed(1))
        results = both(network, shown, described)
        for result, permuted in zip(
            results, both(network, shown[:, order], described[:, order]), strict=True
        ):
            assert result.shape == (1, bands, 16, 16)
            assert torch.allclose(result[:, order], permuted, atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_bands_hear_of_each_other_and_scenes_do_not(name: str) -> None:
    network = lively(VARIANTS[name])
    shown, described = inputs(16, 3, 2)
    other = shown.clone()
    other[0, 0] += 1
    for one, two in zip(both(network, shown, described), both(network, other, described), strict=True):
        assert float((one - two)[0, 2].abs().max()) > 1e-4
        assert torch.allclose(one[1], two[1], atol=1e-6)


@pytest.mark.parametrize("name", [*VARIANTS, *PRESETS])
def test_a_pixel_depends_on_no_more_than_the_declared_reach(name: str) -> None:
    network = lively({**VARIANTS, **PRESETS}[name])
    reach = network.reach
    assert reach <= 64
    side = 2 * reach + 26
    at = reach + 9 + (-reach - 9) % 4  # the first pixel of a block, from which influence goes farthest
    shown, described = inputs(side, 2)
    seen = []
    for pixel in (at, at + 3):
        other = shown.clone()
        other[:, :, :, pixel, pixel] += 10
        for one, two in zip(both(network, shown, described), both(network, other, described), strict=True):
            changed = (one - two).abs().amax((0, 1)) > 0
            rows, cols = torch.nonzero(changed).T
            far = max(int((rows - pixel).abs().max()), int((cols - pixel).abs().max()))
            assert 0 < far <= reach
            seen.append(far)
    assert max(seen) > reach - 8  # nor is much more declared than there is


def test_a_tile_with_that_halo_equals_the_whole() -> None:
    network = lively(TINY)
    rules = network.size_rules
    halo = rules.halo[0]
    shown, described = inputs(2 * halo + 42)
    start, stop = 16, 16 + rules.multiple * ((2 * halo + 12) // rules.multiple)
    whole = network.mean(network.encode(shown, described))
    tile = network.mean(network.encode(shown[..., start:stop, start:stop], described))
    core = slice(start + halo, stop - halo)
    assert torch.allclose(
        whole[..., core, core], tile[..., halo : stop - start - halo, halo : stop - start - halo], atol=1e-5
    )
    # With a halo that is 8 pixels short it does not.
    wide = slice(start + halo - 8, stop - halo + 8)
    short = tile[..., halo - 8 : stop - start - halo + 8, halo - 8 : stop - start - halo + 8]
    assert float((whole[..., wide, wide] - short).abs().max()) > 1e-4


UNPADDED = {
    "base": replace(PRESETS["base"], width=8),
    "small": replace(PRESETS["small"], width=8, transform="unshuffle"),
    "no fusion": replace(PRESETS["small"], width=8, fusion=False),
    "neither": VARIANTS["neither"],
}


def interior(x: torch.Tensor, margin: int) -> torch.Tensor:
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]


@pytest.mark.parametrize("name", UNPADDED)
def test_the_unpadded_mean_is_the_interior_of_the_padded_one(name: str) -> None:
    network = lively(UNPADDED[name])
    shown, described = inputs(2 * network.mean_margin + 16)
    shown = shown[..., 4:-4]  # other rows than columns
    padded = network.mean(network.encode(shown, described))
    unpadded = network.mean(network.encode(shown, described, padded=False))
    assert unpadded.shape[-2:] == (16, 8)
    assert torch.allclose(unpadded, interior(padded, network.mean_margin), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("name", UNPADDED)
def test_unpadded_draws_one_after_the_other_are_the_interior_of_padded_ones(name: str, draws: int) -> None:
    network = lively(UNPADDED[name])
    start, step = network.encoder_margin, network.draw_margin
    shown, described = inputs(2 * (start + draws * step) + 16)
    side = shown.shape[-1]
    noisy = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(4))
    padded, unpadded = (network.encode(shown, described, padded) for padded in (True, False))
    whole, inner = noisy, interior(noisy, start)
    for level in torch.linspace(0.7, -0.9, draws)[:, None]:
        whole = (whole + network.draw(padded, whole, level)) / 2
        inner = (interior(inner, step) + network.draw(unpadded, inner, level)) / 2
    assert inner.shape[-2:] == (16, 16)
    assert torch.allclose(inner, interior(whole, start + draws * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_margins_are_where_reach_comes_from(name: str) -> None:
    network = HFreqdiff(PRESETS[name])
    margins = network.encoder_margin, network.mean_margin, network.draw_margin
    assert margins == {"base": (20, 60, 24), "small": (12, 36, 16)}[name]
    assert network.reach == network.mean_margin + 3
    deep = HFreqdiff(replace(TINY, draw_blocks=4))
    assert deep.reach == deep.encoder_margin + deep.draw_margin + 3 > deep.mean_margin + 3


def test_what_the_margins_leave_nothing_of_is_refused() -> None:
    network = lively(TINY)
    needed = 2 * network.mean_margin
    encoded = network.encode(*inputs(needed), padded=False)
    with pytest.raises(
        ValueError, match=f"{needed} x {needed} PAN pixels, where multiples of 4 above {needed}"
    ):
        network.mean(encoded)
    with pytest.raises(ValueError, match=f"above {2 * network.encoder_margin}"):
        network.encode(*inputs(2 * network.encoder_margin), padded=False)
    with pytest.raises(ValueError, match=f"above {2 * network.draw_margin}"):
        network.draw(encoded, torch.zeros(1, 3, *[2 * network.draw_margin] * 2), torch.zeros(1))
    with pytest.raises(ValueError, match="14 x 14 PAN pixels, where multiples of 4"):
        network.encode(*inputs(14))
    # Half a block off the middle, and more than was encoded.
    for side in (needed - 2 * network.encoder_margin - 4, needed):
        with pytest.raises(ValueError, match="not the middle"):
            network.draw(encoded, torch.zeros(1, 3, side, side), torch.zeros(1))


def test_inference_spares_memory_and_changes_neither_results_nor_what_was_encoded() -> None:
    network = lively(TINY).requires_grad_(True)
    shown, described = inputs(16)
    noisy = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    learning = network.encode(shown, described)
    given = [each.detach().clone() for each in (shown, noisy, learning.features, learning.details)]
    with torch.inference_mode():
        encoded = network.encode(shown, described)
        found = [network.mean(encoded), network.draw(encoded, noisy, torch.zeros(1))]
    for one, other in (
        *zip(given, (shown, noisy, encoded.features, encoded.details), strict=True),
        (found[0], network.mean(learning)),
        (found[1], network.draw(learning, noisy, torch.zeros(1))),
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", VARIANTS)
def test_an_untrained_network_is_the_additive_prior(name: str) -> None:
    network = HFreqdiff(VARIANTS[name])
    for result in both(network, *inputs(16)):
        assert torch.equal(result, torch.zeros_like(result))


def test_modulation_can_choose_the_other_prior() -> None:
    network = HFreqdiff(TINY)
    block = network.mean_head.modulate
    assert block is not None
    gates = block.overall.bias.data.view(3, -1)
    gates[1], gates[2] = -1, 1
    shown, described = inputs(16)
    mean = network.mean(network.encode(shown, described))
    assert torch.allclose(mean, shown[:, :, MODULATED] - shown[:, :, ADDITIVE], atol=1e-5)


def test_a_draw_follows_its_noise_and_how_much_it_is_and_leaves_the_mean_alone() -> None:
    network = lively(TINY)
    shown, described = inputs(16)
    encoded = network.encode(shown, described)
    noisy = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    low, high = (network.draw(encoded, noisy, torch.tensor([level])) for level in (-1.0, 0.7))
    assert float((low - high).abs().max()) > 1e-3
    other = network.draw(encoded, -noisy, torch.tensor([0.7]))
    assert float((other - high).abs().max()) > 1e-3
    before = network.mean(encoded)
    for name, parameter in network.named_parameters():
        if name.startswith(("draw_", "embed_noise")):
            parameter.add_(1)
    assert torch.equal(network.mean(network.encode(shown, described)), before)


def test_presets_are_as_large_as_they_say() -> None:
    counts = {}
    for name, architecture in PRESETS.items():
        with torch.device("meta"):
            counts[name] = sum(parameter.numel() for parameter in HFreqdiff(architecture).parameters())
    assert 0.7e6 < counts["base"] < 1.3e6
    assert 0.2e6 < counts["small"] < 0.35e6
