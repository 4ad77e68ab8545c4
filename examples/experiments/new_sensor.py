"""A sensor that the model has never seen: one half of a scene to learn from, the other half to score.

    PYTHONPATH=. python examples/experiments/new_sensor.py --data BENCH --out FOLDER [--scenes a,b]
        [--steps 150] [--minutes 2] [--seeds 1,2,3] [--ways adapt,fine-tuned,from-nothing] [--markdown FILE]

BENCH holds one folder per scene with pan.tif and ms.tif. Each is cut in two along its longer side, on whole
MS pixels. Ways to learn from the upper or left half: `fuse --adapt` for --minutes, `geosharp train` for
--steps, and the same from nothing. The other half is then scored by both protocols, with the model, with
what has learnt and with the classical methods; as in benchmarks/quality.py the judge is the Gaussian and the
shift of bench_degradations.json, which nobody is told.

Budget: --steps a run, and the steps that --adapt makes of --minutes; what a run took is in the table. Weights
that say of themselves to be no better than the model (those from nothing: than the best classical method) are
not shipped: there the difference counts as 0. They are scored all the same, to see whether they were right:
better is more in PSNR than the noise and no less in HQNR. `fuse --adapt` keeps no such weights. The same
command goes on where it was stopped; a file of --out for each scene, way and seed is made once.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ablation import CLASSICAL, read_json, write_json
from rasterio.shutil import copy
from steps import COLUMNS, DATA, scenes_of_table, score_scene

from geosharp.engine.clock import ADAPT
from geosharp.fusion import fuse
from geosharp.hfreqdiff.models import open_model
from geosharp.hfreqdiff.settings import DEFAULT_MINUTES, DEFAULT_MODEL, Diffusion
from geosharp.quality.scores import METRICS, compare
from geosharp.raster.grid import Rect
from geosharp.raster.scene import open_scene
from geosharp.training import NOTHING, train

TAUGHT, SCORED = "learnt-from", "scored"
DECIMALS = {name: digits for columns in COLUMNS.values() for name, digits in columns.items()}
TITLES = {name: METRICS[protocol][name].title for protocol, columns in COLUMNS.items() for name in columns}
_METHOD, _MODEL = "hfreqdiff", "model.safetensors"


@dataclass(frozen=True)
class Budget:
    """steps: of train; minutes: of --adapt; model: that learns, a name or a file."""

    steps: int
    minutes: float
    model: str


@dataclass(frozen=True)
class Outcome:
    """What came of learning. better, verdict: by its own words; minutes: of learning and judging, without
    calibration for --adapt; scores: of its weights on the other half, None where it keeps none."""

    better: bool
    verdict: str
    minutes: float
    scores: dict[str, float] | None = None

    def right(self, rival: Mapping[str, float]) -> bool | None:
        """Whether the verdict holds on the other half; None where there is nothing to hold against it."""
        return None if self.scores is None else self.better == is_better(self.scores, rival)

    def gain(self, metric: str, rival: Mapping[str, float], *, shipped: bool) -> float:
        """Over the rival, which is what is shipped where nothing better was found."""
        if self.scores is None or (shipped and not self.better):
            return 0.0 if shipped else math.nan
        return self.scores[metric] - rival[metric]


@dataclass(frozen=True)
class Run:
    """rival: scores of what stays in use where nothing better is found."""

    scene: str
    way: str
    seed: int
    outcome: Outcome
    rival: dict[str, float]


def adapt(half: Path, budget: Budget, seed: int, file: Path) -> Outcome:
    diffusion = Diffusion(model=budget.model, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        done = fuse(
            half / "pan.tif",
            half / "ms.tif",
            Path(folder) / "fused.tif",
            overviews=False,
            diffusion=diffusion,
            adapt=budget.minutes,
            save_model=file,
            overwrite=True,
            profile=True,
        )
    assert done.profile is not None
    told = [note.removeprefix("adaptation: ") for note in done.warnings if note.startswith("adaptation: ")]
    return Outcome(done.model is not None, told[-1], done.profile.seconds[ADAPT] / 60)


def tune(half: Path, budget: Budget, seed: int, file: Path) -> Outcome:
    return _train(half, budget.steps, budget.model, seed, file)


def tune_nothing(half: Path, budget: Budget, seed: int, file: Path) -> Outcome:
    return _train(half, budget.steps, NOTHING, seed, file)


def _train(half: Path, steps: int, base: str, seed: int, file: Path) -> Outcome:
    pair = half / "pan.tif", half / "ms.tif"
    done = train([pair], file, base=base, steps=steps, seed=seed, keep=True, overwrite=True)
    # One that went on where it was killed tells of all its steps, but else of its last part alone.
    seconds = max(done.seconds, done.facts["seconds"])
    return Outcome(done.better, done.verdict, seconds / 60)


WAYS: dict[str, Callable[[Path, Budget, int, Path], Outcome]] = {
    "adapt": adapt,
    "fine-tuned": tune,
    "from-nothing": tune_nothing,
}


def cut_halves(folder: Path, out: Path) -> tuple[Path, Path]:
    """The scene in `folder` as two in `out`, by its name: one to learn from, one to score. Written once.

    Cut across the longer side of MS; a PAN pixel goes with the MS pixel in which its centre lies.
    """
    scene = open_scene(folder / "pan.tif", folder / "ms.tif")
    halves = out / TAUGHT / folder.name, out / SCORED / folder.name
    for half, ms in zip(halves, _halve(scene.ms_grid.rect), strict=True):
        if half.exists():
            continue
        (ry, rx), beside = scene.placed.ratio, half.with_name(f"{half.name}.part")
        beside.mkdir(parents=True, exist_ok=True)
        pan = scene.placed.moved((ry * ms.row, rx * ms.col)).footprint(ms.shape).intersect(scene.grid.rect)
        for name, rect in (("pan.tif", pan), ("ms.tif", ms)):
            window = f"srcwin={rect.col},{rect.row},{rect.width},{rect.height}"
            copy(f"vrt://{folder / name}?{window}", beside / name, driver="GTiff")
        beside.rename(half)
    return halves


def _halve(rect: Rect) -> tuple[Rect, Rect]:
    height, width = rect.shape
    if height >= width:
        first = Rect(rect.row, rect.col, height // 2, width)
        return first, Rect(first.stop_row, rect.col, height - first.height, width)
    first = Rect(rect.row, rect.col, height, width // 2)
    return first, Rect(rect.row, first.stop_col, height, width - first.width)


def settle(out: Path, model: str, settings: Mapping[str, object]) -> None:
    """Refuse a folder whose runs had other settings, or a model that is no longer the same."""
    digest = open_model(model, torch.device("cpu")).digest
    path, told = out / "settings.json", {"model": digest} | {key: str(each) for key, each in settings.items()}
    out.mkdir(parents=True, exist_ok=True)
    known = read_json(path) or told
    if differing := [name for name in told if known.get(name) != told[name]]:
        raise SystemExit(f"{out} holds runs with other {', '.join(differing)}: take another --out")
    write_json(path, told)


def once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` gives, kept in `path`."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, make())
    return read_json(path)


def measure(
    folder: Path, out: Path, budget: Budget, ways: Sequence[str], seeds: Sequence[int]
) -> tuple[dict[str, dict[str, float]], list[Run]]:
    """Scores of the scene in `folder` without learning, by method; and every way and seed of learning."""
    half, other = cut_halves(folder, out)
    place, model = out / "found" / folder.name, Diffusion(model=budget.model)
    known = once(place / "base.json", lambda: score_scene(other, [_METHOD, *CLASSICAL], model))
    best = max((known[method] for method in CLASSICAL), key=lambda scores: scores["psnr"])
    runs = []
    for seed in seeds:
        for way in ways:
            run = place / f"{way}-{seed}"
            found = once(run.with_suffix(".json"), partial(learn, way, half, other, budget, seed, run))
            rival = best if way == "from-nothing" else known[_METHOD]
            runs.append(Run(folder.name, way, seed, Outcome(**found), rival))
    return known, runs


def learn(way: str, half: Path, other: Path, budget: Budget, seed: int, run: Path) -> dict[str, Any]:
    """An Outcome; weights go to `run`."""
    run.mkdir(parents=True, exist_ok=True)
    file = run / _MODEL
    found = WAYS[way](half, budget, seed, file)
    if file.exists():
        found = replace(found, scores=score_scene(other, [_METHOD], Diffusion(model=file))[_METHOD])
    return asdict(found)


def is_better(scores: Mapping[str, float], rival: Mapping[str, float]) -> bool:
    """By more than the noise, as the verdict has it."""
    psnr, hqnr = METRICS["reduced"]["psnr"], METRICS["full"]["hqnr"]
    closer = compare(scores["psnr"], rival["psnr"], psnr) == "better"
    return closer and compare(scores["hqnr"], rival["hqnr"], hqnr) != "worse"


def to_markdown(found: Mapping[str, tuple[Mapping[str, Mapping[str, float]], Sequence[Run]]]) -> str:
    """A table for each scene, and one of means. found: by scene scores of what has not learnt, and runs."""
    heads = ["result", "seed", *TITLES.values(), "minutes", "says", "is right"]
    parts = []
    for scene, (known, runs) in found.items():
        rows = [["base", "", *tell_scores(known[_METHOD]), "", "", ""]]
        rows += [_tell_run(run) for run in runs]
        rows += [[method, "", *tell_scores(known[method]), "", "", ""] for method in CLASSICAL]
        parts += [f"### {scene}", to_table(heads, rows)]
    every = [run for _, runs in found.values() for run in runs]
    heads = ["way", "runs", "says better", "is right", "as shipped: PSNR, dB", "the least", "HQNR"]
    heads += ["whatever it says: PSNR, dB", "HQNR", "minutes"]
    rows = [
        _tell_way(way, [run for run in every if run.way == way])
        for way in dict.fromkeys(run.way for run in every)
    ]
    what = "Means over scenes and seeds, less the base (from nothing: less the best classical method):"
    return "\n\n".join([*parts, "### All scenes", what, to_table(heads, rows)])


def to_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def tell_scores(scores: Mapping[str, float] | None, digits: Mapping[str, int] = DECIMALS) -> list[str]:
    return ["-" if scores is None else f"{scores[name]:.{places}f}" for name, places in digits.items()]


def _tell_run(run: Run) -> list[str]:
    outcome = run.outcome
    right = {True: "yes", False: "no", None: "-"}[outcome.right(run.rival)]
    says, _, _ = outcome.verdict.partition(" (")
    return [run.way, str(run.seed), *tell_scores(outcome.scores), f"{outcome.minutes:.1f}", says, right]


def _tell_way(way: str, runs: Sequence[Run]) -> list[str]:
    judged = [right for run in runs if (right := run.outcome.right(run.rival)) is not None]
    shipped, all_of_it = (
        {name: [run.outcome.gain(name, run.rival, shipped=only) for run in runs] for name in ("psnr", "hqnr")}
        for only in (True, False)
    )
    cells = [way, str(len(runs)), str(sum(run.outcome.better for run in runs))]
    cells += [f"{sum(judged)} of {len(judged)}", _mean(shipped["psnr"], 2), f"{min(shipped['psnr']):+.2f}"]
    cells += [_mean(shipped["hqnr"], 4), _mean(all_of_it["psnr"], 2), _mean(all_of_it["hqnr"], 4)]
    return [*cells, f"{math.fsum(run.outcome.minutes for run in runs) / len(runs):.1f}"]


def _mean(values: Sequence[float], digits: int) -> str:
    """Of those that are known."""
    known = [value for value in values if not math.isnan(value)]
    return f"{math.fsum(known) / len(known):+.{digits}f}" if known else "-"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the scenes")
    parser.add_argument("--out", type=Path, required=True, help="folder of halves, weights and scores")
    parser.add_argument("--scenes", help="names of scenes, separated by commas; all of the bench by default")
    parser.add_argument("--steps", type=int, default=150, help="of train")
    parser.add_argument("--minutes", type=float, default=DEFAULT_MINUTES, help="of --adapt")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="that learns: a name or a file")
    parser.add_argument("--seeds", default="1", help="separated by commas")
    parser.add_argument("--ways", default="adapt,fine-tuned", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--markdown", type=Path, help="also write the tables there")
    options = parser.parse_args()
    ways, seeds = options.ways.split(","), [int(seed) for seed in options.seeds.split(",")]
    if unknown := [way for way in ways if way not in WAYS]:
        parser.error(f"--ways: {', '.join(unknown)} is none of {', '.join(WAYS)}")
    budget = Budget(options.steps, options.minutes, options.model)
    data = options.data.resolve()
    settle(options.out, budget.model, {"data": data, "steps": budget.steps, "minutes": budget.minutes})
    names = options.scenes.split(",") if options.scenes else scenes_of_table()
    found = {name: measure(options.data / name, options.out, budget, ways, seeds) for name in names}
    text = to_markdown(found)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
