"""Does PADM's mutual iteration end at one operator wherever it starts? Real scenes, and two made to break it.

    python examples/experiments/padm_convergence.py --data FOLDER --markdown padm_convergence.md
        --svg padm_convergence.svg

FOLDER holds one folder per scene with pan.tif and ms.tif. Starts are every pair of GAINS and SHIFTS: sensors'
usual gains and what no sensor has, where the geotransforms say and almost six PAN pixels from there. Beside
them calibrate's own starts, two of which are at the best of a coarse search. "rows" is a field planted in
rows five PAN pixels apart, "noise" a ground without any large forms: a start that is further off than half a
row, or than a kernel is wide, sees no way uphill.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from padm_planted import MOST_ERROR, Case, add_noise, degrade, write_float
from panels import BLUE, ORANGE, Axis, Dot, Line, Panel, to_svg

from geosharp.padm.calibrate import calibrate
from geosharp.padm.calibration import Calibration, StartRun
from geosharp.padm.iterate import Operator
from geosharp.raster.scene import Scene, open_scene

DATA = Path(os.environ.get("GEOSHARP_DATA", Path(__file__).parents[3] / "shared" / "data")) / "bench"
SCENES = (
    "wv2_urban",
    "ikonos_urban",
    "geoeye1_urban",
    "spot6_cropland",
    "gf2_strip",
    "l8_scene5",
    "l8_scene12",
)
TEXTURES = ("rows", "noise")
GAINS = ((0.3, 0.3), (0.02, 0.02), (0.7, 0.7), (0.02, 0.7))
SHIFTS = ((0.0, 0.0), (4.0, -4.0), (-4.0, 4.0))
# Of the textures: ratio 2, where kernels are narrow.
PLANTED = Case("", 2, ((0.3, 0.3),) * 3, (2.6, -3.1), (0.3, 0.3, 0.4), 30.0)
SIDE = 512
# Of a panel of the figure, in pixels; of the losses drawn, least and most, as powers of ten.
SIZE = (220, 130)
POWERS = (-6, 0)
STEPS = 15
PER_ROW = 3


@dataclass(frozen=True)
class Outcome:
    """told: the iteration from each start alone; own: calibrate by itself."""

    name: str
    told: Calibration
    own: Calibration

    @property
    def best(self) -> StartRun:
        return max((*self.told.starts, *self.own.starts), key=lambda run: run.explained)

    @property
    def reached(self) -> list[StartRun]:
        """The told starts from which the best operator is come to."""
        return [run for run in self.told.starts if self.is_best(run)]

    @property
    def spread(self) -> tuple[float, float]:
        """Of the gains and the shifts in which these end: largest difference."""
        pairs = [one.end.apart(other.end) for one in self.reached for other in self.reached]
        gains, shifts = zip(*pairs, strict=True) if pairs else ((0.0,), (0.0,))
        return max(gains), max(shifts)

    def is_best(self, run: StartRun) -> bool:
        gain, shift = run.end.apart(self.best.end)
        return gain <= MOST_ERROR[0] and shift <= MOST_ERROR[1]


def measure(name: str, scene: Scene) -> Outcome:
    starts = [Operator(gains, shift) for gains in GAINS for shift in SHIFTS]
    return Outcome(name, calibrate(scene, starts=starts), calibrate(scene))


def plant_texture(kind: str, folder: Path, side: int = SIDE) -> Scene:
    """A scene of PLANTED whose ground is of that kind."""
    rng = np.random.default_rng(0)
    ground = rng.normal(size=(len(PLANTED.gains) + 1, side, side))
    if kind == "rows":
        waves = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
        ground = np.fft.ifft2(np.fft.fft2(ground) / np.maximum(waves, 2 / side) ** 1.2).real
        ground = ground / ground.std() + 3 * np.cos(2 * math.pi / 5 * np.arange(side))
    pan, ms = degrade(0.8 * ground[:1] + 0.6 * ground[1:], PLANTED)
    pan, ms = add_noise(pan, PLANTED.noise, rng), add_noise(ms, PLANTED.noise, rng)
    return open_scene(
        write_float(folder / "pan.tif", pan, 1), write_float(folder / "ms.tif", ms, PLANTED.ratio)
    )


def run(data: Path, scenes: list[str]) -> Iterator[Outcome]:
    for name in scenes:
        yield measure(name, open_scene(data / name / "pan.tif", data / name / "ms.tif"))
    for name in TEXTURES:
        with tempfile.TemporaryDirectory() as folder:
            yield measure(name, plant_texture(name, Path(folder)))


def to_markdown(outcomes: list[Outcome]) -> str:
    own = "by calibrate's own starts: gains, shift, verdict"
    lines = [
        f"| scene | starts that reach it | gains apart | shifts apart | steps: median, most | R2 | {own} |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for each in outcomes:
        steps = [len(run.history) for run in each.reached] or [0]
        operator = each.own.operator
        lines.append(
            f"| {each.name} | {len(each.reached)} of {len(each.told.starts)} | {each.spread[0]:.4f} | "
            f"{each.spread[1]:.4f} | {np.median(steps):.0f}, {max(steps)} | {each.best.explained:.4f} | "
            f"{operator.gains[0]:.3f}, {operator.gains[1]:.3f}; {operator.shift[0]:.2f}, "
            f"{operator.shift[1]:.2f}; {each.own.verdict} |"
        )
    lines.append("")
    for each in outcomes:
        lines += [_describe_miss(each.name, run) for run in each.told.starts if not each.is_best(run)]
    return "\n".join(lines)


def _describe_miss(name: str, run: StartRun) -> str:
    start, end = (
        f"{each.gains[0]:.2f}, {each.gains[1]:.2f} and shift {each.shift[0]:.1f}, {each.shift[1]:.1f}"
        for each in (run.start, run.end)
    )
    return f"- {name}: from gains {start} to {end}, R2 {run.explained:.3f}"


def draw(outcomes: list[Outcome]) -> str:
    """An SVG: per scene, every start's loss 1 - R2 above the least of all, step by step."""
    caption = "Loss, 1 - R2 of D(PAN) by A(MS), less the least reached; a dot where a start begins."
    legend = {BLUE: "ends at the best operator", ORANGE: "ends elsewhere"}
    panels = [_plot(each) for each in outcomes]
    return to_svg(panels, PER_ROW, SIZE, [caption], legend)


def _plot(outcome: Outcome) -> Panel:
    steps = Axis("step", 0, STEPS, {step: str(step) for step in range(0, STEPS + 1, 5)})
    losses = Axis("loss above the least", *POWERS, {n: f"1e{n}" for n in range(POWERS[0], POWERS[1] + 1, 2)})
    marks: list[Line | Dot] = []
    for run in outcome.told.starts:
        reached = [*(step.align for step in run.history), 1 - run.explained]
        above = [max(loss - (1 - outcome.best.explained), 10.0 ** POWERS[0]) for loss in reached]
        points = [(float(step), math.log10(loss)) for step, loss in enumerate(above)]
        colour = BLUE if outcome.is_best(run) else ORANGE
        marks += [Line(points, colour), Dot(*points[0], colour)]
    return Panel(outcome.name, steps, losses, marks)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the scenes' folders")
    parser.add_argument("--scenes", nargs="*", default=SCENES)
    parser.add_argument("--markdown", type=Path, help="also write the table there")
    parser.add_argument("--svg", type=Path, help="write the curves there")
    options = parser.parse_args()
    outcomes = list(run(options.data, options.scenes))
    text = f"# Does the iteration end at one operator wherever it starts?\n\n{to_markdown(outcomes)}"
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.svg is not None:
        options.svg.write_text(draw(outcomes) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
