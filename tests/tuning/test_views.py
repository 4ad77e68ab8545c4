"""Views show what inference shows, degrade as the engine does, and see nothing of what is kept aside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from geosharp.engine.tensors import to_pair
from geosharp.hfreqdiff.conditions import conditions, constants_of, describe
from geosharp.imaging.classic import size_rules
from geosharp.imaging.degradation import degrade_bands
from geosharp.imaging.resample import Span, spans
from geosharp.raster.grid import Rect
from geosharp.raster.scene import SceneReader
from geosharp.tuning.ground import Ground
from geosharp.tuning.views import View, _read, draw_view_place, make_view
from tests.tuning.made_ground import make_ground

MARGIN = 4
TARGET = Rect(120, 132, 64, 48)


def view(ground: Ground, target: Rect = TARGET) -> View:
    with SceneReader(ground.scene) as reader:
        return make_view(ground, reader, target, MARGIN)


def whole(ground: Ground) -> Ground:
    return replace(ground, hidden=())


def test_degrading_is_that_of_the_engine_and_gradients_go_through(ground: Ground) -> None:
    ground = replace(
        ground, degradation=replace(ground.degradation, gains=((0.3, 0.1), (0.2, 0.3), (0.05, 0.3)))
    )
    found = view(whole(ground))
    fused = torch.rand(3, 64, 48, generator=torch.Generator().manual_seed(0)).requires_grad_()
    low = found.degrade(fused)
    axes, reach = ground.optics.axes, ground.optics.reach
    first = [
        int(np.ceil((start + MARGIN + far - axis.offset) / axis.ratio - 0.5))
        for start, far, axis in zip((TARGET.row, TARGET.col), reach, axes, strict=True)
    ]
    target = tuple(Span(at, at + size) for at, size in zip(first, low.shape[1:], strict=True))
    wanted, _ = degrade_bands(
        fused.detach(), None, spans(TARGET), (target[0], target[1]), axes, ground.degradation.gains, 0.5
    )
    assert (low - wanted).abs().max() < 1e-4
    low.sum().backward()
    assert fused.grad is not None
    assert fused.grad[:, :MARGIN].abs().max() == 0
    assert fused.grad[:, 30:34, 20:24].min() > 0


def test_what_is_shown_is_what_inference_shows(ground: Ground) -> None:
    found = view(whole(ground))
    constants = constants_of(ground.moments)
    centres, pan_centre = ground.moments.centres
    with SceneReader(ground.scene) as reader:
        patch = reader.read(TARGET, size_rules(ground.optics).halo)
    assert patch is not None
    pair = to_pair(patch, torch.from_numpy(centres).float(), torch.tensor([pan_centre], dtype=torch.float32))
    assert torch.equal(found.shown, conditions(pair, ground.optics, constants, spans(TARGET)))
    assert torch.equal(found.described, describe(ground.optics, constants))


def test_the_ms_made_finer_has_no_misfit_to_itself(ground: Ground) -> None:
    """PAN and MS are block means: a flat guess is far from the MS, the prior is near."""
    found = view(whole(ground))
    flat = (found.degrade(torch.zeros_like(found.prior)) - found.measured).square().mean()
    near = (found.degrade(found.prior) - found.measured).square().mean()
    assert found.counted.all()
    assert near < 0.05 * flat


def test_nothing_of_what_is_kept_aside_is_seen(tmp_path: Path) -> None:
    ground = make_ground(tmp_path)
    rng = np.random.default_rng(0)
    targets = [draw_view_place(ground, 64, rng) for _ in range(10)]
    held = ground.scene.relation.pan_rect(ground.places.held[0])
    assert any(not target.intersect(held).empty for target in targets)
    before = [view(ground, target) for target in targets]
    for name, rect in (
        (ground.scene.pan.name, held),
        (ground.scene.ms[0].name, ground.places.held[0]),
    ):
        with rasterio.open(name, "r+") as raster:
            data = raster.read()
            data[:, *rect.intersect(Rect(0, 0, *data.shape[1:])).within(Rect(0, 0, *data.shape[1:]))] += 500
            raster.write(data)
    for one, target in zip(before, targets, strict=True):
        other = view(ground, target)
        assert torch.equal(one.shown, other.shown)
        assert torch.equal(one.counted, other.counted)
        assert torch.equal(one.measured * one.counted, other.measured * other.counted)


def test_pixels_without_a_valid_surrounding_do_not_count(ground: Ground) -> None:
    held = ground.scene.relation.pan_rect(ground.places.held[0])
    inside = Rect(held.row + 20, held.col + 20, 64, 64)
    assert not view(ground, inside).counted.any()
    beside = view(ground, Rect(held.row - 32 if held.row > 64 else held.stop_row - 32, held.col, 64, 64))
    assert 0 < beside.counted.mean() < 1


@pytest.mark.parametrize("rect", [Rect(-20, -20, 64, 64), Rect(100, 100, 64, 64)])
def test_beyond_the_scene_nothing_is_valid(ground: Ground, rect: Rect) -> None:
    with SceneReader(ground.scene) as reader:
        patch = _read(whole(ground), reader, rect)
    assert patch.pan.shape[1:] == rect.shape
    assert (patch.pan_valid is None) == (rect.row >= 0)
