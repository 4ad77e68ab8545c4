"""What a GPU must give: the CPU's pixels, whatever its room and however many of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from rasterio.windows import Window

from geosharp.engine.clock import UPLOAD, Clock
from geosharp.engine.setup import Options
from geosharp.hfreqdiff.settings import NETWORK, Diffusion
from geosharp.imaging.transfer import download, upload
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene, open_scene
from tests.engine.memory import MemoryWriter, fuse_in_memory
from tests.hfreqdiff.made_model import make_model
from tests.made import make_pair

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that PyTorch can use")

DN = Pixels("uint16", (0.0, 65535.0), None)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return open_scene(*make_pair(tmp_path_factory.mktemp("cuda"), pan_shape=(600, 700), offset=(0.5, -0.5)))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def fused(scene: Scene, device: str, tile: int = 256, **asked: object) -> MemoryWriter:
    options = Options(diffusion=Diffusion(device=device, **asked))  # type: ignore[arg-type]
    return fuse_in_memory(scene, "hfreqdiff", tile, pixels=DN, options=options)


def differences(one: MemoryWriter, other: MemoryWriter) -> np.ndarray:
    np.testing.assert_array_equal(one.valid, other.valid)
    return np.abs(one.data.astype(np.int64) - other.data)


@pytest.mark.parametrize("asked", [{}, {"steps": 3, "seed": 5}, {"consistency": 3}, {"precision": "bf16"}])
def test_the_gpu_gives_the_cpus_pixels(scene: Scene, model: Path, asked: dict[str, object]) -> None:
    most = 2 if "precision" in asked else 1
    far = differences(fused(scene, "cuda", model=model, **asked), fused(scene, "cpu", model=model, **asked))
    assert (far > most).mean() <= 1e-4


def test_the_shipped_model_gives_the_cpus_pixels(scene: Scene) -> None:
    assert differences(fused(scene, "cuda"), fused(scene, "cpu")).max() <= 1


def test_tiles_and_gpus_leave_no_trace(scene: Scene, model: Path) -> None:
    one = fused(scene, "cuda", model=model)
    assert differences(fused(scene, "cuda:0,0", model=model), one).max() == 0
    assert differences(fused(scene, "cuda", 1024, model=model), one).max() <= 1


def test_want_of_memory_costs_time_alone(scene: Scene) -> None:
    whole = fused(scene, "cuda", 512)
    torch.cuda.empty_cache()
    # Libraries' workspaces for two streams, and less than a tile of 512 takes.
    room, before = torch.cuda.memory_allocated() + 300 * 2**20, torch.cuda.memory_stats()["num_ooms"]
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.mem_get_info()[1])
    try:
        assert differences(fused(scene, "cuda", 512), whole).max() <= 1
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert torch.cuda.memory_stats()["num_ooms"] > before


def test_holes_and_ratios_that_are_no_whole_numbers(tmp_path: Path, model: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(310, 330), pan_profile={"nodata": 0})
    with rasterio.open(pan, "r+") as raster:
        raster.write(np.zeros((1, 50, 31), np.uint16), window=Window(100, 90, 31, 50))
    with rasterio.open(ms, "r+") as raster:
        raster.transform = raster.transform @ Affine.scale(1.0001)
    odd = open_scene(pan, ms)
    assert odd.relation.ratio[0] != 4
    assert differences(fused(odd, "cuda", model=model), fused(odd, "cpu", model=model)).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "float32", "float64", "bool"])
def test_what_goes_up_comes_down(dtype: str) -> None:
    array = (np.arange(24) * 2731).reshape(2, 3, 4).astype(dtype)
    back = download(upload(array, torch.device("cuda")))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_time_is_the_devices() -> None:
    clock, x = Clock(running=True), torch.randn(2048, 2048, device="cuda")
    with clock.time(NETWORK, gpu=True):
        for _ in range(20):
            x = torch.nn.functional.normalize(x @ x)
    with clock.time(UPLOAD, gpu=True):
        pass
    seconds = clock.seconds
    assert seconds[NETWORK] > seconds[UPLOAD] >= 0
