"""Fuse all scenes of an archive, each on its own: what fails stops nothing, what is finished stays."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from geosharp.archive.calibrations import share_calibrations
from geosharp.archive.items import Origin, check_catalogue, complete_items
from geosharp.archive.job import Job
from geosharp.archive.ledger import DONE, FAILED, SKIPPED, Ledger, Row, digest_asked, has_changed
from geosharp.archive.options import check_shared, merge_options, name_files
from geosharp.archive.outlook import Outlook, look_ahead
from geosharp.archive.outputs import make_folder, place_results
from geosharp.archive.running import run
from geosharp.archive.share import share_computer
from geosharp.archive.sources import list_sources
from geosharp.cluster.connection import Cluster
from geosharp.document import make_document
from geosharp.errors import UsageError
from geosharp.notes import Notes, Tell
from geosharp.raster.pairing import Listing, Scenes


@dataclass(frozen=True)
class BatchResult:
    """rows: of all scenes, in their order; notes: on what was left out."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def failed(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.state == FAILED)

    @property
    def pixels(self) -> float:
        """Of all results of this run, in millions."""
        return sum(row.pixels for row in self.rows if row.state == DONE)

    def as_json(self) -> dict[str, Any]:
        """What `geosharp batch --json` prints; rows as in batch.jsonl."""
        counts = {state: sum(row.state == state for row in self.rows) for state in (DONE, SKIPPED, FAILED)}
        facts = {"seconds": self.seconds, "pixels": self.pixels, "rows": self.rows, "notes": self.notes}
        return make_document("batch/1", counts | facts)


@dataclass(frozen=True)
class Plan:
    """What a batch would do. rows: of all scenes, without a state; options: of `fuse`, origins: what lists
    tell of them, and outlooks: what headers do, once they were looked at, each in the order of rows; listing:
    where they are from."""

    rows: tuple[Row, ...]
    options: tuple[Mapping[str, Any], ...]
    origins: tuple[Origin, ...]
    listing: Listing
    outlooks: tuple[Outlook, ...] = ()

    def look(self) -> Plan:
        """The plan with what the headers of its scenes tell."""
        return replace(self, outlooks=look_ahead(self.rows, self.options))

    def as_json(self) -> dict[str, Any]:
        """What `geosharp batch --dry-run --json` prints; of a plan that has looked."""
        known = ("name", "pan", "ms", "out", "paired")
        facts = {
            "rows": [
                {key: getattr(row, key) for key in known} | asdict(outlook)
                for row, outlook in zip(self.rows, self.outlooks, strict=True)
            ],
            "left_out": self.listing.strays,
            "notes": self.listing.notes,
        }
        return make_document("plan/1", facts)


# Hears of each scene as it is known: its row, how many are, and of how many.
RowCallback = Callable[[Row, int, int], None]


def batch(
    scenes: Scenes | Listing,
    out: str | Path,
    *,
    workers: int = 1,
    cluster: Cluster | None = None,
    retry_failed: bool = False,
    overwrite: bool = False,
    scores: bool = False,
    stac: bool = False,
    options: Mapping[str, Any] | None = None,
    on_row: RowCallback | None = None,
    on_note: Tell | None = None,
) -> BatchResult:
    """Fuse each scene into a GeoTIFF in the folder `out`, where batch.jsonl tells what became of it.

    scenes: (PAN, MS) pairs, MS one file or one per band; or a folder, in which names, footprints and times
    tell pairs; or a CSV or Parquet file with columns pan and ms, and where wanted out and options (of one
    scene); or STAC items as JSON, a file or an http(s) address. Results that are there are skipped, unless
    `overwrite`; what failed before is tried again once one of its files or options has changed, where it was
    the machine that failed, or with `retry_failed`; what was interrupted goes on where it was. workers:
    processes side by side, which share cores and memory (a script that asks for them needs
    `if __name__ == "__main__":`); cluster: whose workers do it instead.
    options: arguments of `fuse`, for all scenes; calibration may be "per-sensor". scores: whether to score
    results at full resolution. stac: whether to write a STAC item beside each, and items.json of all. Raises
    a GeosharpError where nothing can be begun; what goes wrong with one scene is in its row.
    """
    start = time.perf_counter()
    if workers < 1:
        raise UsageError("--workers", str(workers), "one or more", "leave it out for one")
    planned = plan(scenes, out, options)
    folder, notes = Path(out), Notes(on_note)
    if stac:
        check_catalogue(folder, planned.listing.origin)
    notes.add(*planned.listing.tell())
    make_folder(folder)
    ledger = Ledger(folder)
    rows = {row.out: row for row in planned.rows}
    settled = _settle(planned, ledger.read(), retry_failed=retry_failed, overwrite=overwrite)
    count = itertools.count(1)

    def tell(row: Row) -> None:
        rows[row.out] = row
        if on_row is not None:
            on_row(row, next(count), len(rows))

    for row in settled.values():
        tell(row)
    waiting = [row for row in planned.rows if row.out not in settled]
    jobs = [
        replace(job, overwrite=overwrite, scored=scores, item=job.item if stac else None)
        for job in _make_jobs(planned, waiting, folder, notes.add)
    ]
    if workers > 1 and cluster is None:
        share = share_computer(min(workers, max(len(jobs), 1)), (options or {}).get("max_memory"))
        workers, jobs = share.workers, [replace(job, options=share.give(job.options)) for job in jobs]
        notes.add(*filter(None, [share.note]))
    try:
        for row in run(jobs, workers, cluster, notes.add):
            ledger.add(row)
            tell(row)
    except BaseException:
        done = sum(row.state in (DONE, SKIPPED) for row in rows.values())
        notes.add(f"{done} of {len(rows)} scenes are done, and stay: the same command goes on with the rest")
        raise
    if stac:
        notes.add(*_complete(folder, rows.values(), planned.origins))
    return BatchResult(tuple(rows.values()), tuple(notes.told), time.perf_counter() - start)


def _settle(
    planned: Plan, known: Mapping[str, Row], *, retry_failed: bool, overwrite: bool
) -> dict[str, Row]:
    """By result, the rows of scenes that are not to be fused now. known: of earlier batches, by name."""
    settled = {}
    for row, options in zip(planned.rows, planned.options, strict=True):
        before = known.get(row.name)
        if Path(row.out).exists() and not overwrite:
            settled[row.out] = replace(row, state=SKIPPED)
        elif before is not None and _stays_failed(row, options, before) and not retry_failed:
            settled[row.out] = replace(before, out=row.out, seconds=0.0, warnings=(_tell_when(before),))
    return settled


def _stays_failed(row: Row, options: Mapping[str, Any], before: Row) -> bool:
    """Whether it failed before, and nothing that is known would have it end otherwise now."""
    if before.state != FAILED or before.asked != row.asked:
        return False
    return not has_changed([row.pan, *row.ms, *name_files(options)], before.started)


def _tell_when(before: Row) -> str:
    """Why a scene that failed then is not tried now."""
    when = f"on {before.started[:16].replace('T', ' ')} UTC" if before.started else "before"
    return f"as {when}; not tried again without --retry-failed, as neither its files nor its options changed"


def _complete(folder: Path, rows: Iterable[Row], origins: Sequence[Origin]) -> list[str]:
    """The items of all rows whose results are there, and their catalogue; notes on what could not be."""
    there = [(row, origin) for row, origin in zip(rows, origins, strict=True) if row.state in (DONE, SKIPPED)]
    return complete_items(folder, [(row.out, row.pan, origin) for row, origin in there])


def plan(scenes: Scenes | Listing, out: str | Path, options: Mapping[str, Any] | None = None) -> Plan:
    """What a batch of these scenes and options would do; what a list asks for and cannot be is refused."""
    shared = dict(options or {})
    check_shared(shared)
    listing = scenes if isinstance(scenes, Listing) else list_sources(scenes)
    placed = place_results(listing.scenes, Path(out))
    merged = tuple(merge_options(shared, scene) for scene in listing.scenes)
    return Plan(
        tuple(
            Row(
                name,
                scene.pan,
                scene.ms,
                there,
                "",
                paired=scene.rule,
                asked=digest_asked(scene.pan, scene.ms, given),
            )
            for (name, there), scene, given in zip(placed, listing.scenes, merged, strict=True)
        ),
        merged,
        tuple(
            Origin(_identify(Path(there).relative_to(out)), scene.source, scene.times)
            for (_, there), scene in zip(placed, listing.scenes, strict=True)
        ),
        listing,
    )


def _identify(inside: Path) -> str:
    """What a result is called in a catalogue of all."""
    return "-".join(inside.with_suffix("").parts)


def _make_jobs(planned: Plan, waiting: Sequence[Row], folder: Path, tell: Tell) -> list[Job]:
    """Jobs of the rows that wait, in folders that are there, with the calibrations of their sensors."""
    told = {
        row.out: (given, origin)
        for row, given, origin in zip(planned.rows, planned.options, planned.origins, strict=True)
    }
    for parent in sorted({Path(row.out).parent for row in waiting}):
        make_folder(parent)
    choices = share_calibrations(planned.rows, planned.options, [row.out for row in waiting], folder, tell)
    jobs = []
    for row in waiting:
        (given, origin), choice = told[row.out], choices.get(row.out)
        if choice is None:
            jobs.append(Job(row, given, item=origin))
        else:
            chosen = {**given, "calibration": choice.calibration}
            jobs.append(Job(row, chosen, note=choice.note, item=origin))
    return jobs
