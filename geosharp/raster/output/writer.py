"""Writing a scene: blocks into a hidden temporary, then overviews or COG, checks, and a rename."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from geosharp.errors import OutputError, UsageError
from geosharp.raster.grid import Rect
from geosharp.raster.opening import quietly
from geosharp.raster.output.blocks import BlockBuffer, Layout, MaskStore
from geosharp.raster.output.cog import pad_metadata, restore_content
from geosharp.raster.output.creation import (
    BLOCK,
    OutputFormat,
    asks_for_overviews,
    check_creation,
    copy_options,
    plain_options,
    try_creation,
)
from geosharp.raster.output.description import XMP, Content, write_content
from geosharp.raster.output.target import Temporary, check_target, follow_link
from geosharp.raster.output.tiff import find_damage, unwrap_xmp

_LEAST_FREE = 0.05  # of the raw size: with less free at the start no compression will save the run
_MARGIN_BYTES = 1 << 20


class SceneWriter:
    """Writes one GeoTIFF; it appears under its name only when the `with` block ends without error.

    Tiles come row by row (also in strips that end on blocks), from one thread, each pixel at most
    once; their size and origin are free.
    Pixels that never come are nodata and masked. Tiles no higher than a block (512), or all of them
    coinciding with blocks, give the same bytes for the same calls.
    """

    def __init__(
        self,
        path: str | Path,
        content: Content,
        form: OutputFormat,
        *,
        overwrite: bool = False,
        inputs: Iterable[str | Path] = (),
    ) -> None:
        self.path = Path(path)
        self._folder = follow_link(self.path).parent
        check_target(self.path, overwrite=overwrite, inputs=inputs)
        check_creation(form)
        try_creation(form, content.dtype, len(content.bands))
        _check_nodata(form, content)
        self._copied = form.copied(content.dtype)
        self.content, self._form, self._overwrite = content, form, overwrite
        if self._free() < _LEAST_FREE * content.raw_bytes:
            raise self._failure("the disk has too little space")
        self._temporaries: list[Temporary] = []
        self._raster: Any = None

    def __enter__(self) -> Self:
        self._temporaries.append(Temporary(self.path))
        try:
            self._temporaries[0].check_alone()
            with self._gdal():
                self._open(self._temporaries[0].path)
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._abandon()

    def write(self, rect: Rect, data: np.ndarray, valid: np.ndarray | None = None) -> None:
        """Take `data` (band, row, col) in the content's dtype for `rect` in output pixels.

        valid: (row, col) bool, None for all valid. Invalid pixels hold nodata already: it is not
        put in here.
        """
        if data.shape != (len(self.content.bands), *rect.shape) or data.dtype != self.content.dtype:
            raise ValueError(f"{data.dtype} data of shape {data.shape} do not fit {rect} of {self.path}")
        self._put(rect, data, valid)

    def skip(self, rect: Rect) -> None:
        """Leave `rect` invalid: it reads back as nodata and masked, and costs next to nothing."""
        self._put(rect, None, None)

    def _put(self, rect: Rect, data: np.ndarray | None, valid: np.ndarray | None) -> None:
        if rect.empty or rect.intersect(self.content.grid.rect) != rect:
            raise ValueError(f"{rect} is not within the {self.content.grid.rect} of {self.path}")
        for where, pixels, mask in self._buffer.put(rect, data, valid):
            self._write_blocks(where, pixels, mask)

    def _open(self, path: Path) -> None:
        content, grid = self.content, self.content.grid
        profile: dict[str, Any] = {
            "driver": "GTiff", "count": len(content.bands), "height": grid.shape[0], "width": grid.shape[1],
            "dtype": content.dtype, "nodata": content.nodata, "crs": grid.crs,
        }  # fmt: skip
        if grid.transform is not None:
            profile["transform"] = grid.transform
        elif content.gcps is not None:
            points, crs = content.gcps
            # GCPs may be of no CRS, but not so for rasterio.
            profile |= {"gcps": points, "crs": crs or CRS()}
        self._raster = rasterio.open(path, "w", **profile, **plain_options(self._form, content.dtype))
        self._layout = Layout(grid.shape, self._raster.block_shapes[0])
        fill = 0 if content.nodata is None else content.nodata
        self._buffer = BlockBuffer(self._layout, len(content.bands), np.dtype(content.dtype), fill)
        self._masks = MaskStore(self._layout) if content.masked and self._form.mask else None
        self._written = np.zeros(self._layout.count, bool)
        write_content(self._raster, content, colors=self._copied or "PHOTOMETRIC" not in self._form.given)
        if self._copied:
            pad_metadata(self._raster, content.band_tags())

    def _write_blocks(self, rect: Rect, pixels: np.ndarray, valid: np.ndarray | None) -> None:
        # GDAL's threads tell nobody of a full disk, so it must not come to that.
        if self._free() < pixels.nbytes + _MARGIN_BYTES:
            raise self._failure("the disk is full")
        with self._gdal():
            self._raster.write(pixels, window=_window(rect))
        if self._masks is not None:
            self._masks.put(rect, valid)
        for index in self._layout.indices(rect):
            self._written[index] = True

    def _finish(self) -> None:
        for where, pixels, mask in self._buffer.rest():
            self._write_blocks(where, pixels, mask)
        first = self._temporaries[0]
        # The COG driver takes overviews that are there, twice as fast as it makes its own.
        own = self._form.overviews and not (self._form.cog and asks_for_overviews(self._form))
        levels = _levels(self.content.grid.shape) if own else []
        with self._gdal():
            self._check_written()
            if self._masks is not None:
                self._write_mask(self._masks)
            if levels:
                self._raster.build_overviews(levels, Resampling.average)
            self._raster.close()
            self._raster = None
            self._check_file(first.path, (1 + len(levels)) * (1 if self._masks is None else 2))
            if XMP in self.content.tags:
                unwrap_xmp(first.path, XMP.encode())
            if self._copied:
                self._copy(first)
            self._temporaries[-1].promote(overwrite=self._overwrite)

    def _check_written(self) -> None:
        """Fail where a written block is not in the file; asking for a block also waits for its thread.

        This comes before closing, when GDAL fills missing blocks with nodata and hides the loss.
        """
        bands = self._raster.indexes if self._raster.interleaving.name == "band" else [1]
        for row, col in np.argwhere(self._written):
            for band in bands:
                if not self._raster.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=band):
                    raise self._failure("a block did not reach the disk")

    def _write_mask(self, masks: MaskStore) -> None:
        if self._free() < self.content.grid.rect.area // 8 + _MARGIN_BYTES:
            raise self._failure("the disk is full")
        for index in self._layout.indices(self.content.grid.rect):
            self._raster.write_mask(masks.get(index), window=_window(self._layout.rect(index)))

    def _check_file(self, path: Path, images: int | None) -> None:
        """Fail where the closed file lacks a block, or its mask is not the one written."""
        if reason := find_damage(path, images):
            raise self._failure(f"the disk did not take all of it ({reason})")
        if self._masks is None:
            return
        with rasterio.open(path) as raster:
            for index in self._layout.indices(self.content.grid.rect):
                window = _window(self._layout.rect(index))
                if not np.array_equal(raster.dataset_mask(window=window) > 0, self._masks.get(index)):
                    raise self._failure("the mask did not reach the disk")

    def _copy(self, first: Temporary) -> None:
        second = Temporary(self.path)
        self._temporaries.append(second)
        rasterio.shutil.copy(first.path, second.path, **copy_options(self._form, self.content.dtype))
        self._check_file(second.path, None)
        restore_content(first.path, second.path)

    def _abandon(self) -> None:
        """Close and remove whatever is still under a temporary name; nothing after success."""
        if self._raster is not None:
            with contextlib.suppress(RasterioError, CPLE_BaseError, OSError), quietly():
                self._raster.close()
            self._raster = None
        for temporary in self._temporaries:
            temporary.discard()

    @contextlib.contextmanager
    def _gdal(self) -> Iterator[None]:
        """GDAL's settings for writing, and its errors as ours."""
        settings = {
            "CPL_LOG": os.devnull,
            "GDAL_TIFF_INTERNAL_MASK": True,
            "GDAL_PAM_ENABLED": False,
            "GDAL_NUM_THREADS": "ALL_CPUS",
            "GDAL_TIFF_OVR_BLOCKSIZE": BLOCK,
        }
        try:
            with rasterio.Env(**settings), quietly():
                yield
        except (RasterioError, CPLE_BaseError, OSError) as error:
            raise self._failure(str(error)) from error

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self._folder).free
        except OSError as error:
            found = f"cannot be written: its folder {self._folder} is out of reach ({error.strerror})"
            needed, remedy = "a folder that stays where it is", "make it again, or choose another one"
            raise OutputError(self.path, found, needed, remedy) from error

    def _failure(self, reason: str) -> OutputError:
        copies = 2.4 if self._copied else 1.4
        free = f"{_size(self._free())} free in {self._folder.resolve()}"
        needed = f"up to {_size(self.content.raw_bytes * copies)}, less what compression saves"
        return OutputError(
            self.path,
            f"cannot be written: {reason}, with {free}",
            needed,
            "free some space or write to another disk; mind quotas and limits on the size of files",
        )


def _levels(shape: tuple[int, int]) -> list[int]:
    """Overview factors: powers of two until the smaller side fits into a block."""
    levels: list[int] = []
    while min(shape) > BLOCK << len(levels):
        levels.append(2 << len(levels))
    return levels


def _check_nodata(form: OutputFormat, content: Content) -> None:
    """Refuse a no-data value that samples of so few bits cannot hold: GDAL would make another of it."""
    most = None if form.bits is None else 2**form.bits - 1
    if most is not None and content.nodata is not None and content.nodata > most:
        found = f"NBITS={form.bits} for the no-data value {content.nodata:g}"
        raise UsageError("--co", found, f"bits that hold it, or a no-data value up to {most}",
                         "give more bits, or leave NBITS out")  # fmt: skip


def _window(rect: Rect) -> Window:
    return Window(rect.col, rect.row, rect.width, rect.height)


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
