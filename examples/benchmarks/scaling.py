"""Many small scenes on a Dask cluster whose workers are killed; and how far more workers would help.

    python examples/benchmarks/scaling.py --scenes 200 --workers 2 --kill-every 10
    python examples/benchmarks/scaling.py --simulate [--seconds 30] [--megabytes 400] [--bandwidth 2000]

The first fuses copies of a made pair by `geosharp.batch` on a cluster of processes on this computer, one of
which is killed by SIGKILL every so many seconds, and holds what came of it against plain `fuse`. It also
measures how many empty tasks a second go through, which is what a scheduler and the client take of each.

The second plays a batch on up to 1000 workers: each takes scene after scene from one scheduler, which serves
one at a time, reads and writes through one storage, which does too, and computes by itself.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import distributed
import rasterio
from made_pair import make_pair

import geosharp
from geosharp.cluster.tasks import run_tasks

# Of small scenes, what `fuse` spends on opening and calibrating would hide what the cluster takes.
FUSE: dict[str, Any] = {"method": "glp", "calibration": "sensor", "overviews": False}
EMPTY_TASKS = 500


def do_nothing(item: int, threads: int) -> int:
    return item


def kill_workers(cluster: Any, every: float, stop: threading.Event, killed: list[int]) -> None:
    """One of the cluster's processes after the other, until `stop`."""
    with distributed.Client(cluster, set_as_default=False) as client:
        while not stop.wait(every):
            pids = sorted(client.run(os.getpid).values())
            if pids:
                os.kill(pids[len(killed) % len(pids)], signal.SIGKILL)
                killed.append(pids[len(killed) % len(pids)])


def copy_scenes(folder: Path, pair: tuple[Path, Path], count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        for file, role in zip(pair, ("pan", "ms"), strict=True):
            shutil.copy(file, folder / f"scene{number:04}_{role}.tif")
    return folder


def read(path: Path) -> bytes:
    """The pixels of a result: its tags name its own files."""
    with rasterio.open(path) as file:
        return bytes(file.read().tobytes())


def time_plain(pair: tuple[Path, Path], folder: Path, count: int) -> tuple[float, bytes]:
    """Seconds of `fuse` for a scene, and the result's pixels; the first pays for imports."""
    out = folder / "plain.tif"
    geosharp.fuse(*pair, out, threads=1, **FUSE)
    start = time.perf_counter()
    for _ in range(count):
        geosharp.fuse(*pair, out, threads=1, overwrite=True, **FUSE)
    return (time.perf_counter() - start) / count, read(out)


def measure(scenes: int, workers: int, kill_every: float, size: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pair = make_pair(folder, size)
        plain, wanted = time_plain(pair, folder, 10)
        archive, out = copy_scenes(folder / "in", pair, scenes), folder / "out"
        with distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as made:
            cluster = geosharp.Cluster(made.scheduler_address)
            start = time.perf_counter()
            empty = len(list(run_tasks(cluster, do_nothing, range(EMPTY_TASKS), print)))
            rate = empty / (time.perf_counter() - start)
            stop, killed = threading.Event(), list[int]()
            killer = threading.Thread(target=kill_workers, args=(made, kill_every, stop, killed))
            if kill_every:
                killer.start()
            result = geosharp.batch(archive, out, options=FUSE, cluster=cluster)
            stop.set()
            if kill_every:
                killer.join()
        states = Counter(row.state for row in result.rows)
        lines = Counter(json.loads(line)["name"] for line in (out / "batch.jsonl").read_text().splitlines())
        same = sum(read(Path(row.out)) == wanted for row in result.rows)
        over = [path for path in out.iterdir() if path.name.startswith(".")]
        print("| scenes | done | told twice | pixels of plain fuse | files left over | workers killed |")
        print("|---|---|---|---|---|---|")
        twice = sum(count > 1 for count in lines.values())
        # One that is skipped was finished by a worker that died before it could tell.
        done = states["done"] + states["skipped"]
        print(f"| {scenes} | {done} | {twice} | {same} | {len(over)} | {len(killed)} |\n")
        each = result.seconds * workers / scenes
        print("| s a scene and worker: plain fuse | on the cluster | over plain | empty tasks a second |")
        print("|---|---|---|---|")
        print(f"| {plain:.3f} | {each:.3f} | {each - plain:.3f} | {rate:.0f} |")


def simulate(workers: int, scenes: int, seconds: float, task: float, transfer: float) -> float:
    """Scenes a second. seconds: of computing a scene; task: of the scheduler; transfer: of the storage."""
    ready = [(0.0, number) for number in range(workers)]
    scheduler = storage = done = 0.0
    for _ in range(scenes):
        now, number = heapq.heappop(ready)
        scheduler = max(scheduler, now) + task
        storage = max(storage, scheduler) + transfer
        done = storage + seconds
        heapq.heappush(ready, (done, number))
    return scenes / max(end for end, _ in ready)


def play(seconds: float, megabytes: float, bandwidth: float, task: float) -> None:
    transfer = megabytes / bandwidth
    print(f"{seconds:g} s of computing and {megabytes:g} MB a scene, storage of {bandwidth:g} MB/s, ", end="")
    print(f"{1e3 * task:g} ms of the scheduler a scene\n")
    print("| workers | scenes a minute | of what so many would do alone | bound by |\n|---|---|---|---|")
    alone = 1 / (seconds + transfer + task)
    for workers in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        rate = simulate(workers, max(50 * workers, 1000), seconds, task, transfer)
        bounds = {"workers": workers * alone, "storage": 1 / transfer, "scheduler": 1 / task}
        bound = min(bounds, key=lambda name: bounds[name])
        print(f"| {workers} | {60 * rate:.1f} | {rate / (workers * alone):.0%} | {bound} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill-every", type=float, default=10, help="seconds; 0 for never")
    parser.add_argument("--size", type=int, default=512, help="side of each PAN in pixels")
    parser.add_argument("--simulate", action="store_true", help="play a batch on up to 1000 workers")
    parser.add_argument("--seconds", type=float, default=30, help="of computing a scene, simulated")
    parser.add_argument("--megabytes", type=float, default=400, help="read and written a scene, simulated")
    parser.add_argument("--bandwidth", type=float, default=2000, help="of the storage in MB/s, simulated")
    parser.add_argument(
        "--task", type=float, default=0.005, help="seconds of the scheduler a scene, simulated"
    )
    options = parser.parse_args()
    if options.simulate:
        play(options.seconds, options.megabytes, options.bandwidth, options.task)
    else:
        measure(options.scenes, options.workers, options.kill_every, options.size)


if __name__ == "__main__":
    main()
