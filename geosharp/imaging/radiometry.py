"""DN <-> the centred floats that arithmetic is done in, with constants of the whole scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geosharp.imaging.transfer import download, upload

Array = NDArray[Any]


def to_float(pixels: Array, valid: NDArray[np.bool_] | None, centres: Tensor) -> Tensor:
    """DN -> float32 about zero: (band, row, col) pixels less their band's centre, invalid ones 0.

    On the device of `centres`.
    """
    given, about = upload(pixels, centres.device), centres[:, None, None]
    if pixels.dtype.itemsize > 2 and pixels.dtype != np.float32:
        # 32-bit integers and doubles lose their low digits unless the centre goes first.
        tensor = given.to(torch.float64, copy=True).sub_(about).float()
    else:
        tensor = given.to(torch.float32, copy=True).sub_(about)
    if valid is not None:
        tensor = tensor.masked_fill_(~upload(valid, centres.device), 0.0)
    return tensor


def to_dn(fused: Tensor, centres: Tensor, dtype: str, limits: tuple[float, float] | None) -> Array:
    """Centred float32 -> DN of `dtype`, rounded and clipped to `limits`; floats stay as they are.

    Computed where `fused` is, which is used up.
    """
    target, about = np.dtype(dtype), centres[:, None, None]
    if target.itemsize > 2 and target != np.float32:
        fused = fused.double()
    fused = fused.add_(about)
    if limits is not None:
        fused = fused.round_().clamp_(*limits)
    return download(fused.to(getattr(torch, target.name)))
