"""A small scene made ready to learn from, and a recipe as small."""

from __future__ import annotations

from pathlib import Path

from geosharp.imaging.degradation import Degradation
from geosharp.raster.scene import open_scene
from geosharp.tuning.ground import Ground, prepare
from geosharp.tuning.recipe import Recipe
from tests.made import make_pair

# The least that gives four places at this ratio and blur.
SHAPE = (352, 328)
BLUR = Degradation.alike([0.3, 0.35, 0.3], 0.15, (0.5, -0.25))
TINY = Recipe(steps=4, batch=2, side=32, margin=4, checks=2, rates=(1e-3, 1e-3))


def make_ground(folder: Path, seed: int = 0, bands: int = 3) -> Ground:
    """Four bands or fewer at ratio 4, half a pixel off."""
    pan, ms = make_pair(folder, pan_shape=SHAPE, bands=bands, seed=seed, offset=(0.5, -0.25))
    place = folder / "coarse"
    place.mkdir()
    blur = Degradation(BLUR.gains[:1] * bands, BLUR.pan_gain, BLUR.shift)
    return prepare(open_scene(pan, ms), blur, place, seed=seed)
