"""Every method on every scene of the bench, at reduced and at full resolution.

    python examples/benchmarks/quality.py --data FOLDER --json scores.json [--calibration sensor]

FOLDER holds one folder per scene with pan.tif and ms.tif. What each scene is coarsened with, and results
are held against, is the Gaussian and the shift of bench_degradations.json, found for each scene by a
search: the table is committed, so that scores move only when methods do. Methods are not told it.
The last table holds hfreqdiff against the best of the classical methods on each scene.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path

from geosharp.engine.methods import METHODS
from geosharp.engine.setup import Options
from geosharp.evaluation import Evaluation, evaluate_scene
from geosharp.hfreqdiff.settings import DEFAULT_MODEL, Diffusion
from geosharp.imaging.degradation import Degradation
from geosharp.quality.scores import METRICS, find_best, format_value
from geosharp.raster.scene import open_scene

TABLE = Path(__file__).with_name("bench_degradations.json")
CLASSICAL = ("gsa", "glp", "glp-hpm")
DATA = Path(os.environ.get("GEOSHARP_DATA", Path(__file__).parents[3] / "shared" / "data")) / "bench"


def score(
    folder: Path, methods: list[str], calibration: str = "auto", diffusion: Diffusion | None = None
) -> Evaluation:
    """`methods` on the scene in `folder`. calibration and diffusion: as of `fuse`."""
    known = json.loads(TABLE.read_text(encoding="utf-8"))[folder.name]
    scene = open_scene(folder / "pan.tif", folder / "ms.tif")
    gain, (down, right) = known["gain"], known["shift"]
    judge = Degradation.alike([gain] * len(scene.bands), gain, (down, right))
    options = Options(diffusion=diffusion)
    return evaluate_scene(scene, methods, calibration=calibration, degradation=judge, options=options)


def to_markdown(evaluations: dict[str, Evaluation], protocol: str) -> str:
    """A table of one protocol, the best of each scene in bold; leads below the noise are none."""
    metrics = METRICS[protocol]
    lines = [
        "| scene | method | " + " | ".join(metric.title for metric in metrics.values()) + " |",
        "|---|---|" + "---|" * len(metrics),
    ]
    for name, evaluation in evaluations.items():
        results = evaluation.protocols[protocol]
        cells = []
        for key, metric in metrics.items():
            values = [scores[key] for scores in results.values()]
            best = find_best(values, metric)
            texts = [format_value(value, metric) for value in values]
            cells.append([f"**{text}**" if row in best else text for row, text in enumerate(texts)])
        lines += [
            f"| {name} | {method} | " + " | ".join(column[row] for column in cells) + " |"
            for row, method in enumerate(results)
        ]
    return "\n".join(lines)


def mean_table(evaluations: dict[str, Evaluation]) -> str:
    """Means over the scenes, a line per method."""
    columns = [(protocol, key) for protocol in METRICS for key in METRICS[protocol]]
    titles = [METRICS[protocol][key].title for protocol, key in columns]
    lines = ["| method | " + " | ".join(titles) + " |", "|---|" + "---|" * len(columns)]
    for method in next(iter(evaluations.values())).protocols["reduced"]:
        means = []
        for protocol, key in columns:
            values = [evaluation.protocols[protocol][method][key] for evaluation in evaluations.values()]
            means.append(format_value(math.fsum(values) / len(values), METRICS[protocol][key]))
        lines.append(f"| {method} | " + " | ".join(means) + " |")
    return "\n".join(lines)


def find_leads(evaluation: Evaluation) -> dict[str, float]:
    """hfreqdiff against the best classical method; of what a sensor measured against glp."""
    reduced, full = evaluation.protocols["reduced"], evaluation.protocols["full"]
    ours, theirs = reduced["hfreqdiff"], [reduced[name] for name in CLASSICAL]
    whole, glp = full["hfreqdiff"], full["glp"]
    return {
        "PSNR, dB": ours["psnr"] - max(scores["psnr"] for scores in theirs),
        "SAM, share": ours["sam"] / min(scores["sam"] for scores in theirs),
        "ERGAS, share": ours["ergas"] / min(scores["ergas"] for scores in theirs),
        "HQNR": whole["hqnr"] - max(full[name]["hqnr"] for name in CLASSICAL),
        "reprojection ERGAS, share of glp's": whole["reprojection_ergas"] / glp["reprojection_ergas"],
        "D_rho over glp's": whole["d_rho"] - glp["d_rho"],
    }


def lead_table(evaluations: dict[str, Evaluation]) -> str:
    """What hfreqdiff gains, a line per scene and their mean."""
    leads = {name: find_leads(evaluation) for name, evaluation in evaluations.items()}
    titles = list(next(iter(leads.values())))
    leads["mean"] = {
        title: math.fsum(lead[title] for lead in leads.values()) / len(leads) for title in titles
    }
    lines = ["| scene | " + " | ".join(titles) + " |", "|---|" + "---|" * len(titles)]
    for name, lead in leads.items():
        cells = [f"{value:.2f}" if "share" in title else f"{value:+.3f}" for title, value in lead.items()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the scenes")
    parser.add_argument("--scenes", help="names of scenes, separated by commas; all of the table by default")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--calibration", default="auto", help="auto (PADM), sensor (the table) or a file")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="of hfreqdiff: a name or a file")
    parser.add_argument("--steps", type=int, default=1, help="of hfreqdiff")
    parser.add_argument("--consistency", type=int, default=Diffusion().consistency, help="of hfreqdiff")
    parser.add_argument("--json", type=Path, help="also write the scores there")
    options = parser.parse_args()
    names = options.scenes.split(",") if options.scenes else json.loads(TABLE.read_text(encoding="utf-8"))
    diffusion = Diffusion(model=options.model, steps=options.steps, consistency=options.consistency)
    methods = options.methods.split(",")
    evaluations = {
        name: score(options.data / name, methods, options.calibration, diffusion) for name in names
    }
    for protocol in METRICS:
        print(f"\n{protocol} resolution\n\n{to_markdown(evaluations, protocol)}")
    print(f"\nmeans over {len(evaluations)} scenes\n\n{mean_table(evaluations)}")
    if {"hfreqdiff", *CLASSICAL} <= set(methods):
        print(f"\nhfreqdiff against the best of {', '.join(CLASSICAL)}\n\n{lead_table(evaluations)}")
    if options.json is not None:
        scores = {name: evaluation.as_json() for name, evaluation in evaluations.items()}
        options.json.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
