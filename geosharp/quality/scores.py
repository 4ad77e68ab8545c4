"""What each score means, and who wins by more than the noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A column of scores. meaning: what it measures, in plain words, with its ideal; absent: why a result
    may have no such score.

    A lead of at most `noise`, or of that `relative_noise` of the best value, is no win.
    """

    title: str
    meaning: str
    better: Literal["lower", "higher"]
    unit: str = ""
    decimals: int = 3
    noise: float = 0.0
    relative_noise: float = 0.0
    absent: str = "nothing was there to be scored"


_NO_PEAK = "no value of the MS is above zero"
_NO_SPECTRA = "every pixel is zero in the MS or in the result"
_NO_MEAN = "a band of the MS is zero on average"
_NO_MS_BLOCK = "no block of 32 x 32 MS pixels is valid as a whole"

# From here on a value is told by its power of ten.
_LONG = 1e6

# By protocol and by the name that a score has in results.
METRICS: Mapping[str, Mapping[str, Metric]] = {
    "reduced": {
        "psnr": Metric(
            "PSNR",
            "Closeness to the truth, all bands together: every 6 dB more halve the error.",
            "higher",
            "dB",
            2,
            noise=0.07,
            absent=_NO_PEAK,
        ),
        "psnr_per_band": Metric(
            "PSNR per band",
            "The same taken band by band and averaged, so that easy bands count as much as hard ones.",
            "higher",
            "dB",
            2,
            noise=0.07,
            absent=_NO_PEAK,
        ),
        "ssim": Metric(
            "SSIM",
            "Likeness of local patterns to the truth's; 1 is perfect.",
            "higher",
            noise=0.003,
            absent=f"{_NO_PEAK}, or no square of 11 x 11 pixels is valid as a whole",
        ),
        "sam": Metric(
            "SAM",
            "How far the colours of pixels are turned away from the true ones, as an angle; 0 is perfect.",
            "lower",
            "°",
            relative_noise=0.008,
            absent=_NO_SPECTRA,
        ),
        "ergas": Metric(
            "ERGAS",
            "Error relative to each band's brightness, all bands together; 0 is perfect.",
            "lower",
            relative_noise=0.008,
            absent=_NO_MEAN,
        ),
        "scc": Metric(
            "SCC",
            "Likeness of edges to the truth's; 1 is perfect.",
            "higher",
            noise=0.003,
            absent="no pixel is valid together with its neighbours",
        ),
        "q2n": Metric(
            "Q2n",
            "Brightness, contrast and colour, all bands at once; 1 is perfect.",
            "higher",
            noise=0.003,
            absent=_NO_MS_BLOCK,
        ),
    },
    "full": {
        "hqnr": Metric(
            "HQNR",
            "Both distortions below in one number; 1 is perfect. No score without a reference decides alone: "
            "D_S can put mere interpolation first in towns, so look at D_rho, too.",
            "higher",
            noise=0.003,
            absent=_NO_MS_BLOCK,
        ),
        "d_lambda": Metric(
            "D_lambda",
            "How far the result, made as coarse as the MS, is from the MS; 0 is perfect.",
            "lower",
            noise=0.003,
            absent=_NO_MS_BLOCK,
        ),
        "d_s": Metric(
            "D_S",
            "Whether bands go with PAN in fine detail as far as in coarse; 0 is perfect. It can put mere "
            "interpolation first in towns: look at D_rho, too.",
            "lower",
            noise=0.003,
            absent="no block of 32 x 32 PAN pixels is valid as a whole",
        ),
        "d_s_regression": Metric(
            "D_S regression",
            "Share of PAN that no mix of the bands explains; 0 is none. GSA is made to reach it.",
            "lower",
            noise=0.003,
            absent="PAN is flat",
        ),
        "d_rho": Metric(
            "D_rho",
            "How little of PAN's fine detail is in the bands; 0 is all of it, which for bands that PAN does "
            "not see would be wrong.",
            "lower",
            noise=0.003,
            absent="PAN is flat wherever a window of an MS pixel's size is valid as a whole",
        ),
        "reprojection_sam": Metric(
            "reprojection SAM",
            "How far colours turn away from the MS once the result is made as coarse; 0 is perfect.",
            "lower",
            "°",
            relative_noise=0.008,
            absent=_NO_SPECTRA,
        ),
        "reprojection_ergas": Metric(
            "reprojection ERGAS",
            "The error against the MS once the result is made as coarse; 0 is perfect.",
            "lower",
            relative_noise=0.008,
            absent=_NO_MEAN,
        ),
    },
}


def format_value(value: float, metric: Metric) -> str:
    """The value as tables print it, without its unit."""
    if not math.isfinite(value):
        return "n/a" if math.isnan(value) else "∞"
    return f"{value:.{metric.decimals}f}" if abs(value) < _LONG else f"{value:.3g}"


def is_absent(value: float, metric: Metric) -> bool:
    """Whether a result has no such score: an error without bounds is none, an infinite closeness is."""
    return math.isnan(value) or (math.isinf(value) and metric.better == "lower")


def find_best(values: Sequence[float], metric: Metric) -> set[int]:
    """Positions that nothing beats by more than the noise; none where that is every one or the only one."""
    counted = {place: value for place, value in enumerate(values) if not math.isnan(value)}
    if len(counted) < 2:
        return set()
    leaders = {
        place
        for place, value in counted.items()
        if not any(compare(other, value, metric) == "better" for other in counted.values())
    }
    return leaders if len(leaders) < len(counted) else set()


def compare(own: float, other: float, metric: Metric) -> Literal["better", "level", "worse"]:
    """How `own` stands to `other`: level where they differ by no more than the noise, or are told alike."""
    if own == other or format_value(own, metric) == format_value(other, metric):
        return "level"
    best = min(own, other) if metric.better == "lower" else max(own, other)
    margin = max(metric.noise, metric.relative_noise * abs(best)) if math.isfinite(best) else 0.0
    if abs(own - other) <= margin:
        return "level"
    return "better" if own == best else "worse"


def tell_scores(results: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    """What a user should know of scores by protocol, method and metric: why some are absent, and what HQNR
    may mislead to."""
    absent: dict[str, list[str]] = {}
    for protocol, scored in results.items():
        for name, metric in METRICS[protocol].items():
            if any(is_absent(scores[name], metric) for scores in scored.values()):
                absent.setdefault(metric.absent, []).append(metric.title)
    yield from (f"no {', '.join(titles)}: {reason}" for reason, titles in absent.items())
    full = results.get("full", {})
    best = find_best([scores["hqnr"] for scores in full.values()], METRICS["full"]["hqnr"])
    if "exp" in full and list(full).index("exp") in best:
        yield (
            "exp, mere interpolation, leads in HQNR: no score without a reference decides alone, and D_S can "
            "put it first in towns; look at D_rho, too"
        )
