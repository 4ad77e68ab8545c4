"""How a run goes, as scalars that TensorBoard draws."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast

from geosharp.errors import OutputError, UsageError
from geosharp.tuning.tune import ProgressCallback, TrainProgress

_FLAG = "--tensorboard"
# Seconds after which scalars are on disk: a run that is killed goes on from at most so much later.
_FLUSH_SECONDS = 10


class Writer(Protocol):
    """What is used of torch.utils.tensorboard.SummaryWriter."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


# A folder and the step from which on what is there no longer holds -> what writes there.
Open = Callable[[Path, int], Writer]


@contextmanager
def scalars_in(folder: Path | None) -> Iterator[ProgressCallback | None]:
    """A callback that writes the loss of each step and the scores of each look into `folder`; None without.

    A run that goes on after a kill does so in the same curves: steps that are made again replace those told
    before. Raises UsageError where TensorBoard is not installed, OutputError where nothing can be written.
    """
    if folder is None:
        yield None
        return
    opening, writer = find_writer(), None
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)

    def write(p: TrainProgress) -> None:
        nonlocal writer
        with _told(folder):
            if writer is None:
                writer = opening(folder, p.step)
            writer.add_scalar("loss", p.loss, p.step)
            if p.look is not None:
                for name in ("gain", "hqnr", "base_hqnr"):
                    writer.add_scalar(name, getattr(p.look, name), p.step)
                writer.flush()

    try:
        yield write
    finally:
        if writer is not None:
            # A run ends with a look, after which all is on disk: an error here loses nothing.
            with contextlib.suppress(OSError):
                writer.close()


def find_writer() -> Open:
    """What opens TensorBoard's files; UsageError where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            _FLAG,
            "tensorboard, which writes its files, is not installed",
            "geosharp with its extra 'tensorboard'",
            f"run pip install 'geosharp[tensorboard]', or leave out {_FLAG}",
        ) from error

    def opening(folder: Path, step: int) -> Writer:
        made = SummaryWriter(str(folder), purge_step=step, flush_secs=_FLUSH_SECONDS)
        return cast(Writer, made)

    return opening


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{_FLAG} {folder}",
            f"cannot be written ({error.strerror or error})",
            "a folder that can be written",
            f"make room, or name another folder; without {_FLAG} the same command goes on, too",
        ) from error
