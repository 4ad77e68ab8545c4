from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rasterio.transform import from_origin

from geosharp.quality.report.lineage import describe_scene, find_pixel_size, read_lineage
from geosharp.raster.scene import open_scene
from tests.made import ORIGIN, make_pair


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


def test_what_is_special_of_a_file_is_told_in_words() -> None:
    form = {"cog": True, "overviews": False, "mask": True, "creation": {"COMPRESS": "LZW"}}
    lineage = read_lineage(
        {"GEOSHARP_OUTPUT": json.dumps(form), "GEOSHARP_PARAMETERS": json.dumps({"align": False})}
    )
    assert {fact.label: fact.value for fact in lineage.parameters} == {
        "Align": "no",
        "Output": "Cloud Optimized GeoTIFF, without overviews, COMPRESS=LZW",
    }
    odd = read_lineage({"GEOSHARP_OUTPUT": '{"creation": [1], "cog": "x"}'})
    assert [fact.value for fact in odd.parameters] == [""]


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


@pytest.mark.parametrize(
    ("crs", "x", "pixel", "expected"),
    [("EPSG:32633", ORIGIN[0], 1.0, 1.0), ("EPSG:2263", 9e5, 3.0, 0.9144), ("EPSG:4326", 13.0, 1e-5, None)],
)
def test_a_pixels_size_is_told_in_metres_where_coordinates_are_lengths(
    tmp_path: Path, crs: str, x: float, pixel: float, expected: float | None
) -> None:
    pan, ms = ({"crs": crs, "transform": from_origin(x, 40.0, size, size)} for size in (pixel, 4 * pixel))
    size = find_pixel_size(open_scene(*make_pair(tmp_path, pan_profile=pan, ms_profile=ms)))
    assert size == (None if expected is None else pytest.approx(expected, rel=1e-4))


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        (
            '{"source": "sensor", "shift": [0.0, 0.0]}',
            "the sensor's table, MS moved by +0.00 rows and +0.00 columns",
        ),
        ('{"source": "scene", "verdict": "converged", "shift": "?"}', "learnt from the scene, converged"),
        ('{"verdict": "bounded"}', "unknown, stopped at the limit of what is looked for"),
    ],
)
def test_how_a_result_was_calibrated_is_told_in_a_line(tag: str, told: str) -> None:
    lineage = read_lineage({"GEOSHARP_METHOD": "glp", "GEOSHARP_CALIBRATION": tag})
    assert [(fact.label, fact.value) for fact in lineage.parameters] == [("Calibration", told)]
    assert not any("nyquist" in fact.value for fact in lineage.facts)


def test_a_calibration_that_is_no_json_is_left_out() -> None:
    lineage = read_lineage({"GEOSHARP_CALIBRATION": "[1"})
    assert lineage.parameters == lineage.facts == ()


def test_what_came_of_an_adaptation_is_told_by_its_verdict() -> None:
    told = {"steps": 30, "better": True, "verdict": "better than the base: use it (+0.50 dB)"}
    lineage = read_lineage({"GEOSHARP_ADAPTATION": json.dumps(told)})
    assert [(fact.label, fact.value) for fact in lineage.parameters] == [("Adaptation", told["verdict"])]
    assert lineage.facts == ()


@pytest.mark.parametrize("folder", ["/home/someone/", "C:\\someone\\", "/vsizip//home/a.zip/", ""])
def test_no_folder_is_shown(folder: str) -> None:
    files = {
        "pan": f"{folder}p.tif",
        "ms": [f"{folder}a.tif", "b.tif"],
        "area": f"{folder}field.json",
        "model": f"{folder}mine.safetensors",
    }
    lineage = read_lineage({"GEOSHARP_PARAMETERS": json.dumps({**files, "tile": 64})})
    shown = {fact.label: fact.value for fact in (*lineage.facts, *lineage.parameters)}
    assert shown == {
        "Made from pan": "p.tif",
        "Made from ms": "a.tif, b.tif",
        "Area": "field.json",
        "Model": "mine.safetensors",
        "Tile": "64",
    }


def test_an_area_in_numbers_is_shown_whole() -> None:
    for area in ("1,2,3.5,4", [1, 2, 3.5, 4]):
        lineage = read_lineage({"GEOSHARP_PARAMETERS": json.dumps({"area": area})})
        assert lineage.parameters[0].value.replace(" ", "") == "1,2,3.5,4"


def test_notes_are_told_without_folders(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    scene = replace(scene, notes=(f"{scene.pan.name}: odd", f"{scene.ms[0].name}: odder"))
    notes = [fact.value for fact in describe_scene(scene) if fact.label == "Note"]
    assert notes == ["pan.tif: odd", "ms.tif: odder"]
