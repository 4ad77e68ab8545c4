"""How sure: errors that hold what is wrong, a map that shows where MS lies differently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geosharp.padm.confidence import LocalShift, estimate_errors, find_strays, map_shifts, spread_of
from geosharp.padm.iterate import Operator, iterate
from geosharp.padm.sample import Sample, take_sample
from geosharp.raster.scene import open_scene
from tests.made import write_raster
from tests.padm.conftest import GAINS, SHIFT
from tests.padm.planted import degrade_exactly, make_ground, plant


def test_errors_grow_with_noise_and_hold_what_is_wrong(tmp_path: Path) -> None:
    found = []
    for noise in (40, 10):
        sample = take_sample(plant(tmp_path, gains=GAINS, shift=SHIFT, noise=noise))
        assert sample is not None
        fit = iterate(sample, Operator(GAINS, SHIFT))
        errors = estimate_errors(sample, fit)
        wrong = np.subtract([*fit.operator.gains, *fit.operator.shift], [*GAINS, *SHIFT])
        assert (np.abs(wrong) < 4 * errors + 2e-3).all()
        found.append(errors)
    assert (found[1] > 3 * found[0]).all()


def test_too_few_windows_tell_nothing(sample: Sample) -> None:
    thin = sample.thin(2)
    assert np.isinf(estimate_errors(thin, iterate(thin, Operator(GAINS, SHIFT)))).all()


def test_the_map_shows_where_a_half_lies_differently(tmp_path: Path) -> None:
    ground = make_ground(256, 2)
    parts = [
        np.stack([degrade_exactly(band, 4, (0.3, 0.3), (0.0, move), (64, 64)) for band in ground])
        for move in (-0.5, 0.5)
    ]
    ms = np.concatenate([parts[0][:, :, :32], parts[1][:, :, 32:]], 2).astype(np.float32)
    pan = ground.mean(0, keepdims=True).astype(np.float32)
    plant(tmp_path, ground=ground, weights=(0.5, 0.5))
    with_halves = write_raster(
        tmp_path / "halves.tif", ms, transform=open_scene_transform(tmp_path / "ms.tif")
    )
    scene = open_scene(write_raster(tmp_path / "p.tif", pan), with_halves)
    sample = take_sample(scene)
    assert sample is not None
    local = map_shifts(sample, iterate(sample, Operator((0.3, 0.3), (0.0, 0.0))), scene.relation.offset)
    for each in local:
        assert each.shift[0] == pytest.approx(0.0, abs=0.05)
        assert each.shift[1] == pytest.approx(-0.5 if each.centre[1] < 128 else 0.5, abs=0.1)
    assert {each.centre for each in local} == {(64, 64), (64, 192), (192, 64), (192, 192)}
    assert spread_of(local)[1] > 0.5 > spread_of(local)[0]


def test_shifts_that_are_not_sure_do_not_count() -> None:
    sure = [LocalShift((0, 0), (0.1 * step, 0.0), 0.1) for step in range(5)]
    wild = [LocalShift((0, 0), (50.0 * step, 9.0), 0.9) for step in range(9)]
    assert spread_of((*sure, *wild)) == spread_of(tuple(sure))
    assert spread_of(tuple(sure[:2])) == (0.0, 0.0)


def test_a_part_that_lies_aside_is_a_share_of_a_size() -> None:
    most = [LocalShift((0, 0), (2.0 + 0.1 * step, 0.0), 0.1) for step in range(8)]
    aside = [LocalShift((0, 0), (2.0, size), 0.1) for size in (-3.0, 4.0)]
    unsure = [LocalShift((0, 0), (50.0, 9.0), 0.9)]
    share, size = find_strays((*most, *aside, *unsure))
    assert share == pytest.approx(0.2)
    assert size == pytest.approx(3.5, abs=0.1)
    assert spread_of((*most, *aside))[1] == 0
    assert find_strays(tuple(most)) == (0.0, 0.0)
    assert find_strays((most[0], aside[0])) == (0.0, 0.0)


def open_scene_transform(path: Path) -> object:
    import rasterio

    with rasterio.open(path) as raster:
        return raster.transform
