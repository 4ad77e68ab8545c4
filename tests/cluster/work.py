"""What workers are given to do: they import it by its name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def double(item: int, threads: int) -> tuple[int, int]:
    return 2 * item, threads


def note(folder: str, item: int, threads: int) -> int:
    """Leaves a line each time it is done; the first time for a third of the items, it kills its process."""
    seen = Path(folder) / f"{item}.seen"
    if item % 3 == 1 and not seen.exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with (Path(folder) / f"{item}.done").open("a") as file:
        file.write("done\n")
    return item


def die(item: int, threads: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return item


def stand_alone(folder: str, item: int, threads: int) -> bool:
    """Whether no other one runs in this process meanwhile."""
    mark = Path(folder) / "running"
    with mark.open("x"):
        time.sleep(0.02)
    mark.unlink()
    return True


def refuse(item: int, threads: int) -> int:
    from geosharp.errors import InputError

    raise InputError(f"{item}.tif", "broken", "a raster", "mend it")


def stumble(item: int, threads: int) -> int:
    raise PermissionError(f"{item} is closed")
