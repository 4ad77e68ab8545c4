"""A page is one file: nothing from outside, nothing that breaks out of its place, never too large."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources

import numpy as np
import pytest

from geosharp.errors import ResourceError
from geosharp.quality.report import packing
from geosharp.quality.report.content import Band, Fact, Layer, ReportData, Spectra, View
from geosharp.quality.report.page import LIMIT, render
from geosharp.quality.survey.maps import Maps
from geosharp.raster.grid import Rect
from geosharp.raster.output.encode import encode_webp
from tests.made import texture
from tests.quality.report.made import FALSE, TRUE, make_histogram, make_report, make_view

EVIL = "</script><script>alert('{{data}}')</script><!-- \u2028 & ]]>"


def read_data(html: str) -> dict[str, object]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    return json.loads(text)


def test_a_page_asks_for_nothing_outside_itself() -> None:
    html = render(make_report())
    # A name space is an identifier, not an address that is fetched.
    assert set(re.findall(r"https?://[^\"'\s]*", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"\b(?:src|srcset)\s*=\s*[\"']|@import|url\((?!#)|<link", html)
    assert set(re.findall(r'href="([^"]*)"', html)) == {
        f"#{name}" for name in ("pictures", "scores", "disagreement", "histograms", "seams", "provenance")
    }


def test_only_its_own_script_may_run() -> None:
    html = render(make_report())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', html, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy


def test_no_text_breaks_out_of_its_place() -> None:
    view = make_view("Whole scene", Rect(0, 0, 64, 64))
    layers = tuple(Layer(f"{EVIL}{number}", layer.pictures) for number, layer in enumerate(view.layers))
    data = make_report(
        title=EVIL,
        summary=EVIL,
        method=EVIL,
        views=(View(EVIL, view.rect, layers, view.spectra, note=EVIL),),
        bands=tuple(Band(f"{EVIL}{number}") for number in range(4)),
        lineage=(Fact(EVIL, EVIL),),
    )
    html = render(data)
    assert html.count("<script") == 2
    assert html.count("</script>") == 2
    assert "alert('{{data}}')" not in html.replace("\\u003cscript\\u003ealert('{{data}}')", "")
    views = read_data(html)["views"]
    assert isinstance(views, list)
    assert views[0]["title"] == views[0]["note"] == EVIL


def test_what_is_absent_has_no_section() -> None:
    bare = make_report(
        **dict.fromkeys(("scene", "parameters", "lineage", "scores", "maps", "histograms"), ()),
        method="",
        summary="",
        seams=None,
    )
    html = render(bare)
    assert re.findall(r'<section id="(\w+)"', html) == ["pictures"]
    assert re.findall(r'<section id="(\w+)"', render(make_report())) == [
        *("pictures", "scores", "disagreement", "histograms", "seams", "provenance")
    ]


def test_each_layer_finds_its_picture() -> None:
    data = read_data(render(make_report()))
    views, pictures = data["views"], data["pictures"]
    assert isinstance(views, list)
    assert isinstance(pictures, list)
    places = [place for view in views for layer in view["layers"] for place in layer["pictures"].values()]
    assert places == list(range(len(pictures)))
    assert len(pictures) == 10
    assert list(views[0]["layers"][0]["pictures"]) == [TRUE, FALSE]
    assert list(views[0]["layers"][1]["pictures"]) == ["PAN"]


def test_the_page_stays_under_its_limit_and_says_what_that_cost() -> None:
    data = make_report()
    whole = len(render(data).encode())
    bare = len(render(data).encode()) - sum(map(len, read_data(render(data))["pictures"]))  # type: ignore[call-overload]
    tight = bare + (whole - bare) // 3
    html = render(data, tight)
    assert len(html.encode()) <= tight < whole
    assert "quality 92 of 100" in render(data)
    assert "quality 92 of 100" not in html
    with pytest.raises(ResourceError, match="without its pictures"):
        render(data, bare // 2)


def test_many_bands_leave_room_for_the_pictures() -> None:
    """The whole and six windows of 24 bands, noise all over."""
    noise = np.random.default_rng(0).random((24, 320, 320), np.float32)
    rects = [Rect(0, 0, 4000, 4000), *(Rect(512 * number, 0, 512, 512) for number in range(6))]
    layers = make_view("", rects[1]).layers
    cube = noise[:, :160, :160]
    views = tuple(View(f"View {n}", rect, layers, Spectra(cube, cube)) for n, rect in enumerate(rects))
    bands = tuple(Band(f"band {number}") for number in range(len(noise)))
    groups = [{band.name: values for band, values in zip(bands, noise, strict=True)}] * 2
    maps = tuple(Maps("Against MS", group, signed=True) for group in groups)
    assert len(render(ReportData("Many", views, bands=bands, maps=maps)).encode()) <= 0.7 * LIMIT


@pytest.mark.slow
def test_the_page_of_a_large_scene_stays_under_fifteen_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five layers in two renderings of the whole and of four windows, eight bands, noise all over."""
    known: dict[tuple[bytes, int], bytes] = {}

    def encode_once(picture: np.ndarray, quality: int) -> bytes:
        key = picture.tobytes(), quality
        known[key] = known.get(key) or encode_webp(picture, quality)
        return known[key]

    # The same two pictures fill all places, which take room as others would.
    monkeypatch.setattr(packing, "encode_webp", encode_once)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (3, 1024, 1024)).astype(np.uint8) // 8
    detail = np.rint(220 * texture((1024, 1024))).astype(np.uint8) + noise
    pictures = {TRUE: detail, FALSE: detail[::-1]}
    layers = tuple(Layer(f"Layer {number}", pictures) for number in range(5))
    cube = rng.uniform(0, 2047, (8, 160, 160))
    side = 20_000
    rects = [Rect(0, 0, side, side), *(Rect(row, 4096, 1024, 1024) for row in range(0, 16_000, 4000))]
    views = tuple(View(f"View {n}", rect, layers, Spectra(cube, cube)) for n, rect in enumerate(rects))
    bands = tuple(Band(f"band {number}") for number in range(8))
    maps = Maps("Against MS", {band.name: cube[0] for band in bands}, signed=True)
    histograms = tuple(make_histogram(band.name, 2000) for band in bands)
    data = ReportData("Large", views, bands=bands, maps=(maps,), histograms=histograms)
    size = len(render(data).encode())
    assert 0.5 * LIMIT < size <= LIMIT == 15_000_000


def test_the_page_is_packed_with_the_library() -> None:
    names = {entry.name for entry in resources.files("geosharp.quality.report").iterdir()}
    assert {"viewer.html", "viewer.css", "basics.js", "maps.js", "spectrum.js", "viewer.js"} <= names
