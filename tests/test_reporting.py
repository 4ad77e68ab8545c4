"""A report as a whole: from three files to one page, and what it refuses."""

from __future__ import annotations

import json
import math
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geosharp import reporting
from geosharp.engine.stream import Progress
from geosharp.errors import GeosharpError, InputError, OutputError, PairError, UsageError
from geosharp.quality.report.content import ReportData
from geosharp.quality.report.page import LIMIT
from geosharp.quality.scores import METRICS
from geosharp.quality.survey import survey
from geosharp.raster.grid import Rect
from tests.made import ORIGIN, make_pair, write_raster
from tests.quick import evaluate, fuse, report


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_pair(tmp_path_factory.mktemp("pair"), pan_shape=(320, 416))


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory, pair: tuple[Path, Path]) -> Path:
    return fuse(
        *pair, tmp_path_factory.mktemp("fused") / "gsa.tif", method="gsa", tile=128, sensor="ikonos"
    ).path


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[ReportData]:
    """What pages are drawn from, in the order of the calls."""
    seen: list[ReportData] = []
    draw = reporting.render

    def render(data: ReportData) -> str:
        seen.append(data)
        return draw(data)

    monkeypatch.setattr(reporting, "render", render)
    return seen


def test_a_page_holds_all_that_is_known(
    tmp_path: Path, pair: tuple[Path, Path], fused: Path, shown: list[ReportData]
) -> None:
    out = tmp_path / "report.html"
    result = report(fused, *pair, out, title="A <made> scene")
    page = out.read_bytes()
    assert (result.path, result.size, result.method) == (out, len(page), "gsa")
    assert result.seconds > 0
    assert len(page) < LIMIT
    assert b"A &lt;made&gt; scene" in page
    assert not re.search(rb"(?:src|href)=.?https?:", page)
    (data,) = shown
    assert [layer.title for layer in data.views[0].layers] == [
        *("MS", "Interpolation (exp)", "glp", "PAN", "Result (gsa)"),
    ]
    assert data.renderings == ("True colour", "False colour")
    assert [group.signed for group in data.maps] == [True, False]
    assert len(data.histograms) == len(data.bands) == 4
    assert data.pixel_size == 1.0
    assert data.seams is not None
    assert data.seams.tile == 128
    assert abs(data.seams.z) < 4
    assert {fact.label for fact in data.parameters} >= {"Tile", "Extent"}


def test_scores_are_those_of_evaluate_for_result_and_baselines(
    tmp_path: Path, pair: tuple[Path, Path], fused: Path, shown: list[ReportData]
) -> None:
    report(fused, *pair, tmp_path / "report.html")
    (scores,) = shown[0].scores
    methods = ["gsa", "exp", "glp"]
    expected = evaluate(*pair, methods=methods, sensor="ikonos", protocol="full").protocols["full"]
    assert [row.method for row in scores.rows] == ["gsa", "exp", "glp"]
    assert [row.reported for row in scores.rows] == [True, False, False]
    for row in scores.rows:
        for name, value in zip(METRICS["full"], row.values, strict=True):
            assert value == pytest.approx(expected[row.method][name], abs=2e-4), (row.method, name)


def test_a_baseline_is_not_shown_twice(
    tmp_path: Path, pair: tuple[Path, Path], shown: list[ReportData]
) -> None:
    glp = fuse(*pair, tmp_path / "out.tif", method="glp").path
    report(glp, *pair, tmp_path / "report.html")
    assert [row.method for row in shown[0].scores[0].rows] == ["glp", "exp"]
    assert "glp" not in [layer.title for layer in shown[0].views[0].layers]


def test_the_results_own_tags_choose_bands_and_sensor(
    tmp_path: Path, pair: tuple[Path, Path], shown: list[ReportData]
) -> None:
    out = fuse(*pair, tmp_path / "out.tif", bands=[4, 2], sensor="ikonos").path
    report(out, *pair, tmp_path / "report.html")
    assert [band.name for band in shown[0].bands] == ["nir", "green"]
    assert "IKONOS" in shown[0].summary
    assert shown[0].scores


def test_another_tools_result_is_reported_too(
    tmp_path: Path, pair: tuple[Path, Path], fused: Path, shown: list[ReportData]
) -> None:
    with rasterio.open(fused) as raster:
        plain = write_raster(tmp_path / "other.tif", raster.read(), photometric="MINISBLACK")
    notes: list[str] = []
    result = report(plain, *pair, tmp_path / "report.html", on_note=notes.append)
    assert result.method == "unknown"
    assert any("seams are sought every 512" in note for note in notes)
    assert list(result.warnings) == notes
    assert shown[0].scores[0].rows[0].method == "result"
    assert shown[0].views[0].layers[-1].title == "Result"
    assert shown[0].title == "other.tif"
    assert shown[0].seams is not None
    assert shown[0].seams.tile == 512


def test_holes_of_the_result_count_for_no_method(
    tmp_path: Path, pair: tuple[Path, Path], fused: Path, shown: list[ReportData]
) -> None:
    with rasterio.open(fused) as raster:
        image = raster.read()
    image[:, :100, :] = 0
    holed = write_raster(tmp_path / "holed.tif", image, nodata=0, photometric="MINISBLACK")
    report(holed, *pair, tmp_path / "report.html")
    common, alone = (
        evaluate(*pair, fused=files, methods=["exp", "glp"], protocol="full").protocols["full"]
        for files in (holed, ())
    )
    for row in shown[0].scores[0].rows[1:]:
        values = dict(zip(METRICS["full"], row.values, strict=True))
        assert values == pytest.approx(common[row.method], abs=2e-4)
        assert values != pytest.approx(alone[row.method], abs=1e-3)


def test_a_part_of_a_scene_is_reported_as_that_part(
    tmp_path: Path, pair: tuple[Path, Path], shown: list[ReportData]
) -> None:
    x, y = ORIGIN
    part = fuse(*pair, tmp_path / "part.tif", method="gsa", area=(x + 9, y - 320, x + 416, y - 100)).path
    report(part, *pair, tmp_path / "part.html")
    assert shown[0].views[0].rect == Rect(100, 9, 220, 407)
    (picture,) = shown[0].views[0].layers[-1].pictures.values()
    assert picture.shape == (3, 220, 407)


def test_a_large_scene_is_decimated_and_sampled(
    tmp_path: Path,
    pair: tuple[Path, Path],
    fused: Path,
    shown: list[ReportData],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(survey, "PICTURE_SIDE", 100)
    for name, value in {"_WINDOW": 128, "_SCORED": 128, "_SCORINGS": 4}.items():
        monkeypatch.setattr(reporting, name, value)
    done: list[Progress] = []
    report(fused, *pair, tmp_path / "report.html", progress=done.append)
    (data,) = shown
    whole, *windows = data.views
    assert max(whole.layers[-1].pictures["True colour"].shape) <= 100
    assert [layer.title for layer in whole.layers] == ["MS", "PAN", "Result (gsa)"]
    assert 4 <= len(windows) <= 6
    assert all(len(window.layers) == 5 for window in windows)
    assert "4 windows of 128 x 128" in data.scores[0].note
    assert "the scene is large" in data.maps[0].note
    assert done[-1].pixels == done[-1].total_pixels == 320 * 416 + 3 * 4 * 128**2
    assert [each.pixels for each in done] == sorted(each.pixels for each in done)


def test_a_scene_too_small_to_score_is_shown_without_scores(tmp_path: Path, shown: list[ReportData]) -> None:
    pair = make_pair(tmp_path, pan_shape=(24, 24))
    out = fuse(*pair, tmp_path / "out.tif").path
    result = report(out, *pair, tmp_path / "report.html")
    assert any(note.startswith("no scores: ") for note in result.warnings)
    assert shown[0].scores == ()
    assert shown[0].seams is not None
    assert math.isnan(shown[0].seams.z)


def test_without_georeference_there_is_no_pixel_size(tmp_path: Path, shown: list[ReportData]) -> None:
    bare: dict[str, Any] = {"transform": None, "crs": None}
    pair = make_pair(tmp_path, pan_shape=(128, 128), pan_profile=bare, ms_profile=bare)
    report(fuse(*pair, tmp_path / "out.tif").path, *pair, tmp_path / "report.html")
    assert shown[0].pixel_size is None


def test_the_same_input_gives_the_same_page(tmp_path: Path, pair: tuple[Path, Path], fused: Path) -> None:
    first, second = (report(fused, *pair, tmp_path / f"{name}.html").path for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_what_is_refused_is_refused_before_any_work(
    tmp_path: Path, pair: tuple[Path, Path], fused: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("work began")

    monkeypatch.setattr(reporting, "_gather", never)
    old = tmp_path / "old.html"
    old.write_text("old")
    with pytest.raises(OutputError, match="--overwrite"):
        report(fused, *pair, old)
    with pytest.raises(UsageError, match=r"\.html"):
        report(fused, *pair, tmp_path / "report.tif")
    with pytest.raises(PairError, match="4 bands in the result and 2 in MS"):
        report(fused, *pair, tmp_path / "a.html", bands=[1, 2], sensor="unknown")
    with pytest.raises(PairError, match="pixels of 4 where PAN's are 1"):
        report(pair[1], *pair, tmp_path / "a.html")
    with pytest.raises(GeosharpError, match="no such file"):
        report(tmp_path / "none.tif", *pair, tmp_path / "a.html")
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.html"]


def test_nothing_valid_is_said_and_writes_nothing(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    empty = np.zeros((4, 320, 416), np.uint16)
    blank = write_raster(tmp_path / "blank.tif", empty, nodata=0, photometric="MINISBLACK")
    with pytest.raises(PairError, match="not one pixel that is valid in all three"):
        report(blank, *pair, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_an_error_on_the_way_ends_what_else_is_under_way(
    tmp_path: Path, pair: tuple[Path, Path], fused: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "_BLOCK", 32)
    monkeypatch.setattr(reporting, "_SCORED", 64)
    calls: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        calls.append(progress)
        if len(calls) == 1:
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        report(fused, *pair, tmp_path / "report.html", progress=interrupt)
    assert threading.active_count() == before
    # Each of three results would have been scored in sixteen places.
    assert len(calls) < 24
    assert list(tmp_path.iterdir()) == []


def test_fuse_tells_its_tile(fused: Path) -> None:
    with rasterio.open(fused) as raster:
        assert json.loads(raster.tags()["GEOSHARP_PARAMETERS"])["tile"] == 128


def test_a_seam_in_a_result_is_found(
    tmp_path: Path, pair: tuple[Path, Path], fused: Path, shown: list[ReportData]
) -> None:
    with rasterio.open(fused) as raster:
        image, tags = raster.read().astype(np.float32), raster.tags()
    rows, cols = np.arange(320) // 128, np.arange(416) // 128
    image += 0.05 * np.ptp(image) * ((rows[:, None] + cols) % 2)
    seamed = write_raster(tmp_path / "seamed.tif", image, transform=from_origin(*ORIGIN, 1, 1))
    with rasterio.open(seamed, "r+") as raster:
        raster.update_tags(**tags)
    report(seamed, *pair, tmp_path / "report.html")
    assert shown[0].seams is not None
    assert shown[0].seams.z > 3


def test_floats_are_not_called_digital_numbers(tmp_path: Path, shown: list[ReportData]) -> None:
    pair = make_pair(tmp_path, pan_shape=(128, 128), dtype="float32")
    out = tmp_path / "report.html"
    report(fuse(*pair, tmp_path / "out.tif", method="exp").path, *pair, out)
    (data,) = shown
    assert data.seams is not None
    assert {data.unit, data.seams.unit, data.maps[0].unit} == {"units of MS"}


def test_an_undeclared_collar_is_reported_and_told(tmp_path: Path, shown: list[ReportData]) -> None:
    pair = make_pair(tmp_path, pan_shape=(256, 256), dtype="float32")
    for path in pair:
        with rasterio.open(path, "r+") as raster:
            image = raster.read()
            image[:, :, : image.shape[2] // 8] = -3.4028235e38
            raster.write(image)
    out = fuse(*pair, tmp_path / "out.tif", method="glp").path
    result = report(out, *pair, tmp_path / "report.html")
    assert any("-3.4028235e+38 in MS, PAN" in note for note in result.warnings)
    assert len(shown[0].scores) == 1


def test_no_folder_stands_on_the_page(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    pair = make_pair(secret, pan_shape=(128, 128))
    out = fuse(*pair, secret / "out.tif", method="exp").path
    page = report(out, *pair, tmp_path / "report.html").path.read_text()
    assert "out.tif" in page
    assert "pan.tif" in page
    assert "secret" not in page


def test_files_in_the_wrong_order_and_a_folder_are_told_what_to_do(
    tmp_path: Path, pair: tuple[Path, Path], fused: Path
) -> None:
    with pytest.raises(InputError, match="the result comes first, then PAN, then MS"):
        report(pair[0], pair[1], fused, tmp_path / "a.html")
    with pytest.raises(OutputError, match=r"such as report\.html"):
        report(fused, *pair, tmp_path)


def test_the_result_is_read_once_where_it_is_scored(
    tmp_path: Path, pair: tuple[Path, Path], fused: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Rect] = []

    def scored(run: Any, handles: Any, name: str) -> str:
        def read(rect: Rect) -> Any:
            reads.append(rect)
            return handles.fused(rect)

        common = reporting._common(handles.reader, read, read if name == "gsa" else handles.results[name])
        common(Rect(0, 0, 64, 64))
        return "not scored"

    monkeypatch.setattr(reporting, "_score", scored)
    report(fused, *pair, tmp_path / "report.html")
    # Once for itself, and once for the mask of each of two others.
    assert len(reads) == 3
