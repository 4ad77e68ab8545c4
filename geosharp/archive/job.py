"""One scene of a batch, fused wherever it is sent: what that takes, and the row that tells of it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geosharp.archive.items import Origin, write_item
from geosharp.archive.ledger import DONE, FAILED, SKIPPED, Row
from geosharp.errors import GeosharpError, OutputError, ResourceError
from geosharp.fusion import FuseResult, fuse
from geosharp.raster.output.target import alone, await_others

# Arguments of `fuse` that decide what a result is held against.
_SCORED = ("bands", "sensor", "align", "threads")
_THERE = "its result was there once it was its turn: of another batch, or of a process that was killed"


@dataclass(frozen=True)
class Job:
    """A scene to be fused. row: without a state; options: arguments of `fuse`; note: for the row; scored:
    whether the result is; item: of what a STAC item is written beside the result, None for no item. All of it
    can be pickled."""

    row: Row
    options: Mapping[str, Any]
    overwrite: bool = False
    note: str = ""
    scored: bool = False
    item: Origin | None = None


def do(job: Job) -> Row:
    """The job's row once it is done, or has failed."""
    start = time.perf_counter()
    row = replace(job.row, started=datetime.now(UTC).isoformat(timespec="milliseconds"))
    try:
        result = await_others(lambda: _fuse(job, row))
    except (OutputError, ResourceError) as error:
        row = fail(row, str(error), machine=True)
    except GeosharpError as error:
        row = fail(row, str(error))
    except MemoryError:
        row = fail(row, "memory: none left; give --max-memory or fewer --workers", machine=True)
    except Exception as error:
        # Whatever is wrong with one scene, others are not to suffer.
        row = fail(row, f"{type(error).__name__}: {error}")
    else:
        row = _complete(job, row, result)
    return replace(row, seconds=round(time.perf_counter() - start, 3))


def fail(row: Row, error: str, *, machine: bool = False) -> Row:
    """The row of a scene that has failed; machine: whether by what has nothing to do with what was asked."""
    return replace(row, state=FAILED, error=error, asked="" if machine else row.asked)


def _fuse(job: Job, row: Row) -> FuseResult | None:
    """None where the result is there: another batch has made it, or a process of this one that was killed
    before it could tell. BusyError, before there is any work, where somebody is writing it."""
    with alone(Path(row.out)):
        pass
    try:
        if not _is_there(job):
            return fuse(row.pan, _ms(row), row.out, overwrite=job.overwrite, resume=True, **job.options)
    except OutputError:
        # Another run may have been faster.
        if not _is_there(job):
            raise
    return None


def _is_there(job: Job) -> bool:
    return Path(job.row.out).exists() and not job.overwrite


def _complete(job: Job, row: Row, result: FuseResult | None) -> Row:
    """The row of a result that is there, made now unless None, with what else is asked for: what of that
    fails is a warning."""
    warnings, scores = [*filter(None, [job.note])], dict[str, float]()
    if result is None:
        warnings.append(_THERE)
        row = replace(row, state=SKIPPED)
    else:
        warnings += result.warnings
        height, width = result.grid.shape
        row = replace(row, state=DONE, method=result.method, pixels=height * width / 1e6)
    try:
        if job.scored:
            scores = _score(job, row, result)
    except Exception as error:
        warnings.append(f"not scored: {error}")
    try:
        if job.item is not None:
            write_item(row.out, row.pan, job.item)
    except Exception as error:
        warnings.append(f"without a STAC item: {error}")
    return replace(row, warnings=tuple(warnings), scores=scores)


def _score(job: Job, row: Row, result: FuseResult | None) -> dict[str, float]:
    """At full resolution, by metric; those that have a value."""
    # With it comes torch, which Brovey's processes do without: it takes seconds, and memory in each.
    from geosharp.evaluation import evaluate

    chosen = {name: job.options[name] for name in _SCORED if name in job.options}
    calibration = (result and result.calibration) or job.options.get("calibration", "auto")
    scored = evaluate(
        row.pan, _ms(row), fused=[row.out], methods=(), protocol="full", calibration=calibration, **chosen
    )
    (scores,) = scored.protocols["full"].values()
    return {name: round(value, 6) for name, value in scores.items() if math.isfinite(value)}


def _ms(row: Row) -> str | list[str]:
    return row.ms[0] if len(row.ms) == 1 else list(row.ms)
