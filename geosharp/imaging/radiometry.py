"""DN <-> the centred floats that arithmetic is done in, with constants of the whole scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


def to_float(pixels: Array, valid: NDArray[np.bool_] | None, centres: Tensor) -> Tensor:
    """DN -> float32 about zero: (band, row, col) pixels less their band's centre, invalid ones 0."""
    if pixels.dtype.itemsize > 2 and pixels.dtype != np.float32:
        # 32-bit integers and doubles lose their low digits unless the centre goes first.
        with np.errstate(invalid="ignore", over="ignore"):
            wide = pixels - centres.double().numpy()[:, None, None]
            tensor = torch.from_numpy(wide.astype(np.float32))
    else:
        tensor = torch.from_numpy(pixels.astype(np.float32)).sub_(centres[:, None, None])
    if valid is not None:
        tensor = tensor.masked_fill_(~torch.from_numpy(np.ascontiguousarray(valid)), 0.0)
    return tensor


def to_dn(fused: Tensor, centres: Tensor, dtype: str, limits: tuple[float, float] | None) -> Array:
    """Centred float32 -> DN of `dtype`, rounded and clipped to `limits`; floats stay as they are.

    `fused` is used up.
    """
    target = np.dtype(dtype)
    if limits is None:
        if target == np.float64:
            return np.asarray(fused.double().add_(centres.double()[:, None, None]).numpy())
        return np.asarray(fused.add_(centres[:, None, None]).numpy().astype(target, copy=False))
    if target.itemsize > 2:
        wide = fused.double().add_(centres.double()[:, None, None])
        return np.asarray(wide.round_().clamp_(*limits).numpy().astype(target))
    return np.asarray(fused.add_(centres[:, None, None]).round_().clamp_(*limits).numpy().astype(target))
