from __future__ import annotations

import json
from pathlib import Path

import pytest

from geosharp.quality.lineage import describe_scene, read_lineage
from geosharp.raster.scene import open_scene


def test_what_fuse_tells_is_known() -> None:
    parameters = {"pan": "p.tif", "ms": ["a.tif", "b.tif"], "method": "gsa", "bands": ["3", 1], "tile": 256}
    lineage = read_lineage(
        {
            "GEOSHARP_METHOD": "gsa",
            "GEOSHARP_VERSION": "1.2",
            "GEOSHARP_PARAMETERS": json.dumps({**parameters, "sensor": "ikonos"}),
            "AREA_OR_POINT": "Area",
        }
    )
    assert (lineage.method, lineage.bands, lineage.sensor) == ("gsa", ["3", 1], "ikonos")
    assert (lineage.tile, lineage.tile_known) == (256, True)
    assert {fact.label: fact.value for fact in lineage.parameters} == {
        "Bands": "3, 1",
        "Tile": "256",
        "Sensor": "ikonos",
    }
    facts = {fact.label: fact.value for fact in lineage.facts}
    assert facts == {"Version": "1.2", "Made from pan": "p.tif", "Made from ms": "a.tif, b.tif"}


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        "",
        "{broken",
        "[1, 2]",
        "7",
        '{"bands": {"a": 1}, "tile": "wide", "sensor": 3}',
        '{"bands": [[1], 2], "tile": -4}',
        '{"bands": [], "tile": 0.5}',
    ],
)
def test_other_tools_results_and_broken_tags_are_unknown(parameters: str | None) -> None:
    lineage = read_lineage({} if parameters is None else {"GEOSHARP_PARAMETERS": parameters})
    assert (lineage.method, lineage.bands, lineage.sensor) == ("unknown", None, None)
    assert (lineage.tile, lineage.tile_known) == (512, False)


def test_a_scene_is_told_without_folders(made_pair: tuple[Path, Path]) -> None:
    facts = {fact.label: fact.value for fact in describe_scene(open_scene(*made_pair))}
    assert facts["PAN"] == "pan.tif, 256 x 256, uint16"
    assert facts["MS"] == "ms.tif, 64 x 64, uint16"
    assert facts["CRS"] == "EPSG:32633"
    assert facts["MS on PAN"].startswith("ratio 4, 0 rows")
    assert not any(str(made_pair[0].parent) in value for value in facts.values())
