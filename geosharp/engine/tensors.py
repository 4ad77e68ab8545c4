"""From a scene's patches to the tensors that imaging works on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from geosharp.imaging.classic import Optics, Pair
from geosharp.imaging.degradation import Degradation
from geosharp.imaging.radiometry import to_float
from geosharp.imaging.resample import Axis, spans
from geosharp.imaging.transfer import upload
from geosharp.raster.scene import Patch, Scene


def optics_of(scene: Scene, degradation: Degradation) -> Optics:
    """The degradation at the scene's ratio, where the content of its MS lies."""
    (ry, rx), (oy, ox) = scene.relation.ratio, scene.relation.offset
    return Optics((Axis(ry, oy), Axis(rx, ox)), degradation.gains, degradation.mean_gain)


def to_pair(patch: Patch, ms_centres: Tensor, pan_centre: Tensor) -> Pair:
    """The patch as centred float32 tensors, on the device of the centres."""
    return Pair(
        pan=to_float(patch.pan, patch.pan_valid, pan_centre),
        ms=to_float(patch.ms, patch.ms_valid, ms_centres),
        pan_spans=spans(patch.pan_rect),
        ms_spans=spans(patch.ms_rect),
        pan_valid=_mask(patch.pan_valid, pan_centre.device),
        ms_valid=_mask(patch.ms_valid, ms_centres.device),
    )


def _mask(valid: np.ndarray | None, device: torch.device) -> Tensor | None:
    """The mask as float32, one band for all where they agree."""
    if valid is None:
        return None
    if (valid == valid[:1]).all():
        valid = valid[:1]
    return upload(valid, device).float()
