"""Whether bands behave as what they are called, and how much of a scene cloud may hide."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from geosharp.checkup.look import Look
from geosharp.finding import Finding
from geosharp.raster.footprints import find_ground
from geosharp.raster.scene import Scene
from geosharp.raster.source import Array

Floats = NDArray[np.float64]

_VISIBLE = ("blue", "green", "red")
_INFRARED = ("nir", "nir1")
# By how much dark ground in blue and in red, and correlations of bands, must differ to speak.
_DARKER, _APART = 0.05, 0.10
_LEAST_PIXELS = 500
# A cloud is so many times as bright as ordinary ground, its dark ground taken as zero in each band, alike to
# this factor in all bands; as bright as this with nothing taken away; and so wide in metres.
_BRIGHT, _ALIKE, _BRIGHTER, _WIDE = 4.0, 3.0, 1.5, 100.0
_MOST_REACH = 16
# Percentile of a band that ordinary ground has, where less than half of the scene is cloud.
_ORDINARY = 35
_SOME, _MUCH = 0.01, 0.20
# Metres of a degree along a meridian.
_DEGREE = 111_000.0


def check_order(scene: Scene, look: Look) -> Finding:
    """Whether blue, green, red and near infrared are where they are taken to be.

    Air brightens dark ground most in blue and least in red, and infrared goes least with the visible.
    """
    pixels = look.ms[:, look.valid].astype(np.float64)
    names = [band.optics.name for band in scene.bands]
    unnamed = all(band.optics.wavelength_nm is None for band in scene.bands)
    facts: dict[str, object] = {"taken_as": names}
    if pixels.shape[1] < _LEAST_PIXELS or (darkness := _darkness(pixels)) is None:
        return Finding("band order", "ok", "cannot be told from these pixels", facts=facts)
    facts["darkness"] = darkness.round(3).tolist()
    if unnamed:
        return _guess(scene, darkness, pixels, facts)
    if not set(_VISIBLE) <= set(names):
        return Finding("band order", "ok", "not looked at, without blue, green and red", facts=facts)
    told = [
        f"{band.name} as {name}" for band, name in zip(scene.bands, names, strict=True) if band.name != name
    ]
    taken = ", ".join(told) or ", ".join(names)
    advice = (
        "compare with the delivery's list of bands; where it is so, name the bands in the file or describe "
        "their order in a sensor file"
    )
    blue, green, red = (float(darkness[names.index(name)]) for name in _VISIBLE)
    if red > green > blue and red - blue > _DARKER:
        text = f"taken: {taken}; blue and red look swapped, as dark ground is brightest in red"
        return Finding("band order", "warning", text, advice, facts)
    infrared = next((names.index(name) for name in _INFRARED if name in names), None)
    if infrared is not None:
        group = [*(names.index(name) for name in _VISIBLE), infrared]
        odd = _find_odd(pixels[group])
        if odd is not None and group[odd] != infrared:
            found, called = scene.bands[group[odd]].name, scene.bands[infrared].name
            text = f"taken: {taken}; {found} behaves like near infrared, and {called} does not"
            return Finding("band order", "warning", text, advice, facts)
    return Finding("band order", "ok", f"nothing speaks against {', '.join(names)}", facts=facts)


def _darkness(pixels: Floats) -> Floats | None:
    """Per band, how bright dark ground is beside ordinary ground; None where values have no zero."""
    low, middle = np.percentile(pixels, (2, 5, 10), axis=1), np.median(pixels, axis=1)
    if low.min() < 0 or middle.min() <= 0:
        return None
    return np.asarray(low.mean(0) / middle)


def _find_odd(pixels: Floats) -> int | None:
    """The band that clearly goes least with the others, None where that is none. pixels: (band, pixel)."""
    if (pixels.std(1) == 0).any():
        return None
    together = (np.corrcoef(pixels).sum(1) - 1) / (len(pixels) - 1)
    first, second = np.argsort(together)[:2].tolist()
    return first if together[second] - together[first] > _APART else None


def _guess(scene: Scene, darkness: Floats, pixels: Floats, facts: dict[str, object]) -> Finding:
    """What bands without names look like, where there are as many as of a common delivery."""
    names = ", ".join(band.name for band in scene.bands)
    advice = (
        "name the bands in the file, or give --sensor, or --sensor-file for one that is not listed: what is "
        "published of sharpness and colours follows the names"
    )
    text = f"nothing tells what {names} are"
    infrared = _find_odd(pixels) if len(pixels) == 4 else None
    visible = [index for index in range(len(pixels)) if index != infrared]
    if len(visible) == 3:
        order = sorted(visible, key=lambda index: -darkness[index])
        spread = darkness[order[0]] - darkness[order[2]]
        if order in (visible, visible[::-1]) and spread > _DARKER:
            likely = dict(zip(order, _VISIBLE, strict=True))
            guess = [likely.get(index, "nir") for index in range(len(pixels))]
            text += f"; they look like {', '.join(guess)}"
            facts = {**facts, "looks_like": guess}
    return Finding("band order", "note", text, advice, facts)


def check_cloud(scene: Scene, look: Look) -> Finding:
    """Share of bright, white, wide patches: cloud, or what looks like it.

    Without a thermal band and radiances this is a guess by contrast with the rest of the scene: thin haze,
    and cloud over half of the scene or more, are not seen, while snow, salt and white sand are.
    """
    valid = look.valid
    if valid.sum() < _LEAST_PIXELS:
        return Finding("cloud", "ok", "cannot be told from so few pixels")
    pixels = look.ms[_visible(scene, look.ms[:, valid])].astype(np.float64)
    reach = _reach(scene)
    white = look.cut(_is_white(pixels, valid))
    share = float(_open(white, reach)[look.cut(valid)].mean())
    facts = {"share": share, "reach_ms_px": reach}
    if share < _SOME:
        text = "no wide bright patches to speak of; thin haze is not looked for"
        return Finding("cloud", "ok", text, facts=facts)
    text = f"about {share:.0%} are wide, white and bright: cloud, or else snow, salt or sand"
    advice = (
        "look at it first: cloud hides the ground, moves between PAN and MS, and leaves fringes where it does"
    )
    return Finding("cloud", "note" if share < _MUCH else "warning", text, advice, facts)


def _visible(scene: Scene, pixels: Array) -> list[int]:
    """Bands of visible light; where no name tells, the first four but one that goes its own way."""
    named = [index for index, band in enumerate(scene.bands) if band.optics.name in _VISIBLE]
    first = [*range(min(len(scene.bands), 4))]
    odd = None if named or len(first) < 4 else _find_odd(pixels[:4].astype(np.float64))
    return named or [index for index in first if index != odd]


def _is_white(pixels: Floats, valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(row, col): valid, much brighter than ordinary ground in all bands, and about alike."""
    dark, middle = np.percentile(pixels[:, valid], (2, _ORDINARY), axis=1)[..., None, None]
    above = (pixels - dark) / np.maximum(middle - dark, 1e-9 * np.maximum(abs(middle), 1e-9))
    least, most = above.min(0), above.max(0)
    bright = (least > _BRIGHT) & (pixels > _BRIGHTER * middle).all(0)
    return np.asarray(valid & bright & (most < _ALIKE * least))


def _reach(scene: Scene) -> int:
    """MS pixels from the middle of the smallest cloud to its rim; the most where nobody knows their size."""
    ground = find_ground(scene.ms_grid)
    if ground is None or ground.area == 0:
        return _MOST_REACH
    # Degrees of longitude shrink towards the poles.
    metres = _DEGREE * math.sqrt(ground.area * math.cos(math.radians(ground.centroid.y)))
    pixel = metres / math.sqrt(math.prod(scene.ms_grid.shape))
    return min(_MOST_REACH, round(_WIDE / 2 / pixel))


def _open(white: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """(window, row, col): what is left once patches that hold no square of 2 reach + 1 pixels are gone."""
    if reach == 0:
        return white
    kept = -_spread(-torch.from_numpy(white).float(), reach)
    return np.asarray(_spread(kept, reach).numpy() > 0)


def _spread(image: torch.Tensor, reach: int) -> torch.Tensor:
    """The largest value within `reach` pixels along rows and columns, what lies beyond a window left out."""
    for kernel, padding in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        image = F.max_pool2d(image[:, None], kernel, 1, padding)[:, 0]
    return image
