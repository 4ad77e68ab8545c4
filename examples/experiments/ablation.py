"""What each part of the network and of its recipe earns: short trainings, each with one thing unlike today's.

    PYTHONPATH=. python examples/experiments/ablation.py --out FOLDER --steps 2000 --seeds 1,2,3
        [--variants full,no-cfb] [--bench FOLDER] [any flag of pretrain.py, such as --data or --scenes]

Runs are pretrain.py's own, paired: those of one seed see the same ground, PAN, noise and shifts in the same
order. Weights are kept at an eighth, a quarter, a half and the whole of --steps (see training_curve.py), the
rate falling over the last 30 % alone. The same command goes on where it was stopped: what is trained and
scored is in --out, a folder for each run, which several processes may fill at once. Without --bench only
PyTorch, NumPy, safetensors and geosharp itself are needed, not rasterio; scores on the bench can follow.

Gain: on held-out places, dB over the better of the two priors that today's recipe has, patch by patch, so
that all variants are held against one and the same. Where a variant knows the table alone, a gain of 0.3 at
Nyquist as for unknown sensors, it does so on held-out pairs and on the bench, too. A plain diffusion is run
by geosharp as draws around a mean of zero, which takes 2 steps or more: in one step it has a gain, but no
scores on the bench.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pretrain
import torch
from pretrain import Run, inner, make_optimisers, mean_loss
from simulate import Batch, Simulator, Source, load_sources
from torch import Tensor
from variants import KNOWN, VARIANTS, Use, Variant, hide_prior, ignore_prior, plain_loss

from geosharp.hfreqdiff.checkpoint import Model, load, read_header, save
from geosharp.hfreqdiff.conditions import ADDITIVE, MODULATED
from geosharp.hfreqdiff.diffusion import denoise, multistep, schedule
from geosharp.hfreqdiff.network import PRESETS
from geosharp.hfreqdiff.settings import Diffusion

MARKS = (0.125, 0.25, 0.5, 1.0)
CLASSICAL = ("gsa", "glp", "glp-hpm")
SCORES = ("lead", "hqnr", "reprojection_ergas", "d_rho")
_KEEP_EVERY = 300.0  # seconds between states from which a killed run goes on
_PATCHES = 4  # of a held-out scene, as pretrain.py has it
# Of pretrain.py's flags: those that are this script's own, or mean nothing here.
_OURS = {"--minutes", "--stop-after", "--stage", "--start", "--seed", "--validate-every", "--log-every"}
# Of its arguments: what runs of one folder may differ in.
_FREE = {"data", "out", "seed", "device", "threads", "log_every", "validate_every", "stop_after", "start"}
_FREE |= {"fusion", "modulation", "draw_blocks"}


@dataclass(frozen=True)
class Study:
    """All runs of one folder. flags: of pretrain.py, for all of them; bench: folder of scenes, or None."""

    out: Path
    steps: int
    flags: tuple[str, ...] = ()
    bench: Path | None = None
    scenes: tuple[str, ...] = ()

    @property
    def marks(self) -> tuple[int, ...]:
        """Steps at which weights are kept."""
        return tuple(dict.fromkeys(max(round(share * self.steps), 1) for share in MARKS))

    def arguments(self, name: str, seed: int) -> argparse.Namespace:
        """pretrain.py's for one run."""
        folder = self.out / f"{name}-{seed}"
        told = [*self.flags, *VARIANTS[name].flags, "--seed", seed, "--steps", self.steps, "--out", folder]
        arguments = pretrain.read_arguments([str(one) for one in told])
        if not VARIANTS[name].split:
            # As deep a trunk as the mean's.
            arguments.draw_blocks = arguments.mean_blocks or PRESETS[arguments.preset].mean_blocks
        return arguments

    @functools.cached_property
    def common(self) -> argparse.Namespace:
        return self.arguments("full", 0)

    @functools.cached_property
    def imagery(self) -> tuple[list[Source], list[Source]]:
        """Of the places to learn from, and of those held out."""
        data, device = self.common.data, torch.device(self.common.device)
        return load_sources(data, False, device), load_sources(data, True, device)

    def simulate_held_out(self, kind: type[Simulator]) -> Iterator[Batch]:
        simulator = kind(self.imagery[1], torch.device(self.common.device))
        for seed in range(self.common.unseen):
            yield simulator.batch(seed, 1, _PATCHES, self.common.side)

    def settle(self) -> None:
        """Refuse a folder whose runs had other settings."""
        path = self.out / "settings.json"
        settings = {name: str(value) for name, value in vars(self.common).items() if name not in _FREE}
        self.out.mkdir(parents=True, exist_ok=True)
        known = read_json(path) or settings
        if differing := [name for name, value in settings.items() if known.get(name) != value]:
            raise SystemExit(f"{self.out} holds runs with other {', '.join(differing)}: take another --out")
        write_json(path, settings)


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    # Of this process: others write to the same folder.
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)


def weights(arguments: argparse.Namespace, mark: int) -> Path:
    return Path(arguments.out) / f"step-{mark}.safetensors"


def train(study: Study, name: str, seed: int) -> None:
    """Write the weights of a run at its marks, unless they are there."""
    variant, arguments = VARIANTS[name], study.arguments(name, seed)
    if weights(arguments, study.steps).exists():
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    run = begin(variant, arguments)
    if not variant.split and not run.sigma_data:
        # Its mean is silent: what it leaves is all that is missing.
        batches = list(study.simulate_held_out(Simulator))
        run.sigma_data = pretrain.validate(run.network, batches, arguments.margin)["residual"]
    simulator, noise = variant.pairs(study.imagery[0], run.device), torch.Generator(run.device)
    casting = torch.autocast(run.device.type, torch.bfloat16) if arguments.bf16 else nullcontext()
    start = kept = time.perf_counter() - run.seconds
    for batch in pretrain.batches(simulator, arguments, run.step):
        shown = batch if variant.prior else hide_prior(batch)
        with casting:
            if variant.split:
                loss = mean_loss(run.network, shown, arguments.margin, arguments.loss)
            else:
                noise.manual_seed(run.step)
                loss = plain_loss(run.network, shown, arguments.margin, run.sigma_data, noise)
        run.network.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(run.parameters, 1.0)
        if not math.isfinite(loss.item() + norm.item()):
            raise SystemExit(f"{arguments.out}: the loss is {loss.item()} at step {run.step}")
        run.move(run.step / arguments.steps)
        run.seconds = time.perf_counter() - start
        if run.step in study.marks:
            keep_weights(run, variant, weights(arguments, run.step))
        if run.step in study.marks or time.perf_counter() - kept > _KEEP_EVERY:
            run.keep()
            kept = time.perf_counter()
    run.path.unlink()


def begin(variant: Variant, arguments: argparse.Namespace) -> Run:
    """As pretrain.py begins, or goes on with, a run."""
    run = Run(arguments)
    if not variant.split:
        for name, parameter in run.network.named_parameters():
            parameter.requires_grad_(not name.startswith("mean_"))
        run.parameters = [parameter for parameter in run.network.parameters() if parameter.requires_grad]
        run.optimisers = make_optimisers(run.network, arguments)
    run.resume()
    return run


def keep_weights(run: Run, variant: Variant, path: Path) -> None:
    """The running mean of the weights, as geosharp takes them."""
    network = run.averaged()
    facts = {
        "minutes": run.seconds / 60,
        "parameters": sum(parameter.numel() for parameter in run.parameters),
    }
    sigma_data = None if variant.split else run.sigma_data
    save(path, network if variant.prior else ignore_prior(network), sigma_data, facts)


@torch.no_grad()
def find_gain(model: Model, study: Study, use: Use) -> float:
    gains: list[float] = []
    margin = study.common.margin
    pairs = zip(
        study.simulate_held_out(KNOWN[use.calibration]), study.simulate_held_out(Simulator), strict=True
    )
    for seed, (batch, today) in enumerate(pairs):
        found = predict(model, batch, use.steps, seed)
        other = today.shown[:, :, MODULATED] - today.shown[:, :, ADDITIVE]
        ours, added, modulated = (
            inner(error, margin).square().mean((1, 2, 3))
            for error in (found - batch.missing, today.missing, other - today.missing)
        )
        gains += (10 * torch.log10(torch.minimum(added, modulated) / ours)).tolist()
    return sum(gains) / len(gains)


def predict(model: Model, batch: Batch, steps: int, seed: int) -> Tensor:
    """What is missing from the additive prior, (patch, band, row, col): the mean, or a draw around it."""
    network, sigma_data = model.network, model.header.sigma_data
    encoded = network.encode(batch.shown, batch.described)
    found = network.mean(encoded)
    if sigma_data is None:
        return found
    generator = torch.Generator(found.device).manual_seed(seed)
    noise = torch.randn(found.shape, generator=generator, device=found.device)

    def denoiser(x: Tensor, sigma: Tensor) -> Tensor:
        return denoise(lambda y, level: network.draw(encoded, y, level), x, sigma, sigma_data)

    return found + multistep(denoiser, noise, schedule(steps, sigma_data))


def score(study: Study, name: str, seed: int, marks: Sequence[int]) -> dict[str, Any]:
    """Scores of a trained run by mark and use, those of before included."""
    arguments = study.arguments(name, seed)
    path, device = arguments.out / "scores.json", torch.device(arguments.device)
    scores = read_json(path)
    for mark in marks:
        file = weights(arguments, mark)
        for use in VARIANTS[name].uses:
            own = scores.setdefault(str(mark), {}).setdefault(use.title, {})
            if "gain" not in own:
                own["gain"] = find_gain(load(file, device), study, use)
                own |= read_header(file).facts
                write_json(path, scores)
            if not VARIANTS[name].split and use.steps == 1:
                continue
            for scene in study.scenes:
                if scene not in own.setdefault("bench", {}):
                    own["bench"][scene] = score_on_bench(study, scene, file, use)
                    write_json(path, scores)
    return scores


def score_on_bench(study: Study, scene: str, file: Path, use: Use) -> dict[str, float]:
    # With rasterio, which a machine that only trains may lack.
    from steps import score_scene

    assert study.bench is not None
    path = study.out / "classical.json"
    classical = read_json(path)
    if scene not in classical:
        found = score_scene(study.bench / scene, CLASSICAL)
        classical[scene] = max(scores["psnr"] for scores in found.values())
        write_json(path, classical)
    diffusion = Diffusion(model=file, steps=use.steps)
    own = score_scene(study.bench / scene, ["hfreqdiff"], diffusion, use.calibration)["hfreqdiff"]
    return {"lead": own["psnr"] - classical[scene], **own}


def mean_of(own: dict[str, Any], key: str) -> float:
    """Of one run's scores: its gain, or a score over the bench, nan where there is none."""
    if key not in SCORES:
        return float(own[key])
    return float(np.mean([scores[key] for scores in own.get("bench", {}).values()] or [math.nan]))


def to_markdown(found: dict[str, list[dict[str, Any]]], mark: int) -> str:
    """found: by variant the scores of each seed, in one order."""
    heads = ["variant", "knows, steps", "parameters", "minutes", "gain, dB", "less than all of it, dB"]
    heads += ["lead on the bench, dB", "HQNR", "reprojection ERGAS", "D_rho"]
    lines, verdicts = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"], []
    reference = [scores[str(mark)][Use().title]["gain"] for scores in found.get("full", [])]
    for name, runs in found.items():
        for use in VARIANTS[name].uses:
            own = [scores[str(mark)][use.title] for scores in runs]
            lost = [all_of_it - each["gain"] for all_of_it, each in zip(reference, own, strict=False)]
            cells = [VARIANTS[name].title, use.title, f"{own[0]['parameters']:,}"]
            cells += [f"{np.mean([mean_of(each, 'minutes') for each in own]):.1f}"]
            cells += [spread([each["gain"] for each in own], 2), spread(lost, 2)]
            cells += [
                spread([mean_of(each, key) for each in own], digits)
                for key, digits in zip(SCORES, (2, 4, 3, 4), strict=True)
            ]
            lines.append(f"| {' | '.join(cells)} |")
            if name != "full" and len(lost) > 1:
                verdicts.append(f"- {VARIANTS[name].title} ({use.title}): {tell(lost)}")
    seeds = max(len(runs) for runs in found.values())
    lines += ["", f"{mark} steps, {seeds} seeds: mean and standard deviation over them.", "", *verdicts]
    return "\n".join(lines)


def spread(values: Sequence[float], digits: int) -> str:
    """Mean and standard deviation."""
    if not len(values) or math.isnan(np.mean(values)):
        return "-"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=len(values) > 1):.{digits}f}"


def tell(lost: Sequence[float]) -> str:
    """Whether what a variant loses is more than chance: two standard errors of the paired differences."""
    error = float(np.std(lost, ddof=1)) / math.sqrt(len(lost))
    amount = f"{np.mean(lost):+.2f} dB lost, standard error {error:.2f}"
    if abs(np.mean(lost)) <= 2 * error:
        return f"{amount}: no difference that these runs can tell; what is missing earns nothing."
    return f"{amount}: {'worse' if np.mean(lost) > 0 else 'better'} than all of it."


def read_study(parser: argparse.ArgumentParser) -> tuple[Study, argparse.Namespace]:
    """The study that the command line asks for; what is not ours is pretrain.py's."""
    parser.add_argument("--out", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--steps", type=int, required=True, help="of each run")
    parser.add_argument("--seeds", default="1,2,3", help="separated by commas")
    parser.add_argument("--bench", type=Path, help="folder of the scenes of the bench; not scored without")
    parser.add_argument("--scenes-of-bench", help="their names, separated by commas; all by default")
    parser.add_argument("--markdown", type=Path, help="also write the table there")
    options, flags = parser.parse_known_args()
    if taken := _OURS & {flag.partition("=")[0] for flag in flags}:
        parser.error(f"{', '.join(taken)} of pretrain.py cannot be told here")
    scenes: list[str] = []
    if options.bench is not None:
        from steps import scenes_of_table

        scenes = options.scenes_of_bench.split(",") if options.scenes_of_bench else scenes_of_table()
    study = Study(options.out, options.steps, tuple(flags), options.bench, tuple(scenes))
    options.seeds = [int(seed) for seed in options.seeds.split(",")]
    torch.set_num_threads(study.common.threads)
    torch.set_flush_denormal(True)
    study.settle()
    return study, options


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--variants", default=",".join(VARIANTS), help="separated by commas")
    study, options = read_study(parser)
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in options.seeds:
        for name in options.variants.split(","):
            train(study, name, seed)
            found.setdefault(name, []).append(score(study, name, seed, [study.steps]))
    text = to_markdown(found, study.steps)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
