"""What is written beside results is valid STAC, says what is true of them, and can be read again."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio.transform import from_origin
from shapely.geometry import shape

from geosharp.archive.items import (
    Origin,
    check_catalogue,
    complete_items,
    describe_result,
    item_beside,
    write_item,
)
from geosharp.errors import OutputError, UsageError
from geosharp.raster.opening import quietly
from tests.made import write_raster

SENSOR = {
    "GEOSHARP_SENSOR": "WorldView-2 (file name x (1).tif)",
    "GEOSHARP_METHOD": "glp",
    "GEOSHARP_VERSION": "9",
}


def make_result(path: Path, tags: dict[str, str] = SENSOR, **profile: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    write_raster(path, np.ones((4, 20, 30), np.uint16), photometric="MINISBLACK", **profile)
    with quietly(), rasterio.open(path, "r+") as raster:
        raster.update_tags(**tags)
        for band, name in enumerate(("blue", "green", "red", "nir1"), 1):
            raster.set_band_description(band, name)
    return path


def validate(item: dict[str, Any]) -> None:
    """By the schema of STAC 1.1 that pystac brings; extensions' schemas are on the network."""
    JsonSchemaSTACValidator().validate_core(item, pystac.STACObjectType.ITEM, "1.1.0")


def test_an_item_is_valid_and_true(tmp_path: Path) -> None:
    path = make_result(
        tmp_path / "x_fused.tif", SENSOR | {"TIFFTAG_DATETIME": "2020:06:01 12:00:00"}, nodata=0
    )
    item = write_item(path, "x_pan.tif", Origin("x_fused", "https://host/x.json"))
    assert json.loads(item_beside(path).read_text()) == item
    validate(item)
    read = pystac.Item.from_file(str(item_beside(path)))
    assert read.datetime == datetime(2020, 6, 1, 12, tzinfo=UTC)
    assert read.properties["platform"] == "worldview-2"
    assert read.properties["gsd"] == 1.0
    assert read.properties["processing:software"] == {"geosharp": "9"}
    (link,) = read.get_links("derived_from")
    assert link.href == "https://host/x.json"
    projection = ProjectionExtension.ext(read)
    assert (projection.code, projection.shape) == ("EPSG:32633", [20, 30])
    assert projection.transform == [1.0, 0.0, 500_000.0, 0.0, -1.0, 4_600_000.0]
    asset = read.assets["fused"]
    assert Path(asset.get_absolute_href() or "").samefile(path)
    file = FileExtension.ext(asset)
    assert file.checksum == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.size == path.stat().st_size
    bands = item["assets"]["fused"]["bands"]
    assert [band["eo:common_name"] for band in bands] == ["blue", "green", "red", "nir08"]
    assert bands[0] == {
        "name": "blue",
        "data_type": "uint16",
        "nodata": 0.0,
        "eo:common_name": "blue",
        "eo:center_wavelength": 0.48,
        "eo:full_width_half_max": 0.06,
    }


def test_the_geometry_is_the_results_ground(tmp_path: Path) -> None:
    item = describe_result(make_result(tmp_path / "x.tif"), "x", Origin("x"))
    ground = shape(item["geometry"])
    assert ground.exterior.is_ccw
    np.testing.assert_allclose(item["bbox"], ground.bounds)
    np.testing.assert_allclose(item["bbox"], (15.0, 41.55148, 15.00036, 41.55166), atol=1e-5)


@pytest.mark.parametrize(
    "profile",
    [
        {"crs": None},
        {"transform": None, "crs": None},
        {"crs": "EPSG:4326", "transform": from_origin(10, 50, 1e-5, 1e-5)},
        {"crs": "EPSG:32601", "transform": from_origin(100_000, 100_000, 3000, 3000)},
        {"crs": "+proj=laea +lat_0=10 +lon_0=20"},
        {"nodata": float("nan"), "dtype": "float32"},
    ],
    ids=["no CRS", "nowhere", "degrees", "date line", "no code", "NaN"],
)
def test_an_item_is_valid_wherever_the_result_lies(tmp_path: Path, profile: dict[str, Any]) -> None:
    item = describe_result(make_result(tmp_path / "x.tif", {}, **profile), "x", Origin("x"))
    validate(json.loads(json.dumps(item, allow_nan=False)))
    assert ("bbox" in item) == (item["geometry"] is not None) == (profile.get("crs", "") is not None)
    if profile.get("crs") == "EPSG:32601":
        west, _, east, _ = item["bbox"]
        assert west > 170
        assert east < -170


def test_times_are_the_items_else_the_names_else_all_there_is(tmp_path: Path) -> None:
    path = make_result(tmp_path / "x.tif")
    span = ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
    for pan, times, told in (
        ("20190304_101112_pan.tif", (span[0], span[0]), {"datetime": span[0]}),
        ("x", span, {"datetime": None, "start_datetime": span[0], "end_datetime": span[1]}),
        ("20190304_101112_pan.tif", ("", ""), {"datetime": "2019-03-04T10:11:12Z"}),
    ):
        item = describe_result(path, pan, Origin("x", times=times))
        validate(item)
        assert told.items() <= item["properties"].items()
    nothing = describe_result(path, "x", Origin("x"))["properties"]
    assert nothing["datetime"] is None
    assert nothing["start_datetime"] < nothing["end_datetime"] == nothing["created"]


def test_the_catalogue_holds_all_results_that_are_there(tmp_path: Path) -> None:
    paths = [make_result(tmp_path / name) for name in ("a.tif", "north/b.tif", "c.tif")]
    write_item(paths[0], "p", Origin("a"))
    kept = item_beside(paths[0]).stat().st_mtime_ns
    (tmp_path / "foreign.json").write_text('{"type": "Feature", "properties": {}}')
    (tmp_path / "broken.json").write_text("[" * 100_000)
    results = [(str(path), "p", Origin(path.stem)) for path in paths]
    assert complete_items(tmp_path, results) == []
    assert item_beside(paths[0]).stat().st_mtime_ns == kept
    paths[2].unlink()
    notes = complete_items(tmp_path, results[:2])
    assert notes == []
    collection = pystac.ItemCollection.from_file(str(tmp_path / "items.json"))
    assert [item.id for item in collection] == ["a", "b"]
    assert [item.assets["fused"].href for item in collection] == ["./a.tif", "./north/b.tif"]


def test_an_item_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_text("no raster")
    (note,) = complete_items(tmp_path, [(str(tmp_path / "x.tif"), "p", Origin("x"))])
    assert note.startswith("x.tif is without a STAC item")
    assert json.loads((tmp_path / "items.json").read_text())["features"] == []


def test_an_item_takes_no_other_files_place(tmp_path: Path) -> None:
    """A calibration, or the item that the scene is from; an item of an earlier result is replaced."""
    path = make_result(tmp_path / "x.tif")
    for text in ('{"kernel": 1}', '{"type": "Feature", "properties": {}, "assets": {}}', ""):
        item_beside(path).write_text(text)
        with pytest.raises(OutputError, match="no item of a result of geosharp"):
            write_item(path, "p", Origin("x"))
        (note,) = complete_items(tmp_path, [(str(path), "p", Origin("x"))])
        assert "no item of a result" in note
        assert item_beside(path).read_text() == text
    item_beside(path).unlink()
    write_item(path, "p", Origin("x"))
    assert write_item(path, "p", Origin("y"))["id"] == "y"


def test_a_result_that_is_gone_is_a_note(tmp_path: Path) -> None:
    path = make_result(tmp_path / "x.tif")
    write_item(path, "p", Origin("x"))
    path.unlink()
    (note,) = complete_items(tmp_path, [(str(path), "p", Origin("x"))])
    assert note.startswith("x.tif is without a STAC item")


def test_a_catalogue_takes_no_other_files_place(tmp_path: Path) -> None:
    check_catalogue(tmp_path, "")
    there = tmp_path / "items.json"
    there.write_text('{"type": "FeatureCollection", "features": []}')
    check_catalogue(tmp_path, str(tmp_path / "else"))
    with pytest.raises(UsageError, match="which the scenes are from"):
        check_catalogue(tmp_path, str(there))
    there.write_text("{}")
    with pytest.raises(OutputError, match="no catalogue"):
        check_catalogue(tmp_path, "")
