"""Broken and hostile rasters: what becomes of `geosharp info` and `geosharp fuse` on each of them.

    python examples/benchmarks/mutants.py [--count 500] [--seed 0] [--keep FOLDER]

Each run is a process of its own, forked from one that has imported everything, with limits on its time and
resident memory; on the wall it may take longer, on cores that others use. A result is either complete and
readable or not there at all; nothing else may be left beside it. All columns but the first two must be 0.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import rasterio
from mutations import MUTATIONS, mutate
from rasterio.errors import NotGeoreferencedWarning, RasterioError

# Of the processor's time and of time on the wall; and of memory.
SECONDS, PATIENCE, BYTES = 10.0, 60.0, 2 * 10**9
FINE = "done", "refused"
BAD = "traceback", "crashed", "over time", "over memory", "half-written", "executed"


@dataclass(frozen=True)
class Run:
    """outcome: of FINE or BAD; told: the last line on stderr."""

    outcome: str
    seconds: float
    bytes: int
    told: str


def make_forked(folder: Path, seed: int) -> list[str]:
    """PAN, MS and kind of a mutant, made in a fork: what that leaves in memory is not to count as a run's."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "w") as answer:
            answer.write("\n".join(map(str, mutate(folder, seed))))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        made = answer.read().splitlines()
    os.waitpid(child, 0)
    return made


def run_forked(arguments: list[str], folder: Path) -> Run:
    """`geosharp` with these arguments in a fork of this process, which has to be of one thread."""
    err = folder / "stderr"
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        _become(arguments, err)
    most, killed = 0, ""
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        most = max(most, resident(child))
        slow = spent(child) > SECONDS or time.perf_counter() - start > PATIENCE
        if most > BYTES or slow:
            killed = killed or ("over memory" if most > BYTES else "over time")
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    most = max(most, usage.ru_maxrss * 1024)
    text = err.read_text(errors="replace")
    lines = text.strip().splitlines()
    outcome = killed or judge(status, text, most)
    return Run(outcome, usage.ru_utime + usage.ru_stime, most, lines[-1] if lines else "")


def _become(arguments: list[str], err: Path) -> None:
    """In the fork: run the command line as a shell would, and end."""
    code = 70
    try:
        for number, path in ((0, os.devnull), (1, os.devnull), (2, err)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(err.parent)
        sys.argv = ["geosharp", *arguments]
        from geosharp.cli import main as geosharp

        geosharp()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        sys.stderr.flush()
        os._exit(code)


def resident(process: int) -> int:
    """Bytes of memory that a process holds; 0 once it has ended."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * resource.getpagesize()


def spent(process: int) -> float:
    """Seconds of the processor's time that a process has taken; 0 once it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def judge(status: int, text: str, most: int) -> str:
    """The outcome of a run that ended by itself."""
    if os.WIFSIGNALED(status):
        return "crashed"
    if "Traceback (most recent call last)" in text or "Fatal Python error" in text:
        return "traceback"
    if most > BYTES:
        return "over memory"
    code = os.WEXITSTATUS(status)
    if code == 0:
        return "done"
    return "refused" if code in (1, 2) and "geosharp: " in text else "traceback"


def check_left(out: Path, run: Run) -> Run:
    """What a fusion has left behind: all of it or nothing."""
    left = [path.name for path in out.parent.iterdir()]
    fine = left == ([out.name] if run.outcome == "done" else [])
    if fine and left:
        try:
            with rasterio.open(out) as raster:
                raster.read()
                raster.dataset_mask()
        except RasterioError:
            fine = False
    if run.outcome in FINE and not fine:
        return Run("half-written", run.seconds, run.bytes, f"left: {', '.join(left)}")
    return run


def try_mutant(folder: Path, seed: int) -> tuple[str, dict[str, Run]]:
    """The kind of mutant `seed`, and what became of each command."""
    source = folder / "scene"
    source.mkdir()
    pan, ms, kind = make_forked(source, seed)
    runs = {"info": run_forked(["info", pan, ms], source)}
    for method in ("glp", "brovey", *(["hfreqdiff"] if seed % 8 == 0 else [])):
        out = folder / method / "out.tif"
        out.parent.mkdir()
        arguments = ["fuse", pan, ms, "-o", str(out), "--method", method, "--threads", "1"]
        runs[method] = check_left(out, run_forked(arguments, source))
    if list(folder.rglob("executed")):
        runs["glp"] = Run("executed", 0.0, 0, "a file that code in a raster has made")
    return kind, runs


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=500, help="mutants")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the others follow")
    parser.add_argument("--keep", type=Path, help="folder for what is neither done nor refused")
    options = parser.parse_args()
    # Paid once: forks have it.
    import geosharp.adaptation
    import geosharp.fusion
    import geosharp.preflight
    import geosharp.terminal.tables  # noqa: F401

    tally = Tally({kind: Counter() for kind in MUTATIONS})
    # Ctrl-C shows what there is by then.
    with contextlib.suppress(KeyboardInterrupt):
        for seed in range(options.seed, options.seed + options.count):
            tally.add(seed, options.keep)
    show(tally.counts)
    print(
        f"\n{tally.mutants} mutants; the slowest run took {tally.slowest:.1f} s of the processor's time, ",
        end="",
    )
    print(f"the largest {tally.largest / 1e6:.0f} MB")
    raise SystemExit(any(counted[outcome] for counted in tally.counts.values() for outcome in BAD))


@dataclass
class Tally:
    """What has become of mutants so far. counts: outcomes of runs by the kind of mutant; slowest, largest:
    seconds and bytes of the runs that took most."""

    counts: dict[str, Counter[str]]
    mutants: int = 0
    slowest: float = 0.0
    largest: int = 0

    def add(self, seed: int, keep: Path | None) -> None:
        """Try a mutant; in `keep` goes what is neither done nor refused."""
        with tempfile.TemporaryDirectory() as temporary:
            kind, runs = try_mutant(Path(temporary), seed)
            for command, run in runs.items():
                self.counts[kind][run.outcome] += 1
                self.slowest, self.largest = max(self.slowest, run.seconds), max(self.largest, run.bytes)
                if run.outcome in BAD:
                    print(f"{seed} {kind}, {command}: {run.outcome}, {run.told}", file=sys.stderr)
                    if keep is not None:
                        pipes = shutil.ignore_patterns("pipe.tif")
                        shutil.copytree(temporary, keep / f"{seed}-{command}", symlinks=True, ignore=pipes)
        self.mutants += 1


def show(counts: dict[str, Counter[str]]) -> None:
    """The table of outcomes, a line for each kind of mutant."""
    columns = [*FINE, *BAD]
    print(f"| mutants | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    total: Counter[str] = Counter()
    for kind, counted in counts.items():
        if counted:
            print(f"| {kind} | {' | '.join(str(counted[column]) for column in columns)} |")
            total += counted
    print(f"| all | {' | '.join(str(total[column]) for column in columns)} |")


if __name__ == "__main__":
    main()
