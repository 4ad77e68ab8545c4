"""A spoilt journal is refused, or what it still holds is what was kept: nothing in it is trusted."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geosharp.engine.journal import Form, Journal, beside
from geosharp.engine.stream import Fused
from geosharp.errors import OutputError
from geosharp.raster.grid import Rect
from tests.mutated import DEEP, LONG, few, near, near_text

IDENTITY = {"method": "glp", "tile": "64"}
FORM = Form(2, "uint16", spread=False)
TILES = [Rect(0, 0, 4, 5), Rect(0, 5, 4, 5), Rect(4, 0, 3, 5)]
DATA = {tile: np.arange(2 * tile.area, dtype=np.uint16).reshape(2, *tile.shape) + tile.col for tile in TILES}
MAGIC = b"geosharp journal 2\n"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("journal") / "out.tif"
    with Journal(out, IDENTITY, FORM, resume=True) as journal:
        for tile, data in DATA.items():
            journal.add(tile, Fused(data, None))
    return beside(out).read_bytes()


def open_spoilt(folder: Path, content: bytes) -> Journal:
    out = folder / "out.tif"
    beside(out).write_bytes(content)
    return Journal(out, IDENTITY, FORM, resume=True)


@few(100)
@given(data=st.data())
def test_what_is_found_is_what_was_kept(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    with suppress(OutputError), open_spoilt(tmp_path, data.draw(near(good))) as journal:
        for tile, kept in DATA.items():
            for found in journal.find(tile) or ():
                assert found is not None
                np.testing.assert_array_equal(found.data, kept)


@few(100)
@given(line=near_text(IDENTITY))
def test_a_spoilt_first_line_is_refused_or_the_same(tmp_path: Path, good: bytes, line: str) -> None:
    content = MAGIC + line.encode() + b"\n" + good.split(b"\n", 2)[2]
    with suppress(OutputError), open_spoilt(tmp_path, content) as journal:
        told = json.loads(line) if journal.count else IDENTITY
        # What is null is as good as not told.
        assert {name: value for name, value in told.items() if value is not None} == IDENTITY


@pytest.mark.parametrize("line", [DEEP, '{"tile": ' + LONG + "}", '{"tile": ' + DEEP])
def test_nesting_and_numbers_without_end_are_refused(tmp_path: Path, line: str) -> None:
    with (
        pytest.raises(OutputError, match="no journal of this version"),
        open_spoilt(tmp_path, MAGIC + line.encode() + b"\n"),
    ):
        pass
