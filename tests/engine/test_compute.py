from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin
from shapely.geometry import Point

from geosharp.engine import methods
from geosharp.engine.compute import Fuse, TensorJob, Worker
from geosharp.engine.plan import Limits, make_plan
from geosharp.engine.setup import Options, Setup
from geosharp.engine.tensors import optics_of
from geosharp.errors import ResourceError
from geosharp.imaging import classic
from geosharp.imaging.classic import Pair
from geosharp.imaging.resample import Spans
from geosharp.imaging.rules import SizeRules
from geosharp.padm.table import table_degradation
from geosharp.raster.area import Area
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene, open_scene
from tests.engine.memory import fuse_in_memory, moments_of
from tests.made import ORIGIN, make_pair, write_raster

SHAPE = (310, 330)
TILES = [64, 100, 256, 4096]


def punched(image: np.ndarray, holes: list[tuple[slice, slice]], fill: float) -> np.ndarray:
    image = image.copy()
    for rows, cols in holes:
        image[:, rows, cols] = fill
    return image


def odd_scene(pair: tuple[Path, Path], folder: Path, fill: float) -> Scene:
    """`pair` with holes in PAN and MS, half a pixel off, its ratio no integer."""
    pan, ms = (read(path)[0] for path in pair)
    pan = punched(pan, [(slice(90, 140), slice(100, 131)), (slice(200, 201), slice(20, 21))], fill)
    ms = punched(ms, [(slice(0, 77), slice(0, 6)), (slice(50, 54), slice(40, 60))], fill)
    x, y = ORIGIN
    transform = from_origin(x - 0.5, y - 0.5, 4.000245, 4.000245)
    return open_scene(
        write_raster(folder / "pan_holes.tif", pan, nodata=fill),
        write_raster(folder / "ms_holes.tif", ms, nodata=fill, transform=transform),
    )


def read(path: str | Path) -> tuple[np.ndarray, Any]:
    with rasterio.open(path) as raster:
        return raster.read(), raster.transform


@pytest.fixture(scope="module")
def float_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_pair(tmp_path_factory.mktemp("float"), pan_shape=SHAPE, dtype="float32", offset=(0.5, -0.5))


@pytest.fixture(scope="module")
def odd(float_pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return odd_scene(float_pair, tmp_path_factory.mktemp("odd"), -1.0)


def plain_scene(folder: Path, **profile: Any) -> Scene:
    return open_scene(*make_pair(folder, pan_shape=(160, 192), **profile))


@pytest.mark.parametrize("method", classic.METHODS)
def test_tiles_of_any_size_give_the_bits_of_the_whole(odd: Scene, method: str) -> None:
    assert odd.relation.ratio[0] == pytest.approx(4.000245)
    whole = fuse_in_memory(odd, method, TILES[-1])
    assert 0.8 < whole.valid.mean() < 1
    for tile in TILES[:-1]:
        tiled = fuse_in_memory(odd, method, tile)
        np.testing.assert_array_equal(tiled.valid, whole.valid)
        np.testing.assert_array_equal(tiled.data.view(np.uint32), whole.data.view(np.uint32))


@pytest.mark.parametrize("method", classic.METHODS)
def test_a_part_of_the_scene_has_the_bits_of_the_whole(odd: Scene, method: str) -> None:
    part = Rect(83, 71, 101, 129)
    whole = fuse_in_memory(odd, method, 256)
    cut = fuse_in_memory(odd, method, 100, area=Area(part))
    index = part.within(odd.area)
    np.testing.assert_array_equal(cut.data.view(np.uint32), whole.data[:, *index].view(np.uint32))
    np.testing.assert_array_equal(cut.valid, whole.valid[index])


@pytest.mark.parametrize("method", classic.METHODS)
@pytest.mark.parametrize("fill", [3e38, np.nan, -9999.0])
def test_what_no_data_holds_changes_no_bit(
    tmp_path: Path, float_pair: tuple[Path, Path], odd: Scene, method: str, fill: float
) -> None:
    other = odd_scene(float_pair, tmp_path, fill)
    expected, made = (fuse_in_memory(scene, method, 128) for scene in (odd, other))
    np.testing.assert_array_equal(made.valid, expected.valid)
    np.testing.assert_array_equal(made.data.view(np.uint32), expected.data.view(np.uint32))


def test_the_result_is_valid_where_pan_and_ms_are(odd: Scene) -> None:
    made = fuse_in_memory(odd, "glp", 100)
    np.testing.assert_array_equal(made.valid, np.isfinite(made.data).all(0))
    top, left = odd.area.row, odd.area.col
    assert not made.valid[90 - top : 140 - top, 100 - left : 131 - left].any()
    assert not made.valid[200 - top, 20 - left]
    assert made.valid[200 - top, 27 - left]


@pytest.mark.parametrize(
    ("method", "times", "plus"),
    # Modulation depends on where zero is.
    [(method, 3, 0) for method in classic.METHODS] + [(method, 1, 100) for method in ("exp", "gsa", "glp")],
)
def test_the_result_follows_a_scaling_or_a_shift_of_dn(
    tmp_path: Path, made_pair: tuple[Path, Path], method: str, times: int, plus: int
) -> None:
    first = open_scene(*made_pair)
    pan, _ = read(first.pan.name)
    ms, transform = read(first.ms[0].name)
    second = open_scene(
        write_raster(tmp_path / "pan2.tif", (pan * times + plus).astype("uint16")),
        write_raster(tmp_path / "ms2.tif", (ms * times + plus).astype("uint16"), transform=transform),
    )
    expected, made = (fuse_in_memory(scene, method, 256).data for scene in (first, second))
    np.testing.assert_allclose(made, expected * times + plus, rtol=1e-4)


@pytest.mark.parametrize("method", classic.METHODS)
def test_the_order_of_the_bands_does_not_matter(made_pair: tuple[Path, Path], method: str) -> None:
    expected = fuse_in_memory(open_scene(*made_pair), method, 256).data
    made = fuse_in_memory(open_scene(*made_pair, bands=[3, 1, 4, 2]), method, 256).data
    np.testing.assert_allclose(made, expected[[2, 0, 3, 1]], rtol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "uint32", "float64"])
def test_constant_images_stay_what_they_are(tmp_path: Path, dtype: str) -> None:
    level = {"uint8": 100, "int32": 2_000_000_011, "uint32": 4_000_000_007}.get(dtype, 1234)
    scene = open_scene(
        write_raster(tmp_path / "pan.tif", np.full((1, 96, 96), level, dtype)),
        write_raster(
            tmp_path / "ms.tif", np.full((3, 24, 24), level - 5, dtype), transform=from_origin(*ORIGIN, 4, 4)
        ),
    )
    limits = None if dtype == "float64" else (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    for method in classic.METHODS:
        made = fuse_in_memory(scene, method, 64, pixels=Pixels(dtype, limits, None))
        assert (made.data == level - 5).all(), method


def test_far_dn_are_fused_as_near_ones(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    """float32 holds no digit below 256 at three thousand million."""
    base = 3_000_000_000
    near = open_scene(*made_pair)
    pan, _ = read(near.pan.name)
    ms, transform = read(near.ms[0].name)
    far = open_scene(
        write_raster(tmp_path / "pan2.tif", pan.astype("uint32") + base),
        write_raster(tmp_path / "ms2.tif", ms.astype("uint32") + base, transform=transform),
    )
    expected = fuse_in_memory(near, "glp", 256, pixels=Pixels("uint16", (0, 65535), None)).data
    made = fuse_in_memory(far, "glp", 256, pixels=Pixels("uint32", (0, 2**32 - 1), None)).data
    assert np.abs((made - np.uint32(base)).astype(int) - expected.astype(int)).max() <= 1


def test_a_tile_without_a_valid_pixel_is_not_computed(tmp_path: Path) -> None:
    pan_path, ms_path = make_pair(tmp_path, pan_shape=(256, 256))
    for path, columns in ((pan_path, slice(0, 128)), (ms_path, slice(48, 64))):
        with rasterio.open(path, "r+") as raster:
            image = raster.read()
            image[:, :, columns] = 0
            raster.write(image)
            raster.nodata = 0
    scene = open_scene(pan_path, ms_path)
    made = fuse_in_memory(scene, "glp", 64)
    skipped = {(rect.row, rect.col) for rect in made.skipped}
    assert skipped == {(row, col) for row in range(0, 256, 64) for col in (0, 64, 192)}
    assert made.valid[:, 128:192].all()
    assert not made.valid[:, :128].any()


def test_only_the_area_asked_for_is_valid(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    circle = Point(100.0, 120.0).buffer(50.0)
    area = Area(Rect(70, 50, 100, 100), circle)
    made = fuse_in_memory(scene, "glp", 64, area=area, pixels=Pixels("uint16", (0, 65535), 0))
    rows, cols = np.mgrid[70:170, 50:150] + 0.5
    distance = np.hypot(rows - 120, cols - 100)
    assert made.valid[distance < 49].all()
    assert not made.valid[distance > 51].any()
    assert (made.data[:, ~made.valid] == 0).all()
    assert (made.data[:, made.valid] > 0).all()


def test_the_offset_that_the_grids_state_is_respected(tmp_path: Path) -> None:
    """One ground, MS half a PAN pixel off: the result stays where the PAN is."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    aligned = plain_scene(here, ratio=2)
    shifted = plain_scene(there, ratio=2, offset=(-0.5, 0.5))
    area = Area(Rect(20, 20, 110, 150))
    first, second = (fuse_in_memory(scene, "glp", 256, area=area).data for scene in (aligned, shifted))
    moved = fuse_in_memory(aligned, "glp", 256, area=Area(Rect(21, 20, 110, 150))).data
    error = np.sqrt(np.mean((first - second) ** 2))
    assert error < 0.25 * np.sqrt(np.mean((first - moved) ** 2))


def test_the_job_reads_what_its_halo_asks_for(odd: Scene) -> None:
    rules = methods.METHODS["glp"].size_rules(odd, None, Options())
    plan = make_plan(odd, Area(odd.area), rules, "float32")
    setup = Setup(odd, "glp", Pixels("float32", None, None), plan)
    job = methods.METHODS["glp"].make_job(setup, lambda _: None)
    reader = job.open_reader()
    tile = Rect(128, 64, 64, 64)
    patch = reader.read(tile)
    reader.close()
    assert patch is not None
    assert patch.pan_rect == tile.grow(*plan.halo)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory."),
            ResourceError,
            "the GPU's memory: none left for tiles of",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), MemoryError, "allocate"),
        (RuntimeError("anything else"), RuntimeError, "anything else"),
    ],
)
def test_want_of_memory_is_told_by_whose_it_is(
    odd: Scene, error: Exception, kind: type[Exception], told: str
) -> None:
    def fail(*_: object) -> torch.Tensor:
        raise error

    plan = make_plan(odd, Area(odd.area), SizeRules(1, (8, 8)), "float32", limits=Limits(128, 2))
    job = TensorJob(Setup(odd, "glp", Pixels("float32", None, None), plan), moments_of(odd), [Worker(fail)])
    reader = job.open_reader()
    tile = Rect(128, 64, 64, 64)
    patch = reader.read(tile)
    reader.close()
    assert patch is not None
    with pytest.raises(kind, match=told) as caught:
        job.compute(tile, patch)
    if isinstance(caught.value, ResourceError):
        assert "128 PAN pixels in 2 threads" in caught.value.found
        assert caught.value.remedy == "give a smaller --tile or fewer --threads, or take --device cpu"


@pytest.fixture
def glp(odd: Scene) -> tuple[Setup, Fuse]:
    """glp on the odd scene in tiles of 256, and what fuses them."""
    plan = make_plan(odd, Area(odd.area), SizeRules(1, (48, 48)), "float32", limits=Limits(256, 2))
    setup = Setup(odd, "glp", Pixels("float32", None, None), plan)
    injection = classic.METHODS["glp"](moments_of(odd))
    optics = optics_of(odd, table_degradation(odd))
    return setup, lambda pair, target: (classic.inject(pair, injection, optics, target), None)


def compute_tile(job: TensorJob, tile: Rect) -> np.ndarray:
    reader = job.open_reader()
    patch = reader.read(tile)
    reader.close()
    assert patch is not None
    fused = job.compute(tile, patch)
    assert fused is not None
    return fused.data


def test_a_tile_that_a_device_has_no_room_for_is_fused_in_parts_of_the_same_pixels(
    odd: Scene, glp: tuple[Setup, Fuse]
) -> None:
    setup, fuse = glp
    tried: list[tuple[int, int]] = []

    def fuse_little(pair: Pair, target: Spans) -> tuple[torch.Tensor, None]:
        tried.append((target[0].stop - target[0].start, target[1].stop - target[1].start))
        if tried[-1][0] * tried[-1][1] > 70 * 100:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return fuse(pair, target)[0], None

    tile, moments = Rect(16, 64, 256, 256), moments_of(odd)
    whole = compute_tile(TensorJob(setup, moments, [Worker(fuse)]), tile)
    job = TensorJob(setup, moments, [Worker(fuse_little)])
    np.testing.assert_array_equal(compute_tile(job, tile).view(np.uint32), whole.view(np.uint32))
    # Once beside others, then alone, and smaller and smaller.
    assert tried[:4] == [(256, 256), (256, 256), (128, 256), (128, 128)]
    assert len(tried) > 4
    tried.clear()
    np.testing.assert_array_equal(compute_tile(job, tile).view(np.uint32), whole.view(np.uint32))
    assert all(rows * cols <= 70 * 100 for rows, cols in tried)  # Once told is enough.


def test_who_has_no_room_beside_others_is_fused_alone_and_whole(odd: Scene, glp: tuple[Setup, Fuse]) -> None:
    setup, fuse = glp
    lock, inside, most, sizes = threading.Lock(), [], [0], []

    def fuse_one_at_a_time(pair: Pair, target: Spans) -> tuple[torch.Tensor, None]:
        with lock:
            inside.append(target)
            most[0] = max(most[0], len(inside))
            crowded = len(inside) > 1
        time.sleep(0.02)
        with lock:
            inside.remove(target)
        if crowded:
            raise RuntimeError("GET was unable to find an engine to execute this computation")
        sizes.append(target[0].stop - target[0].start)
        return fuse(pair, target)[0], None

    moments, tiles = moments_of(odd), [Rect(64 * row, 0, 64, 64) for row in range(4)]
    job = TensorJob(setup, moments, [Worker(fuse_one_at_a_time)])
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(partial(compute_tile, job), tiles))
    assert most[0] == 2
    assert set(sizes) == {64}
    plain = TensorJob(setup, moments, [Worker(fuse)])
    for one, tile in zip(made, tiles, strict=True):
        np.testing.assert_array_equal(one, compute_tile(plain, tile))


def test_threads_are_shared_out_among_the_workers(odd: Scene, glp: tuple[Setup, Fuse]) -> None:
    setup, fuse = glp
    by_worker: dict[int, set[int]] = {0: set(), 1: set()}

    def worker(number: int) -> Worker:
        def noting(pair: Pair, target: Spans) -> tuple[torch.Tensor, torch.Tensor | None]:
            by_worker[number].add(threading.get_ident())
            return fuse(pair, target)

        return Worker(noting)

    job, tile = TensorJob(setup, moments_of(odd), [worker(0), worker(1)]), Rect(0, 0, 64, 64)
    together = threading.Barrier(4)

    def compute(_: int) -> np.ndarray:
        together.wait(10)
        return compute_tile(job, tile)

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(compute, range(4)))
    assert [len(threads) for threads in by_worker.values()] == [2, 2]
    assert by_worker[0].isdisjoint(by_worker[1])
    for each in made[1:]:
        np.testing.assert_array_equal(each, made[0])


def test_torchs_threads_are_those_of_before(odd: Scene) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        fuse_in_memory(odd, "glp", 256)
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)
