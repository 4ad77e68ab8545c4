"""Which of two networks is better: one rule, for every look and for the end."""

from __future__ import annotations

import math
from collections.abc import Mapping

from geosharp.quality.scores import METRICS, compare

# By protocol and metric: what must not get worse, by more than the noise.
_KEPT = (("full", "hqnr"), ("full", "d_lambda"))

Means = Mapping[str, Mapping[str, float]]


def harms(scores: Means, base: Means) -> bool:
    """Whether the results at full resolution are worse than the base's."""
    return any(
        compare(scores[protocol][metric], base[protocol][metric], METRICS[protocol][metric]) == "worse"
        for protocol, metric in _KEPT
        if not math.isnan(scores[protocol][metric] + base[protocol][metric])
    )


def closer(scores: Means, other: Means) -> float:
    """By how many dB the results at reduced resolution are closer to the truth."""
    gain = scores["reduced"]["psnr"] - other["reduced"]["psnr"]
    return gain if math.isfinite(gain) else 0.0


def is_better(scores: Means, base: Means) -> bool:
    """Closer to the truth by more than the noise, and no worse where there is no truth."""
    return not harms(scores, base) and closer(scores, base) > METRICS["reduced"]["psnr"].noise
