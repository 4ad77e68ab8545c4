"""What a batch may be given: files, a folder, a table, or STAC items."""

from __future__ import annotations

import os
from pathlib import Path

from geosharp.archive.stac import find_scenes, is_address
from geosharp.raster.pairing import Listing, Scenes, list_scenes

_DOCUMENTS = (".json", ".geojson")


def list_sources(scenes: Scenes) -> Listing:
    """The scenes that a caller means: as raster.pairing has them, or by STAC items in a JSON document, a file
    or at an http(s) address."""
    if isinstance(scenes, str | os.PathLike):
        name = os.fspath(scenes)
        if is_address(name) or (name.lower().endswith(_DOCUMENTS) and not Path(name).is_dir()):
            return find_scenes(name)
    return list_scenes(scenes)
