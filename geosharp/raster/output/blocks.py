"""A file's blocks, put together from tiles of any size so that each is written once and whole."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from geosharp.raster.grid import Rect

# (where, (band, row, col) pixels, their (row, col) mask or None for all valid)
Piece = tuple[Rect, np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Layout:
    """How an image of `shape` is cut into blocks of shape `block`, all (height, width)."""

    shape: tuple[int, int]
    block: tuple[int, int]

    @property
    def count(self) -> tuple[int, int]:
        return -(-self.shape[0] // self.block[0]), -(-self.shape[1] // self.block[1])

    def indices(self, rect: Rect) -> Iterator[tuple[int, int]]:
        """(row, col) numbers of the blocks that `rect` touches, row by row."""
        height, width = self.block
        for row in range(rect.row // height, -(-rect.stop_row // height)):
            for col in range(rect.col // width, -(-rect.stop_col // width)):
                yield row, col

    def rect(self, index: tuple[int, int]) -> Rect:
        height, width = self.block
        return Rect(index[0] * height, index[1] * width, height, width).intersect(Rect(0, 0, *self.shape))

    def aligned(self, rect: Rect) -> bool:
        """Whether `rect` consists of whole blocks (cut off at the image's edges)."""
        height, width = self.block
        return (
            rect.row % height == 0
            and rect.col % width == 0
            and (rect.stop_row % height == 0 or rect.stop_row == self.shape[0])
            and (rect.stop_col % width == 0 or rect.stop_col == self.shape[1])
        )


@dataclass
class _Held:
    pixels: np.ndarray | None
    valid: np.ndarray
    missing: int


class BlockBuffer:
    """Holds blocks that are only partly there; each pixel comes once.

    For tiles that come row by row, what is held at a time is a row of blocks along the image's width.
    """

    def __init__(self, layout: Layout, bands: int, dtype: np.dtype, fill: float) -> None:
        self.layout = layout
        self._bands, self._dtype, self._fill = bands, dtype, fill
        self._held: dict[tuple[int, int], _Held] = {}

    def put(self, rect: Rect, pixels: np.ndarray | None, valid: np.ndarray | None) -> Iterator[Piece]:
        """Take (band, row, col) pixels, None for none valid; give what now consists of whole blocks."""
        if self.layout.aligned(rect):
            if pixels is not None:
                yield rect, pixels, valid
            return
        for index in self.layout.indices(rect):
            block = self.layout.rect(index)
            part = rect.intersect(block)
            source, target = part.within(rect), part.within(block)
            if index not in self._held:
                self._held[index] = _Held(None, np.zeros(block.shape, bool), block.area)
            held = self._held[index]
            held.missing -= part.area
            if pixels is not None:
                if held.pixels is None:
                    held.pixels = np.full((self._bands, *block.shape), self._fill, self._dtype)
                held.pixels[:, *target] = pixels[:, *source]
                held.valid[target] = True if valid is None else valid[source]
            if held.missing <= 0:
                del self._held[index]
                if held.pixels is not None:
                    yield block, held.pixels, held.valid

    def rest(self) -> Iterator[Piece]:
        """What never became whole; pixels that did not come are nodata and invalid."""
        for index in sorted(self._held):
            held = self._held.pop(index)
            if held.pixels is not None:
                yield self.layout.rect(index), held.pixels, held.valid


class MaskStore:
    """The mask of a whole image: a flag per block, and packed bits of the blocks that are mixed.

    It is kept until the pixels are written: written between them, GDAL's compression threads read
    tags of the image while the mask's directory is being made.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._blocks: dict[tuple[int, int], bytes | None] = {}  # None: all valid; absent: none

    def put(self, rect: Rect, valid: np.ndarray | None) -> None:
        """Note the (row, col) mask of whole blocks; None where all is valid."""
        for index in self.layout.indices(rect):
            part = None if valid is None else valid[self.layout.rect(index).within(rect)]
            if part is None or part.all():
                self._blocks[index] = None
            elif part.any():
                self._blocks[index] = zlib.compress(np.packbits(part).tobytes(), 1)

    def get(self, index: tuple[int, int]) -> np.ndarray:
        """The (row, col) bool mask of one block."""
        shape = self.layout.rect(index).shape
        if index not in self._blocks:
            return np.zeros(shape, bool)
        packed = self._blocks[index]
        if packed is None:
            return np.ones(shape, bool)
        bits = np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8), count=shape[0] * shape[1])
        return bits.reshape(shape).astype(bool)
