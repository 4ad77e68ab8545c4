from __future__ import annotations

import math

import pytest
import torch

from geosharp.imaging.noise import normal_noise, philox
from geosharp.imaging.resample import Span

ALL = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ALL, ALL, ALL, ALL), (ALL, ALL), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_words_are_those_that_the_authors_publish(
    counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]
) -> None:
    a, b, c, d = (torch.tensor([word]) for word in counter)
    assert tuple(int(word) for word in philox((a, b, c, d), key)) == words


@pytest.mark.parametrize("bands", [1, 3, 4, 9])
def test_a_tile_holds_what_the_whole_holds_there(bands: int) -> None:
    whole = normal_noise(7, bands, (Span(-5, 40), Span(1000, 1050)))
    tile = normal_noise(7, bands, (Span(3, 21), Span(1017, 1050)))
    assert torch.equal(tile, whole[:, 8:26, 17:])


def test_a_band_does_not_depend_on_how_many_there_are() -> None:
    spans = (Span(0, 8), Span(0, 8))
    assert torch.equal(normal_noise(1, 2, spans), normal_noise(1, 7, spans)[:2])


def test_the_noise_is_white_and_standard_normal() -> None:
    noise = normal_noise(3, 6, (Span(0, 256), Span(0, 256))).double()
    count = noise[0].numel()
    assert float(noise.mean((1, 2)).abs().max()) < 5 / math.sqrt(count)
    assert float((noise.square().mean((1, 2)) - 1).abs().max()) < 5 * math.sqrt(2 / count)
    assert float((noise.pow(4).mean((1, 2)) - 3).abs().max()) < 5 * math.sqrt(96 / count)
    bands = torch.corrcoef(noise.flatten(1)) - torch.eye(6)
    neighbours = [(noise[:, 1:] * noise[:, :-1]).mean(), (noise[:, :, 1:] * noise[:, :, :-1]).mean()]
    assert max(float(bands.abs().max()), *(abs(float(value)) for value in neighbours)) < 5 / math.sqrt(count)


def test_seeds_and_draws_are_other_fields() -> None:
    spans = (Span(0, 64), Span(0, 64))
    fields = [
        normal_noise(seed, 1, spans, draw).flatten() for seed in (0, 1, 2**32, 2**40) for draw in (0, 1)
    ]
    others = torch.corrcoef(torch.stack(fields).double()) - torch.eye(len(fields))
    assert float(others.abs().max()) < 5 / 64
