"""What PADM learns from: windows of what counts, the same filter on both sides."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from geosharp.padm.sample import BLUR_REACH, SHIFT_REACH, Sample, take_sample
from geosharp.raster.scene import Scene, open_scene
from tests.made import write_raster
from tests.padm.planted import plant


def taken(scene: Scene) -> Sample:
    sample = take_sample(scene)
    assert sample is not None
    return sample


def counted(sample: Sample, shape: tuple[int, int]) -> np.ndarray:
    """Which MS pixels of the scene count."""
    whole = np.zeros(shape, bool)
    for rect, own in zip(sample.rects, sample.counted.numpy(), strict=True):
        whole[rect.row : rect.stop_row, rect.col : rect.stop_col] |= own > 0
    return whole


def rewrite(scene: Scene, folder: Path, pan: np.ndarray, ms: np.ndarray, **profile: object) -> Scene:
    place = scene.ms_grid.transform
    return open_scene(
        write_raster(folder / "p.tif", pan, **profile),
        write_raster(folder / "m.tif", ms, transform=place, **profile),
    )


def pixels(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    from geosharp.raster.scene import SceneReader

    with SceneReader(scene) as reader:
        return reader.read_pan(scene.grid.rect)[0], reader.read_ms(scene.ms_grid.rect)[0]


@pytest.mark.parametrize("size", [64, 200, 330])
def test_windows_do_not_overlap_and_leave_little(tmp_path: Path, size: int) -> None:
    sample = taken(plant(tmp_path, size=size, ratio=2.0))
    for one, other in itertools.combinations(sample.rects, 2):
        assert one.intersect(other).empty
    assert sum(rect.area for rect in sample.rects) > 0.9 * (size // 2) ** 2


def test_a_pixel_counts_where_kernels_meet_valid_pixels_alone(scene: Scene, tmp_path: Path) -> None:
    pan, ms = pixels(scene)
    ratio, reach = 4, BLUR_REACH * 4 + SHIFT_REACH
    pan[0, 120:123, 90:94] = 0
    ms[2, 50, 13] = 0
    seen = counted(taken(rewrite(scene, tmp_path, pan, ms, nodata=0)), (64, 64))
    centres = ratio * (np.arange(64) + 0.5) - 0.5

    def meets(first: float, last: float) -> np.ndarray:
        return (centres + reach >= first) & (centres - reach <= last)

    expected = ~(meets(120, 122)[:, None] & meets(90, 93)[None])
    inside = (centres - reach >= 0) & (centres + reach <= 255)
    expected &= inside[:, None] & inside[None]
    expected[50, 13] = False
    assert (seen == expected).all()


def test_saturated_pixels_do_not_count(tmp_path: Path) -> None:
    scene = plant(tmp_path, dtype="uint8", level=128, contrast=20)
    pan, ms = pixels(scene)
    ms[1, 30, 31], pan[0, 60, 200] = 255, 255
    seen = counted(taken(rewrite(scene, tmp_path, pan, ms)), (64, 64))
    assert not seen[30, 31]
    assert seen[30, 30]
    assert not seen[15, 50]
    assert seen[40, 50]


def test_nothing_to_learn_from(scene: Scene, tmp_path: Path) -> None:
    pan, ms = pixels(scene)
    assert take_sample(rewrite(scene, tmp_path, pan, np.zeros_like(ms), nodata=0)) is None


def test_constants_are_the_scenes(sample: Sample, scene: Scene) -> None:
    pan, ms = pixels(scene)
    constants = sample.constants
    np.testing.assert_allclose(constants.means, ms[:, 4:-4, 4:-4].mean((1, 2)), rtol=1e-3)
    np.testing.assert_allclose(constants.stds, ms[:, 4:-4, 4:-4].std((1, 2)), rtol=1e-3)
    assert constants.pan_mean == pytest.approx(pan.mean(), rel=0.01)
    assert constants.pan_std == pytest.approx(pan.std(), rel=0.05)


def test_the_high_pass_takes_levels_away_and_nothing_beside(sample: Sample) -> None:
    holed = replace(sample, counted=sample.counted.clone())
    holed.counted[:, 10:14, 8:20] = 0
    level = torch.full((len(sample.rects), 1, *sample.rects[0].shape), 7.0)
    assert holed.high_pass(level).abs().max() < 1e-4
    waves = torch.cos(torch.pi * torch.arange(sample.rects[0].width))
    kept = holed.high_pass(level + waves)
    far = kept[:, :, 24:-4, 4:-4]
    torch.testing.assert_close(far, waves[4:-4].expand_as(far), atol=0.1, rtol=0)
    assert not kept[:, :, 10:14, 8:20].any()


def test_a_thin_sample_is_some_of_the_windows(sample: Sample) -> None:
    thin = sample.thin(2)
    assert thin.rects == (sample.rects[0], sample.rects[-1])
    assert thin.count < sample.count
    assert torch.equal(thin.ms[1], sample.ms[-1])
    assert sample.thin(99) is sample


def test_bands_are_laid_where_the_geotransforms_say(tmp_path: Path) -> None:
    sample = taken(plant(tmp_path, ratio=2.5, offset=(3.25, -1.5), size=200))
    rect, rows = sample.rects[-1], sample.centres[0][-1]
    # PAN of the patch starts BLUR_REACH and SHIFT_REACH before what covers the window.
    first = np.floor(3.25 + 2.5 * rect.row + 1e-9) - (np.ceil(BLUR_REACH * 2.5) + SHIFT_REACH)
    np.testing.assert_allclose(rows[:3], 3.25 + 2.5 * (rect.row + np.arange(3) + 0.5) - 0.5 - first)
