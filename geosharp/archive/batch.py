"""Fuse all scenes of an archive, each on its own: what fails stops nothing, what is finished stays."""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geosharp.archive.job import Job
from geosharp.archive.ledger import FAILED, SKIPPED, Ledger, Row
from geosharp.archive.running import run
from geosharp.engine.plan import available_cores
from geosharp.errors import OutputError, UsageError
from geosharp.fusion import fuse
from geosharp.raster.pairing import Scenes, name_pairs
from geosharp.raster.vendors import Pair

# Of `fuse`'s arguments, those that are a batch's own business.
_OURS = {"pan", "ms", "out", "overwrite", "resume", "progress", "on_note"}


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
    shared = _share(options, workers)
    todo = [Job(row, shared, overwrite=overwrite) for row in waiting]
    for row in run(todo, min(workers, len(waiting))):
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
