"""A spoilt record of a batch is refused by its line or holds rows."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geosharp.archive.ledger import DONE, FAILED, NAME, Ledger, Row
from geosharp.errors import InputError
from tests.mutated import DEEP, LONG, few, near, near_text

ROWS = (
    Row("a", "a_pan.tif", ("a_ms.tif",), "a.tif", DONE, 1.5, "glp", ("hm",)),
    Row("b", "p", ("m",), "b", FAILED),
)
LINES = [asdict(row) for row in ROWS]
WHOLE = "".join(json.dumps(line) + "\n" for line in LINES).encode()


@few(100)
@given(
    content=near(WHOLE)
    | st.lists(near_text(LINES[0])).map(lambda lines: "".join(f"{x}\n" for x in lines).encode())
)
def test_it_is_refused_or_holds_rows_and_takes_more(tmp_path: Path, content: bytes) -> None:
    ledger = Ledger(tmp_path)
    (tmp_path / NAME).write_bytes(content)
    with suppress(InputError):
        rows = ledger.read()
        assert all(isinstance(row, Row) and row.name == name for name, row in rows.items())
        ledger.add(ROWS[0])
        assert ledger.read() == {**rows, "a": ROWS[0]}


@pytest.mark.parametrize("line", [DEEP, '{"name": ' + LONG + "}"])
def test_nesting_and_numbers_without_end_are_no_line(tmp_path: Path, line: str) -> None:
    (tmp_path / NAME).write_text(f"{line}\n")
    with pytest.raises(InputError, match="line 1 is none of a batch's"):
        Ledger(tmp_path).read()
