"""How a scene is cut into tiles that fit into memory."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from geosharp.errors import ResourceError, UsageError
from geosharp.imaging.rules import SizeRules
from geosharp.raster.area import Area
from geosharp.raster.grid import Rect, tiles
from geosharp.raster.scene import Scene

MIN_TILE = 64
_DEFAULT_TILE = 512
# A GPU idles between small tiles, and computes their halos.
_GPU_TILES = (2048, 1024, 512)
# Finished tiles that may wait to be kept in the journal.
WAITING = 2
# Threads that keep a GPU at work: one tile's copies run while another is computed.
_LANES = 2
_DEFAULT_MEMORY = 2400 * 2**20
# What Python, rasterio and (for tensors) torch take before the first pixel.
_BASE = 120 * 2**20
_TORCH = 300 * 2**20
# CUDA's libraries and context; not measured yet.
_CUDA = 1500 * 2**20
_BLOCK = 512
_STRIP = 8192
_THREADS_PER_READER = 4
# What is in the names of files that lie on a server.
_FAR = ("://", "/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "/vsiadls", "/vsioss", "/vsiswift", "/vsiwebhdfs")


@dataclass(frozen=True)
class Limits:
    """What the caller asks of a plan; None leaves it open. max_memory in bytes."""

    tile: int | None = None
    threads: int | None = None
    max_memory: int | None = None


@dataclass(frozen=True)
class Gpus:
    """count: of GPUs that tiles are computed on; room: bytes that they may take on each."""

    count: int
    room: int


@dataclass(frozen=True)
class Plan:
    """area: PAN pixels of the result; tile, halo in PAN pixels; strip: columns that are worked through from
    top to bottom before the next, None for all at once; memory, cache in bytes (an estimate); limits: what
    was asked for."""

    area: Area
    tile: int
    strip: int | None
    halo: tuple[int, int]
    readers: int
    threads: int
    memory: int
    cache: int
    limits: Limits = Limits()

    def tiles(self) -> Iterator[Rect]:
        """The PAN rectangles of the work, in its order."""
        return tiles(self.area.rect, self.tile, self.strip)

    @property
    def tile_count(self) -> int:
        rect = self.area.rect
        rows = math.ceil(rect.stop_row / self.tile) - rect.row // self.tile
        cols = math.ceil(rect.stop_col / self.tile) - rect.col // self.tile
        return rows * cols

    @contextmanager
    def within_memory(self) -> Iterator[None]:
        """Running out of memory while following the plan is a ResourceError that says what to change."""
        try:
            yield
        except MemoryError as error:
            raise ResourceError(
                "memory",
                f"none left for tiles of {self.tile} PAN pixels in {self.threads} threads",
                f"about {self.memory / 2**20:.0f} MB",
                "give --max-memory, a smaller --tile or fewer --threads",
            ) from error


_FREE = Limits()


def make_plan(
    scene: Scene,
    part: Area,
    rules: SizeRules,
    dtype: str,
    *,
    tensors: bool = True,
    limits: Limits = _FREE,
    lighter: Mapping[str, SizeRules] = MappingProxyType({}),
    gpus: Gpus | None = None,
) -> Plan:
    """Choose what `limits` leave open; the tile is halved until the estimate is under their `max_memory`.

    dtype: the result's; tensors: whether the method computes with torch; lighter: what other methods ask
    for, by name, to be named where one of them would fit and this one does not; gpus: where tensors are
    computed, None for the CPU.
    """
    threads = _check("--threads", limits.threads, 1, "one or more")
    threads = threads or (available_cores() if gpus is None else _LANES * gpus.count)
    # Each GPU has a thread, or it would idle.
    threads = threads if gpus is None else max(threads, gpus.count)
    tile = _check("--tile", limits.tile, MIN_TILE, f"at least {MIN_TILE} PAN pixels")
    work = _Work(scene, part, rules, dtype, tensors, limits, gpus)
    sizes = work.sizes(tile or work.largest(threads))
    if limits.tile is not None:
        sizes = sizes[:1]
    limit = limits.max_memory
    if limit is None:
        limit = sys.maxsize if limits.tile else _DEFAULT_MEMORY + (0 if gpus is None else _CUDA)
    for count in range(threads, 0, -1):
        for size in sizes:
            plan = work.plan(size, count)
            if plan.memory <= limit:
                return plan
    if limits.max_memory is None:
        return plan
    raise work.refusal(sizes, lighter)


@dataclass(frozen=True)
class _Work:
    """What plans are made for, see make_plan."""

    scene: Scene
    part: Area
    rules: SizeRules
    dtype: str
    tensors: bool
    limits: Limits
    gpus: Gpus | None

    def largest(self, threads: int) -> int:
        """The side of a tile where none is asked for."""
        if self.gpus is None:
            return _DEFAULT_TILE
        lanes = math.ceil(threads / self.gpus.count)
        fitting = (size for size in _GPU_TILES if lanes * self.computing(size) <= self.gpus.room)
        return next(fitting, _GPU_TILES[-1])

    def computing(self, tile: int) -> int:
        """Bytes that one thread computes a tile in, on its device."""
        halo, bands = self.rules.halo, len(self.scene.bands)
        core, grown = _pixels(self.part.rect, tile, halo)
        coarse = grown / math.prod(self.scene.relation.ratio)
        size = np.dtype(self.dtype).itemsize + self.rules.beside
        work = (
            4 * (2 * grown + 3 * coarse * bands + 3 * core * bands) if self.tensors else core * bands * size
        )
        return int(work + self.rules.work * grown * bands)

    def sizes(self, first: int) -> list[int]:
        """Tile sides, each about half of the one before."""
        multiple = self.rules.multiple
        sizes = [math.ceil(first / multiple) * multiple]
        while sizes[-1] // 2 >= max(MIN_TILE, multiple):
            sizes.append(sizes[-1] // 2 // multiple * multiple)
        return sizes

    def plan(self, tile: int, threads: int) -> Plan:
        area, halo, readers = self.part.rect, self.rules.halo, _readers(self.scene, self._hands(threads))
        strip = _strip(self.scene, area, tile)
        cache = _cache(self.scene, tile, halo, strip)
        needed = self._held(tile, readers, threads)
        return Plan(self.part, tile, strip, halo, readers, threads, cache + needed, cache, self.limits)

    def _hands(self, threads: int) -> int:
        """So many of the computer's cores are to be kept at work."""
        return threads if self.gpus is None else available_cores()

    def _held(self, tile: int, readers: int, threads: int) -> int:
        """Bytes of the computer's memory, without GDAL's cache."""
        scene, area, bands = self.scene, self.part.rect, len(self.scene.bands)
        size_in, size_out = np.dtype(scene.dtype).itemsize, np.dtype(self.dtype).itemsize + self.rules.beside
        core, grown = _pixels(area, tile, self.rules.halo)
        coarse = grown / math.prod(scene.relation.ratio)
        patch = grown * np.dtype(scene.pan.dtype).itemsize + coarse * bands * size_in
        done = core * bands * size_out
        ahead = 2 * threads + readers + 1
        held = area.width * _BLOCK * bands * size_out
        base = _BASE + (_TORCH if self.tensors else 0)
        # Some wait to be kept in the journal.
        held += (WAITING + 1) * done
        if self.gpus is None:
            return int(base + ahead * (patch + done) + threads * self.computing(tile) + held)
        return int(base + _CUDA + ahead * (patch + done) + held)

    def refusal(self, sizes: Sequence[int], lighter: Mapping[str, SizeRules]) -> ResourceError:
        """The error where not even one thread with the smallest tile of `sizes` fits: it names what would."""
        limit, rect = self.limits.max_memory or 0, self.part.rect
        least = min((self.plan(size, 1) for size in sizes), key=lambda plan: plan.memory)
        needed = math.ceil(least.memory / 2**20)

        def fits(work: _Work, size: int) -> bool:
            return work.plan(size, 1).memory <= limit

        remedies = [f"give --max-memory {needed}M"]
        remedies += [f"take --tile {size}" for size in self.sizes(sizes[-1]) if fits(self, size)][:1]
        for name, rules in lighter.items():
            if any(fits(replace(self, rules=rules), size) for size in sizes):
                remedies.append(f"take --method {name}")
        narrow = Area(replace(rect, width=min(rect.width, least.tile)))
        if fits(replace(self, part=narrow), least.tile):
            remedies.append("fuse the scene in parts with --area")
        return ResourceError(
            "--max-memory",
            f"{limit / 2**20:.0f} MB",
            f"at least {needed} MB for tiles of {least.tile} PAN pixels over {rect.width} columns",
            ", or ".join(remedies),
        )


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _readers(scene: Scene, threads: int) -> int:
    """One handle feeds several computing threads; each more decodes some blocks again.

    Files on a server answer late rather than slowly: several requests at once hide that.
    """
    names = [source.name for source in (scene.pan, *scene.ms)]
    if any(mark in name for name in names for mark in _FAR):
        return 4
    if scene.pan.block[1] >= scene.grid.shape[1]:
        return 1
    return max(1, min(8, threads // _THREADS_PER_READER))


def _check(flag: str, value: int | None, least: int, needed: str) -> int | None:
    if value is not None and value < least:
        raise UsageError(flag, str(value), needed, "leave it out to have it chosen")
    return value


def _strip(scene: Scene, area: Rect, tile: int) -> int | None:
    """So many columns that the blocks a row of tiles shares with the next are few enough to be kept.

    Not where a file's blocks are as wide as the file, nor where tiles do not coincide with the output's
    blocks: those that two strips share would wait for the second.
    """
    striped = any(source.block[1] >= source.grid.shape[1] for source in (scene.pan, *scene.ms))
    if striped or area.row % _BLOCK or area.col % _BLOCK or tile % _BLOCK or area.width <= _STRIP:
        return None
    return max(_STRIP // tile, 1) * tile


def _cache(scene: Scene, tile: int, halo: tuple[int, int], strip: int | None) -> int:
    """GDAL's block cache: the rows of blocks that a row of tiles reads, so that none is decoded twice."""
    total = 0
    sources = ((scene.pan, 1.0, 1), *((ms, scene.relation.ratio[0], len(ms.bands)) for ms in scene.ms))
    for source, ratio, bands in sources:
        rows = (tile + 2 * halo[0]) / ratio + 2 * source.block[0]
        cols = source.grid.shape[1] if strip is None else (strip + 2 * halo[1]) / ratio + 2 * source.block[1]
        total += int(rows * min(cols, source.grid.shape[1]) * bands * np.dtype(source.dtype).itemsize)
    return min(max(total, 32 * 2**20), 256 * 2**20)


def _pixels(area: Rect, tile: int, halo: tuple[int, int]) -> tuple[int, int]:
    """PAN pixels of a tile, without its halo and with it."""
    height, width = min(tile, area.height), min(tile, area.width)
    return height * width, (height + 2 * halo[0]) * (width + 2 * halo[1])
