"""Tables of scenes: what is in them, and what is wrong by its line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from geosharp.errors import InputError, UsageError
from geosharp.raster.manifest import read_manifest
from tests.raster.test_pairing import touch


def write_parquet(path: Path, **columns: list[Any]) -> Path:
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_a_table_names_pairs_from_its_own_folder(tmp_path: Path) -> None:
    touch(tmp_path, "x/p.tif", "x/b.tif", "x/g.tif")
    table = tmp_path / "x" / "scenes.csv"
    folder = table.parent
    lines = "\n\nnote,MS, pan\nfirst,b.tif;g.tif;, p.tif\n,,\n\n"
    table.write_text(f"\ufeff{lines}second,/vsizip/m.tif,{folder / 'p.tif'}\nthird,https://a/m.tif,p.tif\n")
    assert [(scene.pan, scene.ms) for scene in read_manifest(table)] == [
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
        read_manifest(table)
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("p.tif", "no MS"),
        ("p.tif, ; ", "no MS"),
        (",p.tif", "no PAN"),
        ("nix.tif,p.tif", "nix.tif: no such file"),
        ("p.tif,p.tif;nix.tif", "nix.tif: no such file"),
        ("p.tif,p.tif,,g.tif,,r.tif", "g.tif, r.tif beyond the last column"),
        ("x" * 300 + ",p.tif", "no such file"),
        ('"p.tif,p.tif', "not CSV"),
        ("x" * 200_000 + ",p.tif", "not CSV"),
        ("p\0.tif,p.tif", "a NUL"),
    ],
    ids=[
        "MS",
        "MS of nothing",
        "PAN",
        "no file",
        "no band",
        "beyond",
        "long name",
        "quote",
        "long field",
        "NUL",
    ],
)
def test_what_is_wrong_in_a_table_is_told_by_its_line(tmp_path: Path, line: str, found: str) -> None:
    touch(tmp_path, "p.tif")
    table = tmp_path / "scenes.csv"
    table.write_text(f'\npan,ms,note\np.tif,p.tif,"two\nlines"\n\n{line}\np.tif,p.tif\n')
    with pytest.raises(InputError) as caught:
        read_manifest(table)
    assert caught.value.subject == f"{table}, line 6"
    assert found in caught.value.found


@pytest.mark.parametrize("line", ["p.tif,b.tif,g.tif", "p.tif,b.tif g.tif"])
def test_who_lists_bands_otherwise_hears_how(tmp_path: Path, line: str) -> None:
    """None of them may be left out unseen."""
    touch(tmp_path, "p.tif", "b.tif", "g.tif")
    table = tmp_path / "scenes.csv"
    table.write_text(f"pan,ms\n{line}\n")
    with pytest.raises(InputError) as caught:
        read_manifest(table)
    assert "several files of MS with ; between" in caught.value.remedy
    table.write_text("pan,ms\np.tif,b.tif;g.tif,,\n")
    assert len(read_manifest(table)[0].ms) == 2


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest(tmp_path / "scenes.csv")


def test_out_and_options_come_as_they_are_listed_with_their_place(tmp_path: Path) -> None:
    touch(tmp_path, "p.tif", "m.tif")
    table = tmp_path / "scenes.csv"
    table.write_text(
        'pan,ms,options,out\np.tif,m.tif,"{""method"": ""glp"", ""seed"": null}",../x\np.tif,m.tif\n'
    )
    first, second = read_manifest(table)
    assert (first.out, first.options, first.place) == ("../x", {"method": "glp"}, f"{table}, line 2")
    assert (second.out, second.options, second.folder) == ("", {}, str(tmp_path))
    assert first.rule == "by scenes.csv"


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    touch(tmp_path, "p.tif", "b.tif", "g.tif")
    table = write_parquet(
        tmp_path / "scenes.parquet",
        PAN=["p.tif", "p.tif", "p.tif"],
        ms=["b.tif;g.tif", "b.tif", "g.tif"],
        out=["x", None, ""],
        options=[json.dumps({"steps": 4}), None, ""],
        other=[1, 2, 3],
    )
    scenes = read_manifest(table)
    parts = [
        tuple(str(tmp_path / name) for name in names)
        for names in (("b.tif", "g.tif"), ("b.tif",), ("g.tif",))
    ]
    assert [scene.ms for scene in scenes] == parts
    assert [(scene.out, scene.options) for scene in scenes] == [("x", {"steps": 4}), ("", {}), ("", {})]
    assert scenes[1].place == f"{table}, row 2"
    lists = write_parquet(
        tmp_path / "lists.parquet",
        pan=["p.tif"],
        ms=[["b.tif", "g.tif"]],
        options=[{"steps": 4, "seed": None}],
    )
    (scene,) = read_manifest(lists)
    assert (scene.ms, scene.options) == (parts[0], {"steps": 4})


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"pan": ["p.tif"]}, "columns pan"),
        ({"pan": [3], "ms": ["p.tif"]}, "3 as pan"),
        ({"pan": ["p.tif"], "ms": [None]}, "no MS"),
        ({"pan": ["p.tif"], "ms": ["p.tif"], "options": [[1]]}, "[1] as options"),
        ({"pan": [], "ms": []}, "no scene"),
        ({"pan": ["p.tif"], "ms": ["p.tif"], "Pan": ["p.tif"]}, "column pan twice"),
    ],
    ids=["column", "number", "nothing", "list", "empty", "twice"],
)
def test_what_is_wrong_in_parquet_is_told_by_its_row(
    tmp_path: Path, columns: dict[str, Any], found: str
) -> None:
    touch(tmp_path, "p.tif")
    table = write_parquet(tmp_path / "scenes.parquet", **columns)
    with pytest.raises(InputError) as caught:
        read_manifest(table)
    assert found in caught.value.found
    assert caught.value.subject.startswith(str(table))


@pytest.mark.parametrize(
    "options", ["{", "[1]", "3", "[" * 100_000, '{"seed": ' + "9" * 5000 + "}"], ids=range(5)
)
def test_options_that_are_no_object_are_refused_by_their_line(tmp_path: Path, options: str) -> None:
    touch(tmp_path, "p.tif")
    table = tmp_path / "scenes.csv"
    quoted = options.replace('"', '""')
    table.write_text(f'pan,ms,options\np.tif,p.tif,"{quoted}"\n')
    with pytest.raises(InputError) as caught:
        read_manifest(table)
    assert caught.value.subject == f"{table}, line 2"
    assert "options" in caught.value.found


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "scenes.parquet")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_manifest(tmp_path / "scenes.parquet")


def test_without_pyarrow_the_way_to_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_parquet(tmp_path / "scenes.parquet", pan=["p"], ms=["m"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pip install") as caught:
        read_manifest(table)
    assert "geosharp[archive]" in caught.value.remedy
