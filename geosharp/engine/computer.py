"""What this computer has left for us."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_UNITS = (("GB", 2**30), ("MB", 2**20), ("kB", 2**10))


def available_memory() -> int | None:
    """Bytes that are free, of the computer or its part that is ours; None where that is unknown."""
    found = []
    try:
        told = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        found.append(int(told["MemAvailable"].split()[0]) * 1024)
    except (OSError, LookupError, ValueError):
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        most, used = ((_CGROUP / f"memory.{name}").read_text("ascii").strip() for name in ("max", "current"))
        if most != "max":
            found.append(max(int(most) - int(used), 0))
    except (OSError, ValueError):
        pass
    return min(found, default=None)


def available_room(folder: Path) -> int | None:
    """Bytes that are free on the disk of a folder, or of the nearest one above it that is there; None where
    nobody can say."""
    for place in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            break
    return None


def tell_size(size: float) -> str:
    """Bytes in words, with two digits or more; whole kB at least."""
    unit, length = next((each for each in _UNITS if size >= each[1]), _UNITS[-1])
    part = size / length
    return f"{part:.2g} {unit}" if 1 <= part < 10 and unit != "kB" else f"{part:.0f} {unit}"
