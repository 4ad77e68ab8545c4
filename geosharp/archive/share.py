"""How processes that fuse side by side share one computer: its cores, and its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geosharp.engine.computer import available_memory
from geosharp.engine.plan import available_cores

# What a process takes with small tiles, torch and a model; and with those that it would choose by itself.
_LEAST, _EASY = 700 * 2**20, 2400 * 2**20
# Of the memory that is free, what is left to others.
_SPARE = 0.2


@dataclass(frozen=True)
class Share:
    """workers: processes; threads: of each; memory: bytes of each, None for as much as it wants; note: what a
    user should know of it, empty where it is as was asked for."""

    workers: int
    threads: int
    memory: int | None
    note: str = ""

    def give(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options of `fuse` for one of the processes."""
        given = {"threads": self.threads, **options}
        if self.memory is not None:
            given["max_memory"] = min(options.get("max_memory") or self.memory, self.memory)
        return given


def share_computer(workers: int, max_memory: int | None) -> Share:
    """So many processes, or as many as memory allows. max_memory: of all together, in bytes."""
    free = available_memory()
    limit = max_memory if max_memory is not None else None if free is None else int(free * (1 - _SPARE))
    fitting = workers if limit is None else max(min(workers, limit // _LEAST), 1)
    note = ""
    if fitting < workers:
        note = (
            f"--workers {workers}: {fitting} of them, as each takes {_LEAST / 2**20:.0f} MB at least and "
            f"{limit / 2**20:.0f} MB are there"  # type: ignore[operator]
        )
    memory = None
    if limit is not None and (max_memory is not None or limit // fitting < _EASY):
        memory = limit // fitting
    return Share(fitting, max(available_cores() // fitting, 1), memory, note)
