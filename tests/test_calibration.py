"""What calibration changes for whoever fuses and scores, and when it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

import geosharp
from geosharp.calibration import Learnt, learn
from geosharp.engine.stream import Progress
from geosharp.errors import GeosharpError, InputError, OutputError, UsageError
from geosharp.padm.calibration import Calibration
from geosharp.padm.table import table_degradation
from geosharp.raster.scene import Scene, open_scene
from tests.made import write_raster
from tests.padm.planted import make_ground, plant

GAINS, SHIFT = (0.12, 0.4), (0.5, -1.25)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return plant(tmp_path_factory.mktemp("planted"), gains=GAINS, shift=SHIFT, dtype="uint16")


@pytest.fixture(scope="module")
def learnt(scene: Scene) -> Learnt:
    return learn(scene)


@pytest.fixture(scope="module")
def saved(learnt: Learnt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "calibration.json"
    assert learnt.calibration is not None
    learnt.calibration.save(path)
    return path


def names(scene: Scene) -> tuple[str, str]:
    return scene.pan.name, scene.ms[0].name


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read().astype(float)


def tag(path: Path) -> dict[str, object]:
    with rasterio.open(path) as raster:
        return json.loads(raster.tags()["GEOSHARP_CALIBRATION"])


def flat(folder: Path) -> tuple[Path, Path]:
    """A pair in which there is nothing to see."""
    pan, ms = np.full((1, 256, 256), 7, np.uint16), np.full((4, 64, 64), 9, np.uint16)
    transform = rasterio.transform.from_origin(0, 256, 4, 4)
    small = rasterio.transform.from_origin(0, 256, 1, 1)
    return (
        write_raster(folder / "pan.tif", pan, transform=small),
        write_raster(folder / "ms.tif", ms, transform=transform, photometric="MINISBLACK"),
    )


def test_auto_learns_and_sensor_does_not(scene: Scene, learnt: Learnt) -> None:
    np.testing.assert_allclose(learnt.degradation.mean_gain, GAINS, atol=0.02)
    np.testing.assert_allclose(learnt.degradation.shift, SHIFT, atol=0.1)
    assert learn(scene, "sensor") == Learnt(table_degradation(scene), None, "sensor")


def test_a_file_and_a_calibration_are_what_was_learnt(scene: Scene, learnt: Learnt, saved: Path) -> None:
    assert learnt.calibration is not None
    for choice in (saved, str(saved), learnt.calibration):
        assert learn(scene, choice).degradation == learnt.degradation
    assert learn(scene, saved).source == "calibration.json"


def test_the_shift_of_another_pair_is_not_taken(saved: Path, learnt: Learnt, tmp_path: Path) -> None:
    well_placed = plant(tmp_path, gains=GAINS, dtype="uint16")
    other = learn(well_placed, saved)
    assert other.degradation == learnt.degradation.unshifted
    assert any("is not this pair's" in note for note in other.notes)
    assert learn(well_placed, saved, align=False).notes == ()


def test_the_kernels_of_another_pair_are_taken_and_the_shift_is_this_ones(
    saved: Path, learnt: Learnt, tmp_path: Path
) -> None:
    own = (-0.75, 1.25)
    other = plant(tmp_path, gains=(0.3, 0.3), shift=own, dtype="uint16", ground=make_ground(256, 4, 5))
    taken = learn(other, saved)
    assert taken.degradation.gains == learnt.degradation.gains
    np.testing.assert_allclose(taken.degradation.shift, own, atol=0.1)
    (note,) = taken.notes
    assert "is not this pair's: MS lies 0.7" in note
    # Where there is nothing to see, nothing is found.
    flat_pair = open_scene(*flat(tmp_path), bands=["band1", "band2", "band3", "band4"])
    assert learn(flat_pair, saved).degradation.shift == (0.0, 0.0)


def test_without_alignment_nothing_moves(scene: Scene, saved: Path) -> None:
    for choice in ("auto", saved):
        assert learn(scene, choice, align=False).degradation.shift == (0.0, 0.0)


def test_bands_are_found_by_their_names(scene: Scene, learnt: Learnt, saved: Path) -> None:
    order = [3, 1]
    chosen = learn(open_scene(*names(scene), bands=order), saved)
    assert chosen.degradation.gains == tuple(learnt.degradation.gains[band - 1] for band in order)


def test_what_does_not_fit_the_scene_is_refused(
    scene: Scene, learnt: Learnt, saved: Path, tmp_path: Path
) -> None:
    assert learnt.calibration is not None
    other = plant(tmp_path, ratio=2.0, size=96)
    with pytest.raises(InputError, match="a ratio of 4") as refusal:
        learn(other, saved)
    assert "geosharp calibrate" in refusal.value.remedy
    fewer = replace(learnt.calibration, bands=learnt.calibration.bands[:2])
    with pytest.raises(InputError, match=f"also of {scene.bands[2].name}"):
        learn(scene, fewer)
    (tmp_path / "not.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        learn(scene, tmp_path / "not.json")


VERBS: dict[str, Callable[..., object]] = {
    "fuse": lambda pair, folder, **given: geosharp.fuse(*pair, folder / "out.tif", **given),
    "evaluate": lambda pair, folder, **given: geosharp.evaluate(*pair, **given),
    "report": lambda pair, folder, **given: geosharp.report(pair[0], *pair, folder / "r.html", **given),
}


@pytest.mark.parametrize("choice", ["sensr", "", "no.json", None, 3])
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_choice_is_refused_by_its_flag(
    scene: Scene, tmp_path: Path, verb: str, choice: object
) -> None:
    with pytest.raises(UsageError) as refusal:
        VERBS[verb](names(scene), tmp_path, calibration=choice)
    assert refusal.value.subject == "--calibration"
    assert "auto, sensor or the JSON" in refusal.value.needed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", ["exp", "brovey"])
def test_a_file_for_a_method_without_is_refused(
    scene: Scene, saved: Path, tmp_path: Path, method: str
) -> None:
    with pytest.raises(UsageError, match="takes none"):
        geosharp.fuse(*names(scene), tmp_path / "out.tif", method=method, calibration=saved)


def test_what_cannot_be_told_falls_back_on_the_table_and_says_so(tmp_path: Path) -> None:
    pan, ms = flat(tmp_path)
    plain = learn(open_scene(pan, ms))
    assert plain.degradation == table_degradation(open_scene(pan, ms))
    assert any("the sensor's table is used instead" in note for note in plain.notes)
    assert "published" in plain.summary
    result = geosharp.fuse(pan, ms, tmp_path / "out.tif")
    assert any("the sensor's table is used instead" in note for note in result.warnings)
    assert tag(result.path)["verdict"] == "unidentifiable"
    assert tag(result.path)["reasons"]


@pytest.mark.parametrize("method", ["glp", "gsa", "glp-hpm"])
def test_fusing_takes_the_kernel_and_the_shift(
    scene: Scene, saved: Path, tmp_path: Path, method: str
) -> None:
    def fused(name: str, **given: object) -> np.ndarray:
        return read(geosharp.fuse(*names(scene), tmp_path / f"{name}.tif", method=method, **given).path)  # type: ignore[arg-type]

    learnt, unaligned = (fused(f"{align}", calibration=saved, align=align) for align in (True, False))
    table = fused("table", calibration="sensor")
    # Sharper and at its place, the bands are together nearest to PAN.
    truth = read(Path(scene.pan.name))[0]
    inside = np.s_[16:-16, 16:-16]
    likeness = [
        np.corrcoef(image.mean(0)[inside].ravel(), truth[inside].ravel())[0, 1]
        for image in (learnt, unaligned, table)
    ]
    assert likeness[0] > max(likeness[1:]) + 0.0003
    assert learnt.shape == unaligned.shape == table.shape


def test_the_lineage_tells_how_it_was_calibrated(
    scene: Scene, learnt: Learnt, saved: Path, tmp_path: Path
) -> None:
    result = geosharp.fuse(*names(scene), tmp_path / "auto.tif")
    assert result.calibration == learnt.calibration
    with rasterio.open(result.path) as raster:
        parameters = json.loads(raster.tags()["GEOSHARP_PARAMETERS"])
    assert (parameters["calibration"], parameters["align"]) == ("auto", True)
    told = tag(result.path)
    assert (told["source"], told["verdict"]) == ("scene", "converged")
    assert told["shift"] == list(learnt.degradation.shift)
    other = geosharp.fuse(*names(scene), tmp_path / "file.tif", calibration=saved)
    assert tag(other.path)["source"] == "calibration.json"
    with rasterio.open(other.path) as raster:
        assert json.loads(raster.tags()["GEOSHARP_PARAMETERS"])["calibration"] == str(saved)
    np.testing.assert_array_equal(read(result.path), read(other.path))
    table = geosharp.fuse(*names(scene), tmp_path / "table.tif", calibration="sensor")
    assert (tag(table.path)["source"], table.calibration) == ("sensor", None)


@pytest.mark.parametrize("method", ["exp", "brovey"])
def test_exp_and_brovey_are_left_as_they_are(scene: Scene, tmp_path: Path, method: str) -> None:
    result = geosharp.fuse(*names(scene), tmp_path / "auto.tif", method=method)
    table = geosharp.fuse(*names(scene), tmp_path / "table.tif", method=method, calibration="sensor")
    assert result.calibration is None
    np.testing.assert_array_equal(read(result.path), read(table.path))
    with rasterio.open(result.path) as raster:
        assert "GEOSHARP_CALIBRATION" not in raster.tags()


def test_a_part_is_calibrated_as_the_whole_is(scene: Scene, tmp_path: Path) -> None:
    whole = geosharp.fuse(*names(scene), tmp_path / "whole.tif")
    left, bottom, right, top = whole.grid.bounds()
    box = left + 64, bottom + 32, right - 48, top - 16
    part = geosharp.fuse(*names(scene), tmp_path / "part.tif", area=box)
    np.testing.assert_array_equal(read(part.path), read(whole.path)[:, 16:-32, 64:-48])


def test_tiles_do_not_show_where_ms_is_moved(scene: Scene, saved: Path, tmp_path: Path) -> None:
    whole, tiled = (
        read(geosharp.fuse(*names(scene), tmp_path / f"{tile}.tif", calibration=saved, tile=tile).path)
        for tile in (512, 64)
    )
    np.testing.assert_array_equal(whole, tiled)


def test_evaluating_judges_with_what_was_learnt(scene: Scene, learnt: Learnt) -> None:
    auto = geosharp.evaluate(*names(scene), methods=["glp"])
    assert auto.degradation == learnt.degradation
    assert auto.as_json()["calibration"]["source"] == "scene"
    table = geosharp.evaluate(*names(scene), methods=["glp"], calibration="sensor")
    assert table.degradation == table_degradation(scene)
    judged = geosharp.evaluate(
        *names(scene), methods=["glp"], calibration="sensor", degradation=learnt.degradation
    )
    # The coarse scene is too small to tell anything, and methods are not told what the fine one does.
    assert auto.protocols["reduced"] == judged.protocols["reduced"]
    assert any(note.startswith("at reduced resolution: calibration: only ") for note in auto.notes)
    # By one judge, who knows better wins.
    ergas = [each.protocols["full"]["glp"]["reprojection_ergas"] for each in (auto, judged)]
    assert ergas[0] < 0.7 * ergas[1]


def test_calibrate_writes_what_fuse_takes(scene: Scene, tmp_path: Path, learnt: Learnt) -> None:
    told: list[Progress] = []
    out = tmp_path / "c.json"
    calibration = geosharp.calibrate(*names(scene), out, progress=told.append)
    assert isinstance(calibration, Calibration)
    assert calibration == geosharp.load_calibration(out) == learnt.calibration
    assert [each.stage for each in told] == ["calibrate"] * len(told)
    assert told[0].pixels < told[-1].pixels <= told[-1].total_pixels
    with pytest.raises(OutputError, match="exists"):
        geosharp.calibrate(*names(scene), out)


@pytest.mark.parametrize("given", [{"out": "c.txt"}, {"plot": "c.jpg"}])
def test_files_of_other_kinds_are_refused_before_any_work(
    scene: Scene, tmp_path: Path, given: dict[str, str]
) -> None:
    paths = {key: tmp_path / name for key, name in given.items()}
    with pytest.raises(GeosharpError):
        geosharp.calibrate(*names(scene), **paths, progress=lambda _: pytest.fail("work"))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_summary_says_all_in_a_line(learnt: Learnt, scene: Scene) -> None:
    assert learnt.summary.startswith("learnt from the scene: Nyquist gains 0.1")
    assert "explained" in learnt.summary
    assert learn(scene, "sensor").summary.startswith("the sensor's published values: ")
