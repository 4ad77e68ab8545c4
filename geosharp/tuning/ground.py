"""A scene made ready to learn from: coarsened once, its constants learnt, some of its places kept aside."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geosharp.engine.sampling import sample_moments
from geosharp.engine.tensors import optics_of
from geosharp.errors import PairError
from geosharp.imaging.classic import Moments, Optics
from geosharp.imaging.computing import computing
from geosharp.imaging.degradation import Degradation
from geosharp.imaging.resample import Axis
from geosharp.quality.reduced import reduce_scene
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene, SceneReader
from geosharp.tuning.places import Places, choose_places, needed_for

# Places kept aside: of a scene, and of all scenes together unless they are more.
_MOST_OF_SCENE, _MOST = 12, 36


@dataclass(frozen=True)
class Ground:
    """coarse: the scene at reduced resolution, whose PAN lies on the scene's MS pixels; both lie where their
    content is. errors: of the kernels' gains (rows, cols) and of the shift (down, right), None where nobody
    knows. Holds nothing that grows with the scene but a list of its blocks."""

    scene: Scene
    coarse: Scene
    degradation: Degradation
    errors: tuple[float, float, float | None, float | None] | None
    places: Places
    moments: Moments
    coarse_moments: Moments

    @property
    def optics(self) -> Optics:
        return optics_of(self.scene, self.degradation)

    @property
    def coarse_optics(self) -> Optics:
        return optics_of(self.coarse, self.degradation)


def prepare(
    scene: Scene,
    degradation: Degradation,
    folder: Path,
    *,
    errors: tuple[float, float, float | None, float | None] | None = None,
    seed: int = 0,
    scenes: int = 1,
) -> Ground:
    """Coarsen `scene` by its degradation into `folder`, and choose its places; scenes: how many there are.

    Raises PairError where it is too small, or too little of it is valid.
    """
    scene = scene.aligned(degradation.shift)
    (ry, rx), (oy, ox) = scene.relation.ratio, scene.relation.offset
    reach = degradation.reach((Axis(ry, oy), Axis(rx, ox)))
    guard = 1 + max(math.ceil(pixels / ratio) for pixels, ratio in zip(reach, (ry, rx), strict=True))
    with computing():
        coarse = reduce_scene(scene, degradation, folder).aligned(degradation.shift)
    area = scene.relation.ms_rect(scene.area).intersect(scene.ms_grid.rect)
    most = max(1, min(_MOST_OF_SCENE, _MOST // scenes))
    with SceneReader(scene) as reader, SceneReader(coarse) as coarse_reader:

        def share_valid(rect: Rect) -> float:
            masks = (reader.read_ms(rect)[1], coarse_reader.read_pan(rect)[1])
            there = [mask.all(0) for mask in masks if mask is not None]
            return float(np.logical_and.reduce(there).mean()) if there else 1.0

        places = choose_places(area, guard, share_valid, seed=seed, most=most)
    if isinstance(places, str):
        raise PairError(
            f"{scene.pan.name} and {scene.ms[0].name}",
            places,
            needed_for(guard),
            "leave this scene out, or give a larger one",
        )
    return Ground(
        scene,
        coarse,
        degradation,
        errors,
        places,
        sample_moments(scene, degradation),
        sample_moments(coarse, degradation),
    )
