"""On the CPU nothing is copied that need not be; tests/test_cuda.py has the other side."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geosharp.imaging.transfer import download, upload

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "float32", "float64", "bool"])
def test_what_goes_up_comes_down(dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    back = download(upload(array, CPU))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    assert np.shares_memory(back, array)


def test_what_lies_scattered_is_gathered() -> None:
    array = np.arange(24).reshape(4, 6)[:, ::2]
    assert upload(array, CPU).tolist() == array.tolist()
