"""A run is told apart by its scenes, its base and its settings, and by nothing else."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import rasterio

from geosharp.hfreqdiff.checkpoint import Model, load
from geosharp.raster.scene import Scene, open_scene
from geosharp.tuning.identity import hash_files, identify, settings_in
from geosharp.tuning.recipe import Recipe
from tests.hfreqdiff.made_model import make_model


def tell(scenes: list[Scene], base: Model | None, recipe: Recipe, *, align: bool) -> dict[str, str]:
    return identify(scenes, [hash_files(scene) for scene in scenes], base, recipe, align=align)


def test_files_are_known_by_what_is_in_them_wherever_they_lie(
    made_pair: tuple[Path, Path], tmp_path: Path
) -> None:
    scene = open_scene(*made_pair)
    moved = open_scene(*(shutil.copy(path, tmp_path) for path in made_pair))
    wanted = tell([scene], None, Recipe(), align=True)
    assert hash_files(scene)[str(made_pair[0])] == hashlib.sha256(made_pair[0].read_bytes()).hexdigest()
    assert tell([moved], None, Recipe(), align=True) == wanted
    viewed = tmp_path / f"{made_pair[1].name}.aux.xml"
    viewed.write_text('<PAMDataset><Metadata><MDI key="STATISTICS_MEAN">7</MDI></Metadata></PAMDataset>')
    assert str(viewed) in open_scene(*(tmp_path / path.name for path in made_pair)).files
    assert (
        tell([open_scene(*(tmp_path / path.name for path in made_pair))], None, Recipe(), align=True)
        == wanted
    )
    with rasterio.open(tmp_path / made_pair[1].name, "r+") as raster:
        data = raster.read()
        data[0, 0, 0] += 1
        raster.write(data)
    changed = tell([moved], None, Recipe(), align=True)
    assert {name for name in wanted if wanted[name] != changed[name]} == {"scene 1"}


def test_all_that_decides_weights_is_told(made_pair: tuple[Path, Path], tmp_path: Path) -> None:
    scene = open_scene(*made_pair)
    model = load(make_model(tmp_path))
    whole = tell([scene], model, Recipe(), align=True)
    others = {
        "base": tell([scene], None, Recipe(), align=True),
        "setting align": tell([scene], model, Recipe(), align=False),
        "setting seed": tell([scene], model, Recipe(seed=1), align=True),
        "scene 1": tell([replace(scene, bands=scene.bands[:2])], model, Recipe(), align=True),
        "scene 2": tell([scene, scene], model, Recipe(), align=True),
    }
    for name, other in others.items():
        assert {key for key in {*whole, *other} if whole.get(key) != other.get(key)} == {name}
    assert settings_in(whole) == {
        name: value for name, value in Recipe().identity.items() if value != "None"
    } | {"align": "True"}


def test_what_is_no_file_has_no_hash(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    far = replace(scene, pan=replace(scene.pan, files=("/vsicurl/https://example.org/pan.tif",)))
    assert hash_files(far)["/vsicurl/https://example.org/pan.tif"] == ""
