"""Made ground for the demonstration: fields, a river, a town, works and a wood under one sun.

Lengths and heights are in PAN pixels of about half a metre; places are (row, col).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geosharp.demo.surface import CODE, FINE, Floats, Place, Surface, noise, render

_CARS = [CODE[name] for name in ("white car", "grey car", "grey car", "black car", "red car", "blue car")]
_HARD = [CODE[name] for name in ("water", "shallows", "asphalt", "old asphalt", "concrete", "paint")]
# Crop, contrast of its rows, their period.
_CROPS = (
    ("wheat", 0.05, 4.0),
    ("young crop", 0.10, 5.0),
    ("maize", 0.22, 6.0),
    ("soil", 0.10, 7.0),
    ("dry soil", 0.08, 5.0),
    ("meadow", 0.06, 16.0),
    ("rape", 0.03, 5.0),
    ("grass", 0.02, 12.0),
)


def make_scene(shape: tuple[int, int], seed: int) -> Floats:
    """Blue, green, red and near infrared (4, row, col) of a made ground at PAN's resolution.

    Radiance without noise or blur in 11-bit DN, within [0, 2047]. The same for the same shape and seed.
    """
    rng = np.random.default_rng(seed)
    return render(paint_ground(shape, rng), rng)


def paint_ground(shape: tuple[int, int], rng: np.random.Generator) -> Surface:
    """The surface under `make_scene`: places scale with the shape, objects do not."""
    height, width = shape
    painted = FINE * height, FINE * width
    ground = Surface(
        np.zeros(painted, np.uint8), np.zeros(painted, np.float32), np.zeros(painted, np.float32)
    )
    turn = math.radians(rng.uniform(4, 12)) * rng.choice([-1, 1])
    _sow_fields(ground, turn + math.radians(rng.uniform(-8, 8)), rng)
    banks = _dig_river(ground, 0.22 * width, 0.04 * width, 0.021 * (height + width), rng)
    town = _Town((0.34 * height, 0.72 * width), turn, (0.225 * width, 0.23 * height))
    works = _Town((0.845 * height, 0.73 * width), turn, (0.2 * width, 0.095 * height))
    _lay_streets(ground, town)
    _fill(ground, works, "old asphalt")
    _lay_road(ground.turned(), 0.425 * width, 0.012 * width, 5.0, rng)
    _lay_road(ground, 0.68 * height, 0.025 * height, 7.0, rng)
    _build_town(ground, town, rng)
    _build_works(ground, works, rng)
    _plant_wood(ground, (0.2 * height, 0.07 * width), 0.16 * math.hypot(height, width), rng)
    _plant_around(ground, banks, rng)
    return ground


@dataclass(frozen=True)
class _Town:
    """A turned rectangle of building land; half: along and across."""

    centre: Place
    angle: float
    half: Place
    spacing: Place = field(default=(170.0, 84.0))

    def place(self, along: float, across: float) -> Place:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.centre[0] + along * sin + across * cos, self.centre[1] + along * cos - across * sin


def _sow_fields(ground: Surface, angle: float, rng: np.random.Generator) -> None:
    """Strips of fields in a turned frame: each its crop, rows, tramlines and grassy margin."""
    height, width = ground.size
    diagonal = math.hypot(height, width)
    _, along, across, _ = ground.rectangle((height / 2, width / 2), angle, (diagonal, diagonal))
    steps = int(2 * diagonal)
    strip_of, strip_edge = _cuts(steps, (70, 190), rng)
    strips = int(strip_of.max()) + 1
    cells = [_cuts(steps, (110, 330), rng) for _ in range(strips)]
    u, v = (((part + diagonal / 2) * 2).astype(np.int32).clip(0, steps - 1) for part in (along, across))
    strip = strip_of[v]
    cell, cell_edge = (np.stack(table) for table in zip(*cells, strict=True))
    number = strip.astype(np.int32) * (int(cell.max()) + 1) + cell[strip, u]
    count = int(number.max()) + 1
    crop = rng.integers(0, len(_CROPS), count)
    contrast, period = (np.array([row[i] for row in _CROPS], np.float32)[crop] for i in (1, 2))
    codes = np.array([CODE[name] for name, _, _ in _CROPS], np.uint8)
    ground.material[:] = codes[crop][number]
    turned = rng.random(count) < 0.3
    course = np.where(turned[number], along, across)
    brightness = rng.normal(0, 0.09, count).astype(np.float32)
    rows = np.sin(course * (2 * np.pi / period)[number])
    ground.tint[:] = brightness[number] + contrast[number] * rows
    tramline = np.abs(np.abs(course % 44 - 22) - 2.2) < 0.6
    ground.tint[tramline & (contrast < 0.09)[number]] -= 0.16
    edge = np.minimum(cell_edge[strip, u], strip_edge[v])
    ground.material[edge < 2.5] = CODE["grass"]
    track = (strip_edge[v] < 2.2) & (strip % 2 == 0)
    ground.material[track] = CODE["gravel"]
    ground.tint[edge < 2.5] = -0.1


def _cuts(steps: int, widths: tuple[int, int], rng: np.random.Generator) -> tuple[NDArray[np.uint8], Floats]:
    """Cut `steps` half pixels into parts: the part of each, and its distance from the nearest cut."""
    edges = np.cumsum(rng.integers(*widths, size=steps // (2 * widths[0]) + 2) * 2)
    at = np.arange(steps)
    part = np.searchsorted(edges, at, side="right")
    before = np.where(part > 0, at - edges[np.maximum(part - 1, 0)], steps)
    return part.astype(np.uint8), (np.minimum(before, edges[part] - at) / 2).astype(np.float32)


def _meander(ground: Surface, level: float, swing: float, rng: np.random.Generator) -> Floats:
    """A winding course: one row for each fine column."""
    cols = ground.material.shape[1]
    at = np.arange(cols) / cols
    long, short = rng.uniform(0, 2 * np.pi, 2)
    wave = np.sin(2 * np.pi * 0.9 * at + long) + 0.35 * np.sin(2 * np.pi * 2.3 * at + short)
    course: Floats = (level + swing * wave).astype(np.float32)
    return course


def _dig_river(
    ground: Surface, level: float, swing: float, width: float, rng: np.random.Generator
) -> list[Place]:
    """A river from top to bottom; returns places along its banks."""
    turned = ground.turned()
    curve = _meander(turned, level, swing, rng)
    index, away = turned.ribbon(curve, width + 14)
    wobble = noise(away.shape, 40, rng) * 1.5
    half = width / 2 + wobble
    bank = np.abs(away) - half
    for reach, name in ((9.0, "grass"), (2.0, "sand"), (0.0, "shallows"), (-3.0, "water")):
        turned.material[index][bank < reach] = CODE[name]
    turned.tint[index][bank < 9] = 0
    turned.tint[index][bank < -3] = -0.12 * (1 - (away / half) ** 2)[bank < -3]
    return [
        (col / FINE, float(curve[col]) + side * (width / 2 + rng.uniform(5, 16)))
        for side in (-1, 1)
        for col in range(0, len(curve), int(rng.integers(9, 14)))
    ]


def _lay_road(ground: Surface, level: float, swing: float, half: float, rng: np.random.Generator) -> None:
    """A road from left to right, on a bridge where it meets water, with marks and cars."""
    curve = _meander(ground, level, swing, rng)
    index, away = ground.ribbon(curve, half + 12)
    along = (np.arange(len(curve)) / FINE)[None]
    wet = (ground.material[index] == CODE["water"]) | (ground.material[index] == CODE["shallows"])
    distance = np.abs(away)
    verge = distance < half + 3
    ground.height[index][wet & verge] = 8
    ground.material[index][verge] = np.where(wet[verge], CODE["concrete"], CODE["meadow"])
    ground.tint[index][verge] = 0
    ground.material[index][distance < half] = CODE["asphalt"]
    ground.tint[index][distance < half] = (0.08 * np.cos(away * (2 * np.pi / half)))[distance < half]
    dash = (distance < 0.35) & (along % 22 < 9)
    ground.material[index][dash | (np.abs(distance - half + 1) < 0.3)] = CODE["paint"]
    slope = np.gradient(curve) * FINE
    for col in range(0, len(curve), 14 * FINE):
        if rng.random() > 0.2:
            continue
        side = rng.choice([-1, 1]) * half / 2
        _park(ground, (float(curve[col]) + side, col / FINE), math.atan(float(slope[col])), rng)


def _fill(ground: Surface, land: _Town, name: str) -> None:
    index, _, _, inside = ground.rectangle(land.centre, land.angle, land.half)
    ground.material[index][inside] = CODE[name]
    ground.tint[index][inside] = 0


def _lay_streets(ground: Surface, town: _Town) -> None:
    """Gardens, pavements and carriageways of a town's grid."""
    _fill(ground, town, "grass")
    index, along, across, inside = ground.rectangle(town.centre, town.angle, town.half)
    away = [
        np.abs(part - spacing * np.rint(part / spacing))
        for part, spacing in zip((along, across), town.spacing, strict=True)
    ]
    street = np.minimum(*away)
    ground.material[index][inside & (street < 7.5)] = CODE["concrete"]
    ground.material[index][inside & (street < 5)] = CODE["old asphalt"]
    joint = inside & (np.abs(street) < 0.3)
    ground.tint[index][joint] = -0.25


def _build_town(ground: Surface, town: _Town, rng: np.random.Generator) -> None:
    """Plots along both sides of each street: house, drive, car, garden trees."""
    (block, depth), (half_along, half_across) = town.spacing, town.half
    for street in np.arange(-(half_across // depth), half_across // depth + 1) * depth:
        for along in np.arange(-half_along + 20, half_along - 16, 31.0):
            from_crossing = abs(along - block * round(along / block))
            for side in (-1, 1):
                if from_crossing > 22 and abs(street + side * 24) + 12 < half_across:
                    _build_plot(ground, town, (along + rng.uniform(-2, 2), street), side, rng)
            if from_crossing > 14:
                tree = town.place(along + 13, street + rng.choice([-1, 1]) * 8.5)
                _plant(ground, tree, rng.uniform(2.5, 4.5), rng, anywhere=True)
                if rng.random() < 0.5:
                    _park(ground, town.place(along, street + rng.choice([-1, 1]) * 3.6), town.angle, rng)


def _build_plot(ground: Surface, town: _Town, at: Place, side: int, rng: np.random.Generator) -> None:
    along, street = at
    length, breadth = rng.uniform(8, 12), rng.uniform(6, 8.5)
    middle = town.place(along, street + side * (24 + rng.uniform(-2, 2)))
    drive = town.place(along + 13, street + side * 16)
    index, _, _, inside = ground.rectangle(drive, town.angle, (2.2, 10))
    ground.material[index][inside] = CODE["concrete"]
    garden = ground.rectangle(town.place(along, street + side * 27), town.angle, (15, 15))
    ground.tint[garden[0]][garden[3]] += rng.normal(0, 0.1)
    if rng.random() < 0.45:
        _park(ground, town.place(along + 13, street + side * 14), town.angle + math.pi / 2, rng)
    roof = rng.choice(["tiles", "tiles", "brown tiles", "slate", "metal"], p=[0.3, 0.25, 0.22, 0.18, 0.05])
    angle = town.angle + (math.pi / 2 if rng.random() < 0.35 else 0)
    _build(ground, middle, angle, (length, breadth), str(roof), (9, rng.uniform(4.5, 6.5)), rng)
    for _ in range(rng.integers(1, 5)):
        tree = town.place(along + rng.uniform(-14, 14), street + side * rng.uniform(35, 40))
        _plant(ground, tree, rng.uniform(2, 6), rng)


def _build_works(ground: Surface, works: _Town, rng: np.random.Generator) -> None:
    """A row of halls with rooflights, and a car park."""
    along, across = works.half
    start = -along + 8
    roofs = iter(["metal", "bitumen", "blue metal", "gravel", "metal", "concrete"])
    while start + 40 < along * 0.62:
        length = min(rng.uniform(34, 70), along * 0.62 - start)
        breadth = across * rng.uniform(0.5, 0.72)
        middle = works.place(start + length / 2, across - breadth - 6)
        _build(ground, middle, works.angle, (length / 2, breadth), next(roofs, "metal"), (14, 1.5), rng)
        index, u, v, inside = ground.rectangle(middle, works.angle, (length / 2 - 4, breadth - 3))
        light = inside & (np.abs(u % 16 - 8) < 1.6) & (np.abs(np.abs(v) - breadth / 2) < 5)
        ground.material[index][light] = CODE["paint" if rng.random() < 0.5 else "slate"]
        start += length + 9
    for row in np.arange(-across + 8, across - 10, 19.0):
        for stall in np.arange(along * 0.66, along - 6, 5.6):
            for step in (0.0, 10.0):
                index, u, v, inside = ground.rectangle(
                    works.place(stall, row + step), works.angle, (2.9, 4.9)
                )
                ground.material[index][inside & (np.abs(u) > 2.6)] = CODE["paint"]
                if rng.random() < 0.62:
                    _park(ground, works.place(stall, row + step), works.angle + math.pi / 2, rng)


def _build(
    ground: Surface, at: Place, angle: float, half: Place, roof: str, rise: Place, rng: np.random.Generator
) -> None:
    """A gabled building; half: along and across the ridge; rise: to the eaves, then on to the ridge."""
    index, _, across, inside = ground.rectangle(at, angle, half)
    ground.material[index][inside] = CODE[roof]
    ground.height[index][inside] = (rise[0] + rise[1] * (1 - np.abs(across) / half[1]))[inside]
    ground.tint[index][inside] = rng.normal(0, 0.13)


def _park(ground: Surface, at: Place, angle: float, rng: np.random.Generator) -> None:
    """A car: body and dark windows."""
    index, along, across, inside = ground.rectangle(at, angle, (4.4, 1.9))
    ground.material[index][inside] = rng.choice(_CARS)
    ground.tint[index][inside] = 0
    ground.height[index][inside] += 1.6
    glass = (np.abs(np.abs(along + 0.4) - 2.1) < 0.6) & (np.abs(across) < 1.6)
    ground.material[index][glass & inside] = CODE["black car"]


def _plant(
    ground: Surface,
    at: Place,
    radius: float,
    rng: np.random.Generator,
    *,
    kind: str = "leaves",
    anywhere: bool = False,
) -> None:
    """One tree, unless on water, roads or roofs."""
    code = ground.at(at)
    if not anywhere and (code in _HARD or code >= CODE["tiles"]):
        return
    index, down, right = ground.window(at, 1.3 * radius)
    lobes, turn = rng.uniform(0.05, 0.16), rng.uniform(0, 2 * math.pi)
    bearing = np.arctan2(down, right)
    edge = 1 + lobes * np.sin(3 * bearing + turn) + 0.7 * lobes * np.sin(7 * bearing + 2 * turn)
    crown = 1 - (down**2 + right**2) / (radius * edge) ** 2
    top = (0.9 if kind == "leaves" else 1.2) * radius
    level = 1.5 + 0.5 * radius + top * np.sqrt(np.maximum(crown, 0)) + rng.normal(0, 0.35, crown.shape)
    grown = (crown > 0) & (level > ground.height[index])
    ground.height[index][grown] = level[grown]
    ground.material[index][grown] = CODE[kind]
    ground.tint[index][grown] = rng.normal(0, 0.12)


def _plant_wood(ground: Surface, centre: Place, reach: float, rng: np.random.Generator) -> None:
    """A closed stand around `centre`, of a ragged outline."""
    index, down, right = ground.window(centre, 1.6 * reach)
    outline = np.hypot(down, right) / reach + 0.22 * noise((down.size, right.size), 70, rng)
    floor = (outline < 1) & ~np.isin(ground.material[index], _HARD)
    ground.material[index][floor] = CODE["litter"]
    ground.tint[index][floor] = 0
    rows, cols = np.nonzero(floor[4::14, 4::14])
    first = [part.start / FINE for part in index]
    for row, col in zip(rows.tolist(), cols.tolist(), strict=True):
        place = first[0] + 2 + 7 * row + rng.uniform(-3, 3), first[1] + 2 + 7 * col + rng.uniform(-3, 3)
        kind = "needles" if rng.random() < 0.15 else "leaves"
        _plant(ground, place, rng.uniform(3.5, 7.5), rng, kind=kind)


def _plant_around(ground: Surface, banks: Sequence[Place], rng: np.random.Generator) -> None:
    """Trees along the river, an orchard, and single ones in the fields."""
    height, width = ground.size
    for place in banks:
        if rng.random() < 0.6:
            _plant(ground, place, rng.uniform(3, 7), rng)
    for place in _orchard((0.84 * height, 0.35 * width), 0.16 * height, 0.09 * width):
        _plant(ground, place, rng.uniform(2.4, 3.4), rng)
    for _ in range(int(height * width / 9000)):
        place = rng.uniform(0, height), rng.uniform(0, width)
        if ground.at(place) in (CODE["grass"], CODE["meadow"]):
            _plant(ground, place, rng.uniform(3, 7), rng)


def _orchard(centre: Place, tall: float, wide: float) -> Iterator[Place]:
    for down in np.arange(-tall / 2, tall / 2, 8.0):
        for right in np.arange(-wide / 2, wide / 2, 11.0):
            yield centre[0] + down - 0.15 * right, centre[1] + right + 0.15 * down
