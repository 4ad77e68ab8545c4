"""Runs killed at random moments and resumed: whether the result is the one of a run that nobody killed.

    python examples/benchmarks/kills.py --kills 50 [--size 2048] [--method hfreqdiff] [--seed 0]

Each run is `geosharp fuse --resume` in a process of its own on a made pair, killed by SIGKILL at a moment
drawn from the time that a whole run takes; then the same command again, which is killed once more in one case
of three, and at last left alone. Counted: results whose bytes are those of the uninterrupted run, runs that
went on with tiles of a killed one, results that were there though their run was killed, and files left over.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from made_pair import make_pair


@dataclass(frozen=True)
class Outcome:
    """same: whether the bytes are those wanted; early: whether a killed run left a result; left: files over;
    went_on: whether tiles of the killed run were there."""

    same: bool
    early: bool
    left: int
    went_on: bool


def begin(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def kill_and_resume(command: list[str], out: Path, wanted: bytes, moments: list[float]) -> Outcome:
    """Kill runs of the command after so many seconds each, then let it finish."""
    early = False
    for moment in moments:
        run = begin(command)
        try:
            run.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.communicate()
            early = early or out.exists()
    told = ""
    if not out.exists():
        last = begin(command)
        _, told = last.communicate()
        if last.returncode:
            raise SystemExit(told)
    left = [path for path in out.parent.iterdir() if path.name.startswith(f".{out.name}")]
    outcome = Outcome(out.read_bytes() == wanted, early, len(left), "from an earlier run" in told)
    out.unlink()
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="runs that are killed once or twice")
    parser.add_argument("--size", type=int, default=2048, help="side of PAN in pixels")
    parser.add_argument("--method", default="glp")
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pan, ms = make_pair(folder, options.size)
        out = folder / "out.tif"
        command = [sys.executable, "-m", "geosharp", "fuse", str(pan), str(ms), "-o", str(out), "--resume"]
        command += ["--method", options.method, "--tile", str(options.tile)]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds, wanted = time.perf_counter() - start, out.read_bytes()
        out.unlink()
        outcomes = []
        for _ in range(options.kills):
            moments = [chance.uniform(0, seconds) for _ in range(chance.choice((1, 1, 2)))]
            outcomes.append(kill_and_resume(command, out, wanted, moments))
    print(
        f"{options.method}, {options.size} x {options.size} PAN pixels, a whole run takes {seconds:.1f} s\n"
    )
    print("| killed and resumed | the same bytes | went on with earlier tiles | seen early | left over |")
    print("|---|---|---|---|---|")
    counts = [sum(values) for values in zip(*(vars(each).values() for each in outcomes), strict=True)]
    same, early, left, went_on = counts
    print(f"| {len(outcomes)} | {same} | {went_on} | {early} | {left} |")


if __name__ == "__main__":
    main()
