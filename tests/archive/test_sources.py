"""What is given decides how it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geosharp.archive.sources import list_sources
from geosharp.errors import GeosharpError, UsageError
from tests.archive.test_stac import item
from tests.raster.test_pairing import touch


def test_files_folders_tables_and_items_are_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "in.json"
    touch(folder, "a_pan.tif", "a_ms.tif")
    (tmp_path / "t.csv").write_text("pan,ms\nin.json/a_pan.tif,in.json/a_ms.tif\n")
    (tmp_path / "i.geojson").write_text(json.dumps(item("a", "pan", "ms")))
    rules = {name: list_sources(tmp_path / name).scenes[0].rule for name in ("in.json", "t.csv", "i.geojson")}
    assert rules == {"in.json": "by name", "t.csv": "by t.csv", "i.geojson": "by STAC item"}
    assert list_sources([("p", "m")]).scenes[0].rule == "as given"


@pytest.mark.parametrize("name", ["nix.json", "nix.csv", "nix", "http://127.0.0.1:1/x", "x.json\0"])
def test_what_is_not_there_is_one_message(tmp_path: Path, name: str) -> None:
    with pytest.raises(GeosharpError):
        list_sources(name if "//" in name else str(tmp_path / name))
    with pytest.raises(UsageError):
        list_sources([])
