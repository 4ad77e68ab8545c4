"""Fuse all scenes of an archive, each on its own: what fails stops nothing, what is finished stays."""

from __future__ import annotations

import inspect
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from geosharp.archive.ledger import DONE, FAILED, SKIPPED, Ledger, Row
from geosharp.engine.plan import available_cores
from geosharp.errors import GeosharpError, OutputError, UsageError
from geosharp.fusion import fuse
from geosharp.raster.pairing import Scenes, name_pairs
from geosharp.raster.vendors import Pair

# Of `fuse`'s arguments, those that are a batch's own business.
_OURS = {"pan", "ms", "out", "overwrite", "resume", "progress", "on_note"}
# How often a scene is tried whose process was killed.
_TRIES = 2


@dataclass(frozen=True)
class BatchResult:
    """rows: of all scenes, in their order; notes: on what was left out."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def failed(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.state == FAILED)


# Hears of each scene as it is known: its row, how many are, and of how many.
RowCallback = Callable[[Row, int, int], None]


def batch(
    scenes: Scenes,
    out: str | Path,
    *,
    workers: int = 1,
    retry_failed: bool = False,
    overwrite: bool = False,
    options: Mapping[str, Any] | None = None,
    on_row: RowCallback | None = None,
) -> BatchResult:
    """Fuse each scene into a GeoTIFF in the folder `out`, where batch.jsonl tells what became of it.

    scenes: (PAN, MS) pairs, MS one file or one per band; or a folder, in which names tell pairs, or a CSV
    with columns pan and ms. Results that are there are skipped, unless `overwrite`; what failed before is
    tried again with `retry_failed`; what was interrupted goes on where it was. workers: processes side by
    side, which share the cores. options: arguments of `fuse`, for all scenes. Raises a GeosharpError where
    nothing can be begun; what goes wrong with one scene is in its row.
    """
    start = time.perf_counter()
    options = dict(options or {})
    _check(workers, options)
    jobs, notes = plan(scenes, out)
    folder = Path(out)
    _make(folder)
    ledger = Ledger(folder)
    known = ledger.read()
    rows = {job.out: job for job in jobs}
    waiting: list[Row] = []
    count = itertools.count(1)

    def tell(row: Row) -> None:
        rows[row.out] = row
        if on_row is not None:
            on_row(row, next(count), len(jobs))

    for job in jobs:
        before = known.get(job.name)
        if Path(job.out).exists() and not overwrite:
            tell(replace(job, state=SKIPPED))
        elif before is not None and before.state == FAILED and not retry_failed:
            tell(before)
        else:
            waiting.append(job)
    for row in _run(waiting, _share(options, workers), min(workers, len(waiting)), overwrite=overwrite):
        ledger.add(row)
        tell(row)
    return BatchResult(tuple(rows.values()), tuple(notes), time.perf_counter() - start)


def plan(scenes: Scenes, out: str | Path) -> tuple[list[Row], list[str]]:
    """The scenes with the names of their results, as rows without a state; and notes on what is left out."""
    pairs, notes = name_pairs(scenes)
    return [
        Row(name, pan, ms, str(Path(out) / f"{name}_fused.tif"), "")
        for name, (pan, ms) in zip(_name(pairs), pairs, strict=True)
    ], notes


def _name(pairs: Sequence[Pair]) -> list[str]:
    """A name for each scene: PAN's, with as many of its folders as tell it from the others."""
    paths = [Path(pan) for pan, _ in pairs]
    names = [path.stem for path in paths]
    for depth in itertools.count(1):
        twice = {name for name in names if names.count(name) > 1}
        deeper = [
            "_".join([*path.parts[max(len(path.parts) - 1 - depth, 0) : -1], path.stem])
            if name in twice
            else name
            for path, name in zip(paths, names, strict=True)
        ]
        if deeper == names:
            break
        names = deeper
    clean = [name.replace("/", "_").replace("\\", "_").replace(":", "_") for name in names]
    if len({*clean}) < len(clean):
        again = next(pan for (pan, _), name in zip(pairs, clean, strict=True) if clean.count(name) > 1)
        raise UsageError("SCENES", f"{again} twice", "each PAN once", "leave one of them out")
    return clean


def _check(workers: int, options: Mapping[str, Any]) -> None:
    if workers < 1:
        raise UsageError("--workers", str(workers), "one or more", "leave it out for one")
    if own := sorted(_OURS & options.keys()):
        raise UsageError("options", ", ".join(own), "arguments that all scenes share", "leave these out")
    known = inspect.signature(fuse).parameters.keys()
    if unknown := sorted(options.keys() - known):
        needed = f"arguments of geosharp.fuse: {', '.join(sorted(known - _OURS))}"
        raise UsageError("options", ", ".join(unknown), needed, "correct these")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = f"cannot be made ({error.strerror})"
        raise OutputError(folder, found, "a folder for results", "choose another --out") from error


def _share(options: dict[str, Any], workers: int) -> dict[str, Any]:
    """The options of each of so many processes: cores and memory are shared out."""
    if workers == 1:
        return options
    shared = dict(options)
    shared.setdefault("threads", max(available_cores() // workers, 1))
    if shared.get("max_memory") is not None:
        shared["max_memory"] //= workers
    return shared


def _run(jobs: Sequence[Row], options: Mapping[str, Any], workers: int, *, overwrite: bool) -> Iterator[Row]:
    """The rows of the jobs as they are done."""
    if workers <= 1:
        for job in jobs:
            yield fuse_one(job, options, overwrite=overwrite)
        return
    todo: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[Row] = queue.SimpleQueue()
    for job in jobs:
        todo.put(job)
    for _ in range(workers):
        todo.put(None)
    given = todo, done, options, overwrite
    threads = [threading.Thread(target=_serve, args=given, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for _ in jobs:
        yield done.get()
    for thread in threads:
        thread.join()


def _serve(
    todo: queue.SimpleQueue[Row | None],
    done: queue.SimpleQueue[Row],
    options: Mapping[str, Any],
    overwrite: bool,
) -> None:
    """Give job after job to one process; one that is killed is replaced, and its job tried again."""
    pool = _open_process()
    while (job := todo.get()) is not None:
        row = replace(job, state=FAILED, error="its process was killed, twice: is there memory enough?")
        for _ in range(_TRIES):
            try:
                row = pool.submit(fuse_one, job, options, overwrite=overwrite).result()
                break
            except BrokenProcessPool:
                pool.shutdown()
                pool = _open_process()
        done.put(row)
    pool.shutdown()


def _open_process() -> ProcessPoolExecutor:
    # A fork would take threads' locks along, and CUDA does not survive it.
    return ProcessPoolExecutor(1, get_context("spawn"))


def fuse_one(job: Row, options: Mapping[str, Any], *, overwrite: bool) -> Row:
    """The job's row once it is done, or has failed."""
    start = time.perf_counter()
    ms: str | list[str] = job.ms[0] if len(job.ms) == 1 else list(job.ms)
    try:
        result = fuse(job.pan, ms, job.out, overwrite=overwrite, resume=True, **options)
    except GeosharpError as error:
        row = replace(job, state=FAILED, error=str(error))
    except MemoryError:
        row = replace(job, state=FAILED, error="memory: none left; give --max-memory or fewer --workers")
    except Exception as error:
        # Whatever is wrong with one scene, others are not to suffer.
        row = replace(job, state=FAILED, error=f"{type(error).__name__}: {error}")
    else:
        row = replace(job, state=DONE, method=result.method, warnings=result.warnings)
    return replace(row, seconds=round(time.perf_counter() - start, 3))
