from __future__ import annotations

import itertools
import logging
import shutil
import struct
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from matplotlib.transforms import Bbox

from geosharp.errors import UsageError
from geosharp.padm.calibrate import calibrate
from geosharp.padm.calibration import Calibration
from geosharp.padm.figure import build_figure, check_drawing, draw_figure
from geosharp.raster.scene import Scene
from tests.padm.planted import plant


@pytest.fixture(scope="module")
def figure(calibration: Calibration, scene: Scene) -> Figure:
    return build_figure(calibration, scene)


def find(figure: Figure, room: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_label() == room)


def arrows(figure: Figure) -> list[Quiver]:
    return [each for each in find(figure, "shifts").collections if isinstance(each, Quiver)]


def texts(owner: Figure | Axes) -> str:
    return "\n".join(text.get_text() for text in owner.texts)


def test_a_png_of_the_same_bytes_every_time(calibration: Calibration, scene: Scene) -> None:
    picture = draw_figure(calibration, scene)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (1600, 1100)
    assert b"tEXt" not in picture
    assert b"tIME" not in picture
    assert draw_figure(calibration, scene) == picture


def test_nothing_global_is_changed(
    calibration: Calibration, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "matplotlib")
    before = dict(mpl.rcParams)
    draw_figure(calibration, scene)
    assert dict(mpl.rcParams) == before
    assert logging.getLogger("matplotlib").level == logging.WARNING


def test_the_header_tells_what_was_found(figure: Figure, calibration: Calibration, scene: Scene) -> None:
    told = texts(figure)
    for part in (
        "pan.tif",
        scene.sensor.title,
        calibration.verdict,
        f"R² {calibration.explained:.4f}",
        f"table {calibration.table_explained:.4f}",
    ):
        assert part in told
    down, right = calibration.operator.shift
    assert (down > 0, right < 0) == (True, True)
    assert f"{down:.2f} ± {calibration.errors[2]:.2f} PAN pixels down" in told  # type: ignore[index]
    assert f"{-right:.2f} ± {calibration.errors[3]:.2f} left" in told  # type: ignore[index]


def test_each_local_shift_is_an_arrow_at_its_place(figure: Figure, calibration: Calibration) -> None:
    (quiver,) = arrows(figure)
    local = calibration.local_shifts
    assert quiver.N == len(local) > 1
    np.testing.assert_allclose(quiver.get_offsets(), [each.centre[::-1] for each in local])
    np.testing.assert_allclose(np.stack([quiver.V, quiver.U], 1), [each.shift for each in local])
    # Down is down: rows grow towards the bottom, and arrows turn with the axes.
    assert find(figure, "shifts").yaxis_inverted()
    assert quiver.angles == "xy"


def test_each_start_is_a_line_of_both_half_steps(figure: Figure, calibration: Calibration) -> None:
    axes = find(figure, "convergence")
    lines = {line.get_label(): line for line in axes.lines}
    assert axes.get_yscale() == "log"
    for run in calibration.starts:
        steps = [share for step in run.history for share in (step.align, step.degrade)]
        assert list(lines[run.name].get_ydata()) == pytest.approx(steps)


def test_bands_stand_beside_the_table(figure: Figure, calibration: Calibration, scene: Scene) -> None:
    axes = find(figure, "gains")
    shown = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert shown["along rows"] == [band.gains[0] for band in calibration.bands]
    assert shown["along columns"] == [band.gains[1] for band in calibration.bands]
    (table,) = axes.collections
    assert [path[0, 1] for path in table.get_segments()] == [band.optics.gain for band in scene.bands]


def test_both_images_have_one_stretch(figure: Figure) -> None:
    degraded, aligned, less = (find(figure, room).images[0] for room in ("degraded", "aligned", "difference"))
    assert degraded.get_clim() == aligned.get_clim()
    expected = degraded.get_array() - aligned.get_array()
    np.testing.assert_allclose(less.get_array().filled(0), expected.filled(0))


@pytest.mark.parametrize("nodata", [None, 1000.0])
def test_what_cannot_be_identified_is_a_picture_of_reasons(tmp_path: Path, nodata: float | None) -> None:
    scene = plant(tmp_path, ground=np.zeros((4, 128, 128)), nodata=nodata)
    calibration = calibrate(scene)
    assert not calibration.usable
    (reason,) = calibration.reasons
    figure = build_figure(calibration, scene)
    assert reason in texts(figure)
    for room in ("learnt", "free", "density", "degraded", "aligned", "difference"):
        axes = find(figure, room)
        assert reason in " ".join(texts(axes).split())
        assert not axes.has_data()
    assert not arrows(figure)
    assert find(figure, "table").images
    assert draw_figure(calibration, scene).startswith(b"\x89PNG")


def test_another_scene_without_a_pixel_is_drawn_all_the_same(
    calibration: Calibration, tmp_path: Path
) -> None:
    scene = plant(tmp_path, ground=np.zeros((4, 128, 128)), nodata=1000.0)
    assert "no MS pixel" in texts(find(build_figure(calibration, scene), "density"))


def pieces(figure: Figure) -> list[tuple[str, Bbox]]:
    """What takes room in the picture, in pixels, and whose it is."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    found = [(text.get_text(), text.get_window_extent(renderer)) for text in figure.texts if text.get_text()]
    for axes in figure.axes:
        shown = [axes.patch, axes.xaxis, axes.yaxis, axes._left_title]  # type: ignore[attr-defined]
        boxes = [artist.get_tightbbox(renderer) for artist in shown]
        found += [(str(axes.get_label()), box) for box in boxes if box is not None and box.width > 0]
    return found


def test_nothing_overlaps_whatever_names_are(calibration: Calibration, scene: Scene, tmp_path: Path) -> None:
    name = "高分二号_$1$_" + "a_long_name_" * 10 + "pan.tif"
    shutil.copy(scene.pan.name, tmp_path / name)
    bands = tuple(replace(band, name=f"波段 $x$ {band.name} of many words") for band in scene.bands)
    odd = replace(scene, pan=replace(scene.pan, name=str(tmp_path / name)), bands=bands * 4)
    reasons = ("a reason of some length, and not one alone",) * 4
    many = replace(
        calibration,
        bands=calibration.bands * 4,
        reasons=reasons,
        verdict="bounded",
        starts=calibration.starts * 3,
    )
    # The pair is not held: its bands are others.
    figure = build_figure(replace(many, verdict="unidentifiable"), odd)
    assert r"????_\$1\$_a_long" in texts(figure)
    for shown in (figure, build_figure(calibration, scene)):
        found = pieces(shown)
        whole = Bbox([[0, 0], [1600, 1100]])
        for text, box in found:
            assert Bbox.intersection(whole, box).bounds == pytest.approx(box.bounds), text
        for (one, box), (other, there) in itertools.combinations(found, 2):
            both = Bbox.intersection(box, there) if one != other else None
            assert both is None or min(both.width, both.height) < 1, (one, other)


def test_without_matplotlib_the_error_says_what_to_install(
    calibration: Calibration, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (check_drawing, lambda: draw_figure(calibration, scene)):
        with pytest.raises(UsageError, match=r"pip install 'geosharp\[plot\]'") as caught:
            draw()
        assert caught.value.subject == "--plot"
