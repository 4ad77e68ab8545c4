from __future__ import annotations

import pytest
import torch

from geosharp.imaging.computing import computing


def test_want_of_memory_is_a_memory_error_and_nothing_else_is() -> None:
    with pytest.raises(MemoryError), computing():
        torch.empty(1 << 50)
    with pytest.raises(RuntimeError, match="size"), computing():
        torch.ones(3) + torch.ones(4)
