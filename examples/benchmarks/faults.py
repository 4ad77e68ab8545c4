"""Fusions whose disk is full, whose inputs or folder go, or that meet each other: what comes of it.

    python examples/benchmarks/faults.py [--size 768] [--method brovey]

Each line is a run of `geosharp fuse --resume` in a process of its own that meets a fault midway, and the same
command once the cause is gone. Told: the run ended with exit status 1 or 2 and a message, no traceback.
Wanted of the second run: the bytes of an undisturbed one, and nothing left beside. A disk that is full is a
tmpfs, which takes root to mount; so does a right that is lost, which root itself would not miss.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from made_pair import make_pair

MEGABYTES = 1, 2, 3, 4, 6, 9
# What takes from root what it may do to files of others and to folders closed to all.
UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all")


@dataclass(frozen=True)
class Case:
    """A pair, its result's path and how the command is called."""

    pan: Path
    ms: Path
    out: Path
    options: tuple[str, ...]
    prefix: tuple[str, ...] = ()

    def command(self, *more: str) -> list[str]:
        geosharp = [*self.prefix, sys.executable, "-m", "geosharp", "fuse", str(self.pan), str(self.ms)]
        return [*geosharp, "-o", str(self.out), *self.options, *more]


@dataclass(frozen=True)
class Ended:
    """code: the exit status, negative where a signal killed it; told: what it said."""

    code: int
    told: str

    @property
    def clear(self) -> bool:
        """Whether it was done, or told why not without a traceback."""
        return "Traceback" not in self.told and (
            self.code == 0 or (self.code in (1, 2) and "error" in self.told)
        )


@dataclass(frozen=True)
class Row:
    """first, second: of the run that met the fault and of the one after; same: bytes; left: names of files
    that are beside the result in the end."""

    name: str
    first: str
    clear: bool
    second: int
    same: bool
    left: tuple[str, ...]


Act = Callable[[subprocess.Popen[str]], None]


def run(command: list[str], acts: Mapping[int | str, Act] | None = None) -> Ended:
    """Run a fusion. acts: what to do at its start ("start"), once it has written so many tiles, and at the
    stage of that name, each once."""
    told, waiting = [], dict(acts or {})
    with subprocess.Popen(
        [*command, "--log-json"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        if act := waiting.pop("start", None):
            act(process)
        for line in process.stderr or ():
            told.append(line)
            for place in [place for place in waiting if _reached(line, place)]:
                waiting.pop(place)(process)
    return Ended(process.returncode, "".join(told))


def _reached(line: str, place: int | str) -> bool:
    try:
        seen = json.loads(line)
    except ValueError:
        return False
    if seen.get("event") != "progress":
        return False
    return (
        seen["stage"] == place
        if isinstance(place, str)
        else seen["stage"] == "fuse" and seen["tiles"] >= place
    )


def finish(name: str, case: Case, first: Ended, wanted: bytes) -> Row:
    """The same command again, its cause of failure gone, unless the result is there."""
    early = case.out.exists()
    second = Ended(0, "") if early else run(case.command())
    same = case.out.exists() and case.out.read_bytes() == wanted
    left = tuple(sorted(path.name for path in case.out.parent.iterdir() if path.name != case.out.name))
    outcome = {0: "done", -signal.SIGKILL: "killed"}.get(first.code, f"exit {first.code}")
    clear = first.clear or first.code == -signal.SIGKILL
    return Row(name, outcome, clear and early == (first.code == 0), second.code, same, left)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Callable[[], None]]:
    """A disk of that size mounted at `folder`; gives what makes it large."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=512m", folder], check=True) and None
    finally:
        subprocess.run(["umount", folder], check=True)


def can_mount(folder: Path) -> bool:
    """Whether a small disk can be made, which takes root's rights."""
    try:
        with small_disk(folder, 1):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def fill_disks(folder: Path, case: Case, wanted: bytes) -> Iterator[Row]:
    """Disks of many sizes, so that they are full while tiles, the journal, masks or overviews are written."""
    for megabytes in MEGABYTES:
        with small_disk(folder / f"disk{megabytes}", megabytes) as enlarge:
            there = Case(case.pan, case.ms, folder / f"disk{megabytes}" / "out.tif", case.options)
            first = run(there.command())
            enlarge()
            yield finish(f"a disk of {megabytes} MB", there, first, wanted)


def fill_midway(folder: Path, case: Case, wanted: bytes, tiles: int | str, name: str) -> Row:
    """Someone else takes what is left of the disk once so many tiles are written."""
    with small_disk(folder, 64) as enlarge:
        there = Case(case.pan, case.ms, folder / "out.tif", case.options)
        filler = folder / "filler"

        def fill(_: subprocess.Popen[str]) -> None:
            with _ignored(), filler.open("wb") as file:
                while True:
                    file.write(b"x" * 2**16)

        first = run(there.command(), {tiles: fill})
        filler.unlink(missing_ok=True)
        enlarge()
        return finish(name, there, first, wanted)


def fill_preview(folder: Path, case: Case, wanted: bytes) -> Row:
    """The preview's disk is full: the result is complete all the same, and that is told."""
    with small_disk(folder / "previews", 1) as enlarge:
        (folder / "previews" / "filler").write_bytes(b"x" * (2**20 - 2**14))
        preview = ("--preview", str(folder / "previews" / "out.png"))
        first = run(case.command(*preview))
        complete = case.out.exists() and case.out.read_bytes() == wanted and "is complete" in first.told
        (folder / "previews" / "filler").unlink()
        enlarge()
        second = run(case.command("--overwrite", *preview))
        left = tuple(path.name for path in case.out.parent.iterdir() if path.name != case.out.name)
        done = sorted(path.name for path in (folder / "previews").iterdir()) == ["out.png"]
        same = complete and done and case.out.read_bytes() == wanted
        return Row("a full disk for the preview", f"exit {first.code}", first.clear, second.code, same, left)


@contextmanager
def _ignored() -> Iterator[None]:
    try:
        yield
    except OSError:
        return


def spoil_input(case: Case, wanted: bytes, name: str, which: str, keep: int | None, tiles: int) -> Row:
    """An input is removed, or cut off after `keep` bytes, while it is read; then it is as it was."""
    path = getattr(case, which)
    kept = path.with_name(f"{path.name}.kept")
    shutil.copy2(path, kept)

    def spoil(_: subprocess.Popen[str]) -> None:
        path.unlink() if keep is None else os.truncate(path, keep)

    first = run(case.command(), {tiles: spoil})
    kept.replace(path)
    return finish(name, case, first, wanted)


def close_folder(case: Case, wanted: bytes, tiles: int | str, name: str) -> Row:
    """The right to write into the result's folder is lost midway."""
    first = run(case.command(), {tiles: lambda _: case.out.parent.chmod(0o555)})
    case.out.parent.chmod(0o755)
    return finish(name, case, first, wanted)


def remove_folder(case: Case, wanted: bytes) -> Row:
    """The result's folder is gone midway."""
    first = run(case.command(), {5: lambda _: shutil.rmtree(case.out.parent)})
    case.out.parent.mkdir(exist_ok=True)
    return finish("the folder of the result removed", case, first, wanted)


def kill(case: Case, wanted: bytes, tiles: int | str, name: str) -> Row:
    first = run(case.command(), {tiles: lambda process: process.send_signal(signal.SIGKILL)})
    return finish(name, case, first, wanted)


def meet(case: Case, wanted: bytes, options: tuple[str, ...], tiles: int) -> Row:
    """Two runs of one command, the second while the first, which has written so many tiles, holds still."""
    plain = Case(case.pan, case.ms, case.out, tuple(each for each in case.options if each != "--resume"))
    command = plain.command(*options)
    others: list[Ended] = []

    def begin_other(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGSTOP)
        others.append(run(command))
        process.send_signal(signal.SIGCONT)

    first = run(command, {tiles: begin_other})
    codes = sorted((first.code, others[0].code))
    row = finish(f"two at once, {' '.join(options) or 'plainly'}", plain, Ended(0, ""), wanted)
    clear = codes == [0, 1] and first.clear and others[0].clear
    return Row(row.name, f"exits {codes[0]} and {codes[1]}", clear, row.second, row.same, row.left)


def try_all(folder: Path, size: int, method: str) -> Iterator[Row]:
    pan, ms = make_pair(folder, size)
    options: tuple[str, ...] = ("--method", method, "--tile", "64", "--threads", "1", "--resume")
    whole = Case(pan, ms, folder / "whole.tif", options)
    if (ended := run(whole.command())).code:
        raise SystemExit(ended.told)
    wanted = whole.out.read_bytes()

    def case(name: str, prefix: tuple[str, ...] = ()) -> Case:
        (folder / name).mkdir()
        return Case(pan, ms, folder / name / "out.tif", options, prefix)

    if can_mount(folder / "trial"):
        yield from fill_disks(folder, whole, wanted)
        yield fill_midway(folder / "midway", whole, wanted, 20, "a disk filled by others, after 20 tiles")
        yield fill_midway(
            folder / "finish", whole, wanted, "finish", "a disk filled by others, at the final pass"
        )
        yield fill_preview(folder, case("beside"), wanted)
        for tiles, name in ((5, "after 5 tiles"), ("finish", "at the final pass")):
            closed = case(f"closed-{tiles}", UNPRIVILEGED)
            yield close_folder(closed, wanted, tiles, f"the right to write lost {name}")
    length = pan.stat().st_size
    yield spoil_input(case("gone"), wanted, "PAN removed", "pan", None, 5)
    yield spoil_input(case("half"), wanted, "PAN cut to its half", "pan", length // 2, 5)
    yield spoil_input(case("none"), wanted, "PAN cut to nothing", "pan", 0, 5)
    yield spoil_input(case("ms"), wanted, "MS cut to nothing", "ms", 0, 5)
    yield remove_folder(case("removed"), wanted)
    for tiles in (1, 30, "finish"):
        yield kill(case(f"killed-{tiles}"), wanted, tiles, f"SIGKILL at {tiles}")
    for how in ((), ("--resume",), ("--overwrite",), ("--overwrite", "--resume")):
        yield meet(case("two" + "".join(how)), wanted, how, 3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=768, help="side of PAN in pixels")
    parser.add_argument("--method", default="brovey")
    options = parser.parse_args()
    start, wrong = time.perf_counter(), 0
    print("| fault | the run | told | then, resumed | the same bytes | left beside |\n" + "|---" * 6 + "|")
    with tempfile.TemporaryDirectory() as temporary:
        for row in try_all(Path(temporary), options.size, options.method):
            good = row.clear and row.second == 0 and row.same and not row.left
            wrong += not good
            cells = (
                row.name,
                row.first,
                row.clear,
                f"exit {row.second}",
                row.same,
                ", ".join(row.left) or "nothing",
            )
            print(f"| {' | '.join(map(str, cells))} |{'' if good else '  <-- wrong'}", flush=True)
    print(f"\n{wrong} wrong, in {time.perf_counter() - start:.0f} s")
    raise SystemExit(wrong > 0)


if __name__ == "__main__":
    main()
