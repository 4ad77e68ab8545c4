"""What became of scenes outlives whatever kills the batch."""

from __future__ import annotations

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geosharp.archive.ledger import DONE, FAILED, Ledger, Row, has_changed
from geosharp.errors import InputError

ROWS = [
    Row("a", "a_pan.tif", ("a_ms.tif",), "a.tif", DONE, 1.5, "glp", ("hm",)),
    Row("b", "b_pan.tif", ("b1.tif", "b2.tif"), "b.tif", FAILED, error="no; \n\x1b[31m"),
]


def test_rows_come_back_the_newest_of_each_scene(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.read() == {}
    for row in (ROWS[1], ROWS[0], Row("b", "b_pan.tif", ("b1.tif",), "b.tif", DONE)):
        ledger.add(row)
    assert list(ledger.read().values()) == [Row("b", "b_pan.tif", ("b1.tif",), "b.tif", DONE), ROWS[0]]
    assert len(ledger.path.read_text().splitlines()) == 3


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_line_that_a_kill_cut_off_is_none_and_spoils_no_other(tmp_path: Path, cut: int) -> None:
    ledger = Ledger(tmp_path)
    for row in ROWS:
        ledger.add(row)
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])
    assert list(ledger.read()) == ["a"]
    ledger.add(ROWS[1])
    assert list(ledger.read().values()) == ROWS


def test_what_is_no_record_is_refused_by_its_line(tmp_path: Path) -> None:
    ledger, chance = Ledger(tmp_path), random.Random(0)
    ledger.add(ROWS[0])
    good = ledger.path.read_bytes()
    for bad in (
        b"{}\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b"9" * 5000 + b"\n",
        good.replace(b"1.5", b'"1"'),
        good.replace(b'["hm"]', b'"hm"'),
    ):
        ledger.path.write_bytes(good + bad)
        with pytest.raises(InputError, match="line 2 is none of a batch's"):
            ledger.read()
    for _ in range(200):
        content = bytearray(good * 2)
        for _ in range(chance.choice((1, 5))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        ledger.path.write_bytes(content)
        try:
            rows = ledger.read()
        except InputError:
            continue
        assert all(isinstance(row.error, str) for row in rows.values())


def test_lines_of_earlier_versions_are_read(tmp_path: Path) -> None:
    told = asdict(ROWS[0])
    for name in ("paired", "started", "pixels", "scores", "asked"):
        del told[name]
    (tmp_path / "batch.jsonl").write_text(json.dumps(told) + "\n")
    assert Ledger(tmp_path).read() == {"a": ROWS[0]}
    del told["pan"]
    (tmp_path / "batch.jsonl").write_text(json.dumps(told) + "\n")
    with pytest.raises(InputError, match="line 1"):
        Ledger(tmp_path).read()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scores", {"hqnr": "1"}),
        ("scores", [1]),
        ("pixels", "1"),
        ("seconds", True),
        ("pixels", 10**400),
        ("paired", 1),
        ("asked", None),
    ],
)
def test_what_is_of_another_type_is_no_row(tmp_path: Path, name: str, value: object) -> None:
    (tmp_path / "batch.jsonl").write_text(json.dumps(asdict(ROWS[0]) | {name: value}) + "\n")
    with pytest.raises(InputError, match="line 1"):
        Ledger(tmp_path).read()


def test_each_line_is_json_of_its_own(tmp_path: Path) -> None:
    Ledger(tmp_path).add(ROWS[1])
    (line,) = (tmp_path / "batch.jsonl").read_text().splitlines()
    assert json.loads(line)["ms"] == ["b1.tif", "b2.tif"]


def test_batches_that_tell_at_once_lose_no_line(tmp_path: Path) -> None:
    def tell(name: str) -> None:
        for number in range(20):
            Ledger(tmp_path).add(replace(ROWS[0], name=f"{name}{number}", error="x" * 200 * number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, "abcdefgh"))
    assert len(Ledger(tmp_path).read()) == 160


def test_a_scene_has_changed_where_a_file_of_it_was_written_or_put_there_since(tmp_path: Path) -> None:
    pan, ms = tmp_path / "pan.tif", tmp_path / "ms.tif"
    row = (str(pan), str(ms), "https://a.invalid/ms.tif", "glp\0")
    hour, now = timedelta(hours=1), datetime.now(UTC)
    assert not has_changed(row, (now - hour).isoformat())
    pan.write_text("")
    ms.write_text("")
    assert has_changed(row, (now - hour).isoformat())
    assert not has_changed(row, (now + hour).isoformat())
    os.utime(ms, ((now + 2 * hour).timestamp(),) * 2)
    assert has_changed(row, (now + hour).isoformat())
    assert not has_changed(row, "")
