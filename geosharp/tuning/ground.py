"""A scene made ready to learn from: coarsened once, its constants learnt, some of its places kept aside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from geosharp.raster.overlap import locate
from geosharp.raster.scene import Scene, SceneReader
from geosharp.tuning.places import SOME, Places, choose_places, hide, needed_for

# Places kept aside: of a scene, and of all scenes together unless they are more.
_MOST_OF_SCENE, _MOST = 12, 36
# Places from which on those that choose the weights are not those that judge them.
_ENOUGH = 8


@dataclass(frozen=True)
class Ground:
    """coarse: the scene at reduced resolution, whose PAN lies on the scene's MS pixels; both lie where their
    content is. errors: of the kernels' gains (rows, cols) and of the shift (down, right), None where nobody
    knows. hidden: MS pixels that nothing that learns may see: those kept aside here, and in scenes of the
    same ground. Holds nothing that grows with the scene but a list of its blocks."""

    scene: Scene
    coarse: Scene
    degradation: Degradation
    errors: tuple[float, float, float | None, float | None] | None
    places: Places
    hidden: tuple[Rect, ...]
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
            "give a larger scene in its place",
        )
    return Ground(
        scene,
        coarse,
        degradation,
        errors,
        places,
        places.held,
        sample_moments(scene, degradation),
        sample_moments(coarse, degradation),
    )


def hide_across(grounds: Sequence[Ground]) -> tuple[list[Ground], int]:
    """Hide in each ground what any of them keeps aside; and how many lie on the ground of another.

    Scenes without georeference cannot be compared. Raises PairError where a scene has nothing left.
    """
    found, overlapping = [], 0
    for ground in grounds:
        others = [other for other in grounds if other is not ground and _meet(other, ground)]
        overlapping += bool(others)
        hidden = ground.hidden + tuple(part for other in others for part in _hidden_by(other, ground))
        taught = tuple(block for block in ground.places.taught if _share_seen(block, hidden) >= SOME)
        if not taught:
            raise PairError(
                f"{ground.scene.pan.name} and {ground.scene.ms[0].name}",
                "nothing but what other scenes of the same ground keep aside",
                "some ground to learn from",
                "leave this scene out",
            )
        found.append(replace(ground, hidden=hidden, places=replace(ground.places, taught=taught)))
    return found, overlapping


def halve(grounds: Sequence[Ground]) -> tuple[list[Ground], list[Ground]]:
    """Grounds with the places that choose weights, and those with the places that judge them.

    Every second place, over all scenes, is for one or the other; where there are few, all are for both.
    """
    places = [(number, held) for number, ground in enumerate(grounds) for held in ground.places.held]
    if len(places) < _ENOUGH:
        return list(grounds), list(grounds)
    halves = []
    for half in (places[::2], places[1::2]):
        chosen = {number: tuple(held for at, held in half if at == number) for number, _ in half}
        halves.append([with_held(grounds[number], held) for number, held in chosen.items()])
    return halves[0], halves[1]


def with_held(ground: Ground, held: tuple[Rect, ...]) -> Ground:
    """The ground to be judged by these places alone; what is hidden stays hidden."""
    return replace(ground, places=replace(ground.places, held=held))


def _meet(one: Ground, other: Ground) -> bool:
    grid = other.scene.ms_grid
    found = locate(one.scene.ms_grid.rect, one.scene.ms_grid, grid)
    return found is not None and not found.intersect(grid.rect).empty


def _hidden_by(one: Ground, other: Ground) -> list[Rect]:
    """What `one` keeps aside as MS pixels of `other`, with as much around what is scored as kernels of
    both reach."""
    grid, onto = one.scene.ms_grid, other.scene.ms_grid
    found = []
    for held, scored in zip(one.places.held, one.places.scored, strict=True):
        whole, core = locate(held, grid, onto), locate(scored, grid, onto)
        if whole is None or core is None:
            continue
        core = core.grow(other.places.guard, other.places.guard)
        row, col = min(whole.row, core.row), min(whole.col, core.col)
        stop_row, stop_col = max(whole.stop_row, core.stop_row), max(whole.stop_col, core.stop_col)
        part = Rect(row, col, stop_row - row, stop_col - col).intersect(onto.rect)
        if not part.empty:
            found.append(part)
    return found


def _share_seen(block: Rect, hidden: Sequence[Rect]) -> float:
    seen = hide(None, (1, *block.shape), block, hidden)
    return 1.0 if seen is None else float(seen.mean())
