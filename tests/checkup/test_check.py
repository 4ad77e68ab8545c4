"""A pair is told to be fit or not in words that are right, for made pairs and for real ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

import geosharp
from geosharp.checkup.check import Checkup, check
from geosharp.errors import UsageError
from geosharp.finding import Finding, Level
from geosharp.raster import scene
from geosharp.raster.source import FilePath, Source
from tests.made import ORIGIN, make_pair
from tests.raster.made_saturated import saturate

SUBJECTS = [
    *("overlap", "georeference", "time gap", "registration", "registration map", "agreement", "no-data"),
    *("saturation", "bit depth", "band order", "cloud", "memory", "duration", "disk"),
]


def level_of(checkup: Checkup, subject: str) -> str:
    return next(finding.level for finding in checkup.findings if finding.subject == subject)


def text_of(checkup: Checkup, subject: str) -> str:
    return next(finding.text for finding in checkup.findings if finding.subject == subject)


def test_a_sound_pair_is_fit_and_everything_is_looked_at(
    made_pair: tuple[Path, Path], tmp_path: Path
) -> None:
    found = geosharp.check(*made_pair, folder=tmp_path)
    assert [finding.subject for finding in found.findings] == SUBJECTS
    assert found.fit
    assert found.level == "note"
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert [*told] == ["schema", "pan", "ms", "fit", "level", "findings", "shift_map"]
    assert (told["schema"], told["fit"], told["ms"]) == ("geosharp.check/1", True, [str(made_pair[1])])
    for finding in told["findings"]:
        assert [*finding] == ["subject", "level", "text", "advice", "facts"]
    assert len(told["shift_map"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_pair_is_opened_once(made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[FilePath] = []
    real = scene.describe

    def note(name: FilePath, role: str) -> Source:
        described.append(name)
        return real(name, role)

    monkeypatch.setattr(scene, "describe", note)
    check(*made_pair)
    assert described == [*made_pair]


def test_where_fuse_clips_is_told(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    saturate(ms)
    assert "fuse clips MS's values at 2047" in text_of(check(pan, ms), "saturation")


def test_what_fuse_would_refuse_is_a_stop(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    with rasterio.open(ms, "r+") as raster:
        raster.transform = from_origin(ORIGIN[0] + 5000, ORIGIN[1], 4, 4)
    for files, word in (((pan, ms), "do not overlap"), ((pan, tmp_path / "no.tif"), "no such file")):
        found = check(*files)
        (only,) = found.findings
        assert (found.fit, only.subject, only.level) == (False, "pair", "stop")
        assert word in only.text
        assert only.advice


def test_too_little_memory_is_a_stop_beside_all_else(made_pair: tuple[Path, Path]) -> None:
    found = check(*made_pair, method="glp", max_memory=2**20)
    assert level_of(found, "memory") == "stop"
    assert level_of(found, "registration") == "ok"
    assert not found.fit


def test_wrong_usage_is_raised(made_pair: tuple[Path, Path]) -> None:
    for wrong in ({"method": "better"}, {"bands": [9]}, {"sensor": "no such"}, {"threads": 0}):
        with pytest.raises(UsageError):
            check(*made_pair, **wrong)  # type: ignore[arg-type]


def test_nothing_valid_leaves_out_what_would_need_it(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, ms_profile={"nodata": 0})
    with rasterio.open(ms, "r+") as raster:
        raster.write(np.zeros((4, 64, 64), np.uint16))
    found = check(pan, ms)
    assert level_of(found, "no-data") == "stop"
    assert not {"registration", "saturation", "cloud"} & {each.subject for each in found.findings}


def test_pixels_that_cannot_be_read_are_a_stop(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_profile={"compress": "deflate", "tiled": False})
    whole = pan.read_bytes()
    pan.write_bytes(whole[:400] + bytes(len(whole) - 800) + whole[-400:])
    found = check(pan, ms)
    assert not found.fit
    assert found.findings[-1].level in ("ok", "note")


@pytest.mark.parametrize(
    ("levels", "fit"), [((), True), (("ok", "warning"), True), (("note", "stop"), False)]
)
def test_one_stop_makes_a_pair_unfit(levels: tuple[Level, ...], fit: bool) -> None:
    findings = tuple(Finding("a", level, "b", "" if level == "ok" else "c") for level in levels)
    assert Checkup(("pan", "ms"), findings).fit == fit


# Scene -> what is not ok but for times and notes on files, with words of it.
REAL = {
    "bench/wv2_urban": {"saturation": "yellow 0.03 %"},
    "bench/ikonos_urban": {
        "registration": "0.53 PAN pixels down",
        "saturation": "0.013 %",
        "bit depth": "multiples of 8",
    },
    "bench/spot6_cropland": {"band order": "blue and red look swapped"},
    "bench/l8_scene5": {"registration": "0.50 PAN pixels down"},
    "edge/l7_slcoff_201px": {"no-data": "holes in 25 % of PAN and 27 % of MS", "band order": "B1, B2"},
    "edge/l8_201px": {"band order": "nothing tells"},
    "edge/l8_collar_decimated": {"agreement": "alone", "band order": "nothing tells", "cloud": "18%"},
    "edge/l8_pamplona_misregistered": {
        "registration": "0.86 PAN pixels up and 0.98 right",
        "band order": "look like red, green, blue, nir",
    },
    "edge/wv2_rotterdam_chip3": {"registration": "0.91 PAN pixels up"},
    "edge/wv3_128px_nogeo_0": {
        "georeference": "no CRS",
        "registration": "1.26 PAN pixels up",
        "saturation": "PAN 0.073 %",
        "band order": "nothing tells",
    },
}


@pytest.mark.parametrize("name", REAL)
def test_real_scenes_are_told_as_they_are(data: Path, name: str) -> None:
    found = check(data / name / "pan.tif", data / name / "ms.tif")
    said = {
        finding.subject: finding.text
        for finding in found.findings
        if finding.level != "ok" and finding.subject not in ("pair", "time gap", "memory", "disk")
    }
    assert set(said) == set(REAL[name]), said
    for subject, word in REAL[name].items():
        assert word in said[subject], said[subject]
    assert found.fit
    if name == "edge/wv2_rotterdam_chip3":
        assert "39 % of the common area lies outside" in text_of(found, "no-data")
