from __future__ import annotations

import pytest
import torch

from geosharp.imaging.holes import FILL_REACH, fill_holes


def image(bands: int = 2) -> torch.Tensor:
    return torch.randn(bands, 24, 30, generator=torch.Generator().manual_seed(0))


def with_hole(rows: slice, cols: slice, bands: int = 1) -> torch.Tensor:
    valid = torch.ones(bands, 24, 30)
    valid[:, rows, cols] = 0
    return valid


def test_valid_pixels_keep_their_bits() -> None:
    x, valid = image(), with_hole(slice(5, 12), slice(0, 9))
    kept = valid.expand_as(x) > 0
    assert torch.equal(fill_holes(x, valid)[kept], x[kept])


def test_the_image_given_stays_as_it_is() -> None:
    x = image()
    before = x.clone()
    fill_holes(x, with_hole(slice(5, 12), slice(0, 9)))
    assert torch.equal(x, before)


def test_one_lost_pixel_gets_the_mean_of_its_eight_neighbours() -> None:
    x = image()
    filled = fill_holes(x, with_hole(slice(7, 8), slice(9, 10)))
    around = x[:, 6:9, 8:11].sum((1, 2)) - x[:, 7, 9]
    assert torch.allclose(filled[:, 7, 9], around / 8, atol=1e-6)


def test_what_lies_in_a_hole_changes_no_bit() -> None:
    x, valid = image(), with_hole(slice(3, 20), slice(4, 22))
    other = torch.where(valid > 0, x, torch.tensor(1e30))
    assert torch.equal(fill_holes(x, valid), fill_holes(other, valid))


@pytest.mark.parametrize("level", [0.0, -3.0, 700.0])
def test_a_constant_is_filled_with_itself_so_deep_as_stated_and_no_deeper(level: float) -> None:
    x = torch.full((1, 24, 30), level)
    filled = fill_holes(x, with_hole(slice(5, 18), slice(6, 24)))
    deep = torch.zeros(24, 30, dtype=torch.bool)
    deep[5 + FILL_REACH : 18 - FILL_REACH, 6 + FILL_REACH : 24 - FILL_REACH] = True
    assert torch.allclose(filled[0][~deep], torch.tensor(level))
    assert torch.equal(filled[0][deep], torch.zeros(int(deep.sum())))


def test_one_mask_for_all_bands_is_the_same_as_one_each() -> None:
    x, valid = image(3), with_hole(slice(0, 8), slice(20, 30))
    assert torch.equal(fill_holes(x, valid), fill_holes(x, valid.repeat(3, 1, 1)))


def test_each_band_is_filled_by_its_own_mask() -> None:
    x = image()
    valid = with_hole(slice(5, 6), slice(5, 6), bands=2)
    valid[1] = 1
    filled = fill_holes(x, valid)
    assert torch.equal(filled[1], x[1])
    assert not torch.equal(filled[0], x[0])


def test_filling_is_local_a_cut_with_its_reach_gives_the_same_bits() -> None:
    x = image()
    valid = with_hole(slice(4, 7), slice(3, 28))
    valid[:, 15:24, 10:11] = 0
    whole = fill_holes(x, valid)
    rows, cols = slice(6, 19), slice(9, 25)
    outer = slice(6 - FILL_REACH, 19 + FILL_REACH), slice(9 - FILL_REACH, 25 + FILL_REACH)
    part = fill_holes(x[:, *outer], valid[:, *outer])
    assert torch.equal(part[:, FILL_REACH:-FILL_REACH, FILL_REACH:-FILL_REACH], whole[:, rows, cols])


def test_nothing_missing_gives_the_image_itself() -> None:
    x = image()
    assert fill_holes(x, None) is x
    assert fill_holes(x, torch.ones(1, 24, 30)) is x


def test_nothing_there_gives_zeros() -> None:
    x = image()
    assert torch.equal(fill_holes(x, torch.zeros(1, 24, 30)), torch.zeros_like(x))
