"""A painted surface and how it looks from above: materials, heights and one sun give four bands.

Lengths and heights are in pixels of the picture; the surface is painted finer, and block means of the finer
picture give anti-aliased edges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Place = tuple[float, float]

# Reflectance in blue, green, red, near infrared, and how much it varies from point to point.
MATERIALS: dict[str, tuple[float, float, float, float, float]] = {
    "water": (0.048, 0.055, 0.034, 0.014, 0.03),
    "shallows": (0.070, 0.085, 0.065, 0.035, 0.04),
    "sand": (0.170, 0.215, 0.255, 0.310, 0.07),
    "grass": (0.050, 0.092, 0.062, 0.420, 0.10),
    "meadow": (0.062, 0.112, 0.088, 0.370, 0.08),
    "young crop": (0.042, 0.092, 0.048, 0.480, 0.05),
    "maize": (0.038, 0.076, 0.044, 0.400, 0.06),
    "wheat": (0.085, 0.140, 0.180, 0.330, 0.05),
    "rape": (0.055, 0.200, 0.190, 0.460, 0.05),
    "soil": (0.076, 0.100, 0.128, 0.185, 0.07),
    "dry soil": (0.100, 0.140, 0.190, 0.270, 0.07),
    "litter": (0.028, 0.042, 0.040, 0.180, 0.15),
    "leaves": (0.030, 0.060, 0.036, 0.400, 0.16),
    "needles": (0.024, 0.042, 0.028, 0.270, 0.14),
    "asphalt": (0.088, 0.094, 0.098, 0.108, 0.05),
    "old asphalt": (0.120, 0.130, 0.138, 0.150, 0.06),
    "concrete": (0.190, 0.215, 0.235, 0.265, 0.05),
    "gravel": (0.140, 0.170, 0.195, 0.235, 0.09),
    "paint": (0.480, 0.500, 0.510, 0.510, 0.03),
    "tiles": (0.075, 0.100, 0.210, 0.290, 0.08),
    "brown tiles": (0.070, 0.085, 0.115, 0.170, 0.08),
    "slate": (0.080, 0.083, 0.087, 0.100, 0.06),
    "metal": (0.340, 0.355, 0.365, 0.360, 0.03),
    "blue metal": (0.260, 0.215, 0.140, 0.180, 0.03),
    "bitumen": (0.055, 0.058, 0.062, 0.075, 0.06),
    "white car": (0.500, 0.510, 0.510, 0.500, 0.0),
    "grey car": (0.240, 0.250, 0.255, 0.260, 0.0),
    "black car": (0.030, 0.030, 0.032, 0.050, 0.0),
    "red car": (0.050, 0.050, 0.270, 0.340, 0.0),
    "blue car": (0.180, 0.095, 0.050, 0.110, 0.0),
}
CODE = {name: code for code, name in enumerate(MATERIALS)}
# Painted points per pixel of the picture, along each axis.
FINE = 2
# Direction of the sun over the ground (down, right), and tangent of its elevation.
_TO_SUN = (0.62, 0.78)
_SUN_TANGENT = 1.0
_SKYLIGHT = (0.40, 0.31, 0.25, 0.21)
# DN of a white surface in full sun, and DN of the air above a black one.
_WHITE, _HAZE = 2700.0, (150.0, 95.0, 60.0, 30.0)


@dataclass(frozen=True)
class Surface:
    """material: codes of MATERIALS; height: above the plain; tint: relative departure from the material."""

    material: NDArray[np.uint8]
    height: Floats
    tint: Floats

    @property
    def size(self) -> Place:
        rows, cols = self.material.shape
        return rows / FINE, cols / FINE

    def turned(self) -> Surface:
        """The same ground, rows for columns; what is painted on one shows on the other."""
        return Surface(self.material.T, self.height.T, self.tint.T)

    def window(self, centre: Place, reach: float) -> tuple[Any, Floats, Floats]:
        """Index of the square around `centre`, and its rows' (column) and columns' (row) offsets from it."""
        parts, offsets = [], []
        for middle, stop in zip(centre, self.material.shape, strict=True):
            first = min(max(math.floor((middle - reach) * FINE), 0), stop)
            last = min(max(math.ceil((middle + reach) * FINE), first), stop)
            parts.append(slice(first, last))
            offsets.append(((np.arange(first, last) + 0.5) / FINE - middle).astype(np.float32))
        return tuple(parts), offsets[0][:, None], offsets[1][None]

    def rectangle(self, centre: Place, angle: float, half: Place) -> tuple[Any, Floats, Floats, Any]:
        """A window around a turned rectangle, coordinates along and across it, and what lies inside."""
        index, down, right = self.window(centre, math.hypot(*half) + 1)
        along = right * np.float32(math.cos(angle)) + down * np.float32(math.sin(angle))
        across = down * np.float32(math.cos(angle)) - right * np.float32(math.sin(angle))
        return index, along, across, (np.abs(along) < half[0]) & (np.abs(across) < half[1])

    def ribbon(self, curve: Floats, reach: float) -> tuple[Any, Floats]:
        """Index of the rows within `reach` of a curve (one row per column), and the distance from it."""
        rows = self.material.shape[0]
        first = min(max(int((curve.min() - reach) * FINE), 0), rows)
        index = slice(first, min(max(int((curve.max() + reach) * FINE) + 1, first), rows))
        level = ((np.arange(rows)[index] + 0.5) / FINE).astype(np.float32)
        slope = np.gradient(curve) * FINE
        return index, (level[:, None] - curve) / np.sqrt(1 + slope**2).astype(np.float32)

    def at(self, place: Place) -> int:
        """Code of the material at a place; water outside the ground."""
        row, col = (math.floor(part * FINE) for part in place)
        inside = 0 <= row < self.material.shape[0] and 0 <= col < self.material.shape[1]
        return int(self.material[row, col]) if inside else CODE["water"]


def noise(shape: tuple[int, int], cell: float, rng: np.random.Generator) -> Floats:
    """Smooth noise of about unit variance, (row, col) of a surface, whose grain is `cell` pixels."""
    step = cell * FINE
    coarse = 1.6 * rng.standard_normal([int(n / step) + 2 for n in shape], dtype=np.float32)
    (upper, down), (left, right) = (_between(size, step) for size in shape)
    wide = coarse[:, left] * (1 - right) + coarse[:, left + 1] * right
    image: Floats = wide[upper] * (1 - down[:, None])
    image += wide[upper + 1] * down[:, None]
    return image


def _between(size: int, step: float) -> tuple[NDArray[np.int32], Floats]:
    """The knot before each of `size` points, and how far each is towards the next, eased."""
    at = np.arange(size, dtype=np.float32) / np.float32(step)
    knot = at.astype(np.int32)
    part = at - knot.astype(np.float32)
    return knot, part * part * (3 - 2 * part)


def _shadow(height: Floats) -> Floats:
    """How far each point lies in the cast shadow of others, 0 to 1."""
    fall = _SUN_TANGENT / FINE
    roof = np.zeros_like(height)
    rows, cols = height.shape
    for step in range(1, min(int(height.max() / fall) + 1, rows, cols)):
        down, right = (round(step * part) for part in _TO_SUN)
        part = roof[: rows - down, : cols - right]
        np.maximum(part, height[down:, right:] - np.float32(step * fall), out=part)
    depth: Floats = np.clip((roof - height) / np.float32(0.6), 0, 1)
    return depth


def _sunlight(height: Floats) -> Floats:
    """Direct sun on each point against a level one: slopes, then shadows."""
    rise = np.zeros_like(height)
    rise[1:-1, 1:-1] = _TO_SUN[0] * (height[2:, 1:-1] - height[:-2, 1:-1])
    rise[1:-1, 1:-1] += _TO_SUN[1] * (height[1:-1, 2:] - height[1:-1, :-2])
    # A wall seen from above has no area.
    rise[np.abs(rise) > 3.2] = 0
    light: Floats = np.clip(1 - np.float32(0.45) * rise, 0.3, 1.35)
    light *= 1 - _shadow(height)
    return light


def render(surface: Surface, rng: np.random.Generator) -> Floats:
    """Radiance in blue, green, red, near infrared (4, row, col), in 11-bit DN within [0, 2047]."""
    shape = surface.material.shape
    table = np.array(list(MATERIALS.values()), np.float32)
    grain = 0.8 * rng.standard_normal(shape, dtype=np.float32)
    for cell, weight in ((1.5, 0.6), (5, 0.5), (25, 0.55), (80, 0.7)):
        grain += np.float32(weight) * noise(shape, cell, rng)
    grain *= table[:, 4][surface.material]
    relative = np.maximum(1 + surface.tint + grain, 0.15)
    sun = _sunlight(surface.height)
    # Where plants thrive, they reflect more near infrared and less red.
    thriving = (table[:, 3] > 3 * table[:, 2])[surface.material] * (0.07 * noise(shape, 35, rng))
    scene = np.empty((4, shape[0] // FINE, shape[1] // FINE), np.float32)
    for band, (sky, haze) in enumerate(zip(_SKYLIGHT, _HAZE, strict=True)):
        radiance = relative * (np.float32(sky) + np.float32(1 - sky) * sun)
        radiance *= (_WHITE * table[:, band])[surface.material]
        radiance *= 1 + (thriving if band == 3 else -0.7 * thriving)
        corners = [radiance[row::FINE, col::FINE] for row in range(FINE) for col in range(FINE)]
        scene[band] = haze + sum(corners) / len(corners)
    return np.clip(scene, 0, 2047, out=scene)
