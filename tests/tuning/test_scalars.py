"""Scalars for TensorBoard: each step's loss, each look's scores, and a run that goes on in its own curves."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from geosharp.errors import OutputError, UsageError
from geosharp.tuning import scalars
from geosharp.tuning.scalars import find_writer, scalars_in
from geosharp.tuning.tune import Look, TrainProgress

LOOK = Look(7, 0.25, 0.91, 0.9, True)


class Written:
    """What a run has written, by one writer or several."""

    def __init__(self) -> None:
        self.opened: list[tuple[Path, int]] = []
        self.scalars: list[tuple[str, float, int]] = []
        self.flushed = self.closed = 0
        self.error: OSError | None = None

    def open(self, folder: Path, step: int) -> Written:
        self.opened.append((folder, step))
        return self

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        if self.error is not None:
            raise self.error
        self.scalars.append((tag, scalar_value, global_step))

    def flush(self) -> None:
        self.flushed += 1

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    written = Written()
    monkeypatch.setattr(scalars, "find_writer", lambda: written.open)
    return written


def test_losses_of_steps_and_scores_of_looks_are_written(written: Written, tmp_path: Path) -> None:
    with scalars_in(tmp_path) as write:
        assert write is not None
        write(TrainProgress(6, 9, 1.0, 0.5))
        assert written.flushed == 0
        write(TrainProgress(7, 9, 2.0, 0.4, LOOK))
    wanted = [("loss", 0.5, 6), ("loss", 0.4, 7), ("gain", 0.25, 7), ("hqnr", 0.91, 7), ("base_hqnr", 0.9, 7)]
    assert written.scalars == wanted
    assert (written.flushed, written.closed) == (1, 1)


def test_a_run_that_goes_on_takes_back_what_was_told_from_its_first_step_on(
    written: Written, tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "b"
    for first in (1, 5):
        with scalars_in(folder) as write:
            assert write is not None
            write(TrainProgress(first, 9, 1.0, 0.5))
            write(TrainProgress(first + 1, 9, 1.0, 0.5))
    assert written.opened == [(folder, 1), (folder, 5)]


def test_a_run_without_steps_writes_nothing(written: Written, tmp_path: Path) -> None:
    with scalars_in(tmp_path):
        pass
    assert written.opened == []


def test_without_a_folder_nothing_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(scalars, "find_writer")
    with scalars_in(None) as write:
        assert write is None


def test_what_cannot_be_written_is_told(written: Written, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file: cannot be written"), scalars_in(tmp_path / "file"):
        pass
    with scalars_in(tmp_path) as write:
        assert write is not None
        write(TrainProgress(1, 9, 1.0, 0.5))
        written.error = OSError(28, "No space left on device")
        with pytest.raises(OutputError, match="No space left"):
            write(TrainProgress(2, 9, 1.0, 0.5))
    assert written.closed == 1


def test_an_extra_that_is_missing_is_named_as_it_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError, match=r"pip install 'geosharp\[tensorboard\]'"):
        find_writer()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    (needed,) = project["optional-dependencies"]["tensorboard"]
    assert needed.startswith("tensorboard>=")
