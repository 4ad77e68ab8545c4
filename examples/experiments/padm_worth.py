"""What PADM is worth: glp and gsa with the sensor's table, with PADM, and with PADM but MS left in its place.

    python examples/experiments/padm_worth.py --data FOLDER --markdown padm_worth.md --svg padm_worth.svg

FOLDER holds bench/ and edge/, each with one folder per scene with pan.tif and ms.tif. The judge is the same
in all rows of a scene:

- full resolution: once PADM's own operator, and once one that is not PADM: the Gaussian and shift of
  benchmarks/bench_degradations.json, which a search found; for scenes of edge/ such a search is made here.
  D_rho holds results against PAN alone.
- reduced resolution: PAN is coarsened as the search says that MS is, so that it is as sharp as the truth.
  Table wrong: MS by an anisotropic Gaussian that is far from any table, and misplaced as the search says it
  is. Table right: MS by the table's own kernels and, the georeference being corrected first, by no shift.
  This coarse pair is then scored at full resolution, too: a scene of which the table says all. Where each of
  its blocks holds an invalid pixel, there is no HQNR ("-").
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from panels import BLUE, Axis, Dot, Line, Panel, to_svg

from geosharp.calibration import learn
from geosharp.evaluation import evaluate_scene
from geosharp.imaging.degradation import Degradation
from geosharp.padm.iterate import Operator, explain
from geosharp.padm.sample import take_sample
from geosharp.padm.table import table_degradation
from geosharp.quality.reduced import reduce_scene
from geosharp.raster.scene import Scene, open_scene

DATA = Path(os.environ.get("GEOSHARP_DATA", Path(__file__).parents[3] / "shared" / "data"))
TABLE = Path(__file__).parents[1] / "benchmarks" / "bench_degradations.json"
EDGE = ("wv2_rotterdam_chip3", "l8_pamplona_misregistered")
METHODS = ("glp", "gsa")
# calibration and align, as of evaluate_scene.
VARIANTS = {"table": ("sensor", True), "PADM": ("auto", True), "PADM, not aligned": ("auto", False)}
WRONG = (0.12, 0.45)  # gain (rows, cols)
COLUMNS = {
    "wrong": ("psnr", "ergas"),
    "right": ("psnr", "ergas"),
    "right, full": ("hqnr",),
    "full": ("hqnr", "reprojection_ergas", "d_rho"),
    "own": ("hqnr", "reprojection_ergas"),
}


@dataclass(frozen=True)
class Row:
    """scores: by judge ("wrong", "right", "full", "own") and metric."""

    scene: str
    method: str
    variant: str
    scores: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Change:
    """What is drawn of a score: PADM less table, or, where 1 is neutral, PADM over table.

    bound: what PADM is to keep, if anything; axis: its least, most and step.
    """

    title: str
    label: str
    judged: str
    metric: str
    neutral: float
    bound: float | None
    axis: tuple[float, float, float]

    def plot(self, dots: Sequence[Line | Dot], scenes: Axis) -> Panel:
        least, most, step = self.axis
        places = [least + step * number for number in range(round((most - least) / step) + 1)]
        axis = Axis(self.label, least, most, {place: f"{place:.4g}" for place in places})
        lines = [Line([(self.neutral, scenes.low), (self.neutral, scenes.high)])]
        if self.bound is not None:
            lines.append(Line([(self.bound, scenes.low), (self.bound, scenes.high)], dashed=True))
        return Panel(self.title, axis, scenes, [*lines, *dots])


CHANGES = (
    Change("Table wrong", "PSNR, PADM less table, dB", "wrong", "psnr", 0, None, (0, 4, 1)),
    Change("Table right", "PSNR, PADM less table, dB", "right", "psnr", 0, -0.05, (-0.2, 0.1, 0.1)),
    Change("Table right", "HQNR, PADM less table", "right, full", "hqnr", 0, -0.003, (-0.01, 0.01, 0.01)),
    Change("Real scene", "reprojection ERGAS, ratio", "full", "reprojection_ergas", 1, 0.7, (0, 1.25, 0.25)),
)


def measure(name: str, scene: Scene, judge: Degradation, methods: Sequence[str]) -> Iterator[Row]:
    """Every method and variant on one scene. judge: what a search found of it."""
    corrected = replace(scene, placed=scene.placed.moved(judge.shift))
    wrong = Degradation((WRONG,) * len(scene.bands), judge.pan_gain, judge.shift)
    right = Degradation(table_degradation(scene).gains, judge.pan_gain)
    own = learn(scene).degradation
    with tempfile.TemporaryDirectory() as folder:
        coarse = reduce_scene(corrected, right, Path(folder))
        for variant, (calibration, align) in VARIANTS.items():
            found = {}
            for judged, protocol, of, how in (
                ("wrong", "reduced", scene, wrong),
                ("right", "reduced", corrected, right),
                ("right, full", "full", coarse, right),
                ("full", "full", scene, judge),
                ("own", "full", scene, own),
            ):
                evaluation = evaluate_scene(
                    of, methods, protocol=protocol, calibration=calibration, align=align, degradation=how
                )
                found[judged] = evaluation.protocols[protocol]
            for method in methods:
                scores = {judged: dict(each[method]) for judged, each in found.items()}
                yield Row(name, method, variant, scores)


def find_judge(name: str, scene: Scene) -> Degradation:
    """One Gaussian and one shift: of the committed table, or by such a search, the best R2 on a lattice."""
    known = json.loads(TABLE.read_text(encoding="utf-8")).get(name)
    if known is None:
        sample = take_sample(scene)
        if sample is None:
            raise SystemExit(f"{name}: nothing to search in")
        steps = np.arange(-2, 2.01, 0.25).tolist()
        places = [Operator((0.3, 0.3), (down, right)) for down in steps for right in steps]
        shift = max(places, key=lambda each: explain(sample, each)).shift
        gains = [Operator((gain, gain), shift) for gain in (0.05, 0.1, *np.arange(0.15, 0.66, 0.05).tolist())]
        known = {"gain": max(gains, key=lambda each: explain(sample, each)).gains[0], "shift": shift}
    gain, (down, right) = known["gain"], known["shift"]
    return Degradation.alike([gain] * len(scene.bands), gain, (down, right))


def to_markdown(rows: Sequence[Row]) -> str:
    heads = ["scene", "method", "variant"]
    for judged, metrics in COLUMNS.items():
        title = {"full": "full", "own": "full, PADM judging"}.get(judged, f"table {judged}")
        heads += [f"{title}: {metric.replace('_', ' ')}" for metric in metrics]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in rows:
        scores = [row.scores[judged][metric] for judged, metrics in COLUMNS.items() for metric in metrics]
        cells = ["-" if math.isnan(score) else f"{score:.3f}" for score in scores]
        lines.append(f"| {row.scene} | {row.method} | {row.variant} | {' | '.join(cells)} |")
    bench = [row for row in rows if row.scene not in EDGE]
    for title, part in (("bench", bench), ("misregistered", [row for row in rows if row.scene in EDGE])):
        if part:
            lines += ["", f"{title} ({len({row.scene for row in part})} scenes):", "", *summarise(part)]
    return "\n".join(lines)


def summarise(rows: Sequence[Row]) -> Iterator[str]:
    """What PADM gains over the table, and the most that it loses, in sentences."""
    by_key = {(row.scene, row.method, row.variant): row.scores for row in rows}
    for method in dict.fromkeys(row.method for row in rows):
        scenes = dict.fromkeys(row.scene for row in rows if row.method == method)
        pairs = [(by_key[scene, method, "PADM"], by_key[scene, method, "table"]) for scene in scenes]
        for judged in ("wrong", "right"):
            gains = [padm[judged]["psnr"] - table[judged]["psnr"] for padm, table in pairs]
            yield (
                f"- {method}, reduced resolution, table {judged}: PADM less table {_mean(gains):+.2f} dB on "
                f"average, {min(gains):+.2f} to {max(gains):+.2f}."
            )
        hqnr = [padm["right, full"]["hqnr"] - table["right, full"]["hqnr"] for padm, table in pairs]
        if there := [each for each in hqnr if not math.isnan(each)]:
            yield (
                f"- {method}, full resolution, table right: HQNR of PADM less table {_mean(there):+.4f} on "
                f"average, {min(there):+.4f} to {max(there):+.4f} ({len(there)} of {len(pairs)} scenes have "
                "a block without invalid pixels)."
            )
        for judged in ("full", "own"):
            judge = "the search" if judged == "full" else "PADM"
            ratios = [a[judged]["reprojection_ergas"] / b[judged]["reprojection_ergas"] for a, b in pairs]
            hqnr = [a[judged]["hqnr"] - b[judged]["hqnr"] for a, b in pairs]
            yield (
                f"- {method}, full resolution, {judge} judging: {_mean(ratios):.2f} of the table's "
                f"reprojection ERGAS on average ({min(ratios):.2f} to {max(ratios):.2f}); "
                f"HQNR {_mean(hqnr):+.4f} "
                f"({min(hqnr):+.4f} to {max(hqnr):+.4f})."
            )


def draw(rows: Sequence[Row], method: str) -> str:
    """An SVG: what PADM changes, a row for each scene and a panel for each of CHANGES."""
    by_key = {(row.scene, row.variant): row.scores for row in rows if row.method == method}
    scenes = list(dict.fromkeys(row.scene for row in rows))
    heights = {name: float(len(scenes) - number) for number, name in enumerate(scenes)}
    panels: list[Panel] = []
    for change in CHANGES:
        dots: list[Line | Dot] = []
        for name, height in heights.items():
            padm, table = (
                by_key[name, variant][change.judged][change.metric] for variant in ("PADM", "table")
            )
            value = padm / table if change.neutral else padm - table
            if not math.isnan(value):
                dots += [Line([(change.neutral, height), (value, height)], BLUE), Dot(value, height)]
        names = {} if panels else {height: name for name, height in heights.items()}
        panels.append(change.plot(dots, Axis("", 0.4, len(scenes) + 0.6, names)))
    captions = [
        f"{method} with PADM against {method} with the sensor's table; right is better, in the last left.",
        "Solid: no change; dashed: asked of PADM (in the last on average). No dot: no valid block for HQNR.",
    ]
    return to_svg(panels, len(panels), (170, 20 * len(scenes)), captions)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of bench/ and edge/")
    parser.add_argument("--scenes", help="names of scenes, separated by commas; all by default")
    parser.add_argument("--markdown", type=Path, help="also write the table there")
    parser.add_argument("--svg", type=Path, help="draw what PADM changes there")
    options = parser.parse_args()
    bench = list(json.loads(TABLE.read_text(encoding="utf-8")))
    names = options.scenes.split(",") if options.scenes else [*bench, *EDGE]
    rows = []
    for name in names:
        folder = options.data / ("bench" if name in bench else "edge") / name
        scene = open_scene(folder / "pan.tif", folder / "ms.tif")
        rows += measure(name, scene, find_judge(name, scene), METHODS)
    text = to_markdown(rows)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.svg is not None:
        options.svg.write_text(draw(rows, METHODS[0]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
