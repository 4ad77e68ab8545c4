"""Arrays to a device and tensors back. On a GPU both go through page-locked memory, in the current stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


def upload(array: Array, device: torch.device) -> Tensor:
    """The array on `device`, for work that is queued after this; on the CPU the array's own memory."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    # PyTorch keeps page-locked memory until copies from it are done, and then for the next.
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def download(tensor: Tensor) -> Array:
    """The tensor's values once they are computed; on the CPU its own memory."""
    if tensor.device.type == "cpu":
        return np.asarray(tensor.numpy())
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return np.asarray(host.numpy())
