"""Which of two networks is better: one rule, for every look and for the end."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from geosharp.quality.scores import METRICS, compare

# By protocol and metric: what must not get worse, by more than the noise.
_KEPT = (("full", "hqnr"), ("full", "d_lambda"))
# Places without which nobody can say how far a gain is chance.
FEWEST = 3
# dB by which a look must be ahead of the best before it: less would be told as nothing.
LEAST_GAIN = 0.005

Means = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Verdict:
    """text: in words, for users; gains: by how many dB each place kept aside is closer to the truth."""

    better: bool
    text: str
    gains: tuple[float, ...]


def decide(
    scores: Means, rival: Means, name: str, pairs: Sequence[tuple[float, float]], *, taken: bool
) -> Verdict:
    """Whether `scores` are better than those of `rival`, which users know by `name`.

    pairs: PSNR of both at each place kept aside; taken: whether a look on the way found it better, too.
    """
    gains = tuple(gain for one, other in pairs if math.isfinite(gain := one - other))
    ahead = is_better(scores, rival, gains)
    better = ahead and taken
    told = f"better than {name}: use it" if better else f"no better than {name}: keep {name}"
    if ahead and not taken:
        told = f"ahead of {name}, but no look on the way found it better than it began: keep {name}"
    if len(gains) < FEWEST:
        told = f"too few places to tell ({FEWEST} are needed): keep {name}"
    spread = f"{min(gains):+.2f} to {max(gains):+.2f} dB" if gains else "no gain known"
    hqnr, before = scores["full"]["hqnr"], rival["full"]["hqnr"]
    text = (
        f"{told} ({closer(scores, rival):+.2f} dB; on {len(gains)} places, {spread} at reduced resolution "
        f"(PSNR); HQNR {hqnr:.3f} against {before:.3f})"
    )
    return Verdict(better, text, gains)


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


def is_better(scores: Means, base: Means, gains: Sequence[float]) -> bool:
    """Closer to the truth by more than the noise and more than chance, and no worse where there is no truth.

    gains: dB at each place, whose mean is uncertain by one standard error.
    """
    if len(gains) < FEWEST or harms(scores, base):
        return False
    chance = statistics.stdev(gains) / math.sqrt(len(gains))
    return closer(scores, base) > max(METRICS["reduced"]["psnr"].noise, chance)
