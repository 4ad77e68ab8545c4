"""A scene is made ready with its own degradation, or refused with what it lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp.errors import PairError
from geosharp.imaging.degradation import Degradation
from geosharp.raster.grid import Rect
from geosharp.raster.scene import open_scene
from geosharp.tuning.ground import Ground, halve, hide_across, prepare, with_held
from tests.made import make_pair, write_raster
from tests.tuning.made_ground import BLUR, SHAPE

PLAIN = Degradation.alike([0.3] * 3, 0.15)


def place(folder: Path) -> Path:
    made = folder / "coarse"
    made.mkdir()
    return made


def test_coarse_pan_lies_on_the_ms_and_both_keep_their_relation(ground: Ground) -> None:
    assert ground.coarse.grid.shape == ground.scene.ms_grid.shape
    assert ground.coarse.registration == ground.scene.registration == BLUR.shift
    for one, other in zip(ground.optics.axes, ground.coarse_optics.axes, strict=True):
        assert one.ratio == other.ratio
        # As far off by the same part of a coarse pixel.
        assert (one.offset - other.offset) % one.ratio == pytest.approx(0, abs=1e-6)


def test_the_guard_is_wider_than_any_kernel(ground: Ground) -> None:
    reach = max(BLUR.reach(ground.optics.axes))
    assert 4 * ground.places.guard > reach


def test_a_scene_too_small_is_refused_by_what_it_needs(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(256, 256), bands=3)
    with pytest.raises(PairError) as caught:
        prepare(open_scene(pan, ms), PLAIN, place(tmp_path))
    assert "64 x 64 MS pixels" in caught.value.found
    assert "80 x 80 valid MS pixels" in caught.value.needed


def test_a_scene_without_a_valid_block_is_refused(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=SHAPE, bands=3, ms_profile={"nodata": 0})
    with rasterio.open(ms, "r+") as raster:
        data = raster.read()
        data[:, ::7] = 0
        raster.write(data.astype(np.uint16))
    with pytest.raises(PairError, match="0 of 4 blocks"):
        prepare(open_scene(pan, ms), PLAIN, place(tmp_path))


def deliver(folder: Path, name: str, cols: slice, made: tuple[Path, Path]) -> tuple[Path, Path]:
    """These MS columns of a made pair at ratio 4, and the PAN over them, as a delivery of its own."""
    found = []
    for role, path, ratio in (("pan", made[0], 4), ("ms", made[1], 1)):
        with rasterio.open(path) as raster:
            start = cols.start * ratio
            data = raster.read()[:, :, start : cols.stop * ratio]
            transform = raster.transform @ rasterio.Affine.translation(start, 0)
            found.append(
                write_raster(folder / f"{name}_{role}.tif", data, transform=transform, crs=raster.crs)
            )
    return found[0], found[1]


def two_deliveries(folder: Path) -> list[Ground]:
    made = make_pair(folder, pan_shape=(328, 492), bands=3)
    grounds = []
    for name, cols in (("one", slice(0, 100)), ("two", slice(17, 123))):
        (folder / name).mkdir()
        scene = open_scene(*deliver(folder, name, cols, made))
        grounds.append(prepare(scene, PLAIN, folder / name))
    return grounds


def test_what_one_scene_keeps_aside_is_hidden_in_every_scene_of_its_ground(tmp_path: Path) -> None:
    one, two = two_deliveries(tmp_path)
    alone, none = hide_across([one])
    assert (alone, none) == ([one], 0)
    (first, second), overlapping = hide_across([one, two])
    assert overlapping == 2
    for held in one.places.held:
        assert held.move(0, -17).intersect(two.scene.ms_grid.rect) in second.hidden
    for held in two.places.held:
        assert held.move(0, 17).intersect(one.scene.ms_grid.rect) in first.hidden
    # By their own places they are judged, as before.
    assert (first.places.held, second.places.held) == (one.places.held, two.places.held)


def test_a_scene_with_wider_kernels_hides_more_of_what_another_keeps_aside(tmp_path: Path) -> None:
    one, two = two_deliveries(tmp_path)
    wide = replace(two, places=replace(two.places, guard=two.places.guard + 3))
    (_, second), _ = hide_across([one, wide])
    for held in one.places.held:
        assert held.move(0, -17).grow(3, 3).intersect(two.scene.ms_grid.rect) in second.hidden


def test_a_scene_that_others_hide_whole_is_refused(tmp_path: Path) -> None:
    one, two = two_deliveries(tmp_path)
    greedy = with_held(one, (one.scene.ms_grid.rect.grow(20, 200),))
    with pytest.raises(PairError, match="other scenes of the same ground"):
        hide_across([greedy, two])


def test_few_places_choose_and_judge_and_many_do_one_of_both(ground: Ground) -> None:
    places = tuple(Rect(0, 40 * at, 40, 40) for at in range(5))
    few = [with_held(ground, places), with_held(ground, places[:2])]
    assert halve(few) == (few, few)
    many = [with_held(ground, places), with_held(ground, places[:1]), with_held(ground, places[:2])]
    choosing, judging = halve(many)
    assert [each.places.held for each in choosing] == [places[::2], places[:1]]
    assert [each.places.held for each in judging] == [places[1::2], places[:1], places[1:2]]
    assert all(each.hidden == ground.hidden for each in choosing + judging)
