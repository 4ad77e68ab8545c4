"""A TIFF's directories, read with nothing of GDAL, and what has to be set right in them.

GDAL's threaded writer reports a full disk to nobody: writing and closing succeed, and blocks are
missing. find_damage tells, in time proportional to the block count.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

_OFFSETS = (273, 324)  # StripOffsets, TileOffsets
_SIZES = (279, 325)  # StripByteCounts, TileByteCounts
_EXTRA_SAMPLES = 338
_GDAL_METADATA = 42112
_XMP = 700
_ALPHA = (1, 2)  # values of ExtraSamples: associated, unassociated
_WIDTHS = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 7: "u1", 13: "u4", 16: "u8", 18: "u8"}


@dataclass(frozen=True)
class _Entry:
    """One tag. at: byte of its value field, which holds the values, or their place if they are longer."""

    order: str
    big: bool
    kind: int
    count: int
    at: int

    @property
    def word(self) -> str:
        """Format of a place or a count."""
        return self.order + ("Q" if self.big else "I")

    def start(self, file: BinaryIO) -> int:
        """Byte of the first value."""
        room = struct.calcsize(self.word)
        if self.count * np.dtype(_WIDTHS[self.kind]).itemsize <= room:
            return self.at
        file.seek(self.at)
        return int(struct.unpack(self.word, file.read(room))[0])

    def read(self, file: BinaryIO) -> np.ndarray:
        dtype = np.dtype(self.order + _WIDTHS[self.kind])
        file.seek(self.start(file))
        return np.frombuffer(file.read(self.count * dtype.itemsize), dtype, self.count)

    def overwrite(self, file: BinaryIO, values: np.ndarray) -> None:
        """Put other values, no more than there are, in their place."""
        if values.size > self.count:
            raise ValueError(f"{values.size} values do not fit where {self.count} were")
        raw, room = values.astype(self.order + _WIDTHS[self.kind]).tobytes(), struct.calcsize(self.word)
        file.seek(self.at if len(raw) <= room else self.start(file))
        file.write(raw)
        file.seek(self.at - room)
        file.write(struct.pack(self.word, values.size))


def find_damage(path: Path, images: int | None = None) -> str | None:
    """What is wrong with the TIFF (classic or BigTIFF) at `path`, or None where all blocks are there.

    images: how many directories (image, mask, overviews) it must have, where that is known.
    """
    try:
        with path.open("rb") as file:
            blocks = [_read_blocks(file, directory) for directory in _read_directories(file)]
    except (struct.error, ValueError, KeyError, StopIteration) as error:
        return f"its directory cannot be read: {error}"
    if not blocks or (images is not None and len(blocks) != images):
        return f"it holds {len(blocks)} images of {images or 'at least one'}"
    end = path.stat().st_size
    for number, (offsets, sizes) in enumerate(blocks):
        missing = int(np.count_nonzero((offsets == 0) | (sizes == 0) | (offsets + sizes > end)))
        if missing:
            return f"{missing} of {offsets.size} blocks of image {number} are missing"
    return None


def read_metadata(path: Path) -> bytes:
    """GDAL's XML of tags, band names, scales and the like; empty where there is none."""
    with path.open("rb") as file:
        entry = _read_directories(file)[0].get(_GDAL_METADATA)
        return b"" if entry is None else entry.read(file).tobytes().rstrip(b"\0")


def overwrite_metadata(path: Path, metadata: bytes) -> None:
    """Put another XML, no longer than the one there, in its place; nothing else in the file moves."""
    with path.open("r+b") as file:
        entry = _read_directories(file)[0][_GDAL_METADATA]
        entry.overwrite(file, np.frombuffer(metadata + b"\0", np.uint8))


def unwrap_xmp(path: Path, key: bytes) -> None:
    """Leave of an XMP packet that was written as an item, `key`=packet, the packet alone; in place.

    rasterio writes items only, and GDAL takes the text of the first one for the packet.
    """
    with path.open("r+b") as file:
        entry = _read_directories(file)[0].get(_XMP)
        packet = b"" if entry is None else entry.read(file).tobytes()
        if entry is not None and packet.startswith(key + b"="):
            entry.overwrite(file, np.frombuffer(packet[len(key) + 1 :], np.uint8))


def declare_no_alpha(path: Path) -> None:
    """Turn extra samples that are declared as opacity into plain ones, in place."""
    with path.open("r+b") as file:
        for directory in _read_directories(file):
            if _EXTRA_SAMPLES in directory:
                entry = directory[_EXTRA_SAMPLES]
                values = entry.read(file)
                file.seek(entry.start(file))
                file.write(np.where(np.isin(values, _ALPHA), 0, values).astype(values.dtype).tobytes())


def _read_directories(file: BinaryIO) -> list[dict[int, _Entry]]:
    mark = file.read(16)
    order = {b"II": "<", b"MM": ">"}[mark[:2]]
    big = struct.unpack(order + "H", mark[2:4])[0] == 43
    (at,) = struct.unpack(order + "Q", mark[8:16]) if big else struct.unpack(order + "I", mark[4:8])
    directories, seen = [], set()
    while at and at not in seen:
        seen.add(at)
        directory, at = _read_directory(file, at, order, big)
        directories.append(directory)
    return directories


def _read_directory(file: BinaryIO, at: int, order: str, big: bool) -> tuple[dict[int, _Entry], int]:
    """The directory at byte `at`, and the place of the next one."""
    count_code, entry_code, next_code = ("Q", "HHQ8x", "Q") if big else ("H", "HHI4x", "I")
    file.seek(at)
    (count,) = struct.unpack(order + count_code, file.read(struct.calcsize(order + count_code)))
    size = struct.calcsize(order + entry_code)
    first_value = file.tell() + size - (8 if big else 4)
    rows = struct.iter_unpack(order + entry_code, file.read(count * size))
    (following,) = struct.unpack(order + next_code, file.read(struct.calcsize(order + next_code)))
    directory = {
        tag: _Entry(order, big, kind, n, first_value + row * size) for row, (tag, kind, n) in enumerate(rows)
    }
    return directory, following


def _read_blocks(file: BinaryIO, directory: dict[int, _Entry]) -> tuple[np.ndarray, np.ndarray]:
    """Where the blocks of an image start, and how long they are, in bytes."""
    offsets, sizes = (
        next(directory[tag].read(file).astype(np.uint64) for tag in tags if tag in directory)
        for tags in (_OFFSETS, _SIZES)
    )
    if offsets.size != sizes.size:
        raise ValueError("block offsets and sizes differ in number")
    return offsets, sizes
