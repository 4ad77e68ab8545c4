"""No list of scenes names a result that is not in the output folder, or not its own."""

from __future__ import annotations

import os
import string
from pathlib import Path

import numpy as np
import pytest

from geosharp.archive.outputs import place_results
from geosharp.errors import InputError, UsageError
from geosharp.raster.manifest import Listed


def listed(*outs: str, pan: str = "in/p{}.tif") -> list[Listed]:
    """Scenes of a table, line after line."""
    return [
        Listed(pan.format(number), ("in/m.tif",), place=f"t.csv, line {number}", out=out)
        for number, out in enumerate(outs, 2)
    ]


@pytest.mark.parametrize(
    ("out", "there"),
    [
        ("a.tif", "a.tif"),
        ("a", "a.tif"),
        ("./x//a.TIF", "x/a.TIF"),
        ("north/a.tiff", "north/a.tiff"),
        ("Zürich/ä b.tif", "Zürich/ä b.tif"),
        ("", "p2_fused.tif"),
    ],
)
def test_a_name_is_a_place_in_the_folder(tmp_path: Path, out: str, there: str) -> None:
    ((_, path),) = place_results(listed(out), tmp_path)
    assert path == str(tmp_path / there)


HOSTILE = [
    "/etc/passwd.tif",
    "../a.tif",
    "x/../../a.tif",
    "x/..",
    "~/a.tif",
    "C:\\a.tif",
    "C:a.tif",
    "x\\..\\..\\a.tif",
    "/vsimem/a.tif",
    "http://host/a.tif",
    "a\0.tif",
    "a\n.tif",
    "a\x1b[2J.tif",
    "a\u202e.tif",
    ".hidden.tif",
    ".calibrations/a.tif",
    "x/./..//a.tif",
    " ",
    ".",
    "/",
    "a.png",
    "a.json",
    "batch.jsonl",
    "batch.jsonl/a.tif",
    "Batch.JSONL/a.tif",
    "items.tif",
    "Items.TIFF",
    "x" * 300 + ".tif",
    "ä" * 120 + ".tif",
    "/".join("x" * 20) + ".tif",
]


@pytest.mark.parametrize("out", HOSTILE, ids=[repr(out[:20]) for out in HOSTILE])
def test_what_is_no_plain_name_in_the_folder_is_refused_by_its_line(tmp_path: Path, out: str) -> None:
    with pytest.raises(InputError) as caught:
        place_results(listed("fine", out), tmp_path)
    assert caught.value.subject == "t.csv, line 3"


def test_nothing_that_passes_leaves_the_folder(tmp_path: Path) -> None:
    """Names put together at random of what leads out of folders."""
    chance, passed = np.random.default_rng(0), 0
    parts = ["..", ".", "/", "\\", "a", "b.tif", "C:", "~", "\0", "x", " ", "//", *string.punctuation[:8]]
    root = os.path.realpath(tmp_path)
    for _ in range(5000):
        out = "".join(chance.choice(parts, chance.integers(1, 7)))
        try:
            ((_, path),) = place_results(listed(out), tmp_path)
        except InputError:
            continue
        passed += 1
        assert os.path.realpath(path).startswith(root + os.sep)
    assert passed > 100


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("foo.tif", "foo.tif"),
        ("foo.tif", "FOO.TIF"),
        ("foo.tif", "./foo.tif"),
        ("foo.tif", "foo"),
        ("foo.tif", "foo.tiff"),
        ("x/foo.tif", "x//foo.tif"),
        ("\u00e4.tif", "a\u0308.tif"),
        ("P3_fused", ""),
        ("a.tif", "a.tif/b.tif"),
        ("A.tif/b.tif", "a.tif"),
    ],
)
def test_two_scenes_do_not_share_a_place(tmp_path: Path, one: str, other: str) -> None:
    with pytest.raises(InputError, match="a result"):
        place_results(listed(one, other), tmp_path)
    assert len(place_results(listed(one, "other"), tmp_path)) == 2


def test_links_that_lead_out_are_refused_and_those_within_are_not(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "real").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (out / "away").symlink_to(tmp_path / "elsewhere")
    (out / "near").symlink_to(out / "real")
    (out / "file.tif").symlink_to(tmp_path / "elsewhere" / "file.tif")
    for name in ("away/a.tif", "away/deep/a.tif", "file.tif"):
        with pytest.raises(InputError, match="a link leads out of"):
            place_results(listed(name), out)
    place_results(listed("near/a.tif"), out)
    (tmp_path / "link").symlink_to(out)
    place_results(listed("a.tif"), tmp_path / "link")


def test_no_result_is_an_input_of_any_scene(tmp_path: Path) -> None:
    scenes = [*listed("a.tif"), Listed(str(tmp_path / "a.tif"), ("m.tif",), place="t.csv, line 3")]
    with pytest.raises(InputError, match="an input") as caught:
        place_results(scenes, tmp_path)
    assert caught.value.subject == "t.csv, line 2"


def test_the_same_pan_may_have_several_results_where_these_are_named(tmp_path: Path) -> None:
    assert len(place_results(listed("a", "b", pan="p.tif"), tmp_path)) == 2
    with pytest.raises(InputError, match="twice"):
        place_results(listed("", "", pan="p.tif"), tmp_path)
    with pytest.raises(UsageError, match="each PAN once"):
        place_results([Listed("p.tif", ("a",)), Listed("p.tif", ("b",))], tmp_path)


def test_many_scenes_are_named_in_no_time(tmp_path: Path) -> None:
    scenes = [Listed(f"in/{number}/pan.tif", ("m.tif",)) for number in range(3000)]
    names = [name for name, _ in place_results(scenes, tmp_path)]
    assert names[:2] == ["0_pan", "1_pan"]
    assert len({*names}) == 3000
