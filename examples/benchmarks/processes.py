"""Whole processes, timed in turn: wall seconds and peak resident memory of each run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    seconds: float
    peak_mb: float


def run_once(command: Sequence[str], log: Path) -> Run:
    """Run `command` to its end; what it prints goes to `log`. Raises if it fails."""
    with log.open("ab") as sink:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}, see {log}")
    return Run(seconds, usage.ru_maxrss / 1024)


def interleave(commands: Mapping[str, Sequence[str]], rounds: int, log: Path) -> dict[str, list[Run]]:
    """Every command once per round, in turn, so that a machine's drift meets all alike."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run_once(command, log))
    return runs


def print_table(runs: Mapping[str, Sequence[Run]], against: str) -> None:
    """Median seconds and memory, and both as medians of the ratios to `against` round by round."""
    floor = runs[against]
    print(f"{'':24} {'s':>8} {'MB':>8} {'time ratio':>11} {'memory ratio':>13}")
    for name, mine in runs.items():
        time_ratio = statistics.median(a.seconds / b.seconds for a, b in zip(mine, floor, strict=True))
        memory_ratio = statistics.median(a.peak_mb / b.peak_mb for a, b in zip(mine, floor, strict=True))
        seconds = statistics.median(run.seconds for run in mine)
        peak = statistics.median(run.peak_mb for run in mine)
        print(f"{name:24} {seconds:8.2f} {peak:8.0f} {time_ratio:11.2f} {memory_ratio:13.2f}")
