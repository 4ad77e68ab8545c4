"""Scenes are found in STAC items, of files and servers; what is hostile is left out or one message."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geosharp.archive import stac
from geosharp.archive.sources import list_sources
from geosharp.errors import InputError
from geosharp.raster.pairing import Listing

TIME = "2020-06-01T12:00:00Z"


def item(called: str, *assets: str, **told: Any) -> dict[str, Any]:
    """An item with assets of these keys at a server."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": called,
        "geometry": None,
        "bbox": told.pop("bbox", [10.0, 50.0, 11.0, 51.0]),
        "properties": {"datetime": told.pop("time", TIME)},
        "links": told.pop("links", []),
        "assets": {key: {"href": f"https://host/{called}_{key}.tif"} for key in assets},
        **told,
    }


def collect(*items: Any, **told: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(items), **told}


def read(folder: Path, document: Any) -> Listing:
    path = folder / "items.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return list_sources(path)


class Handler(BaseHTTPRequestHandler):
    """Answers with what `answers` has for a path."""

    answers: dict[str, tuple[int, bytes]]

    def do_GET(self) -> None:
        status, content = self.answers.get(self.path, (404, b""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if status != 302 else 0))
        if status == 302:
            self.send_header("Location", content.decode())
        self.end_headers()
        if status != 302:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """An address, and what is answered there by path."""
    answers: dict[str, tuple[int, bytes]] = {}
    serving = HTTPServer(("127.0.0.1", 0), type("_", (Handler,), {"answers": answers}))
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}", answers
    serving.shutdown()
    serving.server_close()
    thread.join()


def test_an_item_and_a_collection_hold_scenes(tmp_path: Path) -> None:
    (scene,) = read(tmp_path, item("a", "pan", "ms")).scenes
    assert (scene.pan, scene.ms) == ("https://host/a_pan.tif", ("https://host/a_ms.tif",))
    assert (scene.name, scene.rule, scene.times) == ("a", "by STAC item", (TIME, TIME))
    listing = read(tmp_path, collect(item("a", "pan", "ms"), item("b", "dem"), item("c", "pan", "ms")))
    assert [scene.name for scene in listing.scenes] == ["a", "c"]
    assert [(stray.file, stray.why) for stray in listing.strays] == [
        ("b", "has neither a PAN asset nor MS assets")
    ]
    assert listing.scenes[1].place.endswith("items.json, item c")


def test_addresses_count_from_the_items_self_link_or_from_the_document(tmp_path: Path) -> None:
    relative = {"pan": {"href": "./p.tif"}, "ms": {"href": "../m.tif"}}
    link = [{"rel": "self", "href": "https://there/x/a.json"}]
    (scene,) = read(tmp_path, item("a", assets=relative, links=link)).scenes
    assert (scene.pan, scene.ms, scene.source) == (
        "https://there/x/p.tif",
        ("https://there/m.tif",),
        "https://there/x/a.json",
    )
    (tmp_path / "sub").mkdir()
    for name in ("sub/p.tif", "m.tif"):
        (tmp_path / name).write_bytes(b"pixels")
    hostile = [{"rel": "self", "href": "file:///etc/a.json"}]
    (local,) = read(tmp_path / "sub", item("a", assets=relative, links=hostile)).scenes
    assert Path(local.pan).samefile(tmp_path / "sub" / "p.tif")


def test_pan_and_ms_may_be_items_of_their_own(tmp_path: Path) -> None:
    document = collect(
        item("p1", "pan"),
        item("m1", "ms", time="2020-06-01T12:00:03+00:00", bbox=[10.1, 50.0, 11.1, 51.0]),
        item("p2", "pan", bbox=[0, 0, 1, 1]),
        item("m2", "ms", bbox=[0.9, 0, 1.9, 1]),
        item("m3", "ms", time="2020-06-01T12:01:00Z"),
        item("p4", "pan", bbox=None),
        item("p5", "pan", bbox=[179.5, 0, -179.5, 1]),
        item("m5", "ms", bbox=[179.5, 0, 0, -179.6, 1, 9]),
    )
    listing = read(tmp_path, document)
    found = [(Path(scene.pan).name, Path(scene.ms[0]).name) for scene in listing.scenes]
    assert found == [("p1_pan.tif", "m1_ms.tif"), ("p5_pan.tif", "m5_ms.tif")]
    assert {stray.file for stray in listing.strays} == {"p2", "m2", "m3", "p4"}
    assert listing.scenes[0].rule == "by STAC items' time and place"


def test_where_either_of_two_items_could_be_meant_neither_is(tmp_path: Path) -> None:
    document = collect(item("a", "pan", "ms"), item("p", "pan"), item("m", "ms"), item("n", "ms"))
    listing = read(tmp_path, document)
    assert [scene.name for scene in listing.scenes] == ["a"]
    assert [stray.file for stray in listing.strays] == ["p", "m", "n"]
    assert "several items" in listing.strays[0].why
    pans = collect(item("a", "pan", "ms"), item("p", "pan"), item("q", "pan"), item("m", "ms"))
    assert [stray.file for stray in read(tmp_path, pans).strays] == ["p", "q", "m"]


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("../../etc/x", "etc_x"),
        ("/abs", "abs"),
        ("a\0b\n", "a_b"),
        ("...", "item"),
        ("x" * 500, "x" * 120),
        ("S2:a b", "S2_a_b"),
        ("ä" * 200, "ä" * 60),
    ],
)
def test_an_id_becomes_a_plain_name(tmp_path: Path, called: str, name: str) -> None:
    document = item("a", "pan", "ms") | {"id": called}
    assert read(tmp_path, document).scenes[0].name == name


def test_two_items_of_one_name_do_not_share_a_result(tmp_path: Path) -> None:
    listing = read(tmp_path, collect(item("A b", "pan", "ms"), item("a_b", "pan", "ms")))
    assert [scene.name for scene in listing.scenes] == ["A_b"]
    assert listing.strays[0].why == "another item is called the same"


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type": ' + "9" * 5000 + "}",
        "<VRTDataset/>",
        {"type": "Catalog", "links": []},
        {"type": ["FeatureCollection"], "features": []},
        collect(),
        {"type": "FeatureCollection", "features": {}},
        collect(None, 3, [], "x", {}),
        collect(
            {"type": "Feature"}, {"type": "Feature", "links": 3, "properties": 3, "assets": 3, "bbox": {}}
        ),
        collect(item("a", "pan", bbox=[float("nan")] * 4), item("b", "ms", bbox=[10**400, 0, 1, 1])),
        collect(item("a", "pan", time="0001-01-01T00:00:00+23:00"), item("b", "ms", time="9" * 1000)),
        collect(
            item("a", "pan", time=[]),
            item("b", "ms", time=None, links=[None, {"rel": "self", "href": "http://["}]),
        ),
    ],
    ids=range(18),
)
def test_what_holds_no_scene_is_one_message(tmp_path: Path, document: Any) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, document)
    assert caught.value.subject == str(tmp_path / "items.json")
    assert len(str(caught.value)) < 1000


def test_hostile_items_are_left_out_and_others_stay(tmp_path: Path) -> None:
    hrefs = ["file:///etc/passwd", "/vsizip/x/y.tif", "GTIFF_RAW:x.tif", "<VRTDataset/>"]
    hostile = [
        item(str(number), assets={"pan": {"href": href}, "ms": {"href": "https://host/m.tif"}})
        for number, href in enumerate(hrefs)
    ]
    listing = read(tmp_path, collect(*hostile, item("good", "pan", "ms")))
    assert [scene.name for scene in listing.scenes] == ["good"]
    assert len(listing.strays) == len(hrefs)


def test_parts_of_items_changed_at_random_never_end_otherwise(tmp_path: Path) -> None:
    """Every outcome is a listing or one InputError."""
    chance = np.random.default_rng(0)
    whole = json.dumps(collect(item("a", "pan", "ms"), item("p", "pan"), item("m", "ms"))).encode()
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.integers(1, 4)):
            at = chance.integers(len(content))
            content[at : at + chance.integers(1, 9)] = chance.choice([b"null", b"[]", b"{}", b"9e999", b'"'])
        (tmp_path / "items.json").write_bytes(content)
        try:
            listing = list_sources(tmp_path / "items.json")
        except InputError:
            continue
        assert all(scene.pan.startswith(("https://", str(tmp_path))) for scene in listing.scenes)


def test_a_server_is_asked(server: tuple[str, dict[str, tuple[int, bytes]]]) -> None:
    address, answers = server
    relative = item("a", assets={"pan": {"href": "p.tif"}, "ms": {"href": "/etc/passwd"}})
    answers["/x/items"] = 200, json.dumps(collect(relative, links=[{"rel": "next", "href": "2"}])).encode()
    answers["/moved"] = 302, f"{address}/x/items".encode()
    listing = list_sources(f"{address}/x/items")
    # What a server says leads to no file here.
    assert listing.scenes[0].pan == f"{address}/x/p.tif"
    assert listing.scenes[0].ms == (f"{address}/etc/passwd",)
    assert "one page of several" in listing.notes[0]
    assert list_sources(f"{address}/moved").scenes[0].pan == f"{address}/x/p.tif"


def test_what_a_server_cannot_or_must_not_answer_is_one_message(
    server: tuple[str, dict[str, tuple[int, bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, answers = server
    answers["/file"] = 302, b"file:///etc/passwd"
    answers["/large"] = 200, b" " * 2**20
    monkeypatch.setattr(stac, "MOST_BYTES", 2**19)
    for path, found in (("/none", "HTTP 404"), ("/file", "cannot be fetched"), ("/large", "more than 0 MiB")):
        with pytest.raises(InputError) as caught:
            list_sources(address + path)
        assert found in caught.value.found
    with pytest.raises(InputError, match="cannot be fetched"):
        list_sources("http://127.0.0.1:1/x")
    monkeypatch.setattr(stac, "_WHOLE_S", -1.0)
    with pytest.raises(InputError, match="more than -1 s"):
        list_sources(f"{address}/large")
