"""One scene of a batch, fused wherever it is sent: what that takes, and the row that tells what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from geosharp.archive.ledger import DONE, FAILED, Row
from geosharp.errors import GeosharpError
from geosharp.fusion import fuse


@dataclass(frozen=True)
class Job:
    """A scene to be fused. row: without a state; options: arguments of `fuse`. All of it can be pickled."""

    row: Row
    options: Mapping[str, Any]
    overwrite: bool = False


def do(job: Job) -> Row:
    """The job's row once it is done, or has failed."""
    start, row = time.perf_counter(), job.row
    ms: str | list[str] = row.ms[0] if len(row.ms) == 1 else list(row.ms)
    try:
        result = fuse(row.pan, ms, row.out, overwrite=job.overwrite, resume=True, **job.options)
    except GeosharpError as error:
        row = replace(row, state=FAILED, error=str(error))
    except MemoryError:
        row = replace(row, state=FAILED, error="memory: none left; give --max-memory or fewer --workers")
    except Exception as error:
        # Whatever is wrong with one scene, others are not to suffer.
        row = replace(row, state=FAILED, error=f"{type(error).__name__}: {error}")
    else:
        row = replace(row, state=DONE, method=result.method, warnings=result.warnings)
    return replace(row, seconds=round(time.perf_counter() - start, 3))
