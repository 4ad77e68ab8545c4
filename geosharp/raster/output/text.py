"""A small file that appears complete or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from geosharp.errors import OutputError
from geosharp.raster.output.target import Temporary, check_target

HTML_SUFFIXES = (".html", ".htm")
JSON_SUFFIXES = (".json",)


def check_text(
    path: str | Path,
    suffixes: tuple[str, ...],
    *,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
) -> None:
    """Refuse a path that no such text can or must be written to, as check_target does for GeoTIFF."""
    check_target(path, overwrite=overwrite, inputs=inputs, suffixes=suffixes)


def write_text(
    path: str | Path,
    text: str,
    suffixes: tuple[str, ...],
    *,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
) -> None:
    """Write `text` as UTF-8."""
    write_bytes(path, text.encode("utf-8"), suffixes, overwrite=overwrite, inputs=inputs)


def write_bytes(
    path: str | Path,
    content: bytes,
    suffixes: tuple[str, ...],
    *,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
) -> None:
    """Write `content` as it is."""
    check_text(path, suffixes, overwrite=overwrite, inputs=inputs)
    path = Path(path)
    temporary = Temporary(path)
    try:
        temporary.path.write_bytes(content)
        temporary.promote(overwrite=overwrite)
    except OSError as error:
        found = f"cannot be written: {error.strerror or error}"
        needed = f"{len(content) / 1e6:.1f} MB of free space"
        raise OutputError(path, found, needed, "free some space or write to another disk") from error
    finally:
        temporary.discard()
