from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from geosharp.document import make_document, to_json


@dataclass(frozen=True)
class Record:
    where: Path
    values: tuple[float, ...]


def test_a_document_begins_with_what_it_is() -> None:
    told = make_document("fuse/2", {"b": 1, "a": None})
    assert list(told.items()) == [("schema", "geosharp.fuse/2"), ("b", 1), ("a", None)]


def test_json_holds_every_value_however_deep() -> None:
    record = Record(Path("a") / "b.tif", (math.nan, 1.5, -math.inf))
    told = to_json(MappingProxyType({"records": (record,), 1: [True, 2, "text", math.inf]}))
    wanted = {
        "records": [{"where": str(Path("a/b.tif")), "values": [None, 1.5, None]}],
        "1": [True, 2, "text", None],
    }
    assert told == json.loads(json.dumps(told, allow_nan=False)) == wanted
