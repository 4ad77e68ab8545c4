"""Does a training that is killed end in the same weights, and how much does its data path cost?

    python examples/experiments/train_resume.py [--kills 5] [--steps 12] [--rounds 6] [--device cpu]
        [--pan FILE --ms FILE] [--base NAME|FILE|none] [--seed 0] [--threads N]

First `geosharp train` runs once undisturbed, and once more killed by SIGKILL --kills times and started again
until it is done. Each run is killed at a random moment after its first step, within what the undisturbed run
took for its share of the steps: before, between and after looks, at which the state is kept. All tensors of
both models are compared byte by byte.

Then, in one process and by turns, the loop (the next batch is read from disk while one is learnt from) is
timed against the bare training step, on one batch that stays in memory, and against batches that are read
alone. CPU seconds tell what is done, whoever else uses the machine. Without --pan and --ms the scene is a
made one of new_satellite.py.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from geosharp.calibration import learn
from geosharp.hfreqdiff.models import find_model, open_model
from geosharp.hfreqdiff.network import PRESETS, HFreqdiff
from geosharp.raster.scene import open_scene
from geosharp.training import NOTHING, state_beside
from geosharp.tuning.batches import Batch, Batches
from geosharp.tuning.ground import prepare
from geosharp.tuning.learner import Learner
from geosharp.tuning.processes import Processes
from geosharp.tuning.recipe import Recipe, from_nothing
from geosharp.tuning.store import Store

SCENES = Path(__file__).parents[1] / "new_satellite.py"


@dataclass(frozen=True)
class Run:
    """One process: seconds it lived; killed: or ended by itself; steps: it told of; learning: seconds of all
    steps so far, those of earlier runs among them; kept: the step of the state that it left, None without."""

    seconds: float
    killed: bool
    steps: tuple[int, ...]
    learning: float
    kept: int | None


@dataclass(frozen=True)
class Cost:
    """Of a step, medians over rounds: seconds on the clock and of CPU."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Speed:
    """A bare step, one of the loop, and reading a batch alone."""

    bare: Cost
    loop: Cost
    reading: Cost

    @property
    def overhead(self) -> float:
        """Share of the loop's time that the bare step does not take."""
        return 1 - self.bare.wall / self.loop.wall


def differences(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors that are not the same bytes of the same type and shape in both."""
    return sorted(
        name
        for name in {*one, *other}
        if name not in one or name not in other or _bytes(one[name]) != _bytes(other[name])
    )


def _bytes(tensor: Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    return tensor.dtype, tensor.shape, tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()


def run_once(command: list[str], out: Path, after: float | None) -> Run:
    """Run `command`, and kill it so many seconds `after` its first step, if it still runs."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("w") as file:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file)
            while process.poll() is None and (after is None or not _events(log.read_text())):
                time.sleep(0.05)
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        told = log.read_text()
    killed = process.returncode == -9
    if process.returncode != 0 and not killed:
        raise SystemExit(f"{' '.join(command)}\n{told}")
    events, state = _events(told), state_beside(out)
    stored = Store(state, None).read() if state.exists() else None
    return Run(
        time.perf_counter() - start,
        killed,
        tuple(event["step"] for event in events),
        events[-1]["seconds"] if events else 0.0,
        None if stored is None else int(stored.facts["step"]),
    )


def _events(told: str) -> list[dict[str, Any]]:
    """Of steps, in JSON lines; a kill may have cut the last line short."""
    whole = [json.loads(line) for line in told.splitlines(keepends=True) if line.endswith("}\n")]
    return [event for event in whole if event["event"] == "progress"]


def resume(command: list[str], out: Path, kills: int, share: float, rng: random.Random) -> list[Run]:
    """Runs until one ends by itself; share: seconds within which each is killed."""
    runs: list[Run] = []
    while not runs or runs[-1].killed:
        runs.append(run_once(command, out, rng.uniform(0, share) if len(runs) < kills else None))
    return runs


def time_steps(
    batches: Iterator[Batch], step: Callable[[Batch], object], rounds: int, each: int = 3
) -> Speed:
    """The bare step, the loop and reading by turns, `each` of them a round."""
    fixed = next(batches)
    # The first of each is not timed: what was read ahead during another costs nothing.
    turns: dict[str, Callable[[], object]] = {
        "bare": lambda: step(fixed),
        "loop": lambda: step(next(batches)),
        "reading": lambda: next(batches),
    }
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            turn()
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(each):
                turn()
            costs[name].append(((time.perf_counter() - wall) / each, (time.process_time() - cpu) / each))
    return Speed(*(Cost(*map(statistics.median, zip(*costs[name], strict=True))) for name in turns))


def measure(pan: Path, ms: Path, options: argparse.Namespace, folder: Path) -> Speed:
    """As `train` does it, from its first step on."""
    scene = open_scene(pan, ms)
    ground = prepare(scene, learn(scene).degradation, folder, seed=options.seed)
    recipe, device = Recipe(steps=options.steps, seed=options.seed), torch.device(options.device)
    if options.base == NOTHING:
        torch.manual_seed(options.seed)
        network, recipe = HFreqdiff(PRESETS["small"]), from_nothing(recipe)
    else:
        network = open_model(find_model(options.base), torch.device("cpu")).network
    learner = Learner(network, recipe, device, Processes())
    batches = Batches([ground], recipe, Processes()).from_step(0)
    try:
        return time_steps(batches, lambda batch: learner.learn(batch, 10**6), options.rounds)
    finally:
        batches.close()


def format_runs(runs: list[Run]) -> str:
    lines = ["| run | seconds | ended by | steps | kept at step |", "|---|---|---|---|---|"]
    for number, run in enumerate(runs, 1):
        ended = "SIGKILL" if run.killed else "itself"
        steps = f"{run.steps[0]} to {run.steps[-1]}" if run.steps else "none"
        kept = "-" if run.kept is None else str(run.kept)
        lines.append(f"| {number} | {run.seconds:.1f} | {ended} | {steps} | {kept} |")
    return "\n".join(lines)


def format_speed(speed: Speed) -> str:
    rows = {"bare step": speed.bare, "loop": speed.loop, "reading alone": speed.reading}
    lines = ["| | s a step | steps/s | CPU s a step |", "|---|---|---|---|"]
    lines += [f"| {name} | {c.wall:.3f} | {1 / c.wall:.2f} | {c.cpu:.3f} |" for name, c in rows.items()]
    return "\n".join([*lines, "", f"data path: {speed.overhead:.1%} of the loop"])


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pan", type=Path)
    parser.add_argument("--ms", type=Path)
    parser.add_argument("--base", default="base")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of torch, where the speed is measured")
    options = parser.parse_args(arguments)
    if (options.pan is None) != (options.ms is None):
        parser.error("--pan and --ms go together")
    return options


def main() -> None:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pan, ms = options.pan, options.ms
        if pan is None:
            subprocess.run([sys.executable, SCENES, folder], check=True, stdout=subprocess.DEVNULL)
            pan, ms = (folder / "scenes" / f"north_{kind}.tif" for kind in ("pan", "ms"))
        runs, differing = kill_and_compare(pan, ms, options, folder)
        print(f"{sum(run.killed for run in runs)} kills in {options.steps} steps on {options.device}\n")
        print(format_runs(runs))
        same = f"NOT the same: {', '.join(differing)}" if differing else "the same, byte by byte"
        print(f"\ntensors of the killed and of the undisturbed run: {same}\n")
        place = folder / "speed"
        place.mkdir()
        print(f"{options.device}, {torch.get_num_threads()} threads\n")
        print(format_speed(measure(pan, ms, options, place)))
    sys.exit(bool(differing))


def kill_and_compare(
    pan: Path, ms: Path, options: argparse.Namespace, folder: Path
) -> tuple[list[Run], list[str]]:
    """The runs of which all but the last were killed, and what differs in the end."""

    def command(out: Path) -> list[str]:
        settings = {"steps": options.steps, "seed": options.seed, "base": options.base}
        chosen = [f"--{name}={value}" for name, value in {**settings, "device": options.device}.items()]
        named = [str(pan), str(ms), "-o", str(out)]
        return [sys.executable, "-m", "geosharp", "train", *named, *chosen, "--keep", "--log-json"]

    whole, killed = folder / "whole.safetensors", folder / "killed.safetensors"
    undisturbed = run_once(command(whole), whole, None)
    share = undisturbed.learning / max(options.kills, 1)
    runs = resume(command(killed), killed, options.kills, share, random.Random(options.seed))
    return runs, differences(load_file(whole), load_file(killed))


if __name__ == "__main__":
    main()
