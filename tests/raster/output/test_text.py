from __future__ import annotations

from pathlib import Path

import pytest

from geosharp.errors import OutputError, UsageError
from geosharp.raster.output.target import Temporary
from geosharp.raster.output.text import JSON_SUFFIXES, write_text


def test_text_is_written_whole_under_its_name_alone(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_text(path, '{"ü": 1}\n', JSON_SUFFIXES)
    assert path.read_bytes() == '{"ü": 1}\n'.encode()
    with pytest.raises(OutputError, match="exists already"):
        write_text(path, "new", JSON_SUFFIXES)
    write_text(path, "new", JSON_SUFFIXES, overwrite=True)
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["scores.json"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scores.json"
    path.write_text("old")

    def fail(self: Temporary, *, overwrite: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Temporary, "promote", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_text(path, "new", JSON_SUFFIXES, overwrite=True)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_another_suffix_and_an_input_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"one of \.json"):
        write_text(tmp_path / "scores.txt", "", JSON_SUFFIXES)
    path = tmp_path / "scene.json"
    path.write_text("input")
    with pytest.raises(UsageError, match="same file"):
        write_text(path, "", JSON_SUFFIXES, overwrite=True, inputs=[path])
