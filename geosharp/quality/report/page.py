"""One HTML file that shows a report, without anything from outside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from importlib import resources
from typing import Any

from geosharp.errors import ResourceError
from geosharp.quality.report.content import Fact, Picture, ReportData, View
from geosharp.quality.report.packing import Album, pack_cube, pack_maps, pack_pictures
from geosharp.quality.report.sections import show_facts, show_histograms, show_maps, show_scores, show_seams
from geosharp.version import __version__

# Mail servers turn larger attachments away.
LIMIT = 15_000_000
# Later scripts use the earlier ones.
_SCRIPTS = ("basics.js", "maps.js", "spectrum.js", "viewer.js")
_NO_PICTURES = Album((), 1, 100)


def render(data: ReportData, limit: int = LIMIT) -> str:
    """The page, at most `limit` bytes of UTF-8: pictures are encoded as well as the limit allows."""
    payload = _pack(data)
    bare = len(_fill(data, payload, _NO_PICTURES).encode("utf-8"))
    pictures = [picture for view in data.views for picture in _pictures(view)]
    # What each picture adds to the page around its own text, and the sentence on its encoding.
    frame = 4 * len(pictures) + 200
    if bare + frame > limit:
        raise ResourceError(
            "report",
            f"{bare / 1e6:.1f} MB without its pictures",
            f"less than {limit / 1e6:.1f} MB",
            "report on fewer bands (--bands)",
        )
    return _fill(data, payload, pack_pictures(pictures, limit - bare - frame))


def _pictures(view: View) -> list[Picture]:
    return [picture for layer in view.layers for picture in layer.pictures.values()]


def _pack(data: ReportData) -> dict[str, Any]:
    """What the scripts read, but for the pictures: layers hold their places in the album."""
    views, place = [], 0
    for view in data.views:
        layers = []
        for layer in view.layers:
            places = {name: place + index for index, name in enumerate(layer.pictures)}
            layers.append({"title": layer.title, "pictures": places})
            place += len(places)
        rect = {key: getattr(view.rect, key) for key in ("row", "col", "height", "width")}
        spectra = view.spectra and pack_cube([view.spectra.ms, view.spectra.fused])
        views.append(
            {"title": view.title, "note": view.note, "rect": rect, "layers": layers, "spectra": spectra}
        )
    maps = [
        {
            **pack_maps(list(group.maps.values()), signed=group.signed),
            "signed": group.signed,
            "unit": group.unit,
        }
        for group in data.maps
    ]
    bands = [{"name": band.name, "wavelength": band.wavelength} for band in data.bands]
    return {
        "pixelSize": data.pixel_size,
        "bands": bands,
        "renderings": data.renderings,
        "views": views,
        "maps": maps,
    }


def _fill(data: ReportData, payload: dict[str, Any], album: Album) -> str:
    present = _sections(data, payload)
    links = [f'<a href="#{key}">{title}</a>' for key, (title, _) in present.items()]
    bodies = [
        f'<section id="{key}"><h2>{title}</h2>{body}</section>' for key, (title, body) in present.items()
    ]
    script = "\n".join(_read(name) for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    parts = {
        "generator": f"geosharp {__version__}",
        "title": escape(data.title),
        "summary": f'<p class="lead">{escape(data.summary)}</p>' if data.summary else "",
        "links": "".join(['<a href="#pictures">Pictures</a>', *links]),
        "sections": "\n".join(bodies),
        "footer": escape(_describe(album)),
        "style": _read("viewer.css"),
        "script_hash": f"sha256-{digest}",
        "script": script,
        "data": _to_json({**payload, "pictures": album.uris}),
    }
    # In one pass: what is put in is never searched for places to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _read("viewer.html"))


def _sections(data: ReportData, payload: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Anchor -> title and content of those sections that have something to show."""
    maps = enumerate(zip(data.maps, payload["maps"], strict=True))
    method = [Fact("Method", data.method)] if data.method else []
    facts = {"Scene": data.scene, "Method": [*method, *data.parameters], "Lineage": data.lineage}
    every = {
        "scores": ("Scores", "".join(show_scores(scores) for scores in data.scores)),
        "disagreement": (
            "Disagreement",
            "".join(show_maps(group, each["low"], each["high"], number) for number, (group, each) in maps),
        ),
        "histograms": ("Histograms", show_histograms(data.histograms, data.unit) if data.histograms else ""),
        "seams": ("Seams", show_seams(data.seams) if data.seams else ""),
        "provenance": ("Scene and method", show_facts(facts) if any(facts.values()) else ""),
    }
    return {anchor: titled for anchor, titled in every.items() if titled[1]}


def _describe(album: Album) -> str:
    shrunk = f", at 1/{album.shrink} of their size," if album.shrink > 1 else ""
    return (
        f"Made by geosharp {__version__}. Pictures are stretched and lossy (WebP{shrunk} at quality "
        f"{album.quality} of 100): they are for looking. Scores, maps, histograms and spectra come from the "
        "values themselves."
    )


def _to_json(value: object) -> str:
    """JSON that stays inside its script element whatever it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return resources.files("geosharp.quality.report").joinpath(name).read_text(encoding="utf-8")
