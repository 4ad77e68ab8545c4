"""The paper's motivating curve: do scores at full resolution follow those at reduced resolution in training?

    PYTHONPATH=. python examples/experiments/training_curve.py --out FOLDER --steps 2000 --seeds 1,2,3
        --bench FOLDER --markdown training_curve.md --svg training_curve.svg [any flag of pretrain.py]

Two of ablation.py's runs, with today's pairs and with those of a fixed MTF, at four moments; the latter put
to work with the sensor's table, as who trains so would, and with PADM. What ablation.py has trained in --out
is taken, and the other way round. Weights are running means at the full rate; only the last ones have seen it
fall.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ablation import SCORES, mean_of, read_study, score, spread, train
from panels import BLUE, GREEN, ORANGE, Axis, Dot, Line, Panel, to_svg
from variants import VARIANTS, Use

# By colour: a variant and how it is put to work.
CURVES = {BLUE: ("full", Use()), ORANGE: ("fixed", Use("sensor")), GREEN: ("fixed", Use())}
TITLES = {
    "lead": "Reduced: PSNR over the best classical, dB",
    "hqnr": "Full: HQNR",
    "reprojection_ergas": "Full: reprojection ERGAS",
    "d_rho": "Full: D_rho",
}
DIGITS = {"lead": 2, "hqnr": 4, "reprojection_ergas": 3, "d_rho": 4}


@dataclass(frozen=True)
class Point:
    """What each seed's run has come to at a step. runs: scores as ablation.score has them."""

    colour: str
    step: int
    runs: list[dict[str, Any]]

    def values(self, key: str) -> list[float]:
        return [mean_of(run, key) for run in self.runs]


def collect(found: dict[str, list[dict[str, Any]]], marks: Sequence[int]) -> list[Point]:
    """found: by variant the scores of each seed."""
    return [
        Point(colour, mark, [scores[str(mark)][use.title] for scores in found[name]])
        for colour, (name, use) in CURVES.items()
        for mark in marks
    ]


def name_curve(colour: str) -> str:
    name, use = CURVES[colour]
    return f"{VARIANTS[name].title} ({use.title.partition(',')[0]} at work)"


def to_markdown(points: Sequence[Point]) -> str:
    heads = ["pairs", "step", "minutes", "gain, dB", *TITLES.values()]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for point in points:
        cells = [name_curve(point.colour), str(point.step), f"{np.mean(point.values('minutes')):.1f}"]
        cells += [spread(point.values("gain"), 2)]
        cells += [spread(point.values(key), DIGITS[key]) for key in SCORES]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(points: Sequence[Point]) -> str:
    """An SVG: a panel for each score, a dot for each seed, lines through their means."""
    steps = sorted({point.step for point in points})
    places = {step: math.log2(step) for step in steps}
    x = Axis("step", places[steps[0]], places[steps[-1]], {places[step]: str(step) for step in steps})
    captions = ["Scores on the bench as training goes on: dots are seeds, lines their means."]
    panels = [_plot(TITLES[key], points, key, x) for key in SCORES]
    return to_svg(panels, 2, (260, 150), captions, {colour: name_curve(colour) for colour in CURVES})


def _plot(title: str, points: Sequence[Point], key: str, x: Axis) -> Panel:
    values = [value for point in points for value in point.values(key)]
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.01
    ticks = {float(tick): f"{tick:.4g}" for tick in np.linspace(low, high, 4)}
    marks: list[Line | Dot] = []
    for colour in CURVES:
        own = [point for point in points if point.colour == colour]
        path = [(math.log2(point.step), float(np.mean(point.values(key)))) for point in own]
        marks.append(Line(path, colour))
        marks += [Dot(math.log2(point.step), value, colour) for point in own for value in point.values(key)]
    return Panel(title, x, Axis("", low - room, high + room, ticks), marks)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--svg", type=Path, help="draw the curves there; needs --bench")
    study, options = read_study(parser)
    if options.svg is not None and study.bench is None:
        parser.error("--svg draws scores on the bench: name its folder with --bench")
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in options.seeds:
        for name in dict.fromkeys(name for name, _ in CURVES.values()):
            train(study, name, seed)
            found.setdefault(name, []).append(score(study, name, seed, study.marks))
    points = collect(found, study.marks)
    text = to_markdown(points)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.svg is not None:
        options.svg.write_text(draw(points) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
