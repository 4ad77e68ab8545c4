"""A result in chunks: nothing is read before it is asked for, and each is what all at once would be."""

from __future__ import annotations

import json
import pickle
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import geosharp
from geosharp import chunks
from geosharp.errors import InputError, PairError, UsageError
from geosharp.raster.grid import Rect
from tests.made import make_pair, texture

da = pytest.importorskip("dask.array", reason="the extra 'xarray' is not installed")
rioxarray = pytest.importorskip("rioxarray", reason="the extra 'xarray' is not installed")

QUICK: dict[str, Any] = {"method": "glp", "calibration": "sensor", "tile": 64}


def open_pair(folder: Path, side: int = 64, **pair: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """PAN and MS in memory, and in chunks of that side and half of it."""
    paths = make_pair(folder, **{"pan_shape": (136, 150), "offset": (0.5, -3), **pair})
    eager = tuple(rioxarray.open_rasterio(path).load() for path in paths)
    return eager, (eager[0].chunk(x=side, y=side), eager[1].chunk(x=side // 2, y=side // 2))


class Counted:
    """Blocks of an array as Dask asks for them, and how many it has asked for."""

    def __init__(self, data: np.ndarray, side: int) -> None:
        self.data, self.count, self._lock = data, 0, threading.Lock()
        self.chunked = da.from_array(data, (len(data), side, side)).map_blocks(self._pass, dtype=data.dtype)

    def _pass(self, block: np.ndarray) -> np.ndarray:
        with self._lock:
            # Dask tries it on nothing, for the type.
            self.count += block.size > 0
        return block


@pytest.mark.parametrize("method", ["glp-hpm", "brovey", "exp"])
def test_chunks_are_what_all_at_once_is(tmp_path: Path, method: str) -> None:
    options = {"calibration": "sensor"} if method == "glp-hpm" else {}
    eager, chunked = open_pair(tmp_path)
    wanted = geosharp.fuse_arrays(*eager, method=method, tile=64, bands=[4, 2], **options)
    later = geosharp.fuse_arrays(*chunked, method=method, tile=64, bands=[4, 2], **options)
    assert later.chunks == ((2,), (64, 64, 8), (64, 64, 17))
    assert later.compute().equals(wanted)
    assert later.coords.equals(wanted.coords)
    assert (later.rio.crs, later.rio.transform()) == (wanted.rio.crs, wanted.rio.transform())


@pytest.mark.parametrize("method", ["glp", "brovey"])
def test_chunks_end_where_ms_saturates(tmp_path: Path, method: str) -> None:
    eager, _ = open_pair(tmp_path)
    pan, ms = ((array.clip(max=np.quantile(array, 0.98)) * 2).astype("uint16") for array in eager)
    top = int(ms.max())
    ms = ms.where(ms < top, 1023).clip(max=1023).astype("uint16")
    whole = geosharp.fuse_arrays(pan, ms, method=method, tile=64, calibration="sensor")
    later = geosharp.fuse_arrays(
        pan.chunk(x=64, y=64), ms.chunk(x=32, y=32), method=method, tile=64, calibration="sensor"
    )
    assert int(whole.max()) == 1023
    assert np.array_equal(later.compute(), whole)


def test_what_is_learnt_from_the_scene_is_the_same(tmp_path: Path) -> None:
    eager, chunked = open_pair(tmp_path, pan_shape=(192, 192))
    wanted = geosharp.fuse_arrays(*eager, method="glp", tile=64)
    assert '"verdict": "converged"' in wanted.attrs["GEOSHARP_CALIBRATION"]
    assert not np.array_equal(geosharp.fuse_arrays(*eager, **QUICK), wanted)
    later = geosharp.fuse_arrays(*chunked, method="glp", tile=64)
    assert np.array_equal(later.compute().values, wanted.values)


def test_so_is_what_a_model_makes(tmp_path: Path) -> None:
    eager, chunked = open_pair(tmp_path, pan_shape=(96, 96))
    options: dict[str, Any] = {"method": "hfreqdiff", "calibration": "sensor", "tile": 64}
    wanted = geosharp.fuse_arrays(*eager, **options)
    later = geosharp.fuse_arrays(*chunked, **options)
    assert np.array_equal(later.compute().values, wanted.values)


@pytest.mark.parametrize("how", ["no-data", "south up", "another CRS"])
@pytest.mark.parametrize("method", ["glp", "brovey"])
def test_so_they_are_whatever_the_pair_is_like(tmp_path: Path, how: str, method: str) -> None:
    profile = {"ms_profile": {"nodata": 700}} if how == "no-data" else {}
    (pan, ms), _ = open_pair(tmp_path, offset=(0, 0), **profile)
    if how == "south up":
        ms = ms.isel(y=slice(None, None, -1))
    elif how == "another CRS":
        ms = ms.rio.reproject("EPSG:3857")
    options = QUICK if method == "glp" else {"method": method, "tile": 64}
    wanted = geosharp.fuse_arrays(pan, ms, **options)
    later = geosharp.fuse_arrays(pan.chunk(x=100, y=64), ms.chunk(x=20, y=20), **options)
    assert np.array_equal(later.compute().values, wanted.values)


def test_they_tell_what_was_asked_of_what_is_still_to_be_learnt(tmp_path: Path) -> None:
    _, chunked = open_pair(tmp_path)
    asked = {"calibration": "sensor", "align": False}
    for method, told in (("glp", asked), ("exp", {})):
        later = geosharp.fuse_arrays(*chunked, method=method, **asked)
        parameters = json.loads(later.attrs["GEOSHARP_PARAMETERS"])
        assert {name: parameters[name] for name in asked if name in parameters} == told


def test_bare_arrays_in_chunks_give_one(tmp_path: Path) -> None:
    (pan, ms), _ = open_pair(tmp_path, offset=(0, 0), pan_shape=(136, 232))
    wanted = geosharp.fuse_arrays(pan.values, ms.values, **QUICK)
    later = geosharp.fuse_arrays(da.asarray(pan.values[0]), ms.values, chunks=(64, 100), **QUICK)
    assert isinstance(later, da.Array)
    assert later.chunks == ((4,), (64, 64, 8), (128, 104))
    assert np.array_equal(later.compute(), wanted)


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    (pan, ms), _ = open_pair(tmp_path, offset=(0, 0))
    images = Counted(pan.values, 64), Counted(ms.values, 16)
    later = geosharp.fuse_arrays(*(image.chunked for image in images), **QUICK)
    assert [image.count for image in images] == [0, 0]
    later[:, :10, :10].compute(scheduler="synchronous")
    assert all(image.count for image in images)


def test_a_chunk_reads_what_is_around_it_and_no_more() -> None:
    # Of floats Brovey learns nothing from the scene: what is read is read for the chunk.
    pan = Counted((900 * texture((448, 448)) + 100).astype("float32")[None], 64)
    ms = Counted((900 * texture((112, 112)) + 100).astype("float32")[None], 16)
    later = geosharp.fuse_arrays(pan.chunked, ms.chunked, method="brovey", tile=64)
    later.blocks[0, 3, 3].compute(scheduler="synchronous")
    assert pan.count == 1
    assert ms.count == 9


@pytest.mark.parametrize("up", ["north", "south"])
def test_only_what_is_learnt_is_fetched_within_a_task(monkeypatch: pytest.MonkeyPatch, up: str) -> None:
    """What a chunk needs is computed before, once for all chunks that need it."""
    fetched: list[Rect] = []
    fetch = chunks._fetch

    def note(array: Any, rect: Rect) -> Any:
        fetched.append(rect)
        return fetch(array, rect)

    monkeypatch.setattr(chunks, "_fetch", note)
    pan = da.asarray((900 * texture((320, 320)) + 100).astype("uint16")[None], chunks=64)
    ms = da.asarray((900 * texture((80, 80)) + 100).astype("uint16")[None], chunks=16)
    place = (4, 0, 0, 0, -4, 320) if up == "north" else (4, 0, 0, 0, 4, 0)
    later = geosharp.fuse_arrays(pan, ms, pan_transform=(1, 0, 0, 0, -1, 320), ms_transform=place, **QUICK)
    one = later.blocks[0, 1, 2].compute()
    assert fetched
    fetched.clear()
    # The same fusion: it is learnt from no more.
    assert np.array_equal(later.compute()[:, 64:128, 128:192], one)
    assert fetched == []


def test_tasks_side_by_side_disturb_nothing(tmp_path: Path) -> None:
    eager, chunked = open_pair(tmp_path)
    wanted = geosharp.fuse_arrays(*eager, **QUICK)
    later = geosharp.fuse_arrays(*chunked, **QUICK)
    assert np.array_equal(later.compute(scheduler="threads", num_workers=4).values, wanted.values)


def test_a_fusion_may_be_sent_elsewhere(tmp_path: Path) -> None:
    eager, chunked = open_pair(tmp_path, pan_shape=(128, 128))
    wanted = geosharp.fuse_arrays(*eager, **QUICK)
    later = geosharp.fuse_arrays(*chunked, **QUICK)
    later[:, :8, :8].compute()
    # What is open by now stays here.
    sent = pickle.loads(pickle.dumps(later))  # noqa: S301
    assert np.array_equal(sent.compute().values, wanted.values)


def test_an_error_of_the_arrays_own_is_told_as_it_is(tmp_path: Path) -> None:
    (pan, ms), _ = open_pair(tmp_path, offset=(0, 0), pan_shape=(192, 192))

    def lose(block: np.ndarray, block_id: tuple[int, ...]) -> np.ndarray:
        if block_id == (0, 2, 2):
            raise ConnectionError("the store is gone")
        return block

    lost = da.from_array(pan.values, (1, 64, 64)).map_blocks(lose, dtype="uint16")
    later = geosharp.fuse_arrays(lost, da.asarray(ms.values), **QUICK)
    for block in (later.blocks[0, 2, 2], later.blocks[0, 0, 0]):
        # The second needs it for what is global alone.
        with pytest.raises(ConnectionError, match="the store is gone"):
            block.compute()


def test_a_chunk_without_a_valid_pixel_is_no_data(tmp_path: Path) -> None:
    (pan, ms), _ = open_pair(tmp_path, offset=(0, 0))
    data = pan.values.copy()
    data[:, :64] = 0
    later = geosharp.fuse_arrays(da.from_array(data, (1, 64, 64)), da.asarray(ms.values), nodata=0, **QUICK)
    found = later.compute()
    assert not found[:, :64].any()
    assert found[:, 64:].all()


def test_a_scene_of_none_is_refused_once_it_is_seen() -> None:
    nothing = da.zeros((1, 128, 128), "uint16"), da.zeros((2, 32, 32), "uint16")
    later = geosharp.fuse_arrays(*nothing, nodata=0, **QUICK)
    with pytest.raises(PairError):
        later.compute()


def test_what_a_cluster_has_computed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pan, ms = da.zeros((64, 64), "uint16"), da.zeros((1, 16, 16), "uint16")
    # distributed's answer to what of an array is on a cluster.
    answer = SimpleNamespace(futures_of=lambda array: ["there"] if array is ms else [])
    monkeypatch.setitem(sys.modules, "distributed", answer)
    with pytest.raises(InputError, match=r"ms: an array that a cluster has computed.* before \.persist"):
        geosharp.fuse_arrays(pan, ms, method="brovey")


@pytest.mark.parametrize("sides", [0, (64,), (64, 64, 64), "auto", 64.0])
def test_chunks_that_are_no_size_are_refused(sides: Any) -> None:
    arrays = da.zeros((64, 64), "uint16"), da.zeros((1, 16, 16), "uint16")
    with pytest.raises(UsageError, match="chunks"):
        geosharp.fuse_arrays(*arrays, chunks=sides, method="brovey")


def test_an_array_of_numpy_is_provided_like_one_of_dask() -> None:
    data = np.arange(60).reshape(1, 6, 10)
    for array in (data, da.from_array(data, (1, 2, 3))):
        assert np.array_equal(chunks.provide(array).read(0, 1, 2, 3, 4), data[0, 1:4, 2:6])
