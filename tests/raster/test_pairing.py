"""Pairs are found by order, by names or in a table; what is left over is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geosharp.errors import InputError, UsageError
from geosharp.raster.pairing import find_pairs, name_pairs


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"pixels")


def test_files_pair_in_their_order() -> None:
    assert find_pairs(["a", "b", "c", "d"]) == ([("a", ("b",)), ("c", ("d",))], [])


@pytest.mark.parametrize("named", [[], ["a"], ["a", "b", "c"]])
def test_what_does_not_come_in_twos_is_refused(named: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        find_pairs(named)
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
        find_pairs([str(tmp_path / name)])
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
    assert find_pairs([str(tmp_path)]) == ([(str(tmp_path / pan), (str(tmp_path / ms),))], [])


def test_what_has_no_partner_or_two_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a_pan.tif", "a_ms.tif", "b_pan.tif", "c_pan.tif", "c_ms.tif", "c_ms.vrt", "dem.tif")
    pairs, (note,) = find_pairs([str(tmp_path)])
    assert [Path(pan).name for pan, _ in pairs] == ["a_pan.tif"]
    assert all(name in note for name in ("b_pan.tif", "c_pan.tif", "c_ms.tif", "c_ms.vrt", "dem.tif"))


def test_a_folder_without_a_pair_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a_pan.tif", "b_ms.tif")
    with pytest.raises(InputError, match="2 rasters"):
        find_pairs([str(tmp_path)])


@pytest.mark.parametrize(("names", "found"), [([], "no raster"), (["a_pan.tif"], "one raster, a_pan.tif")])
def test_a_folder_with_too_few_rasters_is_told_as_such(tmp_path: Path, names: list[str], found: str) -> None:
    touch(tmp_path, "readme.txt", *names)
    with pytest.raises(InputError) as caught:
        find_pairs([str(tmp_path)])
    assert caught.value.found.startswith(found)


def test_a_table_names_pairs_from_its_own_folder(tmp_path: Path) -> None:
    touch(tmp_path, "x/p.tif", "x/b.tif", "x/g.tif")
    table = tmp_path / "x" / "scenes.csv"
    folder = table.parent
    lines = "\n\nnote,MS, pan\nfirst,b.tif;g.tif;, p.tif\n,,\n\n"
    table.write_text(f"\ufeff{lines}second,/vsizip/m.tif,{folder / 'p.tif'}\nthird,https://a/m.tif,p.tif\n")
    assert find_pairs([str(table)])[0] == [
        (str(folder / "p.tif"), (str(folder / "b.tif"), str(folder / "g.tif"))),
        (str(folder / "p.tif"), ("/vsizip/m.tif",)),
        (str(folder / "p.tif"), ("https://a/m.tif",)),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pan,multi\na,b\n", "columns pan, multi"),
        ("", "no line"),
        ("pan,ms\n", "no scene"),
    ],
)
def test_a_table_that_is_none_is_refused_by_what_it_lacks(tmp_path: Path, text: str, found: str) -> None:
    table = tmp_path / "scenes.csv"
    table.write_text(text)
    with pytest.raises(InputError) as caught:
        find_pairs([str(table)])
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("p.tif", "no MS"),
        ("p.tif, ; ", "no MS"),
        (",p.tif", "no PAN"),
        ("nix.tif,p.tif", "nix.tif: no such file"),
        ("p.tif,p.tif;nix.tif", "nix.tif: no such file"),
        ("x" * 300 + ",p.tif", "no such file"),
        ('"p.tif,p.tif', "not CSV"),
        ("x" * 200_000 + ",p.tif", "not CSV"),
        ("p\0.tif,p.tif", "a NUL"),
    ],
    ids=["MS", "MS of nothing", "PAN", "no file", "no band", "long name", "quote", "long field", "NUL"],
)
def test_what_is_wrong_in_a_table_is_told_by_its_line(tmp_path: Path, line: str, found: str) -> None:
    touch(tmp_path, "p.tif")
    table = tmp_path / "scenes.csv"
    table.write_text(f'\npan,ms,note\np.tif,p.tif,"two\nlines"\n\n{line}\np.tif,p.tif\n')
    with pytest.raises(InputError) as caught:
        find_pairs([str(table)])
    assert caught.value.subject == f"{table}, line 6"
    assert found in caught.value.found


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        find_pairs([str(tmp_path / "scenes.csv")])
