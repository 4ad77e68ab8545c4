"""A spoilt table of scenes is refused by its line, or names files that are there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geosharp.errors import InputError
from geosharp.raster.manifest import read_manifest
from tests.mutated import DEEP, LONG, few, near

GOOD = b'name,pan,ms\r\n"one, first",a_pan.tif,a_ms.tif\r\ntwo,"b_pan.tif",b_1.tif;b_2.tif\r\n\r\n'
FILES = "a_pan.tif", "a_ms.tif", "b_pan.tif", "b_1.tif", "b_2.tif"
CELLS = st.sampled_from((*FILES, "", ";", '"', '""', "\0", "/", "..", "x" * 5000, "x" * 200_000, "/vsimem/a"))
OPTIONS = st.sampled_from(("{}", "[]", "{", "NaN", DEEP, LONG, '"{""a"":1}"', '{"a":'))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    for name in FILES:
        (folder / name).write_bytes(b"raster")
    return folder


@st.composite
def table(draw: st.DrawFn) -> bytes:
    lines = [f"{draw(CELLS)},{draw(CELLS)},{draw(OPTIONS)}" for _ in range(draw(st.integers(0, 3)))]
    return "\n".join(["pan,ms,options", *lines]).encode()


@few(100)
@given(content=near(GOOD) | table())
def test_it_is_refused_or_a_list_of_files(folder: Path, content: bytes) -> None:
    path = folder / "scenes.csv"
    path.write_bytes(content)
    with suppress(InputError):
        scenes = read_manifest(path)
        for name in (name for scene in scenes for name in (scene.pan, *scene.ms)):
            assert Path(name).exists() or ":" in name or name.startswith(("/vsi", "<"))
