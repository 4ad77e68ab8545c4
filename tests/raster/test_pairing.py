"""Pairs are found by order, by names, by footprints or in a table; what is left over is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geosharp.errors import InputError, UsageError
from geosharp.raster.pairing import list_scenes, name_pairs, pair_up
from tests.made import make_pair


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"pixels")


def test_files_pair_in_their_order() -> None:
    assert name_pairs(pair_up(["a", "b", "c", "d"])) == ([("a", ("b",)), ("c", ("d",))], [])


@pytest.mark.parametrize("named", [[], ["a"], ["a", "b", "c"]])
def test_what_does_not_come_in_twos_is_refused(named: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        name_pairs(pair_up(named))
    assert caught.value.subject == "SCENES"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("nix", "no such folder or file"),
        ("x" * 300, "too long"),
        ("nul\0", "NUL"),
        ("there.tif", "one file"),
    ],
    ids=["missing", "too long", "NUL", "one file"],
)
def test_what_is_no_folder_and_no_table_is_told_as_what_it_is(tmp_path: Path, name: str, found: str) -> None:
    touch(tmp_path, "there.tif")
    with pytest.raises(UsageError) as caught:
        name_pairs(str(tmp_path / name))
    assert found in caught.value.found


def test_a_caller_names_ms_as_one_or_several_files_of_any_kind() -> None:
    pairs = [("a", "b"), (Path("c"), ["d", Path("e")])]
    assert name_pairs(pairs) == ([("a", ("b",)), ("c", ("d", "e"))], [])


@pytest.mark.parametrize(
    "scenes", [[("a", 3)], [("a",)], ["ab.tif"], [3], 5, [("a\0", "b")], [("a", ["b\0"])], []], ids=repr
)
def test_what_are_no_pairs_of_names_is_refused(scenes: Any) -> None:
    with pytest.raises(UsageError) as caught:
        name_pairs(scenes)
    assert caught.value.subject == "SCENES"


@pytest.mark.parametrize(
    ("pan", "ms"),
    [
        ("a_pan.tif", "a_ms.tif"),
        ("a_P.TIF", "a_M.TIF"),
        ("a/pan.tif", "a/ms.tif"),
        ("GF2_PMS1_E1-PAN1.tiff", "GF2_PMS1_E1-MSS1.tiff"),
        ("055_PAN/18MAY-P2AS_R1C1.tif", "055_MUL/18MAY-M2AS_R1C1.tif"),
        ("s_panchromatic.jp2", "s_multispectral.jp2"),
    ],
)
def test_names_that_differ_in_the_word_alone_are_a_pair(tmp_path: Path, pan: str, ms: str) -> None:
    touch(tmp_path, pan, ms, "readme.txt")
    assert name_pairs(str(tmp_path)) == ([(str(tmp_path / pan), (str(tmp_path / ms),))], [])


def test_what_has_no_partner_or_two_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a_pan.tif", "a_ms.tif", "b_pan.tif", "c_pan.tif", "c_ms.tif", "c_ms.vrt", "dem.tif")
    pairs, (note,) = name_pairs(str(tmp_path))
    assert [Path(pan).name for pan, _ in pairs] == ["a_pan.tif"]
    assert all(name in note for name in ("b_pan.tif", "c_pan.tif", "c_ms.tif", "c_ms.vrt", "dem.tif"))


def test_a_folder_without_a_pair_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a_pan.tif", "b_ms.tif")
    with pytest.raises(InputError, match="2 rasters"):
        name_pairs(str(tmp_path))


@pytest.mark.parametrize(("names", "found"), [([], "no raster"), (["a_pan.tif"], "one raster, a_pan.tif")])
def test_a_folder_with_too_few_rasters_is_told_as_such(tmp_path: Path, names: list[str], found: str) -> None:
    touch(tmp_path, "readme.txt", *names)
    with pytest.raises(InputError) as caught:
        name_pairs(str(tmp_path))
    assert caught.value.found.startswith(found)


def test_headers_are_asked_where_names_do_not_tell_and_each_pair_says_how_it_was_found(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "a_pan.tif", "a_ms.tif", "dem.tif")
    (tmp_path / "b").mkdir()
    pan, ms = make_pair(tmp_path / "b")
    pan.rename(pan.with_name("0001.tif"))
    ms.rename(ms.with_name("0002.tif"))
    listing = list_scenes(tmp_path)
    assert [(Path(scene.pan).name, scene.rule) for scene in listing.scenes] == [
        ("a_pan.tif", "by name"),
        ("0001.tif", "by footprint"),
    ]
    (stray,) = listing.strays
    assert stray.file == "dem.tif"
    assert "GDAL cannot read it" in stray.why


def test_training_is_told_that_it_takes_no_options_of_a_table(tmp_path: Path) -> None:
    touch(tmp_path, "p.tif", "m.tif")
    table = tmp_path / "scenes.csv"
    table.write_text("pan,ms,out\np.tif,m.tif,x\n")
    pairs, (note,) = name_pairs(table)
    assert pairs == [(str(tmp_path / "p.tif"), (str(tmp_path / "m.tif"),))]
    assert "columns out and options are for geosharp batch" in note
