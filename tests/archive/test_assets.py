"""PAN and MS of a STAC item are found by what it says of its assets; addresses lead to files and servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geosharp.archive.assets import Unfit, find_assets, resolve

BASE = "https://host/items/a.json"


def asset(name: str, **told: Any) -> dict[str, Any]:
    return {"href": f"./{name}.tif", "type": "image/tiff; application=geotiff", **told}


def bands(*names: str, old: bool = False) -> dict[str, Any]:
    if old:
        return {"eo:bands": [{"name": "b", "common_name": name} for name in names]}
    return {"bands": [{"name": "b", "eo:common_name": name} for name in names]}


def find(assets: dict[str, Any], **item: Any) -> tuple[str, list[str]]:
    """Names of what was found."""
    found = find_assets({"id": "a", "assets": assets, **item}, BASE)
    names = [name.removeprefix("https://host/items/").removesuffix(".tif") for name in (found.pan, *found.ms)]
    return names[0], names[1:]


FOUR = ("blue", "green", "red", "nir")


@pytest.mark.parametrize(
    ("assets", "pan", "ms"),
    [
        ({"x": asset("x", **bands("pan")), "y": asset("y", **bands(*FOUR))}, "x", ["y"]),
        ({"x": asset("x", **bands("pan", old=True)), "y": asset("y", **bands(*FOUR, old=True))}, "x", ["y"]),
        ({"x": asset("x", roles=["panchromatic"]), "y": asset("y", roles=["multispectral"])}, "x", ["y"]),
        ({"pan": asset("x"), "ms": asset("y")}, "x", ["y"]),
        ({"ortho_panchromatic": asset("x"), "ortho_analytic": asset("y")}, "x", ["y"]),
        (
            {"pan": asset("x"), **{name: asset(name) for name in ("red", "nir", "blue")}},
            "x",
            ["blue", "red", "nir"],
        ),
        (
            {"B8": asset("p", **bands("pan")), **{k: asset(k, **bands(k)) for k in ("swir16", "green")}},
            "p",
            ["green", "swir16"],
        ),
        (
            {"pan": asset("x"), "pan_jp2": {"href": "./j.jp2", "type": "image/jp2"}, "ms": asset("y")},
            "x",
            ["y"],
        ),
        ({"pan": asset("x"), "ms": asset("y"), "thumbnail": asset("t", roles=["thumbnail"])}, "x", ["y"]),
        (
            {"pan": asset("x"), "ms": asset("y"), "visual": asset("v", roles=["visual"], **bands(*FOUR[:3]))},
            "x",
            ["y"],
        ),
        (
            {"pan": asset("x"), "ms": asset("y"), "pan_meta": {"href": "./m.xml", "type": "application/xml"}},
            "x",
            ["y"],
        ),
        ({"pansharpened": asset("x"), "ms": asset("y")}, "", ["y"]),
        ({"dem": asset("x")}, "", []),
    ],
)
def test_pan_and_ms_are_found(assets: dict[str, Any], pan: str, ms: list[str]) -> None:
    assert find(assets) == (pan, ms)


def test_numbers_of_bands_are_landsats_where_the_item_is() -> None:
    assets = {f"B{number}": asset(f"B{number}") for number in range(1, 12)}
    of_landsat = find(assets, id="LC08_L1TP_034032")
    assert of_landsat == ("B8", [f"B{number}" for number in range(1, 8)])
    assert find(assets, properties={"platform": "landsat-8"}) == of_landsat
    # Sentinel-2's eighth is near infrared.
    assert find(assets, id="S2A_MSIL1C") == ("", [])


def test_bands_of_another_size_are_left_out() -> None:
    assets = {name: asset(name, gsd=30) for name in FOUR} | {
        "coastal": asset("coastal", gsd=60),
        "pan": asset("p"),
    }
    assert find(assets) == ("p", list(FOUR))


@pytest.mark.parametrize(
    ("assets", "why"),
    [
        ({"pan": asset("a"), "pan_2": asset("b")}, "several of its assets could be PAN: pan, pan_2"),
        ({"ms": asset("a", **bands(*FOUR)), "mss": asset("b", **bands(*FOUR))}, "could be MS: ms, mss"),
        ({"red": asset("a"), "b": asset("b", **bands("red"))}, "could be band red"),
        ({str(n): asset("a") for n in range(2000)}, "2000 assets"),
    ],
    ids=["pan", "ms", "band", "many"],
)
def test_where_several_could_be_meant_none_is(assets: dict[str, Any], why: str) -> None:
    with pytest.raises(Unfit, match=why):
        find(assets)


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"assets": None},
        {"assets": [1]},
        {"assets": {"pan": None, "ms": 3}},
        {"assets": {"pan": {"href": None}, "ms": {"href": ["x"]}}},
        {
            "assets": {
                "x": asset("x", bands=3, roles=3),
                "y": asset("y", bands=[None, 3, {}], roles=[None, {}]),
            }
        },
        {
            "assets": {"x": {**asset("x"), "eo:bands": [{"common_name": {}}], "type": 4}},
            "properties": [],
            "id": {},
        },
    ],
)
def test_what_is_of_wrong_types_tells_nothing(item: dict[str, Any]) -> None:
    assert find_assets(item, BASE).pan == ""


HOSTILE = [
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "/vsizip/x.zip/a.tif",
    "/vsicurl/http://host/a.tif",
    "/vsisubfile/0_10,/etc/passwd",
    "GTIFF_RAW:a.tif",
    "NETCDF:a.nc:x",
    "WMS:http://host/?x",
    "vrt:///etc/passwd",
    "data:image/tiff;base64,AAAA",
    "ftp://host/a.tif",
    "gs://bucket/a.tif",
    "http:a.tif",
    "https:///a.tif",
    "https://[/a.tif",
    "https://host/a.vrt",
    "https://host/a.VRT?x=1",
    "s3://bucket/a.xml",
    "<VRTDataset></VRTDataset>",
    " <VRTDataset/>",
    "C:\\a.tif",
    "..\\a.tif",
    "a.tif\0",
    "a\n.tif",
    "",
    "x" * 5000,
]


@pytest.mark.parametrize("href", HOSTILE, ids=[repr(href[:24]) for href in HOSTILE])
@pytest.mark.parametrize("base", ["remote", "local"])
def test_what_gdal_would_take_for_more_than_a_file_is_refused(tmp_path: Path, base: str, href: str) -> None:
    # Beside an address these are names on its server.
    if base == "remote" and href.startswith(("/vsi", "GTIFF_RAW", "..\\", "<")):
        assert resolve(href, BASE).startswith("https://host/")
        return
    with pytest.raises(Unfit):
        resolve(href, BASE if base == "remote" else str(tmp_path / "a.json"))


@pytest.mark.parametrize("href", ["GTIFF_RAW:a.tif", "C:\\a.tif", "<a.tif", "a:b/c.tif"])
def test_such_a_name_is_refused_though_there_is_a_file_of_it(tmp_path: Path, href: str) -> None:
    path = tmp_path / href
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"pixels")
    with pytest.raises(Unfit, match=r"more than a file's name|neither a file nor an address"):
        resolve(href, str(tmp_path / "a.json"))


@pytest.mark.parametrize(
    ("base", "href", "there"),
    [
        (BASE, "./x.tif", "https://host/items/x.tif"),
        (BASE, "../x.tif?sig=1", "https://host/x.tif?sig=1"),
        (BASE, "/etc/passwd", "https://host/etc/passwd"),
        (BASE, "//other/x.tif", "https://other/x.tif"),
        (BASE, "s3://bucket/x.tif", "s3://bucket/x.tif"),
        ("s3://bucket/i/a.json", "x.tif", "s3://bucket/i/x.tif"),
        ("s3://bucket/i/a.json", "/etc/passwd", "s3://bucket/etc/passwd"),
        ("/data/a.json", "https://host/x.tif", "https://host/x.tif"),
    ],
)
def test_what_is_from_a_server_stays_on_servers(base: str, href: str, there: str) -> None:
    assert resolve(href, base) == there


def test_what_is_from_a_file_is_beside_it_or_has_its_whole_path(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(b"pixels")
    (tmp_path / "sub").mkdir()
    base = str(tmp_path / "sub" / "a.json")
    for href in ("../x.tif", str(tmp_path / "x.tif")):
        assert Path(resolve(href, base)).samefile(tmp_path / "x.tif")
    with pytest.raises(Unfit, match="no such file"):
        resolve("./x.tif", base)
