"""Runs killed at random moments and resumed: whether the result is the one of a run that nobody killed.

    python examples/benchmarks/kills.py --kills 50 [--size 2048] [--method hfreqdiff] [--seed 0] [--cog]

Each run is `geosharp fuse --resume` in a process of its own on a made pair, killed by SIGKILL: one in eight
before its first tile, half while tiles are written, the others in the final pass (mask, overviews, COG,
checks, rename). Then the same command again, which is killed once more in one case of three, and at last
left alone. Counted: results whose bytes are those of the uninterrupted run, runs that went on with tiles of
a killed one, results that were there though their run was killed, and files left over.
"""

from __future__ import annotations

import argparse
import itertools
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from faults import run
from made_pair import make_pair

STAGES = {"before tiles": 1, "tiles": 4, "final pass": 3}


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run. seconds: until its first tile, of its tiles and of what follows."""

    content: bytes
    seconds: tuple[float, float, float]
    tiles: int


@dataclass(frozen=True)
class Outcome:
    """same: whether the bytes are those wanted; early: whether a killed run left a result; left: files over;
    went_on: whether tiles of the killed run were there."""

    same: bool
    early: bool
    left: int
    went_on: bool


def run_whole(command: list[str], out: Path) -> Whole:
    times = [time.perf_counter()]

    def note(_: subprocess.Popen[str]) -> None:
        times.append(time.perf_counter())

    ended = run(command, {1: note, "finish": note})
    times.append(time.perf_counter())
    if ended.code:
        raise SystemExit(ended.told)
    content = out.read_bytes()
    out.unlink()
    before, tiles, after = (stop - start for start, stop in itertools.pairwise(times))
    return Whole(content, (before, tiles, after), ended.told.count('"stage": "fuse"'))


def kill(command: list[str], stage: str, whole: Whole, chance: random.Random) -> bool:
    """Run, and kill the run at a random moment of the stage; whether that was before its end."""
    before, _, after = whole.seconds
    pause = {"before tiles": chance.uniform(0, before), "tiles": 0.0, "final pass": chance.uniform(0, after)}[
        stage
    ]

    def act(process: subprocess.Popen[str]) -> None:
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)

    place = {"before tiles": "start", "tiles": chance.randint(1, whole.tiles), "final pass": "finish"}[stage]
    return run(command, {place: act}).code == -signal.SIGKILL


def kill_and_resume(
    command: list[str], out: Path, whole: Whole, stages: list[str], chance: random.Random
) -> tuple[Outcome, list[str]]:
    """Kill one run after the other, each in its stage, then let the last finish; the stages of the killed."""
    killed = [stage for stage in stages if not out.exists() and kill(command, stage, whole, chance)]
    early, told = out.exists(), ""
    if not early:
        last = run(command)
        told = last.told
        if last.code:
            raise SystemExit(told)
    left = [path for path in out.parent.iterdir() if path.name.startswith(f".{out.name}")]
    outcome = Outcome(out.read_bytes() == whole.content, early, len(left), "from an earlier run" in told)
    out.unlink()
    for path in left:
        path.unlink()
    return outcome, killed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="runs that are killed once or twice")
    parser.add_argument("--size", type=int, default=2048, help="side of PAN in pixels")
    parser.add_argument("--method", default="glp")
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--cog", action="store_true", help="write COGs, whose final pass is longer")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    outcomes, stages = [], Counter[str]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pan, ms = make_pair(folder, options.size)
        out = folder / "out.tif"
        command = [sys.executable, "-m", "geosharp", "fuse", str(pan), str(ms), "-o", str(out), "--resume"]
        command += ["--method", options.method, "--tile", str(options.tile), *["--cog"] * options.cog]
        whole = run_whole(command, out)
        for _ in range(options.kills):
            drawn = chance.choices([*STAGES], [*STAGES.values()], k=chance.choice((1, 1, 2)))
            outcome, killed = kill_and_resume(command, out, whole, drawn, chance)
            outcomes.append(outcome)
            stages.update(killed)
    seconds = " + ".join(f"{each:.1f}" for each in whole.seconds)
    print(f"{options.method}, {options.size} x {options.size} PAN pixels, {whole.tiles} tiles; a run takes")
    print(f"{seconds} s (before tiles, tiles, final pass); killed in these: {dict(stages)}\n")
    print("| killed and resumed | the same bytes | went on with earlier tiles | seen early | left over |")
    print("|---|---|---|---|---|")
    counts = [sum(values) for values in zip(*(vars(each).values() for each in outcomes), strict=True)]
    same, early, left, went_on = counts
    print(f"| {len(outcomes)} | {same} | {went_on} | {early} | {left} |")


if __name__ == "__main__":
    main()
