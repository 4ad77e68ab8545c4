"""Files that are nearly what they should be, for tests of what reads them: hypothesis decides how."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# The same examples in every run, and no folder of those that failed: what fails is to become a test.
SETTINGS: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
# What decoders stumble over: nesting, numbers that no type holds, texts that are none.
DEEP = "[" * 100_000
LONG = "9" * 5000
_VALUES = (
    None,
    True,
    -1,
    0,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    10**400,
    2**63,
    "",
    "\ud800",
    "\0\x1b[2J",
)
VALUES = st.sampled_from(_VALUES) | st.sampled_from(([], {}, [[]], [None] * 3, {"": {}}, "x" * 10_000))


def few(examples: int) -> settings:
    """The settings of a test that tries so many examples."""
    return settings(max_examples=examples, **SETTINGS)


@st.composite
def near(draw: st.DrawFn, content: bytes) -> bytes:
    """`content` with bytes changed, put in or taken out, or cut off."""
    spoilt = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        # Most formats tell of themselves in their first bytes.
        start = draw(st.integers(0, min(len(spoilt), 400)) | st.integers(0, len(spoilt)))
        piece = draw(st.binary(min_size=1, max_size=8) | st.sampled_from((b"\0" * 8, b"\xff" * 8)))
        kind = draw(st.sampled_from(("change", "insert", "remove", "cut")))
        stop = len(spoilt) if kind == "cut" else start + (len(piece) if kind != "insert" else 0)
        spoilt[start:stop] = piece if kind in ("change", "insert") else b""
    return bytes(spoilt)


@st.composite
def near_json(draw: st.DrawFn, value: Any) -> Any:
    """`value`, as JSON knows it, with one to three of its parts replaced, taken out or doubled."""
    spoilt = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = spoilt, None
        while isinstance(holder, dict | list) and holder:
            key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
            if not isinstance(holder[key], dict | list) or draw(st.booleans()):
                break
            holder = holder[key]
        if key is None or not holder:
            return copy.deepcopy(draw(VALUES))
        kind = draw(st.sampled_from(("replace", "replace", "remove", "double")))
        if kind == "replace":
            holder[key] = copy.deepcopy(draw(VALUES))
        elif kind == "remove":
            del holder[key]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[f"{key}2"] = copy.deepcopy(holder[key])
    return spoilt


def near_text(value: Any) -> st.SearchStrategy[str]:
    """`value` as the text of a JSON file, with parts of other values or characters that do not belong."""
    parts = near_json(value).map(json.dumps)
    return parts | near(json.dumps(value).encode()).map(lambda content: content.decode(errors="replace"))
