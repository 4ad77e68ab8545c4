"""Scenes of a sensor take one calibration, of the first that tells, whichever run comes first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import geosharp
from geosharp.archive import calibrations
from geosharp.archive.calibrations import FOLDER, share_calibrations
from geosharp.archive.ledger import DONE, Row
from geosharp.archive.options import PER_SENSOR
from geosharp.errors import InputError, OutputError, UsageError
from geosharp.padm.calibration import load_calibration
from tests.made import write_raster
from tests.padm.planted import make_ground, plant
from tests.test_calibration import tag

GAINS = {"a": (0.2, 0.2), "b": (0.35, 0.35), "c": (0.35, 0.35)}
SHIFTS = {"a": (0.5, -0.25), "b": (-0.5, 0.75), "c": (0.0, 0.0)}
ASKED = {"calibration": PER_SENSOR, "sensor": "geoeye-1", "method": "glp", "overviews": False}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """A flat scene, of which nothing can be learnt, then a, b and c."""
    folder, found = tmp_path_factory.mktemp("scenes"), []
    for seed, name in enumerate(("flat", *GAINS)):
        (folder / name).mkdir()
        scene = plant(
            folder / name,
            gains=GAINS.get(name, (0.3, 0.3)),
            shift=SHIFTS.get(name, (0.0, 0.0)),
            ground=make_ground(256, 4, seed),
            dtype="uint16",
        )
        if name == "flat":
            write_raster(Path(scene.pan.name), np.full((1, 256, 256), 7, np.uint16))
        found.append(Row(name, scene.pan.name, (scene.ms[0].name,), f"{name}.tif", ""))
    return found


def share(
    rows: list[Row], waiting: str, folder: Path, tell: Callable[[str], None] = lambda _: None, **own: Any
) -> Any:
    """Names of the calibrations for the rows of these first letters."""
    options = [{**ASKED, **own} for _ in rows]
    wanted = [row.out for row in rows if row.name[0] in waiting]
    choices = share_calibrations(rows, options, wanted, folder, tell)
    return {Path(out).stem: Path(choice.calibration).name for out, choice in choices.items()}


def test_the_first_that_tells_is_everybodys_whoever_waits(tmp_path: Path, rows: list[Row]) -> None:
    told: list[str] = []
    names = share(rows, "c", tmp_path, told.append)
    (file,) = (tmp_path / FOLDER).iterdir()
    assert names == {"c": file.name}
    assert file.name.startswith("geoeye-1_4-bands_ratio-4_")
    np.testing.assert_allclose(load_calibration(file).operator.gains, GAINS["a"], atol=0.02)
    assert [text.split(":")[0] for text in told] == ["flat", file.name]
    written = file.read_bytes()
    (tmp_path / "again").mkdir()
    share(rows, "fab", tmp_path / "again")
    assert (tmp_path / "again" / FOLDER / file.name).read_bytes() == written


def test_what_is_kept_is_taken(tmp_path: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    share(rows, "a", tmp_path)
    monkeypatch.setattr(calibrations, "learn_scene", lambda *_, **__: pytest.fail("learnt anew"))
    assert len(set(share(rows, "fabc", tmp_path).values())) == 1


def test_other_sensors_bands_and_alignments_have_their_own(tmp_path: Path, rows: list[Row]) -> None:
    for own in ({}, {"sensor": "quickbird"}, {"bands": [1, 2]}, {"align": False}):
        share(rows[1:2], "a", tmp_path, **own)
    assert len(list((tmp_path / FOLDER).iterdir())) == 4


def test_where_no_sensor_is_known_or_none_tells_a_scene_is_on_its_own(
    tmp_path: Path, rows: list[Row]
) -> None:
    assert share(rows, "a", tmp_path, sensor="unknown") == {"a": "auto"}
    assert share(rows[:1], "f", tmp_path) == {"flat": "auto"}
    assert not (tmp_path / FOLDER).exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, rows: list[Row]) -> None:
    (tmp_path / FOLDER).write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        share(rows, "a", tmp_path)


def test_a_broken_one_is_told_before_any_scene(tmp_path: Path, rows: list[Row]) -> None:
    share(rows, "a", tmp_path)
    (file,) = (tmp_path / FOLDER).iterdir()
    file.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        share(rows, "b", tmp_path)


def test_kernels_are_shared_and_each_scene_lies_where_it_does(tmp_path: Path, rows: list[Row]) -> None:
    pairs = [(row.pan, row.ms[0]) for row in rows[1:]]
    result = geosharp.batch(pairs, tmp_path / "out", options=ASKED)
    assert [row.state for row in result.rows] == [DONE] * 3
    told = [tag(Path(row.out)) for row in result.rows]
    assert len({str(each["nyquist_gains"]) for each in told}) == 1
    for each, shift in zip(told, SHIFTS.values(), strict=True):
        np.testing.assert_allclose(each["shift"], shift, atol=0.1)


def test_a_method_without_calibration_is_refused(tmp_path: Path, rows: list[Row]) -> None:
    with pytest.raises(UsageError, match="takes none"):
        geosharp.batch([(rows[1].pan, rows[1].ms[0])], tmp_path, options=ASKED | {"method": "brovey"})
