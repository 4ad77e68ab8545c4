"""Scores of methods and files, from two files on disk."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from geosharp import evaluation
from geosharp.errors import GeosharpError, OutputError, PairError, ResourceError, UsageError
from geosharp.hfreqdiff.checkpoint import Model
from geosharp.hfreqdiff.models import open_model
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.imaging.degradation import Degradation
from tests.hfreqdiff.made_model import make_model
from tests.made import ORIGIN, make_pair
from tests.quick import evaluate, fuse


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_pair(tmp_path_factory.mktemp("pair"), pan_shape=(320, 384))


def test_both_protocols_score_every_method(pair: tuple[Path, Path]) -> None:
    result = evaluate(*pair, methods=["exp", "glp"])
    assert list(result.protocols) == ["reduced", "full"]
    for scores in result.protocols.values():
        assert list(scores) == ["exp", "glp"]
        assert all(math.isfinite(value) for row in scores.values() for value in row.values())
    reduced, full = result.protocols["reduced"], result.protocols["full"]
    assert reduced["glp"]["psnr"] > reduced["exp"]["psnr"] + 1
    assert reduced["glp"]["ergas"] < reduced["exp"]["ergas"]
    assert full["glp"]["d_rho"] < full["exp"]["d_rho"]


def test_what_calibration_says_at_both_resolutions_is_told_once(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, told = evaluation.learn, iter((("very blurred",), ("very blurred", "shifted")))
    monkeypatch.setattr(
        evaluation, "learn", lambda *given, **how: replace(real(*given, **how), notes=next(told))
    )
    notes = evaluate(*pair, methods=["exp"], protocol="reduced").notes
    assert notes[:2] == ("very blurred", "at reduced resolution: shifted")
    assert sum("very blurred" in note for note in notes) == 1


def test_a_file_scores_as_the_method_that_made_it(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    out = fuse(*pair, tmp_path / "mine.tif", method="gsa").path
    scores = evaluate(*pair, fused=out, methods=["gsa"], protocol="full").protocols["full"]
    assert scores["mine.tif"] == scores["gsa"]
    named = fuse(*pair, tmp_path / "two.tif", method="gsa", bands=[3, 1]).path
    scores = evaluate(*pair, fused=[named], methods=["gsa"], protocol="full", bands=[3, 1]).protocols["full"]
    assert scores["two.tif"] == scores["gsa"]


def test_all_are_scored_on_the_pixels_that_all_cover(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    x, y = ORIGIN
    area = f"{x + 64},{y - 288},{x + 288},{y - 64}"
    part = fuse(*pair, tmp_path / "part.tif", area=area).path
    by_file = evaluate(*pair, fused=part, methods=["glp"], protocol="full").protocols["full"]
    by_area = evaluate(*pair, methods=["glp"], protocol="full", area=area).protocols["full"]
    assert by_file["part.tif"] == by_file["glp"] == by_area["glp"]
    whole = evaluate(*pair, methods=["glp"], protocol="full").protocols["full"]
    assert whole["glp"] != by_area["glp"]


def test_the_degradation_given_is_the_one_held_against(pair: tuple[Path, Path]) -> None:
    sharp, blurred = (
        evaluate(*pair, methods=["exp"], degradation=Degradation.alike([gain] * 4, 0.15)).protocols
        for gain in (0.5, 0.05)
    )
    assert sharp["reduced"]["exp"]["psnr"] > blurred["reduced"]["exp"]["psnr"] + 0.5
    assert sharp["full"]["exp"]["reprojection_ergas"] < blurred["full"]["exp"]["reprojection_ergas"]


def test_nothing_is_left_behind_and_scores_repeat(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = evaluate(*pair, methods=["glp-hpm"], threads=1)
    assert list(tmp_path.iterdir()) == []
    assert first.protocols == evaluate(*pair, methods=["glp-hpm"], threads=2).protocols


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"protocol": "wald"}, UsageError, "--protocol: 'wald'"),
        ({"methods": ["magic"]}, UsageError, "--method: 'magic'"),
        ({"methods": []}, UsageError, "no method"),
        ({"fused": "x.tif", "protocol": "reduced"}, UsageError, "--fused"),
        ({"fused": "no-such.tif"}, GeosharpError, "no-such.tif: no such file"),
        ({"area": f"{ORIGIN[0]},{ORIGIN[1] - 40},{ORIGIN[0] + 40},{ORIGIN[1]}"}, PairError, "to be scored"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    pair: tuple[Path, Path], given: dict[str, object], kind: type[GeosharpError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        evaluate(*pair, **{"methods": ["exp"], **given})  # type: ignore[arg-type]


def test_a_polygon_is_scored_and_not_its_box(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    x, y = ORIGIN
    corners = [[x, y], [x + 360, y], [x, y - 300], [x, y]]
    area = tmp_path / "area.json"
    named = {"type": "name", "properties": {"name": "EPSG:32633"}}
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [corners], "crs": named}))
    box = f"{x},{y - 300},{x + 360},{y}"
    shaped, boxed = (evaluate(*pair, methods=["exp"], area=place).protocols for place in (area, box))
    for protocol in ("reduced", "full"):
        assert shaped[protocol]["exp"] != boxed[protocol]["exp"]


def test_what_is_invalid_in_one_result_counts_in_none(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    out = fuse(*pair, tmp_path / "clean.tif", method="glp").path
    with rasterio.open(out) as raster:
        data, profile = raster.read(), raster.profile
    data[:, :, 192:] = 0
    holed = tmp_path / "holed.tif"
    with rasterio.open(holed, "w", **{**profile, "nodata": 0}) as raster:
        raster.write(data)
    scores = evaluate(*pair, fused=[out, holed], methods=["glp"], protocol="full").protocols["full"]
    assert scores["clean.tif"] == scores["holed.tif"] == scores["glp"]
    assert scores["glp"] != evaluate(*pair, methods=["glp"], protocol="full").protocols["full"]["glp"]


def test_results_of_one_name_are_told_apart(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    files = []
    for method in ("exp", "glp"):
        (tmp_path / method).mkdir()
        files.append(fuse(*pair, tmp_path / method / "fused.tif", method=method).path)
    scores = evaluate(*pair, fused=files, methods=["exp"], protocol="full").protocols["full"]
    assert list(scores) == [*map(str, files), "exp"]
    assert scores[str(files[0])] == scores["exp"] != scores[str(files[1])]


def test_results_that_do_not_meet_are_refused(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    x, y = ORIGIN
    files = [
        fuse(*pair, tmp_path / f"{left}.tif", area=f"{x + left},{y - 160},{x + left + 160},{y}").path
        for left in (0, 200)
    ]
    with pytest.raises(PairError, match="no pixel in common"):
        evaluate(*pair, fused=files, methods=["exp"], protocol="full")


def test_bands_in_another_order_are_told_by_their_names(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, pan_shape=(256, 256))
    with rasterio.open(pair[1], "r+") as raster:
        raster.descriptions = ("blue", "green", "red", "nir")
    turned = fuse(*pair, tmp_path / "turned.tif", method="exp", bands=[4, 3, 2, 1]).path
    scores = evaluate(*pair, fused=turned, methods=["exp"], protocol="full").protocols["full"]
    assert scores["turned.tif"] == pytest.approx(scores["exp"], rel=1e-9)


def make_flat(folder: Path, level: int) -> tuple[Path, Path]:
    """A pair whose PAN is flat and whose first band is everywhere `level`."""
    pan, ms = make_pair(folder, pan_shape=(256, 256))
    for path, bands in ((pan, [1]), (ms, [1])):
        with rasterio.open(path, "r+") as raster:
            for band in bands:
                raster.write(np.full(raster.shape, 500 if path == pan else level, np.uint16), band)
    return pan, ms


def test_absent_scores_are_told_with_their_reasons(tmp_path: Path) -> None:
    notes: list[str] = []
    pair = make_flat(tmp_path, 500)
    evaluation = evaluate(*pair, methods=["exp"], protocol="full", on_note=notes.append)
    assert math.isnan(evaluation.protocols["full"]["exp"]["d_rho"])
    assert any(note.startswith("no D_rho: PAN is flat") for note in notes)
    assert "no D_S regression: PAN is flat" in notes
    assert not any("32 x 32" in note for note in notes)
    assert set(evaluation.notes) <= set(notes)


def test_without_whole_blocks_that_is_the_reason(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    with rasterio.open(fuse(*pair, tmp_path / "fused.tif", method="exp").path, "r+", nodata=0) as raster:
        image = raster.read()
        image[:, ::40, ::40] = 0
        raster.write(image)
        raster.nodata = 0
    notes = evaluate(*pair, fused=tmp_path / "fused.tif", methods=[], protocol="full").notes
    assert any(note.startswith("no HQNR, D_lambda: no block of 32 x 32 MS pixels") for note in notes)
    assert not any("PAN is flat" in note for note in notes)


def test_it_is_told_how_many_pixels_were_scored_where_not_all_could_be(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    x, y = ORIGIN
    part = fuse(*pair, tmp_path / "part.tif", method="exp", area=f"{x},{y - 192},{x + 192},{y}").path

    def counted(**given: object) -> list[str]:
        evaluation = evaluate(*pair, protocol="full", **{"methods": ["exp"], **given})  # type: ignore[arg-type]
        return [note for note in evaluation.notes if "scored on" in note]

    assert counted() == []
    (note,) = counted(fused=part)
    assert "of the 384 x 320 PAN pixels" in note
    number = int(note.split("scored on ")[1].split()[0])
    assert 150**2 < number <= 192**2
    with rasterio.open(part, "r+") as raster:
        raster.nodata = 0
        image = raster.read()
        image[:, 100:110, 100:110] = 0
        raster.write(image)
    (note,) = counted(fused=part, methods=[])
    assert int(note.split("scored on ")[1].split()[0]) == number - 100


def test_a_full_folder_for_temporary_files_is_named_with_what_helps(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError(tmp_path / "exp.tif", "cannot be written: no room", "10 MB", "free some space")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(evaluation, "write_fused", full)
    with pytest.raises(ResourceError, match="TMPDIR") as refusal:
        evaluate(*pair, methods=["exp"], protocol="full")
    assert str(tmp_path) in refusal.value.subject
    assert "one file per method" in refusal.value.needed
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(ResourceError, match="TMPDIR"):
        evaluate(*pair, methods=["exp"])


def test_the_scale_of_the_truth_is_sought_once(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    seek = evaluation.find_peak

    def count(*given: Any) -> float:
        calls.append(given)
        return seek(*given)

    monkeypatch.setattr(evaluation, "find_peak", count)
    evaluate(*pair, methods=["exp", "glp"], protocol="reduced")
    assert len(calls) == 1


def test_a_seed_that_nothing_is_drawn_with_is_told(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    notes: list[str] = []
    asked = Diffusion(model=make_model(tmp_path), seed=3, device="cpu")
    x, y = ORIGIN
    place = f"{x},{y - 160},{x + 160},{y}"
    given: dict[str, Any] = {"protocol": "full", "area": place, "on_note": notes.append}
    evaluate(*pair, methods=["hfreqdiff"], diffusion=asked, **given)
    assert "--seed does nothing with --steps 1: nothing is drawn" in notes


def test_a_model_is_read_once_and_scored_as_the_file_that_it_makes(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = ORIGIN
    opened = []

    def count(*given: Any) -> Model:
        opened.append(given)
        return open_model(*given)

    asked = Diffusion(model=make_model(tmp_path), steps=2, seed=3, device="cpu")
    place = f"{x},{y - 160},{x + 160},{y}"
    out = fuse(*pair, tmp_path / "mine.tif", method="hfreqdiff", diffusion=asked, area=place).path
    monkeypatch.setattr("geosharp.hfreqdiff.models.open_model", count)
    result = evaluate(*pair, fused=out, methods=["exp", "hfreqdiff"], diffusion=asked, area=place)
    assert len(opened) == 1
    assert list(result.protocols["reduced"]) == ["exp", "hfreqdiff"]
    reduced, full = result.protocols["reduced"], result.protocols["full"]
    assert reduced["hfreqdiff"] != reduced["exp"]
    assert full["mine.tif"] == full["hfreqdiff"] != full["exp"]


def test_a_model_that_does_not_fit_is_left_out_unless_it_is_asked_for_by_name(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, pan_shape=(320, 320), ratio=8)
    notes: list[str] = []
    result = evaluate(*pair, protocol="full", on_note=notes.append)
    assert list(result.protocols["full"]) == ["exp", "brovey", "gsa", "glp", "glp-hpm"]
    (note,) = [note for note in notes if "hfreqdiff" in note]
    assert note == (
        "hfreqdiff is left out: 8 PAN pixels an MS pixel; needed: 1.5 to 6.5 of them for the model base"
    )
    with pytest.raises(PairError, match="Take --method glp"):
        evaluate(*pair, methods=["exp", "hfreqdiff"], protocol="full")


def test_a_model_for_methods_without_one_is_refused(pair: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match=r"^--method: glp, exp, with --model"):
        evaluate(*pair, methods=["glp", "exp"], diffusion=Diffusion())
    with pytest.raises(UsageError, match=r"^--method: no method, with"):
        evaluate(*pair, methods=[], fused="x.tif", diffusion=Diffusion())
