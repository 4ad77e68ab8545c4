from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geosharp.engine import sampling
from geosharp.engine.tensors import optics_of
from geosharp.errors import PairError
from geosharp.imaging.resample import Span
from geosharp.padm.table import table_degradation
from geosharp.raster.scene import Scene, open_scene
from tests.engine.memory import moments_of
from tests.imaging.synthetic import degrade_exactly, direct_moments
from tests.made import ORIGIN, make_pair, write_raster


def pixels(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    with rasterio.open(scene.pan.name) as pan, rasterio.open(scene.ms[0].name) as ms:
        return pan.read().astype(np.float64), ms.read().astype(np.float64)


def rewritten(folder: Path, scene: Scene, pan: np.ndarray, ms: np.ndarray, **profile: Any) -> Scene:
    with rasterio.open(scene.ms[0].name) as raster:
        transform = raster.transform
    return open_scene(
        write_raster(folder / "pan_2.tif", pan, **profile),
        write_raster(folder / "ms_2.tif", ms, transform=transform, **profile),
    )


def values_at_ms(scene: Scene) -> np.ndarray:
    """MS, D_b(PAN) and D(PAN), in double precision; at the rim by what of the kernel meets PAN."""
    pan, ms = pixels(scene)
    optics = optics_of(scene, table_degradation(scene))
    all_ms = (Span(0, ms.shape[1]), Span(0, ms.shape[2]))
    lows = [
        degrade_exactly(pan, all_ms, scene.relation.ratio[0], scene.relation.offset, gain[0])
        for gain in (*optics.gains, optics.mean_gain)
    ]
    return np.concatenate([ms, *lows])


@pytest.mark.parametrize("offset", [(0.0, 0.0), (-0.5, 0.5)])
def test_moments_of_a_small_scene_are_those_of_all_its_pixels(
    tmp_path: Path, offset: tuple[float, float]
) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(240, 232), offset=offset))
    made, expected = moments_of(scene), direct_moments(values_at_ms(scene))
    assert made.count == expected.count == 60 * 58
    scale = np.sqrt(np.diag(expected.cov))
    np.testing.assert_allclose(made.means, expected.means, rtol=1e-5)
    assert np.abs((made.cov - expected.cov) / np.outer(scale, scale)).max() < 1e-3
    np.testing.assert_allclose(made.detail_correlation(), expected.detail_correlation(), atol=1e-3)


def test_windows_do_not_overlap_and_are_all_of_a_scene_in_the_end(tmp_path: Path) -> None:
    transform = from_origin(*ORIGIN, 2, 2)
    scene = open_scene(
        write_raster(tmp_path / "pan.tif", np.zeros((1, 300, 1500), np.uint8)),
        write_raster(tmp_path / "ms.tif", np.zeros((1, 150, 750), np.uint8), transform=transform),
    )
    seen = np.zeros(scene.ms_grid.shape, int)
    for windows in sampling._spread(scene):
        for window in windows:
            seen[window.row : window.stop_row, window.col : window.stop_col] += 1
    assert (seen == 1).all()


def test_a_wide_scene_is_sampled_from_side_to_side(
    monkeypatch: pytest.MonkeyPatch, made_pair: tuple[Path, Path]
) -> None:
    monkeypatch.setattr(sampling, "_WINDOW", 4)
    monkeypatch.setattr(sampling, "_WINDOWS", 9)
    scene = open_scene(*made_pair)
    first = next(sampling._spread(scene))
    assert len(first) == 9
    for at in ({window.row for window in first}, {window.col for window in first}):
        assert {0, 60} < at
    monkeypatch.setattr(sampling, "_ENOUGH", 100)
    few = moments_of(scene)
    assert few.count == 9 * 16


def test_saturated_pixels_never_count(tmp_path: Path) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(240, 232), dtype="uint8"))
    pan, ms = (image.astype(np.uint8) for image in pixels(scene))
    pan_hot, ms_hot = pan.copy(), ms.copy()
    pan_hot[:, 40:90, 60:100] = 255
    ms_hot[2, 40:50, 20:40] = 255
    hot = rewritten(tmp_path, scene, pan_hot, ms_hot)
    pan_hot[:, 40:90, 60:100] = 0
    ms_hot[:, 40:50, 20:40] = 0
    pan[pan == 0], ms[ms == 0] = 1, 1
    other = tmp_path / "holes"
    other.mkdir()
    holes = rewritten(other, scene, pan_hot, ms_hot, nodata=0)
    made, expected = moments_of(hot), moments_of(holes)
    assert made.count == expected.count < 60 * 58 - 300
    np.testing.assert_allclose(made.means, expected.means, rtol=1e-6)
    np.testing.assert_allclose(made.cov, expected.cov, rtol=1e-5)


@pytest.mark.parametrize("hidden", [-9999.0, 3e38, np.nan])
def test_invalid_pixels_never_count(tmp_path: Path, hidden: float) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(240, 232), dtype="float32"))
    values = values_at_ms(scene)
    pan, ms = (image.astype(np.float32) for image in pixels(scene))
    pan[:, :, :88] = hidden
    ms[1, 50:, :] = hidden
    made = moments_of(rewritten(tmp_path, scene, pan, ms, nodata=hidden))
    # The kernel reaches over PAN's rim: MS pixels beside it see another D(PAN), so only MS is compared.
    expected = values[:4, :50, 22:].reshape(4, -1)
    assert made.count == expected.shape[1]
    np.testing.assert_allclose(made.means[:4], expected.mean(1), rtol=1e-5)
    np.testing.assert_allclose(made.cov[:4, :4], np.cov(expected, bias=True), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_scene_valid_in_one_corner_alone_is_still_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corner: tuple[int, int]
) -> None:
    """The first lattice of windows misses it; finer ones do not."""
    monkeypatch.setattr(sampling, "_WINDOW", 4)
    monkeypatch.setattr(sampling, "_WINDOWS", 4)
    scene = open_scene(*make_pair(tmp_path, pan_shape=(256, 256)))
    pan, ms = (image.astype(np.uint16) for image in pixels(scene))
    rows, cols = (slice(9, 12) if at == 0 else slice(-12, -9) for at in corner)
    kept = np.zeros_like(ms)
    kept[:, rows, cols] = ms[:, rows, cols]
    made = moments_of(rewritten(tmp_path, scene, pan, kept, nodata=0))
    assert made.count == 9
    np.testing.assert_allclose(made.means[:4], ms[:, rows, cols].mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("which", ["pan", "ms", "all saturated"])
def test_nothing_valid_is_refused(tmp_path: Path, which: str) -> None:
    pan, ms = np.full((1, 64, 64), 7, np.uint8), np.full((3, 16, 16), 7, np.uint8)
    if which == "pan":
        pan[:] = 0
    elif which == "ms":
        ms[:] = 0
    else:
        ms[:] = 255
    scene = open_scene(
        write_raster(tmp_path / "pan.tif", pan, nodata=0),
        write_raster(tmp_path / "ms.tif", ms, nodata=0, transform=from_origin(*ORIGIN, 4, 4)),
    )
    with pytest.raises(PairError) as refusal:
        moments_of(scene)
    assert "valid and unsaturated" in refusal.value.found


def test_the_order_of_the_bands_only_reorders_the_moments(made_pair: tuple[Path, Path]) -> None:
    order = [2, 0, 3, 1]
    first = moments_of(open_scene(*made_pair))
    second = moments_of(open_scene(*made_pair, bands=[i + 1 for i in order]))
    index = np.array([*order, *(4 + i for i in order), 8])
    np.testing.assert_allclose(second.means, first.means[index], rtol=1e-6)
    np.testing.assert_allclose(second.cov, first.cov[np.ix_(index, index)], rtol=1e-5)


def test_the_order_of_the_windows_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, made_pair: tuple[Path, Path]
) -> None:
    monkeypatch.setattr(sampling, "_WINDOW", 16)
    scene = open_scene(*made_pair)
    first = moments_of(scene)
    spread = sampling._spread
    monkeypatch.setattr(sampling, "_spread", lambda scene: [list(reversed(w)) for w in spread(scene)][::-1])
    second = moments_of(scene)
    assert second.count == first.count
    np.testing.assert_allclose(second.means, first.means, rtol=1e-6)
    np.testing.assert_allclose(second.cov, first.cov, rtol=1e-4)


def test_the_same_scene_gives_the_same_moments_to_the_bit(made_pair: tuple[Path, Path]) -> None:
    first, second = (moments_of(open_scene(*made_pair)) for _ in range(2))
    np.testing.assert_array_equal(first.cov, second.cov)


@pytest.mark.parametrize("dtype", ["uint32", "int32", "float64"])
def test_far_dn_keep_their_low_digits(tmp_path: Path, dtype: str) -> None:
    """float32 holds no digit below 128 at two thousand million."""
    scene = open_scene(*make_pair(tmp_path, pan_shape=(128, 128)))
    pan, ms = pixels(scene)
    near = moments_of(scene)
    far = moments_of(rewritten(tmp_path, scene, (pan + 2e9).astype(dtype), (ms + 2e9).astype(dtype)))
    np.testing.assert_allclose(far.means - 2e9, near.means, atol=0.01)
    np.testing.assert_allclose(far.cov, near.cov, rtol=1e-4)


def test_stripes_are_detail_whichever_way_they_run(tmp_path: Path) -> None:
    for name, wave in (
        ("rows", np.sin(np.arange(256) / 5)[:, None]),
        ("cols", np.sin(np.arange(256) / 5)[None]),
    ):
        fine = np.broadcast_to(500 + 300 * wave, (256, 256))
        folder = tmp_path / name
        folder.mkdir()
        ms = fine.reshape(64, 4, 64, 4).mean((1, 3))
        scene = open_scene(
            write_raster(folder / "pan.tif", fine[None].astype(np.float32)),
            write_raster(
                folder / "ms.tif", ms[None].astype(np.float32), transform=from_origin(*ORIGIN, 4, 4)
            ),
        )
        assert moments_of(scene).detail_correlation()[0] > 0.95
