from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geosharp.quality.survey import samples as module
from geosharp.quality.survey.samples import Samples, count_values, take_samples
from geosharp.raster.grid import Rect
from geosharp.raster.scene import SceneReader, open_scene
from geosharp.raster.source import Array, Mask

PLACES = (Rect(0, 0, 64, 64), Rect(128, 64, 64, 128))
AREA = sum(place.area for place in PLACES)


def read_fused(rect: Rect) -> tuple[Array, Mask | None]:
    """The number of each PAN pixel; those of odd rows are invalid."""
    rows, cols = np.mgrid[rect.row : rect.stop_row, rect.col : rect.stop_col]
    data = np.repeat((1000 * rows + cols)[None], 4, 0)
    return data, np.broadcast_to(rows % 2 == 0, data.shape)


def test_samples_are_the_valid_values_of_the_places(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    with SceneReader(scene) as reader:
        samples = take_samples(reader, read_fused, PLACES)
        ms = [reader.read_ms(scene.relation.ms_rect(place))[0].reshape(4, -1) for place in PLACES]
    np.testing.assert_array_equal(np.sort(samples.ms), np.sort(np.concatenate(ms, 1)))
    assert samples.pan.shape == (1, AREA)
    assert samples.fused.shape == (4, AREA // 2)
    assert (samples.fused // 1000 % 2 == 0).all()


def test_of_many_values_a_regular_choice_is_kept(
    made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 512)
    with SceneReader(open_scene(*made_pair)) as reader:
        samples = take_samples(reader, read_fused, PLACES)
    assert 250 < samples.pan.shape[1] <= 550
    # Every place within an MS pixel has its turn.
    assert len({*(samples.fused[0] % 4)}) == 4


def test_histograms_hold_nearly_all_values_of_both() -> None:
    rng = np.random.default_rng(0)
    ms, fused = (rng.normal(400, spread, (2, 20_000)).round().astype(np.uint16) for spread in (50, 80))
    histograms = count_values(Samples(ms, ms[:1], fused), ["red", "nir"])
    assert [histogram.band for histogram in histograms] == ["red", "nir"]
    for histogram in histograms:
        assert histogram.ms.sum() > 0.99 * 20_000
        assert 0.99 * 20_000 < histogram.fused.sum() <= 20_000
        middle = (histogram.low + histogram.high) / 2
        assert abs(middle - 400) < 20


def test_bins_hold_equally_many_whole_numbers() -> None:
    even = np.arange(0, 1723, dtype=np.uint16)[None]
    (histogram,) = count_values(Samples(even, even, even), ["red"])
    assert np.ptp(histogram.ms[1:-1]) == 0
    assert (histogram.high - histogram.low) % len(histogram.ms) == 0


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_one_value_alone_has_a_histogram_and_none_has_none(kind: str) -> None:
    one = np.full((1, 5), 7, kind)
    (histogram,) = count_values(Samples(one, one, one), ["red"])
    assert histogram.ms.sum() == histogram.fused.sum() == 5
    assert count_values(Samples(one[:, :0], one, one), ["red"]) == ()


def test_values_as_far_apart_as_float32_allows_have_a_histogram() -> None:
    far = np.repeat(np.array([[-3.4e38, 0.0, 3.4e38]], np.float32), 9, axis=1)
    (histogram,) = count_values(Samples(far, far, far), ["red"])
    assert histogram.high - histogram.low > 6e38
    assert histogram.ms.sum() == 27
