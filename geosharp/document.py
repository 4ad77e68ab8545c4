"""Results as programs read them: JSON documents that say what they are."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def make_document(schema: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What `--json` prints: the schema's name and number first, such as "geosharp.fuse/1", then `facts` as
    JSON holds them. Of one number keys are only ever added to; a key that means something else raises it."""
    return {"schema": f"geosharp.{schema}", **to_json(facts)}


def to_json(value: Any) -> Any:
    """A value as JSON holds it: NaN and infinities are None, paths texts, tuples lists, records mappings."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(part) for part in value]
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    return value
