"""Learning how a scene's MS came of what its PAN shows: Progressive Alignment Degradation.

After "Progressive Alignment Degradation Learning for Pansharpening", arXiv 2506.20179, whose mutual iteration
this is; where the paper is silent (parameters, starts, guards, when to doubt) the choice is ours.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from geosharp.imaging.computing import computing
from geosharp.padm.bands import BandFit, fit_bands
from geosharp.padm.calibration import (
    NOTED_SHIFT,
    BandCalibration,
    Calibration,
    StartRun,
    tell_extremes,
    tell_neglect,
    tell_shift,
    tell_unevenness,
)
from geosharp.padm.confidence import LocalShift, estimate_errors, map_shifts, spread_of
from geosharp.padm.freeform import fit_free_form
from geosharp.padm.iterate import (
    GAINS,
    MOST_SHIFT,
    Fit,
    Operator,
    Step,
    explain,
    iterate,
)
from geosharp.padm.misfit import find_misfit
from geosharp.padm.sample import Constants, Sample, fits_kernels, take_sample
from geosharp.raster.scene import Scene

# Told what is under way and which share of all work is done.
Progress = Callable[[str, float], None]

# Windows that starts are tried on (and a kernel of any form), and the coarse search for a shift.
_TRIED = 16
_SEARCHED = 9
_SEARCH_GAIN = 0.3
# Far from any sensor's gain, on either side.
_POOR_GAINS = (0.05, 0.60)
# Below, an operator is not told from another.
_LEAST_COUNT = 500
_LEAST_EXPLAINED = 0.5
_MOST_ERROR = (0.15, 0.5)  # of a gain, of a shift in PAN pixels
_SAME_EXPLAINED = 0.002
# R2 by which a shift must be the better for a user who wants none to hear of it.
_CLEARLY = 0.01
_COUNTED = "valid and unsaturated in all bands and wherever PAN goes into them"
# Digits that are kept: more is rounding of sums, which threads may change.
_DIGITS = 4
# torch's number of threads is the process's: who changes it for a while has it alone.
_THREADS = threading.RLock()


def calibrate(
    scene: Scene,
    *,
    align: bool = True,
    starts: Sequence[Operator] | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """The operator from PAN to MS that lets the bands explain most of degraded PAN; the same bits every time.

    align: False trusts the geotransforms: the shift is none, and gains are the best without one.
    starts: where the iteration begins instead of at the sensor's table, at the best shift of a coarse search,
    and far from both. What cannot be told from the scene is the table's, and the verdict says so.
    """
    tell = progress or (lambda stage, share: None)
    with computing(), _one_thread():
        tell("read", 0.0)
        sample = take_sample(scene)
        if sample is None:
            calibration = _doubted(scene, (_tell_emptiness(scene),))
        else:
            calibration = _conclude(_gather(scene, sample, align, starts, tell))
    tell("done", 1.0)
    return calibration


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch with one thread: sums come out alike on any number of cores.

    And soon enough: where other work is on the cores, threads that wait for one another take twice as long.
    One at a time, or the second would take the first's one for the number to give back.
    """
    with _THREADS:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@dataclass(frozen=True, eq=False)
class _Evidence:
    """What a calibration is concluded from; misfit: see Calibration."""

    scene: Scene
    sample: Sample
    fit: Fit
    runs: tuple[StartRun, ...]
    table_explained: float
    local_shifts: tuple[LocalShift, ...]
    misfit: tuple[float, float] | None

    @property
    def shift_spread(self) -> tuple[float, float]:
        return _pair(spread_of(self.local_shifts))


def _gather(
    scene: Scene,
    sample: Sample,
    align: bool,
    starts: Sequence[Operator] | None,
    tell: Progress,
) -> _Evidence:
    table = _table(scene)
    tried = sample.thin(_TRIED)
    begins = _choose_starts(sample, table, align) if starts is None else _name(starts, align)
    runs = []
    for index, (name, start) in enumerate(begins):
        tell("iterate", (1 + index) / (3 + len(begins)))
        fit = iterate(tried, start, moving=align)
        runs.append(StartRun(name, start, _rounded(fit.operator), *_told(fit)))
    best = max(runs, key=lambda run: run.explained)
    tell("refine", 1 - 2 / (3 + len(begins)))
    fit = iterate(sample, best.end, moving=align)
    tell("bands", 1 - 1 / (3 + len(begins)))
    return _Evidence(
        scene=scene,
        sample=sample,
        fit=fit,
        runs=tuple(runs),
        table_explained=_round(explain(sample, table)),
        local_shifts=tuple(
            LocalShift(_pair(each.centre), _pair(each.shift), _round(each.error))
            for each in map_shifts(sample, fit, scene.relation.offset)
        ),
        misfit=None if align else _find_neglected(tried, best.explained),
    )


def _find_neglected(sample: Sample, explained: float) -> tuple[float, float] | None:
    """The shift that clearly explains more than `explained`, which none does; None where it is small."""
    fit = iterate(sample, _search(sample, align=True))
    if math.hypot(*fit.operator.shift) < NOTED_SHIFT or fit.explained <= explained + _CLEARLY:
        return None
    beyond = max(map(abs, fit.operator.shift)) >= MOST_SHIFT
    shift = find_misfit(sample) if beyond else fit.operator.shift
    return None if shift is None else _pair(shift)


def _conclude(evidence: _Evidence) -> Calibration:
    sample, fit = evidence.sample, evidence.fit
    errors = estimate_errors(sample, fit).tolist()
    doubts, bounds = _doubts(sample, fit, evidence.runs, errors), _bounds(fit.operator)
    if (doubts or bounds) and (far := _tell_far(sample)):
        doubts = (far,)
    elif doubts:
        uneven = tell_unevenness(evidence.local_shifts, evidence.shift_spread)
        cause = tell_neglect(evidence.misfit) or uneven
        doubts = doubts if cause is None else (cause,)
    if doubts:
        return _doubted(evidence.scene, doubts, evidence)
    free = fit_free_form(sample.thin(_TRIED), fit.operator)
    bands, offset = _describe_bands(evidence, fit_bands(sample, fit.operator))
    return Calibration(
        bands=bands,
        ratio=sample.ratio,
        operator=_rounded(fit.operator),
        errors=(*_pair(errors[:2]), *(_pair(errors[2:]) if fit.moving else (None, None))),
        explained=_round(fit.explained),
        table_explained=evidence.table_explained,
        offset=offset,
        constants=sample.constants,
        starts=evidence.runs,
        free_form=replace(free, explained=_round(free.explained), gaussian=_round(free.gaussian)),
        local_shifts=evidence.local_shifts,
        shift_spread=evidence.shift_spread,
        misfit=evidence.misfit,
        count=sample.count,
        verdict="bounded" if bounds else "converged",
        reasons=bounds,
    )


def _doubted(scene: Scene, doubts: tuple[str, ...], evidence: _Evidence | None = None) -> Calibration:
    """The sensor's table, where the scene does not tell; with what was found all the same, for a look."""
    nothing = (0.0,) * len(scene.bands)
    return Calibration(
        bands=tuple(
            BandCalibration(band.name, (band.optics.gain, band.optics.gain), None, None, None)
            for band in scene.bands
        ),
        ratio=scene.relation.ratio,
        operator=_table(scene),
        errors=None,
        explained=evidence.table_explained if evidence else 0.0,
        table_explained=evidence.table_explained if evidence else 0.0,
        offset=None,
        constants=evidence.sample.constants if evidence else Constants(nothing, nothing, 0.0, 0.0),
        starts=evidence.runs if evidence else (),
        free_form=None,
        local_shifts=evidence.local_shifts if evidence else (),
        shift_spread=evidence.shift_spread if evidence else (0.0, 0.0),
        misfit=evidence.misfit if evidence else None,
        count=evidence.sample.count if evidence else 0,
        verdict="unidentifiable",
        reasons=doubts,
    )


def _doubts(sample: Sample, fit: Fit, runs: tuple[StartRun, ...], errors: Sequence[float]) -> tuple[str, ...]:
    """Why the operator cannot be told from this scene, each in words for the user."""
    if sample.count < _LEAST_COUNT:
        return (f"only {sample.count} MS pixels are {_COUNTED}",)
    if sample.constants.pan_std == 0 or fit.products[:, 0, 0].sum() <= 0:
        return ("PAN shows no texture",)
    if fit.explained < _LEAST_EXPLAINED:
        return (f"the bands explain only {fit.explained:.0%} of PAN's detail",)
    doubts = []
    if not fit.converged:
        doubts.append("the iteration does not come to rest")
    gain_error, shift_error = max(errors[:2]), max(errors[2:])
    if not gain_error <= _MOST_ERROR[0]:
        doubts.append(f"the Nyquist gain is known to {gain_error:.2f} only")
    if not shift_error <= _MOST_ERROR[1]:
        doubts.append(f"the shift is known to {shift_error:.2f} PAN pixels only")
    best = max(runs, key=lambda run: run.explained)
    rivals = [run for run in runs if run.explained > best.explained - _SAME_EXPLAINED and run.converged]
    apart = [run.end.apart(best.end) for run in rivals]
    if any(gain > _MOST_ERROR[0] or shift > _MOST_ERROR[1] for gain, shift in apart):
        doubts.append("operators that differ explain PAN equally well")
    return tuple(doubts)


def _tell_far(sample: Sample) -> str | None:
    """That MS lies too far off for the iteration, if it does."""
    misfit = find_misfit(sample)
    if misfit is None or max(map(abs, misfit)) < MOST_SHIFT:
        return None
    most = f"which is more than the {math.floor(MOST_SHIFT)} that can be corrected"
    remedy = "correct MS's geotransform by that much and run again"
    return f"MS lies about {tell_shift(misfit, 0)}, {most}: {remedy}"


def _tell_emptiness(scene: Scene) -> str:
    """Why no MS pixel counts."""
    if fits_kernels(scene):
        return f"no MS pixel is {_COUNTED}"
    height, width = scene.grid.shape
    return f"a PAN of {height} x {width} pixels is too small to hold a kernel's reach around any MS pixel"


def _bounds(operator: Operator) -> tuple[str, ...]:
    reasons = [f"{each}: fuse allows for that" for each in tell_extremes(operator.gains)]
    if max(map(abs, operator.shift)) >= MOST_SHIFT:
        reasons.append(
            f"MS lies {MOST_SHIFT} PAN pixels or more from where the geotransforms put it, and more is not "
            "corrected: correct MS's geotransform and run again"
        )
    return tuple(reasons)


def _choose_starts(sample: Sample, table: Operator, align: bool) -> list[tuple[str, Operator]]:
    """The sensor's table, the best of a lattice of shifts, and its shift with gains far from any sensor's."""
    found = _search(sample, align)
    poor = [(f"gain {gain}", Operator((gain, gain), found.shift)) for gain in _POOR_GAINS]
    return [("table", table), ("search", found), *poor]


def _search(sample: Sample, align: bool) -> Operator:
    """The best of a lattice of shifts: one that is finer than an MS pixel misses no way uphill."""
    thin = sample.thin(_SEARCHED)
    far = 4.0 if align else 0.0
    steps = [
        np.unique(np.linspace(-far, far, 1 + math.ceil(8 / (0.75 * each)))).tolist() for each in sample.ratio
    ]
    lattice = [
        Operator((_SEARCH_GAIN, _SEARCH_GAIN), (down, right)) for down in steps[0] for right in steps[1]
    ]
    return max(lattice, key=lambda each: explain(thin, each))


def _table(scene: Scene) -> Operator:
    gain = _round(np.clip(np.mean([band.optics.gain for band in scene.bands]), *GAINS))
    return Operator((gain, gain), (0.0, 0.0))


def _describe_bands(
    evidence: _Evidence, fits: tuple[BandFit, ...]
) -> tuple[tuple[BandCalibration, ...], float]:
    """The bands in DN, and the DN that PAN has where they are 0."""
    sample, weights = evidence.sample, evidence.fit.weights
    constants = sample.constants
    pan_std = constants.pan_std
    low = evidence.fit.operator.net(sample.ratio)(sample) * sample.counted
    # Where PAN's own mean may be that of more ground than the bands are known on.
    level = low.sum(dtype=torch.float64) / sample.counted.sum(dtype=torch.float64)
    described, offset = [], constants.pan_mean + pan_std * float(level)
    rows = zip(evidence.scene.bands, fits, weights.tolist(), constants.means, constants.stds, strict=True)
    for band, fit, weight, mean, std in rows:
        in_dn = _significant(weight * pan_std / std) if std > 0 else 0.0
        offset -= in_dn * mean
        injection = _significant(fit.slope * std / pan_std)
        described.append(
            BandCalibration(band.name, _pair(fit.gains), in_dn, injection, _round(fit.explained))
        )
    return tuple(described), _significant(offset)


def _name(starts: Sequence[Operator], align: bool) -> list[tuple[str, Operator]]:
    return [
        (f"start {number}", start if align else replace(start, shift=(0.0, 0.0)))
        for number, start in enumerate(starts, 1)
    ]


def _told(fit: Fit) -> tuple[float, bool, tuple[Step, ...]]:
    history = tuple(
        Step(_round(step.align, 6), _round(step.degrade, 6), _rounded(step.operator)) for step in fit.history
    )
    return _round(fit.explained, 6), fit.converged, history


def _rounded(operator: Operator) -> Operator:
    return Operator(_pair(operator.gains), _pair(operator.shift))


def _pair(values: Sequence[float]) -> tuple[float, float]:
    return _round(values[0]), _round(values[1])


def _round(value: float, digits: int = _DIGITS) -> float:
    return round(float(value), digits)


def _significant(value: float) -> float:
    return float(f"{value:.6g}")
