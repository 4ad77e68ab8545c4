from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geosharp.quality.coarsening import Read
from geosharp.quality.report.pictures import Stretch
from geosharp.quality.report.views import Painter, show_scene, show_window
from geosharp.quality.survey import survey as module
from geosharp.quality.survey.survey import survey
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader, open_scene
from geosharp.raster.source import Array, Mask

PAINTER = Painter(
    {"True colour": (2, 1, 0), "False colour": (3, 2, 1)},
    Stretch(np.zeros(4), np.full(4, 255.0)),
    Stretch(np.zeros(1), np.full(1, 1500.0)),
)


def flat(level: int, hole: Rect | None = None) -> Read:
    """Band b is `level` + b everywhere."""

    def read(rect: Rect) -> tuple[Array, Mask | None]:
        data = np.broadcast_to(np.arange(level, level + 4)[:, None, None], (4, *rect.shape))
        if hole is None or hole.intersect(rect).empty:
            return data, None
        valid = np.ones(rect.shape, bool)
        valid[hole.intersect(rect).within(rect)] = False
        return data, np.broadcast_to(valid, data.shape)

    return read


@pytest.fixture(scope="module")
def scene(made_pair: tuple[Path, Path]) -> Scene:
    return open_scene(*made_pair)


def test_a_window_shows_every_pixel_of_every_layer_and_the_result_last(scene: Scene) -> None:
    rect = Rect(64, 32, 96, 128)
    with SceneReader(scene) as reader:
        results = {"exp": flat(10), "Result (x)": flat(100, hole=Rect(64, 32, 8, 8))}
        view = show_window(reader, 3, rect, PAINTER, results)
        ms = reader.read_ms(scene.relation.ms_rect(rect))[0]
    assert (view.title, view.rect) == ("Window 3", rect)
    assert [layer.title for layer in view.layers] == ["MS", "exp", "PAN", "Result (x)"]
    pictures = {layer.title: layer.pictures for layer in view.layers}
    assert list(pictures["PAN"]) == ["PAN"]
    assert pictures["exp"]["True colour"][:, 5, 5].tolist() == [12, 11, 10]
    result = pictures["Result (x)"]["False colour"]
    assert result.shape == (4, *rect.shape)
    assert result[:, 50, 50].tolist() == [103, 102, 101, 255]
    assert not result[3, :8, :8].any()
    assert view.spectra is not None
    # A cell an MS pixel; nothing where the result has none.
    assert np.isnan(view.spectra.ms[:, :2, :2]).all()
    np.testing.assert_allclose(view.spectra.ms[:, 2:], ms[:, 2:])
    np.testing.assert_allclose(view.spectra.fused[:, 9, 9], [100, 101, 102, 103])


@pytest.mark.parametrize("side", [1600, 64])
def test_the_whole_scene_is_shown_with_others_where_pictures_hold_its_pixels(
    scene: Scene, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PICTURE_SIDE", side)
    with SceneReader(scene) as reader:
        seen = survey(reader, flat(100), scene.area, lambda _: None)
    view = show_scene(seen, PAINTER, "Result (x)", {"exp": flat(10)})
    titles = [layer.title for layer in view.layers]
    assert titles == (["MS", "exp", "PAN", "Result (x)"] if side == 1600 else ["MS", "PAN", "Result (x)"])
    assert view.rect == scene.area
    picture = view.layers[-1].pictures["True colour"]
    assert picture.shape == (3, *seen.fine.shape)
    assert max(picture.shape) <= side
    assert (picture == np.array([102, 101, 100])[:, None, None]).all()
    assert ("4 x 4 PAN pixels" in view.note) == (side == 64)
    assert view.spectra is not None
    np.testing.assert_allclose(view.spectra.fused[1], 101, rtol=1e-5)
