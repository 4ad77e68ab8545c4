"""What tells the files of a scene from others under the same names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

# A file is told by so many samples of so many bytes; one that they cover is told wholly.
_SAMPLES, _SAMPLE = 64, 2**16
# What GDAL puts before the name of a container, and what URIs do.
_CONTAINER = re.compile(r"(/vsi[a-z0-9]+/|[a-z+]+://)+", re.IGNORECASE)
# What GDAL keeps beside a file: whoever looks at a scene leaves statistics there, and band names once more.
_SIDECAR, _LONGEST_SIDECAR = ".aux.xml", 2**24
_VIEWED = re.compile(
    rb'<Histograms>.*?</Histograms>|<MDI key="STATISTICS_\w+">[^<]*</MDI>|<Description>[^<]*</Description>',
    re.DOTALL,
)
_EMPTY = re.compile(rb'<(\w+)( band="\d+")?></\1>|<\w+ ?/>|\s+(?=<)|(?<=>)\s+')


def stamp_inputs(pan: str, ms: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """By role, in their order: PAN, each MS, and whatever other files these are made of."""
    roles = {"pan": pan} | {f"ms {number}": name for number, name in enumerate(ms, 1)}
    behind = sorted(name for name in {*files} - {*roles.values()} if read_sidecar(Path(name)) != b"")
    roles |= {f"file {number}": name for number, name in enumerate(behind, 1)}
    return {role: f"{Path(name).name}, {stamp(name)}" for role, name in roles.items()}


def read_sidecar(path: Path) -> bytes | None:
    """What a file of GDAL's beside a raster says but for statistics and names; None where it is another."""
    if not path.name.endswith(_SIDECAR) or not path.is_file() or path.stat().st_size > _LONGEST_SIDECAR:
        return None
    left, before = _VIEWED.sub(b"", path.read_bytes()), b""
    while left != before:
        left, before = _EMPTY.sub(b"", left), left
    return left


def stamp(name: str) -> str:
    """Size and a digest of a file, or of the file that it lies in; with the time of its change where the
    digest is of samples alone. What lies on no disk here has its name alone."""
    path = Path(name)
    if path.is_file():
        return _stamp(path)
    inside = Path(_CONTAINER.sub("", name).replace("!", "/"))
    for place in (inside, Path("/") / inside):
        for container in (place, *place.parents):
            if container.is_file():
                return f"{place.relative_to(container)} in {_stamp(container)}"
    return f"{name}, elsewhere"


def _stamp(path: Path) -> str:
    if (told := read_sidecar(path)) is not None:
        return f"{len(told)} bytes, {hashlib.sha256(told).hexdigest()[:16]}"
    state, digest = path.stat(), hashlib.sha256()
    step = max(state.st_size // _SAMPLES, _SAMPLE)
    with path.open("rb") as file:
        for place in range(0, state.st_size, step):
            file.seek(place)
            digest.update(file.read(_SAMPLE))
    changed = f", changed {state.st_mtime_ns}" if step > _SAMPLE else ""
    return f"{state.st_size} bytes, {digest.hexdigest()[:16]}{changed}"
