from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp.errors import PairError
from geosharp.quality.survey import survey as module
from geosharp.quality.survey.cells import read_ms_on_pan
from geosharp.quality.survey.survey import Survey, name_unit, survey
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader, open_scene
from geosharp.raster.source import Array, Mask
from tests.made import make_pair

RECT = Rect(8, 12, 160, 192)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return open_scene(*make_pair(tmp_path_factory.mktemp("pair"), pan_shape=(192, 256)))


def look(scene: Scene, image: np.ndarray, valid: np.ndarray | None = None) -> Survey:
    """At a result (band, row, col) of RECT."""

    def read(rect: Rect) -> tuple[Array, Mask | None]:
        index = rect.within(RECT)
        return image[:, *index], None if valid is None else np.broadcast_to(valid[index], (4, *rect.shape))

    with SceneReader(scene) as reader:
        return survey(reader, read, RECT, lambda _: None)


def ms_and_pan(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    with SceneReader(scene) as reader:
        return read_ms_on_pan(reader, RECT)[0].astype(np.float32), reader.read_pan(RECT)[0].astype(np.float32)


def test_a_small_scene_is_kept_pixel_by_pixel(scene: Scene) -> None:
    ms, pan = ms_and_pan(scene)
    seen = look(scene, ms + 3)
    assert seen.whole
    assert seen.rect == RECT
    np.testing.assert_array_equal(seen.ms, ms)
    np.testing.assert_array_equal(seen.pan, pan)
    np.testing.assert_array_equal(seen.fused, ms + 3)
    np.testing.assert_allclose(seen.fused_means - seen.ms_means, 3, atol=1e-2)
    assert (seen.share == 1).all()


def test_a_large_scene_is_kept_in_means_whatever_the_blocks(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(0).normal(500, 50, (4, *RECT.shape)).astype(np.float32)
    monkeypatch.setattr(module, "PICTURE_SIDE", 50)
    whole = look(scene, image)
    monkeypatch.setattr(module, "_BLOCK", 48)
    parts = look(scene, image)
    assert not whole.whole
    assert max(whole.fine.shape) <= 50
    for name in ("fused", "ms", "pan", "fused_means", "ms_means", "likeness", "detail", "share"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=2e-3, atol=1e-3)
    assert parts.fused.mean() == pytest.approx(image.mean(), rel=1e-3)
    assert parts.steps.measure(32, (4, 4)).elsewhere == pytest.approx(
        whole.steps.measure(32, (4, 4)).elsewhere, rel=0.2
    )


def test_steps_from_block_to_block_are_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).normal(500, 50, (4, *scene.area.shape)).astype(np.float32)

    def measure() -> float:
        with SceneReader(scene) as reader:
            seen = survey(
                reader, lambda rect: (image[:, *rect.within(scene.area)], None), scene.area, lambda _: None
            )
        return seen.steps.measure(64, (4, 4)).at_borders

    whole = measure()
    monkeypatch.setattr(module, "_BLOCK", 64)
    assert measure() == pytest.approx(whole, rel=1e-4)


def test_likeness_is_the_correlation_with_pan(scene: Scene) -> None:
    _, pan = ms_and_pan(scene)
    noise = np.random.default_rng(0).normal(0, 1000, RECT.shape)
    seen = look(
        scene, np.stack([2 * pan[0] + 9, -pan[0], noise, np.full(RECT.shape, 7.0)]).astype(np.float32)
    )
    np.testing.assert_allclose(seen.likeness[0], 1, atol=1e-3)
    np.testing.assert_allclose(seen.likeness[1], -1, atol=1e-3)
    assert abs(seen.likeness[2].mean()) < 0.1
    assert np.isnan(seen.likeness[3]).all()
    rows, cols = (
        slice(edges[0] - edges[0], edges[1] - edges[0]) for edges in (seen.coarse.rows, seen.coarse.cols)
    )
    assert seen.detail[0, 0] == pytest.approx(pan[0, rows, cols].std(), rel=1e-3)


def test_invalid_pixels_count_for_nothing(scene: Scene) -> None:
    ms, _ = ms_and_pan(scene)
    valid = np.ones(RECT.shape, bool)
    valid[:50, :70] = False
    seen = look(scene, np.where(valid, ms, np.float32(9e5)), valid)
    assert np.isnan(seen.fused[:, ~valid]).all()
    assert np.isfinite(seen.ms).all()
    assert seen.share[0, 0] == 0
    assert np.isnan(seen.fused_means[:, 0, 0]).all()
    np.testing.assert_allclose(np.nan_to_num(seen.fused_means - seen.ms_means), 0, atol=1e-2)
    with pytest.raises(PairError, match="not one pixel that is valid in all three"):
        look(scene, ms, np.zeros(RECT.shape, bool))


def test_progress_counts_every_pixel_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 48)
    told: list[int] = []
    ms, _ = ms_and_pan(scene)
    with SceneReader(scene) as reader:
        survey(reader, lambda rect: (ms[:, *rect.within(RECT)], None), RECT, told.append)
    assert len(told) > 4
    assert sum(told) == RECT.area


@pytest.mark.parametrize("factor", [1e-32, 1e34])
def test_likeness_and_detail_do_not_hang_on_the_size_of_values(
    tmp_path_factory: pytest.TempPathFactory, factor: float
) -> None:
    seen = []
    for each in (1.0, factor):
        pair = make_pair(tmp_path_factory.mktemp("pair"), pan_shape=(192, 256), dtype="float32")
        for path in pair:
            with rasterio.open(path, "r+") as raster:
                raster.write((raster.read() * np.float64(each)).astype(np.float32))
        scene = open_scene(*pair)
        ms, pan = ms_and_pan(scene)
        seen.append(look(scene, 0.5 * ms + 0.5 * pan))
    assert np.isfinite(seen[0].likeness).all()
    np.testing.assert_allclose(seen[1].likeness, seen[0].likeness, atol=1e-3)
    np.testing.assert_allclose(seen[1].detail / factor, seen[0].detail, rtol=1e-3)


def test_values_near_the_end_of_float32_leave_the_rest_as_it_is(scene: Scene) -> None:
    ms, _ = ms_and_pan(scene)
    holed = ms.copy()
    holed[:, :, :64] = -3.4e38
    seen, expected = look(scene, holed), look(scene, ms)
    np.testing.assert_array_equal(seen.fused_means[:, :, 8:], expected.fused_means[:, :, 8:])
    np.testing.assert_array_equal(seen.detail, expected.detail)


def test_only_whole_numbers_are_digital_numbers(tmp_path: Path, scene: Scene) -> None:
    assert name_unit(scene) == "DN"
    assert name_unit(open_scene(*make_pair(tmp_path, dtype="float32"))) == "units of MS"
