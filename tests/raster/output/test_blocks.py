"""Tiles of any size come out as whole blocks, each once, with the mask they came with."""

from __future__ import annotations

import numpy as np
import pytest

from geosharp.raster.grid import Rect, tiles
from geosharp.raster.output.blocks import BlockBuffer, Layout, MaskStore


@pytest.mark.parametrize(
    ("tile", "start"), [(7, (0, 0)), (16, (0, 0)), (16, (5, 3)), (40, (1, 30)), (200, (0, 0))]
)
def test_each_block_comes_out_once_and_whole(tile: int, start: tuple[int, int]) -> None:
    layout = Layout((70, 53), (16, 32))
    image = np.arange(2 * 70 * 53, dtype="int32").reshape(2, 70, 53)
    mask = image[0] % 3 > 0
    buffer, masks = BlockBuffer(layout, 2, np.dtype("int32"), -1), MaskStore(layout)
    seen, found = np.zeros((70, 53), int), np.zeros_like(image)
    for rect in tiles(Rect(*start, 70, 53), tile):
        part = rect.move(-start[0], -start[1])
        rows, cols = part.within(Rect(0, 0, 70, 53))
        for where, pixels, valid in buffer.put(part, image[:, rows, cols], mask[rows, cols]):
            assert layout.aligned(where)
            place = where.within(Rect(0, 0, 70, 53))
            seen[place] += 1
            found[:, *place] = pixels
            masks.put(where, valid)
    assert list(buffer.rest()) == []
    assert (seen == 1).all()
    np.testing.assert_array_equal(found, image)
    for index in layout.indices(Rect(0, 0, 70, 53)):
        np.testing.assert_array_equal(masks.get(index), mask[layout.rect(index).within(Rect(0, 0, 70, 53))])


def test_whole_blocks_pass_through_without_a_copy() -> None:
    buffer = BlockBuffer(Layout((64, 50), (16, 16)), 1, np.dtype("uint8"), 0)
    tile = np.ones((1, 32, 50), "uint8")
    ((_, pixels, valid),) = buffer.put(Rect(16, 0, 32, 50), tile, None)
    assert pixels is tile
    assert valid is None


def test_what_is_held_is_no_more_than_a_row_of_blocks() -> None:
    layout = Layout((160, 160), (16, 16))
    buffer = BlockBuffer(layout, 1, np.dtype("uint8"), 0)
    most = 0
    for rect in tiles(Rect(5, 5, 160, 160), 16):
        part = rect.move(-5, -5)
        list(buffer.put(part, np.ones((1, *part.shape), "uint8"), None))
        most = max(most, len(buffer._held))
    assert 0 < most <= 11


def test_blocks_without_a_valid_pixel_never_come_out() -> None:
    buffer = BlockBuffer(Layout((40, 40), (16, 16)), 1, np.dtype("uint8"), 9)
    assert list(buffer.put(Rect(0, 0, 40, 40), None, None)) == []
    assert list(buffer.put(Rect(3, 3, 9, 9), None, None)) == []
    assert list(buffer.rest()) == []
