"""What is kept is what was finished; tests/test_fusion_resume.py goes on from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geosharp.engine.journal import Form, Journal
from geosharp.engine.stream import Fused
from geosharp.raster.grid import Rect


def test_records_are_read_as_they_were_kept(tmp_path: Path) -> None:
    tiles = [Rect(0, 0, 5, 7), Rect(0, 7, 5, 2), Rect(5, 0, 4, 7)]
    data = np.arange(2 * 35, dtype=np.uint16).reshape(2, 5, 7)
    valid, spread = data[0] % 3 > 0, np.sqrt(data.astype(np.float32))
    form = Form(2, "uint16", spread=True)
    with Journal(tmp_path / "out.tif", {"a": "b"}, form, resume=True) as journal:
        journal.add(tiles[0], Fused(data, valid, spread))
        journal.add(tiles[1], None)
    with Journal(tmp_path / "out.tif", {"a": "b"}, form, resume=True) as journal:
        assert journal.count == 2
        (found,) = journal.find(tiles[0]) or (None,)
        assert found is not None
        assert found.spread is not None
        np.testing.assert_array_equal(found.data, data)
        np.testing.assert_array_equal(found.valid, valid)
        np.testing.assert_array_equal(found.spread, spread)
        assert journal.find(tiles[1]) == (None,)
        assert journal.find(tiles[2]) is None
        # A tile of another size is another tile.
        assert journal.find(Rect(0, 0, 5, 8)) is None
