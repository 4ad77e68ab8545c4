"""The demonstration shows what it says: a real pair, a better result than interpolation, a picture."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from geosharp.demo import demo, show
from geosharp.errors import OutputError, UsageError
from geosharp.quality.metrics import ergas, psnr, sam


def test_the_result_beats_interpolation_and_the_scores_are_those_of_the_files(tmp_path: Path) -> None:
    shown = demo(tmp_path / "demo", size=256, seed=3)
    with (
        rasterio.open(shown.truth) as truth,
        rasterio.open(shown.fused) as fused,
        rasterio.open(shown.ms) as ms,
    ):
        assert (fused.crs, fused.transform) == (truth.crs, truth.transform)
        assert (ms.shape, ms.res, ms.descriptions) == ((64, 64), (2.0, 2.0), ("blue", "green", "red", "nir"))
        ours = shown.scores["hfreqdiff"]
        assert ours.psnr == psnr(truth.read(), fused.read())
        assert ours.sam == sam(truth.read(), fused.read())
        assert ours.ergas == ergas(truth.read(), fused.read(), 4)
    assert ours.psnr > shown.scores["exp"].psnr + 1
    assert ours.ergas < 0.9 * shown.scores["exp"].ergas


def test_the_picture_has_ms_left_and_the_result_right(tmp_path: Path) -> None:
    shown = demo(tmp_path, size=256)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(shown.picture) as picture:
            image = picture.read().astype(float)
    assert image.shape == (3, 512, 2 * 512 + 16)
    left, right = image[:, :, :512], image[:, :, -512:]
    assert np.abs(np.diff(left, axis=2))[:, :, :-1].mean() < np.abs(np.diff(right, axis=2)).mean()
    blocks = left.reshape(3, 64, 8, 64, 8)
    assert (blocks == blocks[:, :, :1, :, :1]).all()


def test_the_same_seed_makes_the_same_files(tmp_path: Path) -> None:
    one, two = (demo(tmp_path / name, size=256, seed=1) for name in ("one", "two"))
    for first, second in ((one.pan, two.pan), (one.ms, two.ms), (one.fused, two.fused)):
        with rasterio.open(first) as a, rasterio.open(second) as b:
            np.testing.assert_array_equal(a.read(), b.read())


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "ms.tif").write_bytes(b"mine")
    with pytest.raises(OutputError, match="overwrite"):
        demo(tmp_path, size=256)
    assert [p.name for p in tmp_path.iterdir()] == ["ms.tif"]
    assert (tmp_path / "ms.tif").read_bytes() == b"mine"


def test_the_size_that_is_its_own_is_one_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(shape: tuple[int, int], seed: int) -> None:
        raise InterruptedError(f"{shape}")

    monkeypatch.setattr(show, "make_scene", stop)
    with pytest.raises(InterruptedError, match="1024, 1024"):
        demo(tmp_path / "demo")


@pytest.mark.parametrize("size", [0, 255, 258, 10_000])
def test_odd_sizes_are_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(UsageError, match="--size"):
        demo(tmp_path / "demo", size=size)
    assert list(tmp_path.iterdir()) == []
