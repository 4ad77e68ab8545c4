"""What pairs to fine-tune with: degraded as PADM finds it, as the sensor's table says, or at random.

    PYTHONPATH=. python examples/experiments/pairs.py --data BENCH --out FOLDER [--scene spot6_cropland]
        [--steps 150] [--seeds 1,2,3] [--markdown FILE]

A model learns from the pairs of one half of a scene (see new_sensor.py), for the same steps and from the same
seeds. Pairs differ in their kernel alone: its gains at MS Nyquist are PADM's, the table's, or one for each
seed, log-uniform from .03 to .6. All take PADM's shift and what it knows of its errors, and the weights of
the last step, whatever any look says. At work all are told what PADM finds.

The other half is scored by the Gaussian and the shift of benchmarks/bench_degradations.json. There is no
truth at full resolution, so that the same is done on made scenes, one to learn from, one to score: their MS
is blurred by a kernel that no table has (--planted), and the truth is what MS's bands would be with PAN's
optics. Budget: three trainings of --steps for each seed and scene. The same command goes on where it was
stopped; a file of --out for each scene, kind of pairs and seed is made once.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from ablation import spread
from new_sensor import DECIMALS, SCORED, TAUGHT, TITLES, cut_halves, once, settle, tell_scores, to_table
from padm_planted import write_float
from steps import DATA, score_scene

from geosharp.calibration import learn
from geosharp.demo.ground import make_scene
from geosharp.demo.recording import degrade, observe
from geosharp.fusion import fuse
from geosharp.hfreqdiff.checkpoint import save
from geosharp.hfreqdiff.models import find_device, open_model
from geosharp.hfreqdiff.settings import DEFAULT_MODEL, Diffusion
from geosharp.imaging.degradation import Degradation
from geosharp.padm.table import table_degradation
from geosharp.quality.metrics import psnr
from geosharp.raster.scene import Scene, open_scene
from geosharp.tuning.ground import prepare
from geosharp.tuning.recipe import Recipe
from geosharp.tuning.tune import tune

MADE = "made"
# Of made scenes: PAN pixels an MS pixel, and PAN's own gain, without which it would be full of aliases.
_RATIO, _PAN_GAIN = 4, 0.3
_RANDOM = (0.03, 0.6)
_METHOD = "hfreqdiff"


def take_padm(scene: Scene, found: Degradation, seed: int) -> Degradation:
    return found


def take_table(scene: Scene, found: Degradation, seed: int) -> Degradation:
    return replace(table_degradation(scene), shift=found.shift)


def take_random(scene: Scene, found: Degradation, seed: int) -> Degradation:
    low, high = (math.log(gain) for gain in _RANDOM)
    gain = math.exp(np.random.default_rng(seed).uniform(low, high))
    return Degradation.alike([gain] * len(scene.bands), gain, found.shift)


# What the scene is taken to be degraded by, given what PADM finds.
PAIRS: dict[str, Callable[[Scene, Degradation, int], Degradation]] = {
    "PADM": take_padm,
    "table": take_table,
    "random": take_random,
}


def make_halves(out: Path, side: int, planted: float) -> tuple[Path, Path]:
    """Two made scenes of one sensor, their PAN of `side` pixels a side; beside each its truth. Written once.

    planted: gain at MS Nyquist of the kernel from PAN to MS.
    """
    halves = out / TAUGHT / MADE, out / SCORED / MADE
    for seed, half in enumerate(halves):
        if half.exists():
            continue
        beside = half.with_name(f"{half.name}.part")
        beside.mkdir(parents=True, exist_ok=True)
        truth = np.stack([degrade(band, _PAN_GAIN, 1) for band in make_scene((side, side), seed)])
        # PAN sees no more blur than the truth has.
        pan, ms = observe(truth, ratio=_RATIO, ms_gains=[planted] * len(truth), pan_gain=1.0, seed=seed)
        for name, image, pixel in (("pan", pan, 1), ("ms", ms, _RATIO), ("truth", truth, 1)):
            write_float(beside / f"{name}.tif", image, pixel)
        beside.rename(half)
    return halves


def learn_pairs(half: Path, kind: str, model: str, steps: int, seed: int, file: Path) -> float:
    """Let the model learn from pairs of that kind into `file`; their mean gain at MS Nyquist."""
    scene, device = open_scene(half / "pan.tif", half / "ms.tif"), find_device("auto")
    learnt, base = learn(scene), open_model(model, torch.device("cpu"))
    degradation = PAIRS[kind](scene, learnt.degradation, seed)
    # Looked at in the end alone: then the weights are those of the last step.
    recipe = Recipe(steps=steps, seed=seed, checks=1)
    with tempfile.TemporaryDirectory() as folder:
        ground = prepare(scene, degradation, Path(folder), errors=learnt.errors, seed=seed)
        tuned = tune([ground], base.network, recipe, device)
    save(file, tuned.network, None, {"pairs": kind, "steps": steps, "seed": seed}, base.header.ratios)
    return float(np.mean(degradation.gains))


def score(half: Path, model: str | Path) -> dict[str, float]:
    """On a scene with truth the PSNR against it; else by the judge of the bench."""
    diffusion = Diffusion(model=model)
    if not (half / "truth.tif").exists():
        return score_scene(half, [_METHOD], diffusion)[_METHOD]
    with tempfile.TemporaryDirectory() as folder:
        done = fuse(
            half / "pan.tif",
            half / "ms.tif",
            Path(folder) / "fused.tif",
            method=_METHOD,
            diffusion=diffusion,
            overviews=False,
        )
        with rasterio.open(done.path) as fused, rasterio.open(half / "truth.tif") as truth:
            return {"psnr": psnr(truth.read(), fused.read())}


def measure(
    halves: tuple[Path, Path], out: Path, model: str, steps: int, seeds: Sequence[int]
) -> dict[str, list[dict[str, Any]]]:
    """Scores of each seed, and the pairs' gain, by the kind of pairs; of the model as it is as "none"."""
    half, other = halves
    place = out / "found" / half.name
    found = {"none": [once(place / "base.json", lambda: {"gain": None, "scores": score(other, model)})]}

    def learn_and_score(kind: str, seed: int) -> dict[str, Any]:
        file = place / f"{kind}-{seed}.safetensors"
        gain = learn_pairs(half, kind, model, steps, seed, file)
        return {"gain": gain, "scores": score(other, file)}

    for seed in seeds:
        for kind in PAIRS:
            own = once(place / f"{kind}-{seed}.json", partial(learn_and_score, kind, seed))
            found.setdefault(kind, []).append(own)
    return found


def to_markdown(scene: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """A line for each kind of pairs, and what those of PADM have over the others, seed by seed."""
    base, *kinds = found
    known = found[base][0]["scores"]
    digits = {name: DECIMALS[name] for name in known}
    heads = ["pairs", "gain", *(TITLES[name] for name in digits)]
    rows = [[base, "", *tell_scores(known, digits)]]
    for kind in kinds:
        cells = [spread([run["scores"][name] for run in found[kind]], digits[name]) for name in digits]
        rows.append([kind, spread([run["gain"] for run in found[kind]], 3), *cells])
    for other in ("table", "random"):
        cells = []
        for name, places in digits.items():
            pairs = zip(found["PADM"], found[other], strict=True)
            cells.append(spread([ours["scores"][name] - its["scores"][name] for ours, its in pairs], places))
        rows.append([f"PADM less {other}", "", *cells])
    return f"### {scene}\n\n{to_table(heads, rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the scenes")
    parser.add_argument("--out", type=Path, required=True, help="folder of halves, weights and scores")
    parser.add_argument("--scene", default="spot6_cropland", help="a scene of the bench")
    parser.add_argument("--steps", type=int, default=150, help="of each training")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="that learns: a name or a file")
    parser.add_argument("--seeds", default="1,2,3", help="separated by commas")
    parser.add_argument("--side", type=int, default=768, help="PAN pixels a side of the made scenes")
    parser.add_argument("--planted", type=float, default=0.08, help="gain of their kernel at MS Nyquist")
    parser.add_argument("--markdown", type=Path, help="also write the tables there")
    options = parser.parse_args()
    settings = {name: getattr(options, name) for name in ("steps", "side", "planted")}
    settle(options.out, options.model, {"data": options.data.resolve(), **settings})
    seeds, out = [int(seed) for seed in options.seeds.split(",")], options.out
    parts = []
    for halves in (
        cut_halves(options.data / options.scene, out),
        make_halves(out, options.side, options.planted),
    ):
        found = measure(halves, out, options.model, options.steps, seeds)
        parts.append(to_markdown(halves[0].name, found))
    count = "Mean and standard deviation over seeds; PSNR of the made scene against its truth."
    text = "\n\n".join([*parts, count])
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
