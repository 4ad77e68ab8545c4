"""The models that there are, and what each tells of itself."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geosharp.errors import GeosharpError, InputError
from geosharp.hfreqdiff.models import find_model, shipped_models, user_models

if TYPE_CHECKING:
    from geosharp.hfreqdiff.checkpoint import Header

SHIPPED, USER, ELSEWHERE = "shipped", "user folder", "file"
_CARD = re.compile(r"SHA-256\s+`?([0-9a-f]{64})\b")


@dataclass(frozen=True)
class Entry:
    """A model's file. name: what --model takes; place: one of SHIPPED, USER and ELSEWHERE."""

    name: str
    place: str
    path: Path


def list_models() -> tuple[Entry, ...]:
    """Those that --model finds by name, shipped ones first; of the user's whose name is taken, the path."""
    shipped, own = shipped_models(), user_models()
    entries = [Entry(name, SHIPPED, path) for name, path in shipped.items()]
    names = {name: str(path) if name in shipped else name for name, path in own.items()}
    return (*entries, *(Entry(names[name], USER, path) for name, path in own.items()))


def find_entry(name: str | os.PathLike[str], flag: str = "--model") -> Entry:
    """The model that --model of that name takes; raises UsageError, by the flag, where there is none."""
    path = find_model(name, flag)
    return next((entry for entry in list_models() if entry.path == path), Entry(str(path), ELSEWHERE, path))


def describe_model(entry: Entry) -> dict[str, Any]:
    """What a model is and tells of itself, as JSON-ready values; raises InputError where it is none."""
    from geosharp.hfreqdiff.checkpoint import read_header

    header = read_header(entry.path)
    return {
        "name": entry.name,
        "place": entry.place,
        "file": str(entry.path),
        "bytes": entry.path.stat().st_size,
        "sha256": _hash(entry.path),
        "parameters": _count_parameters(header),
        "draws": header.sigma_data is not None,
        "sigma_data": header.sigma_data,
        "ratios": list(header.ratios),
        "facts": dict(header.facts),
    }


def verify_model(entry: Entry) -> str | None:
    """Read a model wholly, as fuse would, and hold it against the card beside it; raises InputError by what
    is wrong. Returns the card's name, None where there is none that tells a SHA-256: then all is known but
    whether a weight has another value than it had."""
    from geosharp.hfreqdiff.checkpoint import load

    digest = load(entry.path).digest
    card = entry.path.with_suffix(".md")
    try:
        told = _CARD.search(card.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    if told is None:
        return None
    if told[1] != digest:
        found = f"a model whose SHA-256, {digest[:8]}..., is not that of its card {card.name}"
        needed = f"the file of SHA-256 {told[1][:8]}..."
        raise InputError(entry.path, found, needed, "get this model anew, or its card")
    return card.name


def examine(entry: Entry, *, verify: bool) -> dict[str, Any]:
    """`describe_model`, or what is wrong as "fault". verify: whether it is read wholly; then the card that it
    agrees with is "card"."""
    found: dict[str, Any] = {"name": entry.name, "place": entry.place, "file": str(entry.path)}
    try:
        found = describe_model(entry)
        if verify:
            found["card"] = verify_model(entry)
    except GeosharpError as error:
        found["fault"] = str(error)
    return found


def _count_parameters(header: Header) -> int:
    import torch

    from geosharp.hfreqdiff.network import HFreqdiff

    with torch.device("meta"):
        network = HFreqdiff(header.architecture)
    return sum(parameter.numel() for parameter in network.parameters())


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        found = f"cannot be read: {error.strerror or error}"
        raise InputError(path, found, "a file that can be read", "check the file") from error
