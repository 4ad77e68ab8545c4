"""What the values of a pair are worth: bits, gaps between them, saturation, and pixels without data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geosharp.checkup.look import Look
from geosharp.finding import Finding, Level
from geosharp.raster.scene import Scene
from geosharp.raster.source import Array, Mask

# Levels over which a histogram is taken to be smooth, and how many of them must be there to tell of gaps.
_SMOOTH, _LEAST_LEVELS = 9, 16
# Share of levels that ought to occur and do not.
_GAPPED = 0.15
# Share of pixels at both ends of a type that only a stretch for display brings there.
_PILED = 0.005
# Share of pixels: seldom is worth no word, often is worth a warning.
_SELDOM, _OFTEN = 1e-4, 1e-2
# Share of equal largest values that ground does not have, and how many times as many as of those beneath.
_CLIPPED, _TIMES = 1e-3, 5
_ORIGINAL = "take the original delivery where you have it"


@dataclass(frozen=True)
class Levels:
    """What values a channel takes.

    low, high: the least and the largest; step: all are multiples of it, 1 for floats too; gaps: share of the
    levels that should occur beside others and do not; ends: shares at the type's least and largest value;
    top: share at the largest value that the bits in use can hold, or at which values are cut off.
    """

    name: str
    low: float
    high: float
    step: int
    gaps: float
    ends: tuple[float, float]
    top: float


def read_channels(scene: Scene, look: Look) -> list[Levels]:
    """PAN and the MS bands, those without a valid pixel left out."""
    channels = [("PAN", look.pan_values, scene.pan.bits)]
    channels += [
        (band.name, look.values(index), scene.ms[band.source].bits) for index, band in enumerate(scene.bands)
    ]
    # Of one file the brightest band tells how many bits there are.
    highest = max((float(values.max()) for _, values, _ in channels[1:] if values.size), default=0.0)
    return [
        read_levels(name, values, bits, highest if index else None)
        for index, (name, values, bits) in enumerate(channels)
        if values.size
    ]


def read_levels(name: str, values: Array, bits: int | None, highest: float | None = None) -> Levels:
    """`values` are valid DN, one at least; bits: declared; highest: of all values that share their bits."""
    found, counts = np.unique(values, return_counts=True)
    low, high = float(found[0]), float(found[-1])
    if values.dtype.kind == "f":
        return Levels(name, low, high, 1, 0.0, (0.0, 0.0), _find_cut(counts))
    limits = np.iinfo(values.dtype)
    whole = found.astype(np.int64)
    step = int(np.gcd.reduce(whole)) if len(found) >= _LEAST_LEVELS else 1
    limit = limits.max if bits is None else 2**bits - 1
    used = min(limit, 2 ** int(max(high, highest or high, 1)).bit_length() - 1)
    top = float(np.mean(values >= used // step * step))
    ends = float(np.mean(values == limits.min)), float(np.mean(values == limits.max))
    gaps = _find_gaps(whole // step, counts)
    return Levels(name, low, high, step, gaps, ends, top or _find_cut(counts))


def _find_cut(counts: Array) -> float:
    """Share of pixels at the largest value where values seem to be cut off at it, else 0. counts: of each
    value, in their order."""
    share = float(counts[-1] / counts.sum())
    piled = len(counts) > 1 and counts[-1] > _TIMES * np.median(counts[-_SMOOTH:-1])
    return share if piled and share >= _CLIPPED else 0.0


def _find_gaps(levels: Array, counts: Array) -> float:
    """Which share of the levels that neighbours make likely is empty; 0 where that cannot be told.

    Between the first and the last hundredth of the pixels, a level of density d being empty by chance with
    probability exp(-d).
    """
    total = np.cumsum(counts) / counts.sum()
    inner = (total > 0.01) & (total < 0.99)
    if inner.sum() < 2:
        return 0.0
    levels, counts = levels[inner], counts[inner]
    if levels[-1] - levels[0] > 2**16:
        return 0.0
    histogram = np.zeros(int(levels[-1] - levels[0]) + 1)
    histogram[levels - levels[0]] = counts
    density = np.convolve(histogram, np.full(_SMOOTH, 1 / _SMOOTH), "same")
    expected = float(np.sum(1 - np.exp(-density)))
    return max(0.0, 1 - len(levels) / expected) if expected >= _LEAST_LEVELS else 0.0


def check_bits(scene: Scene, channels: Sequence[Levels]) -> Finding:
    """Whether DN are what the sensor measured, in the bits that are declared."""
    facts = {"channels": [_describe(each) for each in channels]}
    text = "; ".join(
        _tell_range(name, dtype, bits, some)
        for name, dtype, bits, some in (
            ("PAN", scene.pan.dtype, scene.pan.bits, channels[:1]),
            ("MS", scene.dtype, scene.ms[0].bits, channels[1:]),
        )
        if some
    )
    level, why, advice = _judge_bits(scene, channels)
    return Finding("bit depth", level, f"{text}{why}", advice, facts)


def _judge_bits(scene: Scene, channels: Sequence[Levels]) -> tuple[Level, str, str]:
    limits = (scene.pan.value_range, *(scene.ms[band.source].value_range for band in scene.bands))
    by_name = dict(zip(("PAN", *(band.name for band in scene.bands)), limits, strict=True))
    beyond = [each.name for each in channels if (known := by_name[each.name]) and each.high > known[1]]
    if beyond:
        advice = "correct the bits in the file (NBITS) or in the sensor file: values beyond them are clipped"
        return "warning", f"; more than the declared bits hold in {', '.join(beyond)}", advice
    if flat := [each.name for each in channels if each.low == each.high]:
        advice = "leave it out with --bands" if "PAN" not in flat else "fetch PAN again: it shows nothing"
        return "stop" if "PAN" in flat else "warning", f"; one value alone in {', '.join(flat)}", advice
    if any(min(each.ends) >= _PILED for each in channels):
        why = "; values pile up at both ends, as in a copy stretched for display"
        return "warning", why, f"{_ORIGINAL}: what was cut off is lost, and DN are no radiance any more"
    if gapped := [each for each in channels if each.gaps >= _GAPPED]:
        share = max(each.gaps for each in gapped)
        why = f"; {share:.0%} of the levels never occur in {', '.join(each.name for each in gapped)}"
        return "warning", f"{why}, as in a copy stretched from fewer bits", _ORIGINAL
    if (step := min(each.step for each in channels)) > 1:
        why = f"; all are multiples of {step}, as if {math.log2(step):.3g} bits less had been kept"
        return "note", why, f"{_ORIGINAL}; else fuse it as it is"
    return "ok", "", ""


def _tell_range(name: str, dtype: str, bits: int | None, some: Sequence[Levels]) -> str:
    low, high = min(each.low for each in some), max(each.high for each in some)
    if dtype.startswith("float"):
        return f"{name} {dtype}, {low:.4g} to {high:.4g}"
    used = max(int(high).bit_length(), 1 + int(-low - 1).bit_length() if low < 0 else 0)
    declared = "" if bits is None else f" of {bits} declared"
    return f"{name} {dtype}, {low:.0f} to {high:.0f}, {used} bits{declared}"


def _describe(levels: Levels) -> dict[str, Any]:
    return {
        "name": levels.name,
        "low": levels.low,
        "high": levels.high,
        "step": levels.step,
        "gaps": round(levels.gaps, 4),
        "saturated": levels.top,
    }


def check_saturation(channels: Sequence[Levels], ceiling: int | None = None) -> Finding:
    """How many pixels are at the largest value that there can be. ceiling: of MS, see raster.ceiling."""
    shares = {each.name: each.top for each in channels}
    hit = {name: share for name, share in shares.items() if share > 0}
    facts: dict[str, Any] = {"shares": shares, "ceiling": ceiling}
    if not hit:
        return Finding("saturation", "ok", "none seen", facts=facts)
    most = sorted(hit, key=lambda name: -hit[name])
    text = f"{', '.join(f'{name} {_percent(hit[name])}' for name in most[:4])} at the largest value"
    text += f", and less in {len(most) - 4} more bands" if len(most) > 4 else ""
    text += "" if ceiling is None else f"; fuse clips MS's values at {ceiling}"
    if max(hit.values()) < _SELDOM:
        return Finding("saturation", "ok", text, facts=facts)
    advice = "do not measure in these places: neither brightness nor colour is known there"
    return Finding("saturation", "note" if max(hit.values()) < _OFTEN else "warning", text, advice, facts)


def check_holes(look: Look, tiles: int | None) -> Finding:
    """Pixels without data inside what is valid; those around it are no fault. tiles: see _touch."""
    ms_valid = look.valid
    inside = [find_holes(valid) for valid in (look.pan_valid, ms_valid)]
    shares = [
        float(holes.sum() / max((holes | valid).sum(), 1))
        for holes, valid in zip(inside, (look.pan_valid, ms_valid), strict=True)
    ]
    around = 1 - float((ms_valid | inside[1]).mean())
    partly = float((look.ms_valid.any(0) & ~ms_valid).mean())
    touched, tiles = _touch(look, inside[0], inside[1], tiles)
    facts = {
        "pan_holes": shares[0],
        "ms_holes": shares[1],
        "around": around,
        "ms_in_some_bands": partly,
        "tiles_touched": touched,
        "tiles": tiles,
    }
    collar = f"; {_percent(around)} of the common area lies outside the image" if around > 0 else ""
    if not (ms_valid.any() and look.pan_valid.any()):
        empty = " and ".join(n for n, v in (("PAN", look.pan_valid), ("MS", ms_valid)) if not v.any())
        advice = "check the no-data value (gdal_edit.py -unsetnodata), and that both files are of one scene"
        return Finding("no-data", "stop", f"{empty}: no valid pixel seen in what both cover", advice, facts)
    if max(shares) == 0:
        return Finding("no-data", "ok", f"no holes seen{collar}", facts=facts)
    where = f"in about {touched} of {tiles} tiles"
    text = f"holes in {_percent(shares[0])} of PAN and {_percent(shares[1])} of MS, {where}{collar}"
    if partly > _SELDOM:
        text += f"; {_percent(partly)} of MS's pixels lack some bands only"
    advice = (
        "holes stay holes; where they are dark ground, unset the no-data value (gdal_edit.py -unsetnodata)"
    )
    return Finding("no-data", "note" if max(shares) < _OFTEN else "warning", text, advice, facts)


def _touch(look: Look, pan_holes: Mask, ms_holes: Mask, tiles: int | None) -> tuple[int, int]:
    """About how many of how many tiles have holes; windows in their place, where there is no plan."""
    pan_hit, ms_hit = (look.cut(holes).max((1, 2)) for holes in (pan_holes, ms_holes))
    total = len(pan_hit) if tiles is None else tiles
    return math.ceil(float((pan_hit | ms_hit).mean()) * total), total


def find_holes(valid: Mask) -> Mask:
    """(row, col): invalid between valid pixels of its row or of its column.

    What lies around an image is not, as long as the image is convex, however it is turned.
    """
    between = np.zeros_like(valid)
    for axis in (0, 1):
        before = np.logical_or.accumulate(valid, axis)
        after = np.flip(np.logical_or.accumulate(np.flip(valid, axis), axis), axis)
        between |= before & after
    return np.asarray(between & ~valid)


def _percent(share: float) -> str:
    return "under 0.01 %" if 0 < share < _SELDOM else f"{100 * share:.2g} %"
