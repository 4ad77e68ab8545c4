"""Where MS lies on PAN, in the whole and from place to place, and how well both agree once put there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from geosharp.finding import Finding
from geosharp.imaging.computing import computing
from geosharp.padm.calibration import NOTED_SHIFT, Calibration, tell_extremes, tell_shift, tell_unevenness
from geosharp.padm.confidence import LocalShift
from geosharp.padm.iterate import GAINS, MOST_SHIFT
from geosharp.padm.misfit import find_misfit
from geosharp.padm.sample import take_sample
from geosharp.raster.grid import Rect
from geosharp.raster.scene import Scene

# PAN pixels: less is well within what georeferencing promises; a place that is less sure is not counted.
_WORTH_A_WORD, _SURE, _LEAST_PLACES = 0.5, 0.25, 3
# Share of PAN's detail that MS explains where both saw the same.
_SAME_GROUND, _OTHER_GROUND = 0.8, 0.2
# Cells of the map along an axis, and a shift that is none.
_CELLS, _STILL = 8, 0.05
_ARROWS = "→↗↑↖←↙↓↘"


def check_registration(scene: Scene, calibration: Calibration) -> Finding:
    """Where MS lies as a whole. calibration: learnt from the scene, free to move MS."""
    down, right = shift = calibration.operator.shift
    facts: dict[str, Any] = {"verdict": calibration.verdict, "shift": list(shift)}
    if not calibration.usable:
        return _judge_unknown(scene, calibration, facts)
    if max(map(abs, shift)) >= MOST_SHIFT:
        return _tell_far(shift, facts)
    errors = (calibration.errors or (None,) * 4)[2:]
    facts["errors"] = list(errors)
    sure = "" if None in errors else f", give or take {max(0.01, math.hypot(*filter(None, errors))):.2f}"
    if math.hypot(down, right) < _WORTH_A_WORD:
        near = (
            f"MS lies where the geotransforms put it, within {math.hypot(down, right):.2f} PAN pixels{sure}"
        )
        return Finding("registration", "ok", near, facts=facts)
    advice = "fuse puts MS where its content is; do not give --no-align"
    if math.hypot(down, right) >= NOTED_SHIFT:
        advice += ", and correct the geotransform for other software"
    return Finding("registration", "note", f"MS lies {tell_shift(shift)}{sure}", advice, facts)


def _judge_unknown(scene: Scene, calibration: Calibration, facts: dict[str, Any]) -> Finding:
    """Where no shift could be learnt: MS is far off, or nobody can say."""
    with computing():
        sample = take_sample(scene)
        misfit = None if sample is None else find_misfit(sample)
    if misfit is not None and max(map(abs, misfit)) >= MOST_SHIFT:
        return _tell_far(misfit, facts)
    text = f"cannot be told: {'; '.join(calibration.reasons)}"
    advice = (
        "fuse trusts the geotransforms and the sensor's published values: look for double edges in its result"
    )
    return Finding("registration", "warning", text, advice, facts)


def _tell_far(shift: Sequence[float], facts: dict[str, Any]) -> Finding:
    where = tell_shift((shift[0], shift[1]), 0)
    text = f"MS lies about {where}, more than the {math.floor(MOST_SHIFT)} that fuse corrects"
    advice = (
        "correct MS's geotransform by that much (gdal_translate -a_ullr), or check that it is of this scene"
    )
    return Finding("registration", "stop", text, advice, facts | {"shift": list(shift)})


def check_map(calibration: Calibration) -> Finding:
    """Whether MS lies alike everywhere; `draw_map` shows it."""
    shifts = calibration.local_shifts
    sure = [local for local in shifts if local.error < _SURE]
    spread = max(calibration.shift_spread)
    facts = {
        "places": len(shifts),
        "sure": len(sure),
        "spread": list(calibration.shift_spread),
        "shifts": [
            {
                "row": local.centre[0],
                "col": local.centre[1],
                "down": local.shift[0],
                "right": local.shift[1],
                "error": local.error,
            }
            for local in shifts
        ],
    }
    if len(sure) < _LEAST_PLACES:
        return Finding("registration map", "ok", f"not known: {len(sure)} places tell", facts=facts)
    if uneven := tell_unevenness(shifts, calibration.shift_spread):
        advice = (
            "expect double edges there: orthorectify both on one terrain model, take a pair of one pass, or "
            "fuse parts with --area"
        )
        return Finding("registration map", "warning", uneven, advice, facts)
    if not calibration.usable:
        return Finding("registration map", "ok", "not known, as registration is not", facts=facts)
    text = f"MS lies alike in {len(sure)} places, to {spread:.2f} PAN pixels"
    return Finding("registration map", "ok", text, facts=facts)


def check_agreement(calibration: Calibration) -> Finding:
    """Whether MS and PAN show the same things, and MS is as blurred as a sensor makes it."""
    explained, gains = calibration.explained, calibration.operator.gains
    extremes = tell_extremes(gains) if calibration.usable else ()
    facts = {"explained": explained, "blur": list(gains), "reasons": list(extremes)}
    text = f"MS explains {explained:.0%} of PAN's detail"
    compared = calibration.count > 0 and calibration.constants.pan_std > 0
    if not calibration.usable and (explained >= _OTHER_GROUND or not compared):
        text = "not known, as nothing could be learnt of the pair"
        return Finding("agreement", "ok", text, facts=facts)
    if not calibration.usable:
        why = "they show different ground, or nothing but noise"
        advice = (
            "look at both side by side: are they of one place? fuse would only add noise where they are not"
        )
        return Finding("agreement", "warning", f"{text}: {why}", advice, facts)
    if explained < _SAME_GROUND:
        why = "another time, moving cloud, or MS resampled or decimated"
        return Finding("agreement", "note", f"{text} alone: {why}", "look at both side by side", facts)
    text = "; ".join([text, *extremes])
    if min(gains) <= GAINS[0]:
        # Interpolation blurs like that, and no sensor does.
        advice = "if MS was resampled to smaller pixels, take the original"
        return Finding("agreement", "note", text, advice, facts)
    return Finding("agreement", "ok", text, facts=facts)


def draw_map(shifts: Sequence[LocalShift], area: Rect) -> list[str]:
    """Lines that show, place by place over PAN pixels `area`, which way and how far MS lies, in PAN pixels.

    "?" where a place does not tell; places that fall into one cell are shown by the surest.
    """
    rows = _cells([local.centre[0] for local in shifts], area.row, area.height)
    cols = _cells([local.centre[1] for local in shifts], area.col, area.width)
    cells: dict[tuple[int, int], LocalShift] = {}
    for row, col, local in zip(rows, cols, shifts, strict=True):
        if (row, col) not in cells or local.error < cells[row, col].error:
            cells[row, col] = local
    if not cells:
        return []
    return [
        " ".join(_draw(cells.get((row, col))) for col in range(max(cols) + 1)).rstrip()
        for row in range(max(rows) + 1)
    ]


def _cells(centres: Sequence[float], start: int, size: int) -> list[int]:
    """The cells that centres fall into, as many as there are lines of places, and _CELLS at most."""
    count = min(_CELLS, len({round(centre) for centre in centres}))
    return [min(max(int((centre - start) * count / size), 0), count - 1) for centre in centres]


def _draw(local: LocalShift | None) -> str:
    if local is None:
        return "    ."
    if local.error >= _SURE:
        return "    ?"
    down, right = local.shift
    size = math.hypot(down, right)
    if size < _STILL:
        return "  0.0"
    # Rows run down, angles up.
    arrow = _ARROWS[round(math.atan2(-down, right) / (math.pi / 4)) % 8]
    return f"{arrow}{size:.1f}".rjust(5)
