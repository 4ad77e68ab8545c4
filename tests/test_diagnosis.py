"""The doctor finds what does not work, says what to do, and leaves nothing behind."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geosharp import diagnosis
from geosharp.diagnosis import check_model, diagnose, try_method
from geosharp.errors import ResourceError
from geosharp.finding import Finding
from geosharp.hfreqdiff.inventory import Entry
from geosharp.raster.environment import look_at_gdal
from tests.hfreqdiff.made_model import make_model


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_here_all_works_and_nothing_is_left(temporary: Path) -> None:
    found = diagnose()
    assert found.works, [each.told for each in found.findings if each.level == "stop"]
    subjects = [finding.subject for finding in found.findings]
    assert subjects[:7] == ["versions", "GDAL", "PROJ", "GPU", "computer", "temporary files", "extras"]
    assert {"model base", "model small", "self-test glp", "self-test hfreqdiff"} <= set(subjects)
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert [*told] == ["schema", "works", "level", "findings"]
    versions = told["findings"][0]["facts"]
    assert {"geosharp", "python", "torch", "rasterio", "gdal", "proj", "numpy", "shapely"} <= set(versions)
    assert list(temporary.iterdir()) == []


def find(findings: Any, subject: str) -> Finding:
    return next(finding for finding in findings if finding.subject == subject)


@pytest.fixture
def broken_gdal(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = ResourceError("PROJ_LIB=/x", "no data", "rasterio's", "unset PROJ_LIB")
    state = replace(look_at_gdal(), drivers=frozenset({"GTiff", "VRT"}), proj_fault=fault)
    monkeypatch.setattr(diagnosis, "look_at_gdal", lambda: state)


@pytest.mark.usefixtures("broken_gdal")
def test_a_wrong_proj_is_a_stop_with_its_advice() -> None:
    found = diagnose()
    assert not found.works
    assert find(found.findings, "PROJ").advice == "unset PROJ_LIB"
    drivers = find(found.findings, "GDAL")
    assert (drivers.level, drivers.facts["lacking"]) == ("warning", ["COG", "JP2OpenJPEG", "NITF", "DIMAP"])
    # Without PROJ no test would tell more.
    assert not any(finding.subject.startswith("self-test") for finding in found.findings)


def test_without_tiffs_nothing_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    state = replace(look_at_gdal(), drivers=frozenset({"COG", "VRT"}))
    assert diagnosis._check_drivers(state).level == "stop"


def test_variables_of_another_proj_that_do_no_harm_are_noted() -> None:
    state = replace(look_at_gdal(), proj_variables={"PROJ_DATA": "/x"})
    found = diagnosis._check_proj(state)
    assert (found.level, "PROJ_DATA=/x" in found.text) == ("note", True)


def test_a_damaged_model_is_found(tmp_path: Path) -> None:
    path = make_model(tmp_path)
    assert check_model(Entry("mine", "user folder", path)).level == "ok"
    path.with_suffix(".md").write_text(f"SHA-256 `{'0' * 64}`")
    for place, level in (("shipped", "stop"), ("user folder", "warning")):
        found = check_model(Entry("mine", place, path))
        assert (found.level, "is not that of its card" in found.text) == (level, True)


def test_a_driver_without_a_build_for_it_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(diagnosis, "_DRIVER", tmp_path / "version")
    assert diagnosis._check_gpus().level == "ok"
    (tmp_path / "version").touch()
    assert diagnosis._check_gpus().level == "warning"


@pytest.mark.parametrize(
    ("name", "check"), [("available_memory", "computer"), ("available_room", "temporary files")]
)
def test_little_room_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, check: str
) -> None:
    monkeypatch.setattr(diagnosis, name, lambda *_: 2**20)
    found = diagnosis._check_computer() if check == "computer" else diagnosis._check_temporary(tmp_path)
    assert (found.subject, found.level) == (check, "warning")


def test_an_extra_is_found_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_EXTRAS", {"arrays": "numpy", "nothing": "no_such_module"})
    found = diagnosis._tell_extras()
    assert found.facts == {"arrays": np.__version__, "nothing": None}
    assert "pip install 'geosharp[nothing]'" in found.text


@pytest.mark.usefixtures("temporary")
def test_the_self_test_sees_a_result_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert try_method("glp").level == "ok"
    grid = diagnosis._grid
    monkeypatch.setattr(diagnosis, "_grid", lambda ratio: replace(grid(ratio), crs=None))
    assert try_method("glp").level == "ok"

    class Moved(diagnosis.SourceReader):
        def read(self, rect: Any) -> Any:
            data, valid = super().read(rect)
            return np.roll(data, 4, 2), valid

    monkeypatch.setattr(diagnosis, "SourceReader", Moved)
    found = try_method("glp")
    assert (found.level, "off MS" in found.text) == ("stop", True)


@pytest.mark.usefixtures("temporary")
def test_the_self_test_sees_a_wrong_place(monkeypatch: pytest.MonkeyPatch) -> None:
    describe = diagnosis.describe

    def elsewhere(*arguments: Any) -> Any:
        source = describe(*arguments)
        return replace(source, grid=replace(source.grid, crs=None))

    monkeypatch.setattr(diagnosis, "describe", elsewhere)
    found = try_method("glp")
    assert (found.level, found.text.startswith("its result lies at ")) == ("stop", True)


@pytest.mark.usefixtures("temporary")
@pytest.mark.parametrize("error", [ResourceError("disk", "full", "room", "free some"), RuntimeError("oh")])
def test_a_fusion_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(diagnosis, "fuse", fail)
    found = try_method("glp")
    assert (found.level, str(error).split(";")[0][:4] in found.text) == ("stop", True)
