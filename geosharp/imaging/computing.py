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
        # torch has a class of its own for CUDA's memory alone.
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        raise
