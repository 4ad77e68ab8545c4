"""How fast the diffusion model fuses on a CPU, beside its network alone on tiles of the same size.

    python examples/benchmarks/cpu.py --size 2048 --rounds 3 [--models base,small]

A made pair of 4 bands, and of 8 (the same MS twice), ratio 4. The network alone: as many tiles at once as
there are cores, each with the margin that it uses up, without conditions, reading or writing. `fuse`: whole
processes, start-up of Python and torch included, with the sensor's calibration and without overviews.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import torch
from made_pair import make_pair
from processes import Run, run_once

from geosharp.engine.plan import available_cores
from geosharp.hfreqdiff.conditions import CHANNELS, DESCRIPTORS
from geosharp.hfreqdiff.models import open_model, shipped_models
from geosharp.imaging.computing import computing

TILE = 512
_ROUND = 4  # tiles that each core computes for one figure


def time_network(model: str, bands: int, half: bool) -> float:
    """MPix/s of the mean of tiles of TILE PAN pixels a side, all cores at work."""
    network = open_model(model, torch.device("cpu")).network
    side, cores = TILE + 2 * network.mean_margin, available_cores()
    shown, described = torch.randn(1, bands, CHANNELS, side, side), torch.randn(1, bands, DESCRIPTORS)

    def compute(_: int) -> None:
        casting = torch.autocast("cpu", torch.bfloat16) if half else nullcontext()
        with computing(), casting:
            network.mean(network.encode(shown, described, padded=False))

    with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(compute, range(cores)))
        start = time.perf_counter()
        list(pool.map(compute, range(_ROUND * cores)))
        return _ROUND * cores * TILE**2 / 1e6 / (time.perf_counter() - start)


def time_fuse(model: str, pan: Path, ms: list[Path], folder: Path) -> Run:
    command = [sys.executable, "-m", "geosharp", "fuse", *map(str, (pan, *ms)), "-o", str(folder / "out.tif")]
    flags = ["--model", model, "--calibration", "sensor", "--no-overviews", "--overwrite", "-q"]
    return run_once([*command, *flags], folder / "log.txt")


def median(measure: Callable[[], float], rounds: int) -> float:
    return statistics.median(measure() for _ in range(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=2048, help="side of PAN in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default=",".join(shipped_models()))
    options = parser.parse_args()
    pixels = options.size**2 / 1e6
    tiles = math.ceil(options.size / TILE)
    print(f"{options.size} x {options.size} PAN pixels, {tiles * tiles} tiles, {available_cores()} cores\n")
    print("| model | bands | network, fp32 MPix/s | bf16 | fuse, MPix/s | share of the network | peak MB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pan, ms = make_pair(folder, options.size)
        second = Path(shutil.copy(ms, folder / "again.tif"))
        for model in options.models.split(","):
            for bands, files in ((4, [ms]), (8, [ms, second])):
                exact, half = (
                    median(lambda: time_network(model, bands, half), options.rounds)  # noqa: B023
                    for half in (False, True)
                )
                runs = [time_fuse(model, pan, files, folder) for _ in range(options.rounds)]
                speed = pixels / statistics.median(run.seconds for run in runs)
                peak = max(run.peak_mb for run in runs)
                print(
                    f"| {model} | {bands} | {exact:.2f} | {half:.2f} | {speed:.2f} | {speed / exact:.0%} | "
                    f"{peak:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
