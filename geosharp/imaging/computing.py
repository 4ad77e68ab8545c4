"""How tensors are computed with wherever nothing is learnt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def computing() -> Iterator[None]:
    """Tensors without gradients, whose want of memory is a MemoryError as everywhere in Python."""
    try:
        with torch.inference_mode():
            yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        raise


def is_want_of_device_memory(error: RuntimeError) -> bool:
    """Whether a GPU had no room: its libraries tell that in words of their own.

    cuDNN, which finds no algorithm whose workspace fits, says that it finds none.
    """
    words = ("out of memory", "unable to find an engine", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)
