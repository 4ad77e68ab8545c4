"""Where the time of a fusion goes: the network alone, the engine without a disk, the whole, the disk alone.

    python examples/benchmarks/throughput.py --tiles 4 --rounds 3 [--device cuda] [--precision bf16]

A made pair of 4 bands, 11 bit, ratio 4, with a rim of one tile around the --tiles x --tiles tiles that are
fused. In one run and in turn, so that whatever else the machine does meets all four alike:

network   the network's mean of tiles with the margin that it uses up, as many at once as the engine computes
engine    tiles from memory, a result that is dropped: upload, prior, network, back-projection, download
fuse      geosharp.fuse with the sensor's calibration and without overviews, from file to file
copy      the same files read in the same tiles and a finished result written: what disk and compression allow

The median of the rounds counts. The floor is the slower of network and copy. FLOP/s are those of convolutions
and products; the peak is that of one product of large matrices on the same device.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from made_pair import make_pair
from torch.utils.flop_counter import FlopCounterMode

from geosharp import Diffusion, fuse
from geosharp.engine.methods import METHODS
from geosharp.engine.patches import PatchReader
from geosharp.engine.plan import Limits
from geosharp.engine.preparation import adopt, plan_fusion
from geosharp.engine.setup import Options, Setup
from geosharp.engine.stream import Fused, Job, Reader, stream
from geosharp.hfreqdiff.conditions import CHANNELS, DESCRIPTORS
from geosharp.imaging.computing import computing
from geosharp.padm.table import table_degradation
from geosharp.raster.area import Area
from geosharp.raster.content import fused_content
from geosharp.raster.environment import gdal_settings
from geosharp.raster.grid import Rect
from geosharp.raster.output import OutputFormat, SceneWriter
from geosharp.raster.scene import Patch, Scene, open_scene

RATIO, BANDS = 4, 4
_PEAK_SIDE = {"cpu": 2048, "cuda": 16384}


@dataclass(frozen=True)
class Bench:
    """setup: of the tiles within the rim; files: PAN and MS; folder: for results; peaks: bytes of the fullest
    GPU that each fuse took."""

    setup: Setup
    files: tuple[Path, Path]
    folder: Path
    peaks: list[int] = field(default_factory=list)

    @property
    def gpus(self) -> list[torch.device]:
        return [device for device in self.setup.options.devices if device.type == "cuda"]

    @property
    def mpix(self) -> float:
        return self.setup.plan.area.rect.area / 1e6

    def time_network(self) -> float:
        """Seconds for the mean of all tiles."""
        plan, half = self.setup.plan, self.setup.options.settings.precision == "bf16"
        lanes = [self._network(device, model.network) for device, model in self.setup.options.models]
        shares = [list(range(number, plan.tile_count, plan.threads)) for number in range(plan.threads)]

        def compute(number: int) -> None:
            network, shown, described = lanes[number % len(lanes)]
            device = shown.device
            queue = nullcontext() if device.type == "cpu" else torch.cuda.stream(torch.cuda.Stream(device))
            casting = torch.autocast(device.type, torch.bfloat16) if half else nullcontext()
            with computing(), queue, casting:
                for _ in shares[number]:
                    network.mean(network.encode(shown, described, padded=False))
                if device.type == "cuda":
                    torch.cuda.current_stream(device).synchronize()

        for device in self.gpus:
            torch.cuda.synchronize(device)
        with ThreadPoolExecutor(plan.threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            start = time.perf_counter()
            list(pool.map(compute, range(plan.threads)))
            return time.perf_counter() - start

    def count_flop(self) -> float:
        """Floating-point operations of the network for a PAN pixel of the result."""
        network, shown, described = self._network(*_first(self.setup.options))
        with computing(), FlopCounterMode(display=False) as counter:
            network.mean(network.encode(shown, described, padded=False))
        return counter.get_total_flops() / self.setup.plan.tile**2

    def _network(self, device: torch.device, network: Any) -> tuple[Any, torch.Tensor, torch.Tensor]:
        side = self.setup.plan.tile + 2 * network.mean_margin
        shown = torch.randn(1, BANDS, CHANNELS, side, side, device=device)
        return network, shown, torch.randn(1, BANDS, DESCRIPTORS, device=device)

    def time_engine(self) -> float:
        job = METHODS["hfreqdiff"].make_job(self.setup, _ignore)
        start = time.perf_counter()
        stream(_FromMemory(job), self.setup.plan, _Dropped())
        return time.perf_counter() - start

    def time_fuse(self) -> float:
        rect, (pan, ms) = self.setup.plan.area.rect, self.files
        options, plan = self.setup.options, self.setup.plan
        with rasterio.open(pan) as raster:
            left, top = raster.transform @ (rect.col, rect.row)
            right, bottom = raster.transform @ (rect.stop_col, rect.stop_row)
        for device in self.gpus:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        start = time.perf_counter()
        fuse(
            pan,
            ms,
            self.folder / "out.tif",
            area=(left, bottom, right, top),
            calibration="sensor",
            overviews=False,
            overwrite=True,
            diffusion=options.settings,
            tile=plan.tile,
            threads=plan.threads,
        )
        self.peaks.append(max((torch.cuda.max_memory_reserved(device) for device in self.gpus), default=0))
        return time.perf_counter() - start

    def time_copy(self) -> float:
        """Seconds to read PAN and MS and to write a result that is there already."""
        setup, plan = self.setup, self.setup.plan
        with rasterio.open(self.folder / "out.tif") as raster:
            job = _Copy(setup.scene, plan.area.rect, raster.read())
        content = fused_content(setup.scene, plan.area, setup.pixels, {})
        form = OutputFormat(cog=False, overviews=False, mask=True)
        start = time.perf_counter()
        with (
            gdal_settings(plan.cache),
            SceneWriter(self.folder / "copy.tif", content, form, overwrite=True) as to,
        ):
            stream(job, plan, to)
        return time.perf_counter() - start

    def peak_flops(self) -> float:
        """Operations a second of a product of matrices on all devices."""
        kind = torch.bfloat16 if self.setup.options.settings.precision == "bf16" else torch.float32
        total = 0.0
        for device in self.setup.options.devices:
            side = _PEAK_SIDE[device.type]
            a = torch.randn(side, side, device=device, dtype=kind)
            for _ in range(2):
                start = time.perf_counter()
                a @ a
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                spent = time.perf_counter() - start
            total += 2 * side**3 / spent
        return total


def _first(options: Options) -> tuple[torch.device, Any]:
    device, model = options.models[0]
    return device, model.network


def _ignore(_: str) -> None:
    """What a user should know is known."""


class _FromMemory:
    """A job whose patches are all the first one's pixels, moved: nothing is read."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def open_reader(self) -> Reader:
        return _MovedReader(self._job.open_reader())

    def start_thread(self) -> None:
        self._job.start_thread()

    def compute(self, tile: Rect, patch: Any) -> Fused | None:
        return self._job.compute(tile, patch)

    def end_threads(self) -> None:
        self._job.end_threads()


class _MovedReader:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._first: tuple[Rect, Patch] | None = None

    def read(self, tile: Rect) -> Patch:
        if self._first is None:
            self._first = tile, self._reader.read(tile)
        at, patch = self._first
        rows, cols = tile.row - at.row, tile.col - at.col
        return replace(
            patch,
            pan_rect=patch.pan_rect.move(rows, cols),
            ms_rect=patch.ms_rect.move(rows // RATIO, cols // RATIO),
        )

    def close(self) -> None:
        self._reader.close()


class _Dropped:
    def write(self, rect: Rect, data: Any, valid: Any) -> None:
        """Nobody wants it."""

    def skip(self, rect: Rect) -> None:
        """Nor this."""


class _Copy:
    """result: (band, row, col) of PAN pixels `rect`."""

    def __init__(self, scene: Scene, rect: Rect, result: np.ndarray) -> None:
        self._scene, self._rect, self._result = scene, rect, result

    def open_reader(self) -> PatchReader:
        return PatchReader(self._scene, (0, 0))

    def start_thread(self) -> None:
        """No arithmetic."""

    def compute(self, tile: Rect, patch: Patch) -> Fused:
        return Fused(self._result[:, *tile.within(self._rect)], None)

    def end_threads(self) -> None:
        """Nothing to end."""


def prepare(files: tuple[Path, Path], folder: Path, tile: int, tiles: int, diffusion: Diffusion) -> Bench:
    scene = open_scene(*files)
    part = Area(Rect(tile, tile, tile * tiles, tile * tiles))
    options = Options(diffusion=diffusion)
    setup = plan_fusion(scene, part, "hfreqdiff", options=options, limits=Limits(tile=tile))
    return Bench(adopt(setup, table_degradation(scene)), files, folder)


def measure(bench: Bench, rounds: int) -> dict[str, float]:
    """Median seconds of each, in turn, after a round that counts for nothing."""
    what: dict[str, Callable[[], float]] = {
        "network": bench.time_network,
        "engine": bench.time_engine,
        "fuse": bench.time_fuse,
        "copy": bench.time_copy,
    }
    times: dict[str, list[float]] = {name: [] for name in what}
    for number in range(rounds + 1):
        for name, run in what.items():
            seconds = run()
            if number:
                times[name].append(seconds)
    return {name: statistics.median(each) for name, each in times.items()}


def to_markdown(bench: Bench, seconds: dict[str, float]) -> str:
    speeds = {name: bench.mpix / spent for name, spent in seconds.items()}
    floor = min(speeds["network"], speeds["copy"])
    flop, peak = bench.count_flop(), bench.peak_flops()
    lines = ["| | MPix/s | share of the floor | TFLOP/s | share of the peak |", "|---|---|---|---|---|"]
    for name, speed in speeds.items():
        done = f"{speed * 1e6 * flop / 1e12:.2f} | {speed * 1e6 * flop / peak:.0%}"
        lines.append(
            f"| {name} | {speed:.2f} | {speed / floor:.0%} | {'- | -' if name == 'copy' else done} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiles", type=int, default=4, help="tiles a side that are fused")
    parser.add_argument("--tile", type=int, help="PAN pixels a side; what fuse would take by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="base")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--folder", type=Path, help="for the pair and results; a temporary one by default")
    options = parser.parse_args()
    diffusion = Diffusion(model=options.model, device=options.device, precision=options.precision)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        tile = options.tile or default_tile(folder, diffusion)
        bench = prepare(make_pair(folder, tile * (options.tiles + 2)), folder, tile, options.tiles, diffusion)
        plan, devices = bench.setup.plan, bench.setup.options.devices
        names = [torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU" for device in devices]
        print(
            f"{bench.mpix:.1f} MPix, {BANDS} bands, tiles of {plan.tile} with a halo of {plan.halo[0]}, "
            f"{plan.threads} threads, {options.model}, {options.precision}, {', '.join(names)}\n"
        )
        print(to_markdown(bench, measure(bench, options.rounds)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak RSS {peak:.0f} MB, a result in memory for copy included")
    if bench.gpus:
        print(f"peak of a GPU in fuse {max(bench.peaks) / 2**20:.0f} MB")


def default_tile(folder: Path, diffusion: Diffusion) -> int:
    """That of a large scene."""
    scene = open_scene(*make_pair(folder, 4096))
    return plan_fusion(scene, Area(scene.area), "hfreqdiff", options=Options(diffusion=diffusion)).plan.tile


if __name__ == "__main__":
    main()
