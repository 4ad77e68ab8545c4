"""What PADM is worth: glp and gsa with the sensor's table, with PADM, and with PADM but MS left in its place.

    python examples/experiments/padm_worth.py --data FOLDER --markdown padm_worth.md

FOLDER holds bench/ and edge/, each with one folder per scene with pan.tif and ms.tif. The judge is the same
in all rows of a scene:

- full resolution: once PADM's own operator, and once one that is not PADM: the Gaussian and shift of
  benchmarks/bench_degradations.json, which a search found; for scenes of edge/ such a search is made here.
  D_rho holds results against PAN alone.
- reduced resolution: PAN is coarsened as the search says that MS is, so that it is as sharp as the truth.
  Table wrong: MS by an anisotropic Gaussian that is far from any table, and misplaced as the search says it
  is. Table right: MS by the table's own kernels and, the georeference being corrected first, by no shift.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from geosharp.calibration import learn
from geosharp.evaluation import evaluate_scene
from geosharp.imaging.degradation import Degradation
from geosharp.padm.iterate import Operator, explain
from geosharp.padm.sample import take_sample
from geosharp.padm.table import table_degradation
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


def measure(name: str, scene: Scene, judge: Degradation, methods: Sequence[str]) -> Iterator[Row]:
    """Every method and variant on one scene. judge: what a search found of it."""
    corrected = replace(scene, placed=scene.placed.moved(judge.shift))
    wrong = Degradation((WRONG,) * len(scene.bands), judge.pan_gain, judge.shift)
    right = Degradation(table_degradation(scene).gains, judge.pan_gain)
    own = learn(scene).degradation
    for variant, (calibration, align) in VARIANTS.items():
        found = {}
        for judged, protocol, of, how in (
            ("wrong", "reduced", scene, wrong),
            ("right", "reduced", corrected, right),
            ("full", "full", scene, judge),
            ("own", "full", scene, own),
        ):
            evaluation = evaluate_scene(
                of, methods, protocol=protocol, calibration=calibration, align=align, degradation=how
            )
            found[judged] = evaluation.protocols[protocol]
        for method in methods:
            yield Row(name, method, variant, {judged: dict(each[method]) for judged, each in found.items()})


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
        cells = [
            f"{row.scores[judged][metric]:.3f}" for judged, metrics in COLUMNS.items() for metric in metrics
        ]
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


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of bench/ and edge/")
    parser.add_argument("--scenes", help="names of scenes, separated by commas; all by default")
    parser.add_argument("--markdown", type=Path, help="also write the table there")
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


if __name__ == "__main__":
    main()
