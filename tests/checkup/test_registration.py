"""Where MS lies is told in words and on a map, and judged by what fuse can do about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp.checkup.registration import check_agreement, check_map, check_registration, draw_map
from geosharp.padm.calibrate import calibrate
from geosharp.padm.calibration import Calibration
from geosharp.padm.confidence import LocalShift
from geosharp.padm.iterate import GAINS, Operator
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene
from tests.padm.planted import plant


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return plant(tmp_path_factory.mktemp("planted"), shift=(0.75, -1.0))


@pytest.fixture(scope="module")
def calibration(scene: Scene) -> Calibration:
    return calibrate(scene)


def moved(calibration: Calibration, shift: tuple[float, float]) -> Calibration:
    return replace(calibration, operator=Operator(calibration.operator.gains, shift))


def test_a_planted_shift_is_told_and_fit(scene: Scene, calibration: Calibration) -> None:
    found = check_registration(scene, calibration)
    assert found.level == "note"
    assert found.text.startswith("MS lies 0.75 PAN pixels down and 1.00 left of where")
    assert "correct the geotransform" in found.advice
    assert check_map(calibration).level == check_agreement(calibration).level == "ok"


@pytest.mark.parametrize(
    ("shift", "level"),
    [((0.1, 0.3), "ok"), ((0.4, 0.5), "note"), ((1.5, 0.0), "note"), ((0.0, -4.5), "stop")],
)
def test_the_further_off_the_louder(
    scene: Scene, calibration: Calibration, shift: tuple[float, float], level: str
) -> None:
    assert check_registration(scene, moved(calibration, shift)).level == level


def test_ms_far_off_is_a_stop_that_says_how_far(tmp_path: Path) -> None:
    far = plant(tmp_path, shift=(16.0, -12.0))
    found = check_registration(far, calibrate(far))
    assert found.level == "stop"
    assert found.facts["shift"] == pytest.approx([16, -12], abs=2)
    assert "more than the 4 that fuse corrects" in found.text


def test_a_scene_that_tells_nothing_is_a_warning(tmp_path: Path) -> None:
    blank = plant(tmp_path, contrast=0.0)
    calibration = calibrate(blank)
    found = check_registration(blank, calibration)
    assert (found.level, found.text.startswith("cannot be told: ")) == ("warning", True)
    assert check_map(calibration).text.startswith("not known")
    assert check_agreement(calibration).text.startswith("not known")


def test_ms_of_another_place_is_a_warning_to_look_at_both(tmp_path: Path) -> None:
    here = plant(tmp_path)
    with rasterio.open(here.ms[0].name, "r+") as raster:
        raster.write(raster.read()[:, ::-1, ::-1])
    calibration = calibrate(here)
    found = check_agreement(calibration)
    assert not calibration.usable
    assert (found.level, "they show different ground" in found.text) == ("warning", True)
    assert "are they of one place?" in found.advice


def test_a_part_that_lies_elsewhere_is_on_the_map(tmp_path: Path) -> None:
    """The right half of MS shows the ground of 3 PAN pixels further on."""
    scene = plant(tmp_path, size=512)
    (tmp_path / "moved").mkdir()
    moved_scene = plant(tmp_path / "moved", size=512, shift=(0.0, 3.0))
    with rasterio.open(moved_scene.ms[0].name) as raster:
        right = raster.read()[:, :, 64:]
    with rasterio.open(scene.ms[0].name, "r+") as raster:
        data = raster.read()
        data[:, :, 64:] = right
        raster.write(data)
    calibration = calibrate(scene)
    found = check_map(calibration)
    assert (found.level, "PAN pixels" in found.text) == ("warning", True)
    lines = draw_map(calibration.local_shifts, scene.area)
    for left, right in (line.split() for line in lines):
        assert float(left.strip("←→↖↗↘↙↑↓")) < 0.5
        assert right[0] == "→"
        assert float(right[1:]) == pytest.approx(3.0, abs=0.3)
    assert len(found.facts["shifts"]) == found.facts["places"] == 4


def test_ms_that_shows_other_things_is_noted(calibration: Calibration) -> None:
    found = check_agreement(replace(calibration, explained=0.6))
    assert (found.level, "explains 60% of PAN's detail alone" in found.text) == ("note", True)


@pytest.mark.parametrize(
    ("gains", "level", "told"),
    [
        ((GAINS[0], 0.3), "note", "very blurred along rows (Nyquist gain 0.02 or less)"),
        ((0.3, GAINS[1]), "ok", "very sharp along columns (Nyquist gain 0.70 or more)"),
        ((0.3, 0.3), "ok", ""),
    ],
)
def test_kernels_at_a_limit_are_told_and_noted_where_something_can_be_done(
    calibration: Calibration, gains: tuple[float, float], level: str, told: str
) -> None:
    """Whatever the reasons say: they are for people."""
    operator = Operator(gains, calibration.operator.shift)
    found = check_agreement(replace(calibration, operator=operator, reasons=("anything",)))
    assert (found.level, told in found.text) == (level, True)
    assert len(found.facts["reasons"]) == bool(told)
    # Published values are worse where what is learnt stopped at a limit: nobody is to be sent there.
    assert "--calibration" not in found.advice


@pytest.mark.parametrize(
    ("shift", "drawn"),
    [
        ((0.0, 1.0), "→1.0"),
        ((-1.0, 1.0), "↗1.4"),
        ((-2.0, 0.0), "↑2.0"),
        ((-1.0, -1.0), "↖1.4"),
        ((0.0, -0.4), "←0.4"),
        ((1.0, -1.0), "↙1.4"),
        ((0.7, 0.1), "↓0.7"),
        ((1.0, 1.0), "↘1.4"),
        ((0.01, 0.02), "0.0"),
    ],
)
def test_arrows_point_where_ms_lies(shift: tuple[float, float], drawn: str) -> None:
    local = LocalShift((50.0, 50.0), shift, 0.01)
    assert draw_map([local], Rect(0, 0, 100, 100)) == [drawn.rjust(5)]


def test_places_stand_on_the_map_where_they_are() -> None:
    """Rows and columns of the scene are the map's; what does not tell is marked, what is not there too."""
    places = [(10.0, 10.0), (10.0, 90.0), (90.0, 90.0)]
    shifts = [
        LocalShift(place, (0.0, 1.0), error) for place, error in zip(places, (0.1, 9.0, 0.1), strict=True)
    ]
    assert draw_map(shifts, Rect(0, 0, 100, 100)) == [" →1.0     ?", "    .  →1.0"]
    assert draw_map([], Rect(0, 0, 100, 100)) == []
    many = [LocalShift((float(row), float(col)), (0.0, 0.0), 0.1) for row in range(20) for col in range(3)]
    assert len(draw_map(many, Rect(0, 0, 20, 3))) == 8
    assert np.all([len(line.split()) == 3 for line in draw_map(many, Rect(0, 0, 20, 3))])


@pytest.mark.parametrize("surest", [0, 1])
def test_the_surest_of_a_cell_is_shown(surest: int) -> None:
    """Sixteen places in eight cells, two in each."""
    shifts = [
        LocalShift((float(row), 0.0), (0.0, 1.0 + row % 2), 0.1 if row % 2 == surest else 0.2)
        for row in range(16)
    ]
    assert draw_map(shifts, Rect(0, 0, 16, 1)) == [f"→{1.0 + surest}".rjust(5)] * 8
