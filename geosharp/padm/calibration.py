"""What PADM knows of a scene, and the JSON file that holds it."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from geosharp.errors import InputError
from geosharp.imaging.degradation import Degradation
from geosharp.padm.confidence import LocalShift, find_strays
from geosharp.padm.freeform import FreeForm
from geosharp.padm.iterate import GAINS, MOST_SHIFT, Operator, Step
from geosharp.padm.sample import Constants
from geosharp.raster.output.text import JSON_SUFFIXES, write_text

SCHEMA = 1
# PAN pixels of shift, and of its spread, that a user should hear of; and the share that lies elsewhere.
NOTED_SHIFT = 1.0
_NOTED_SPREAD = 0.5
_NOTED_SHARE = 0.05


@dataclass(frozen=True)
class BandCalibration:
    """One band of MS.

    gains: of its kernel from PAN at MS Nyquist, (rows, cols); weight: its part in PAN, in PAN's DN per DN;
    injection: DN of the band per DN of PAN's detail; explained: the share of its detail that PAN's makes, R2;
    these None with the table's gains.
    """

    name: str
    gains: tuple[float, float]
    weight: float | None
    injection: float | None
    explained: float | None


@dataclass(frozen=True)
class StartRun:
    """Where the iteration came to from one start."""

    name: str
    start: Operator
    end: Operator
    explained: float
    converged: bool
    history: tuple[Step, ...]


@dataclass(frozen=True)
class Calibration:
    """What a scene's sensor does to PAN pixels to make MS pixels of them.

    operator: of the scene; errors: its standard errors, gains (rows, cols) and shift (down, right), these
    None where no shift was sought, all None with the table's; explained: share of high-passed D(PAN) that
    A(MS) explains with it, R2, and table_explained the same with the sensor's table and no shift, 0 where no
    pixel counts; offset: DN of PAN where MS is 0, None with the table; free_form, local_shifts, shift_spread:
    diagnoses, which the operator is not from; misfit: (down, right) in PAN pixels, where MS clearly seems to
    lie though no shift was sought; count: MS pixels learnt from.
    verdict: "unidentifiable" means that the operator is the table's, for the reasons given.
    """

    bands: tuple[BandCalibration, ...]
    ratio: tuple[float, float]
    operator: Operator
    errors: tuple[float, float, float | None, float | None] | None
    explained: float
    table_explained: float
    offset: float | None
    constants: Constants
    starts: tuple[StartRun, ...]
    free_form: FreeForm | None
    local_shifts: tuple[LocalShift, ...]
    shift_spread: tuple[float, float]
    misfit: tuple[float, float] | None
    count: int
    verdict: Literal["converged", "bounded", "unidentifiable"]
    reasons: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return self.verdict != "unidentifiable"

    @property
    def degradation(self) -> Degradation:
        """As methods and the protocol use it."""
        gains = tuple(band.gains for band in self.bands)
        return Degradation(gains, self.operator.gains, self.operator.shift)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the pair."""
        notes = list(self.reasons)
        if math.hypot(*self.operator.shift) >= NOTED_SHIFT:
            notes.append(f"MS lies {tell_shift(self.operator.shift)}")
        if self.usable:
            causes = tell_neglect(self.misfit), tell_unevenness(self.local_shifts, self.shift_spread)
            notes += [cause for cause in causes if cause is not None]
        return tuple(notes)

    @property
    def figures(self) -> dict[str, Any]:
        """What it comes to, for JSON; `as_json` tells all of it."""
        names = ("verdict", "reasons", "ratio", "errors", "explained", "table_explained", "count", "bands")
        return dataclasses.asdict(self.operator) | {name: getattr(self, name) for name in names}

    def as_json(self) -> str:
        """As a file holds it, which `load_calibration` reads."""
        return json.dumps({"schema": SCHEMA, **dataclasses.asdict(self)}, indent=1, allow_nan=False)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        write_text(path, self.as_json() + "\n", JSON_SUFFIXES, overwrite=overwrite)


def tell_neglect(misfit: tuple[float, float] | None) -> str | None:
    """That MS lies elsewhere and was not to be moved."""
    if misfit is None:
        return None
    return f"MS seems to lie about {tell_shift(misfit, 1)}, which --no-align leaves"


def tell_unevenness(shifts: tuple[LocalShift, ...], spread: tuple[float, float]) -> str | None:
    """That no one shift fits, if none does: MS is bent or stretched, or a part of it lies elsewhere."""
    if max(spread) >= _NOTED_SPREAD:
        where = f"MS lies differently on PAN from place to place, by about {max(spread):.1f} PAN pixels"
        return f"{where}: one shift cannot align it"
    share, size = find_strays(shifts)
    if share >= _NOTED_SHARE:
        where = f"in {share:.0%} of places MS lies about {size:.1f} PAN pixels off the rest"
        return f"{where}: one shift cannot align both"
    return None


def tell_extremes(gains: tuple[float, float]) -> tuple[str, ...]:
    """In which way MS is beyond what kernels may be, along each of (rows, cols) where it is."""
    extremes = dict(zip(GAINS, (("very blurred", "less"), ("very sharp", "more")), strict=True))
    return tuple(
        f"MS is {extremes[gain][0]} along {axis} (Nyquist gain {gain:.2f} or {extremes[gain][1]})"
        for axis, gain in zip(("rows", "columns"), gains, strict=True)
        if gain in extremes
    )


def tell_shift(shift: tuple[float, float], digits: int = 2) -> str:
    """Where something lies, in words."""
    down, right = shift
    return (
        f"{abs(down):.{digits}f} PAN pixels {'down' if down >= 0 else 'up'} and {abs(right):.{digits}f} "
        f"{'right' if right >= 0 else 'left'} of where the geotransforms put it"
    )


def load_calibration(path: str | Path) -> Calibration:
    """What `Calibration.save` wrote, to the same bits."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}"
        raise _refusal(path, found) from error
    return parse_calibration(text, path)


def parse_calibration(text: str, source: object) -> Calibration:
    """source: where the text is from, for the error that tells what is wrong with it."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        # Numbers of thousands of digits are other ValueErrors.
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise _refusal(source, f"not JSON{where}") from error
    if not isinstance(data, dict) or "schema" not in data:
        raise _refusal(source, "JSON, but no calibration")
    schema = data.pop("schema")
    if type(schema) is not int or schema != SCHEMA:
        raise _refusal(source, "a calibration of another version of geosharp")
    try:
        calibration = _build(Calibration, data)
    except _Unfit as unfit:
        raise _refusal(source, f"a calibration with {unfit}") from unfit
    assert isinstance(calibration, Calibration)
    return calibration


# Of fields' values, least and most. A response of 0 or 1 is no Gaussian's.
_GAINS, _SHARE, _AMOUNT = (0.001, 0.999), (0.0, 1.0), (0.0, math.inf)
_LIMITS: dict[Any, dict[str, tuple[float, float]]] = {
    Operator: {"gains": _GAINS, "shift": (-MOST_SHIFT, MOST_SHIFT)},
    BandCalibration: {"gains": _GAINS, "explained": _SHARE},
    StartRun: {"explained": _SHARE},
    FreeForm: {"explained": _SHARE, "gaussian": _SHARE},
    LocalShift: {"error": _AMOUNT},
    Calibration: {
        "ratio": (1.0, math.inf),
        "errors": _AMOUNT,
        "explained": _SHARE,
        "table_explained": _SHARE,
        "shift_spread": _AMOUNT,
        "count": _AMOUNT,
    },
}


class _Unfit(Exception):  # noqa: N818  never leaves this module
    """Which part of JSON data is not what a field's type asks for."""


def _build(wanted: Any, data: Any, name: str = "calibration") -> Any:
    """`data` as JSON gives it -> the type `wanted`: a dataclass, a tuple, a literal, a number or a text."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if dataclasses.is_dataclass(wanted):
        hints = typing.get_type_hints(wanted)
        if not isinstance(data, dict) or set(data) != set(hints):
            raise _Unfit(f"other fields than {', '.join(hints)} in {name}")
        fields = {key: _build(hint, data[key], key) for key, hint in hints.items()}
        for key, limits in _LIMITS.get(wanted, {}).items():
            _check_range(key, fields[key], *limits)
        return wanted(**fields)  # type: ignore[operator]
    if origin is types.UnionType:
        return None if data is None else _build(arguments[0], data, name)
    if origin is tuple:
        if not isinstance(data, list) or (arguments[-1] is not ... and len(data) != len(arguments)):
            raise _Unfit(f"no list of the right length as {name}")
        kinds = (arguments[0],) * len(data) if arguments[-1] is ... else arguments
        return tuple(_build(kind, each, name) for kind, each in zip(kinds, data, strict=True))
    if origin is Literal:
        fits = data in arguments
    elif wanted is float:
        number = isinstance(data, int | float) and not isinstance(data, bool)
        # Whole numbers may be larger than any float.
        fits = number and abs(data) <= sys.float_info.max
        data = float(data) if fits else data
    else:
        fits = type(data) is wanted
    if not fits:
        raise _Unfit(f"{data!r:.40} as {name}")
    return data


def _check_range(name: str, value: Any, low: float, high: float) -> None:
    """value: a number, several, or None."""
    for each in value if isinstance(value, tuple) else (value,):
        if each is not None and not low <= each <= high:
            limits = f"of {low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
            raise _Unfit(f"{each!r:.40} as {name}, which must be {limits}")


def _refusal(source: object, found: str) -> InputError:
    return InputError(
        source, found, "a calibration as geosharp saves it", "calibrate the scene anew, or name another file"
    )
