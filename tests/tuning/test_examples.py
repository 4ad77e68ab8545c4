"""Examples show what inference shows, and nothing of what is kept aside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from geosharp.engine.tensors import to_pair
from geosharp.hfreqdiff.conditions import base, conditions, constants_of, describe
from geosharp.imaging.classic import size_rules
from geosharp.imaging.computing import computing
from geosharp.imaging.resample import spans
from geosharp.quality.reduced import reduce_scene
from geosharp.raster.grid import Rect
from geosharp.raster.scene import SceneReader
from geosharp.tuning.examples import (
    Example,
    GroundReader,
    Variation,
    draw_place,
    draw_variation,
    make_example,
)
from geosharp.tuning.ground import Ground
from tests.tuning.made_ground import make_ground

PLAIN = Variation((0.0, 0.0), (0.0, 0.0), (1.0, 1.0), 0.0, (False, False), False)


def example(ground: Ground, target: Rect, varied: Variation, seed: int = 0) -> Example:
    reader = GroundReader(ground)
    try:
        return make_example(reader, target, varied, np.random.default_rng(seed))
    finally:
        reader.close()


def whole(ground: Ground) -> Ground:
    """With nothing hidden."""
    return replace(ground, hidden=())


def inner(ground: Ground) -> Rect:
    """MS pixels far from the scene's edges."""
    height, width = ground.scene.ms_grid.shape
    return Rect(height // 2 - 8, width // 2 - 8, 16, 16)


def test_what_is_shown_is_what_inference_shows_of_the_coarse_scene(ground: Ground) -> None:
    """Two ways to it: the coarse scene's files as the engine reads them, and examples in their own place."""
    optics, moments = ground.coarse_optics, ground.coarse_moments
    offset = optics.axes[0].offset, optics.axes[1].offset
    target = inner(ground)
    found = example(whole(ground), target, replace(PLAIN, offset=offset))
    centres, pan_centre = moments.centres
    with SceneReader(ground.coarse) as reader:
        patch = reader.read(target, size_rules(optics).halo)
        assert patch is not None
        pair = to_pair(
            patch, torch.from_numpy(centres).float(), torch.tensor([pan_centre], dtype=torch.float32)
        )
    constants = constants_of(moments)
    shown = conditions(pair, optics, constants, spans(target))
    assert found.counted.all()
    assert (found.shown - shown).abs().max() < 2e-3
    assert torch.equal(found.described, describe(optics, constants))


def test_the_prior_and_what_is_missing_are_the_ms(ground: Ground) -> None:
    target = inner(ground)
    found = example(whole(ground), target, PLAIN)
    with SceneReader(ground.scene) as reader:
        ms, _ = reader.read_ms(target)
    constants = constants_of(ground.coarse_moments)
    wanted = (torch.from_numpy(ms.astype("float32")) - constants.level[:, None, None]) / constants.scale[
        :, None, None
    ]
    assert (base(found.shown) + found.missing - wanted).abs().max() < 1e-3


def test_nothing_of_what_is_kept_aside_is_seen(tmp_path: Path) -> None:
    ground = make_ground(tmp_path)
    rng = np.random.default_rng(1)
    targets = [draw_place(ground, 48, rng) for _ in range(8)]
    varied = [draw_variation(ground, rng) for _ in targets]
    before = [example(ground, *each) for each in zip(targets, varied, strict=True)]
    assert any(not target.intersect(ground.places.held[0]).empty for target in targets)
    (core,) = ground.places.scored
    unhidden = example(whole(ground), core, PLAIN)
    files = {
        ground.scene.ms[0].name: core,
        # What of PAN a scored pixel is held against.
        ground.scene.pan.name: ground.scene.relation.pan_rect(core),
    }
    for name, rect in files.items():
        with rasterio.open(name, "r+") as raster:
            data = raster.read()
            data[:, *rect.within(Rect(0, 0, *data.shape[1:]))] += 999
            raster.write(data)
    again = tmp_path / "again"
    again.mkdir()
    with computing():
        coarse = reduce_scene(ground.scene, ground.degradation, again).aligned(ground.degradation.shift)
    changed = replace(ground, coarse=coarse)
    for one, target, variation in zip(before, targets, varied, strict=True):
        other = example(changed, target, variation)
        for name in ("shown", "missing", "counted"):
            assert torch.equal(getattr(one, name), getattr(other, name))
    assert not torch.equal(example(whole(changed), core, PLAIN).shown, unhidden.shown)


def test_what_is_kept_aside_does_not_count_and_the_rest_far_from_it_does(ground: Ground) -> None:
    (held,) = ground.places.held
    hidden = example(ground, held, PLAIN)
    assert not hidden.counted.any()
    assert not hidden.missing.any()
    every = Rect(0, 0, *ground.scene.ms_grid.shape)
    height, width = (size // 4 * 4 for size in every.shape)
    counted = example(ground, Rect(0, 0, height, width), PLAIN).counted
    assert counted.mean() > 0.4


@pytest.mark.parametrize("turned", [False, True])
def test_flips_and_turns_are_of_the_whole_example(ground: Ground, turned: bool) -> None:
    target = Rect(20, 24, 24, 16)
    varied = replace(PLAIN, offset=(1.25, 2.5))
    plain = example(whole(ground), target, varied)
    other = example(whole(ground), target, replace(varied, flips=(True, False), turned=turned))
    for name in ("shown", "missing", "counted"):
        back = getattr(other, name)
        back = (back.transpose(-1, -2) if turned else back).flip(-2)
        assert torch.equal(back, getattr(plain, name))


def test_a_turn_tells_the_kernel_of_rows_as_that_of_columns(tmp_path: Path) -> None:
    ground = make_ground(tmp_path)
    odd = replace(ground, degradation=replace(ground.degradation, gains=((0.2, 0.4),) * 3))
    plain = example(whole(odd), inner(odd), PLAIN)
    turned = example(whole(odd), inner(odd), replace(PLAIN, turned=True))
    assert not torch.equal(plain.described, turned.described)
    twice = replace(odd, degradation=replace(odd.degradation, gains=((0.4, 0.2),) * 3))
    assert torch.equal(turned.described, example(whole(twice), inner(odd), PLAIN).described)


def test_variations_stay_within_what_calibration_is_sure_of(ground: Ground) -> None:
    rng = np.random.default_rng(3)
    sure = replace(ground, errors=(0.0, 0.0, 0.0, 0.0))
    unsure = replace(ground, errors=None)

    def spread(of: Ground) -> tuple[float, float]:
        drawn = [draw_variation(of, rng) for _ in range(200)]
        return (
            float(np.std([varied.shift_error for varied in drawn])),
            float(np.std([varied.widths for varied in drawn])),
        )

    assert spread(sure) == pytest.approx((0.05, 0.02), rel=0.2)
    assert spread(unsure) == pytest.approx((0.3, 0.1), rel=0.2)


def test_the_same_numbers_make_the_same_example(ground: Ground) -> None:
    drawn = []
    for _ in range(2):
        rng = np.random.default_rng(4)
        drawn.append(example(ground, draw_place(ground, 32, rng), draw_variation(ground, rng), seed=9))
    assert torch.equal(drawn[0].shown, drawn[1].shown)
