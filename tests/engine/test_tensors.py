from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geosharp.engine.tensors import optics_of, to_pair
from geosharp.imaging.degradation import Degradation
from geosharp.imaging.resample import Span, spans
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Patch, open_scene
from tests.made import make_pair

PAN_RECT, MS_RECT = Rect(-8, 16, 32, 40), Rect(-2, 4, 8, 10)
MS_CENTRES, PAN_CENTRE = torch.tensor([10.0, 20.0]), torch.tensor([5.0])


def patch(
    pan_valid: np.ndarray | None = None, ms_valid: np.ndarray | None = None, hidden: float = 0
) -> Patch:
    rng = np.random.default_rng(0)
    pan = rng.normal(size=(1, *PAN_RECT.shape)).astype(np.float32)
    ms = rng.normal(size=(2, *MS_RECT.shape)).astype(np.float32)
    if pan_valid is not None:
        pan[~pan_valid] = hidden
    if ms_valid is not None:
        ms[~ms_valid] = hidden
    return Patch(pan, ms, PAN_RECT, MS_RECT, pan_valid, ms_valid)


def masks() -> tuple[np.ndarray, np.ndarray]:
    pan_valid, ms_valid = np.ones((1, *PAN_RECT.shape), bool), np.ones((2, *MS_RECT.shape), bool)
    pan_valid[:, 3:9, 4:7] = False
    ms_valid[1, 2:4, 5:] = False
    return pan_valid, ms_valid


def test_tensors_are_centred_and_keep_their_place() -> None:
    given = patch()
    pair = to_pair(given, MS_CENTRES, PAN_CENTRE)
    assert pair.pan_spans == (Span(-8, 24), Span(16, 56)) == spans(PAN_RECT)
    assert pair.ms_spans == (Span(-2, 6), Span(4, 14))
    np.testing.assert_array_equal(pair.pan.numpy(), given.pan - np.float32(5))
    np.testing.assert_array_equal(pair.ms.numpy(), given.ms - np.float32([[[10]], [[20]]]))
    assert (pair.pan_valid, pair.ms_valid) == (None, None)


@pytest.mark.parametrize("hidden", [np.nan, np.inf, 3e38, -9999.0])
def test_what_the_masks_hide_changes_no_bit(hidden: float) -> None:
    expected = to_pair(patch(*masks()), MS_CENTRES, PAN_CENTRE)
    made = to_pair(patch(*masks(), hidden=hidden), MS_CENTRES, PAN_CENTRE)
    assert torch.equal(made.pan, expected.pan)
    assert torch.equal(made.ms, expected.ms)


def test_masks_are_one_where_valid() -> None:
    pan_valid, ms_valid = masks()
    pair = to_pair(patch(pan_valid, ms_valid), MS_CENTRES, PAN_CENTRE)
    assert pair.pan_valid is not None
    assert pair.ms_valid is not None
    np.testing.assert_array_equal(pair.pan_valid.numpy(), pan_valid.astype(np.float32))
    np.testing.assert_array_equal(pair.ms_valid.numpy(), ms_valid.astype(np.float32))


def test_bands_of_one_mask_share_it() -> None:
    _, ms_valid = masks()
    ms_valid[0] = ms_valid[1]
    pair = to_pair(patch(None, ms_valid), MS_CENTRES, PAN_CENTRE)
    assert pair.pan_valid is None
    assert pair.ms_valid is not None
    np.testing.assert_array_equal(pair.ms_valid.numpy(), ms_valid[:1].astype(np.float32))


def test_the_optics_are_those_of_the_scene(tmp_path: Path) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(64, 64), ratio=2, offset=(-0.5, 0.25)))
    how = Degradation(((0.2, 0.3), *[(0.4, 0.3)] * 3), (0.1, 0.1))
    optics = optics_of(scene.aligned((0.75, 0.0)), how)
    assert [(axis.ratio, axis.offset) for axis in optics.axes] == [(2.0, 0.25), (2.0, 0.25)]
    assert (optics.gains, optics.mean_gain) == (how.gains, how.mean_gain)
