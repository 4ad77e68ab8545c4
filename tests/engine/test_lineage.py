"""Two runs are told apart by name, in whatever decides pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from geosharp.engine.lineage import check_same, find_differences, hash_file, name_file
from geosharp.errors import OutputError


def test_differences_are_told_by_name_with_both_values() -> None:
    told, now = {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "4", "d": "5"}
    names, text = find_differences(told, now)
    assert names == ["b", "c", "d"]
    assert text == "b was 2, is 4; c was 3, is not given; d was not given, is 5"
    assert find_differences(now, now) == ([], "")


@pytest.mark.parametrize(
    ("now", "remedy"),
    [({"tile": "32", "x": "1"}, "Pass --tile 64"), ({"tile": "64"}, "Take the files")],
)
def test_another_run_is_refused_with_what_to_do(now: dict[str, str], remedy: str) -> None:
    told = {"tile": "64", "x": "1"}
    check_same(told, told, Path("j"), "the journal")
    with pytest.raises(OutputError, match=f"j: the journal of a run with other .*{remedy}"):
        check_same(told, now, Path("j"), "the journal")


def test_a_file_is_told_by_the_name_that_was_given() -> None:
    assert name_file(Path("a/b.json")) == name_file(str(Path("a/b.json"))) is not None
    assert name_file(object()) is name_file(None) is None


def test_an_area_is_known_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert hash_file(str(tmp_path / "a.json")) == hash_file(tmp_path / "a.json") is not None
    assert hash_file("0,0,1,1") is hash_file((0, 0, 1, 1)) is hash_file(None) is None
