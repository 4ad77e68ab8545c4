"""Train geosharp's base weights from nothing, on openly licensed imagery alone.

    PYTHONPATH=. python examples/experiments/pretrain.py --data FOLDER --out FOLDER --minutes 600

First the mean (--stage mean), then draws around it (--stage draws --start mean.safetensors), which leave the
mean as it is. The same command goes on, to the step, where a run stopped; its length, its batches and its
loss may change then. The learning rate is held, and falls over the last 30 % of the run, so that a run may
be made longer, or copied and brought to its end, at any time before. Imagery and simulation live on the
training device; only PyTorch, NumPy, safetensors and geosharp itself are needed, not rasterio.

Writes to --out: state.pt (all that is needed to go on), hfreqdiff-NAME-mean.safetensors or, with draws,
hfreqdiff-NAME.safetensors (the running mean of the weights), log.jsonl.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from muon import Muon
from simulate import HELD_OUT, MIX, Batch, Simulator, load_sources
from torch import Tensor

from geosharp.hfreqdiff.checkpoint import load, save
from geosharp.hfreqdiff.conditions import ADDITIVE, MODULATED
from geosharp.hfreqdiff.diffusion import draw_sigmas
from geosharp.hfreqdiff.diffusion import loss as draw_loss
from geosharp.hfreqdiff.network import PRESETS, HFreqdiff

DATA = Path(os.environ.get("GEOSHARP_DATA", Path(__file__).parents[3] / "shared" / "data")) / "pretrain"
LICENCES = [
    "NAIP, Landsat and USGS imagery: US public domain; NAIP crops by Ventura et al. 2024, CC BY 4.0",
    "contains modified Copernicus Sentinel data 2015-2022; OSCD (Daudt et al. 2018), EOTDL",
    "NEON (National Ecological Observatory Network) open data",
]
# Seeds of batches count from here; those of validation from 0, on other places.
_TRAINING = 1_000_000
_EMA = 0.999
_WEIGHT_DECAY = 1e-2
# Share of the training that warms up, and that lets the rate fall at its end.
_WARM_UP, _FALL = 0.005, 0.3
# Arguments that may change when a run goes on.
_ELSEWHERE = {"data", "out", "start", "device", "threads", "log_every", "validate_every", "stop_after"}
_ELSEWHERE |= {"minutes", "steps"}
# Those of them that decide the weights, and are kept with them.
_PHASE = {"scenes", "patches", "side", "margin", "loss"}


def read_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Of the command line, or those `given`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the .npz files of pretrain/")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the state, the weights and the log"
    )
    parser.add_argument("--stage", choices=["mean", "draws"], default="mean")
    parser.add_argument("--start", type=Path, help="weights to start from; draws need those of a mean")
    parser.add_argument("--preset", choices=list(PRESETS), default="base")
    parser.add_argument("--minutes", type=float, default=math.inf, help="train so long, resumes counted")
    parser.add_argument("--steps", type=int, default=10**9, help="train so many steps at most")
    parser.add_argument("--stop-after", type=int, default=10**9, help="stop at this step, to go on later")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--bf16", action="store_true", help="convolve in bfloat16")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenes", type=int, default=4, help="scenes of a batch")
    parser.add_argument("--patches", type=int, default=1, help="patches of a scene")
    parser.add_argument("--side", type=int, default=96, help="PAN pixels a side of a patch")
    parser.add_argument("--margin", type=int, default=12, help="PAN pixels at its edges without loss")
    parser.add_argument("--rate", type=float, default=2e-3, help="largest learning rate of convolutions")
    parser.add_argument("--other-rate", type=float, default=1e-3, help="that of all other weights")
    parser.add_argument(
        "--loss",
        choices=list(LOSSES),
        default="charbonnier",
        help="of the mean; logarithmic: of each band's mean square, so that a dB counts alike everywhere",
    )
    parser.add_argument("--validate-every", type=float, default=10.0, help="minutes")
    parser.add_argument("--unseen", type=int, default=24, help="batches of held-out places to validate on")
    parser.add_argument("--log-every", type=int, default=50, help="steps")
    for name in ("width", "encoder-blocks", "mean-blocks", "draw-blocks"):
        parser.add_argument(f"--{name}", type=int, help="other than the preset's")
    parser.add_argument("--transform", choices=["haar", "unshuffle"])
    parser.add_argument("--no-fusion", dest="fusion", action="store_false", default=None)
    parser.add_argument("--no-modulation", dest="modulation", action="store_false", default=None)
    arguments = parser.parse_args(given)
    if math.isinf(arguments.minutes) and arguments.steps == 10**9:
        parser.error("say how long: --minutes or --steps")
    if arguments.stage == "draws" and arguments.start is None:
        parser.error("--stage draws needs --start, the weights of a mean")
    return arguments


def make_network(arguments: argparse.Namespace) -> tuple[HFreqdiff, dict[str, Any]]:
    """New, or that of --start; and how that was trained."""
    if arguments.start is not None:
        model = load(arguments.start)
        return model.network.requires_grad_(True).train(), model.header.facts["training"]
    base = PRESETS[arguments.preset]
    chosen = {name: getattr(arguments, name) for name in asdict(base) if getattr(arguments, name) is not None}
    return HFreqdiff(replace(base, **chosen)), {}


def learnt(network: HFreqdiff, stage: str) -> list[torch.nn.Parameter]:
    """The parameters that a stage trains; the others are frozen."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_((stage == "draws") == ("draw" in name or "noise" in name))
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def mean_loss(network: HFreqdiff, batch: Batch, margin: int, kind: str) -> Tensor:
    found = network.mean(network.encode(batch.shown, batch.described))
    return LOSSES[kind](inner(found - batch.missing, margin))


def charbonnier(error: Tensor) -> Tensor:
    """Squares below this error, absolute values above."""
    return (torch.sqrt(error**2 + 0.03**2) - 0.03).mean()


def square(error: Tensor) -> Tensor:
    return (error**2).mean()


def logarithmic(error: Tensor) -> Tensor:
    """error: (scene, band, row, col). Below -40 dB nothing is to be gained."""
    return torch.log((error**2).mean((2, 3)) + 1e-4).mean()


LOSSES = {"charbonnier": charbonnier, "square": square, "logarithmic": logarithmic}


def residual_loss(
    network: HFreqdiff, batch: Batch, margin: int, sigma_data: float, generator: torch.Generator
) -> Tensor:
    """Diffusion's loss on what the mean leaves."""
    with torch.no_grad():
        encoded = network.encode(batch.shown, batch.described)
        residual = (batch.missing - network.mean(encoded)).float()
    noise = torch.randn(residual.shape, generator=generator, device=residual.device)
    sigma = draw_sigmas(len(residual), sigma_data, generator)
    errors = draw_loss(lambda x, level: network.draw(encoded, x, level), residual, noise, sigma, sigma_data)
    return inner(errors, margin).mean()


def inner(x: Tensor, margin: int) -> Tensor:
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]


@torch.no_grad()
def validate(network: HFreqdiff, batches: list[Batch], margin: int) -> dict[str, float]:
    """On held-out places: dB over the better of the two priors on each patch, on average, of all bands
    together and ("bands") of each alone; the residual's standard deviation in units of the band."""
    gains: dict[str, list[float]] = {"all": [], "bands": []}
    left = []
    for batch in batches:
        found = network.mean(network.encode(batch.shown, batch.described))
        other = batch.shown[:, :, MODULATED] - batch.shown[:, :, ADDITIVE]
        errors = [
            inner(guess - batch.missing, margin).square().mean((2, 3))
            for guess in (found, torch.zeros_like(found), other)
        ]
        gains["bands"] += _decibels(*errors).flatten().tolist()
        gain = _decibels(*(error.mean(1) for error in errors))
        left.append(errors[0].mean())
        for name in ("all", f"ratio {batch.ratio:g}", batch.source.split("_")[0]):
            gains.setdefault(name, []).extend(gain.tolist())
    told = {name: round(sum(values) / len(values), 3) for name, values in sorted(gains.items())}
    return {**told, "residual": float(torch.stack(left).mean().sqrt())}


def _decibels(ours: Tensor, added: Tensor, modulated: Tensor) -> Tensor:
    return 10 * torch.log10(torch.minimum(added, modulated) / ours)


@torch.no_grad()
def validate_draws(network: HFreqdiff, batches: list[Batch], margin: int, sigma_data: float) -> float:
    """Diffusion's loss on held-out places, always with the same noise; 1 for draws that know nothing."""
    losses = []
    for seed, batch in enumerate(batches):
        noise = torch.Generator(batch.shown.device).manual_seed(seed)
        losses.append(residual_loss(network, batch, margin, sigma_data, noise))
    return round(float(torch.stack(losses).mean()), 4)


def rate_at(progress: float) -> float:
    """Share of the largest rate: warm-up, then all of it, then down to a hundredth in a straight line."""
    warm, left = progress / _WARM_UP, (1 - progress) / _FALL
    return min(max(warm, 0.01), max(left, 0.01), 1.0)


def make_optimisers(network: HFreqdiff, arguments: argparse.Namespace) -> list[torch.optim.Optimizer]:
    """Muon for the convolutions between features, AdamW for all else."""
    inner, others = [], []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            (inner if parameter.ndim == 4 and "head" not in name else others).append(parameter)
    return [
        Muon(inner, arguments.rate, _WEIGHT_DECAY),
        torch.optim.AdamW(others, arguments.other_rate, betas=(0.9, 0.99), weight_decay=_WEIGHT_DECAY),
    ]


class Run:
    """What changes while training, and the file that keeps it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        torch.manual_seed(arguments.seed)
        self.device = torch.device(arguments.device)
        # Backwards through the convolutions takes twice as long on a CPU with channels last.
        self.layout = torch.channels_last if self.device.type == "cuda" else torch.contiguous_format
        network, self.before = make_network(arguments)
        self.network = network.to(self.device).to(memory_format=self.layout)
        self.parameters = learnt(self.network, arguments.stage)
        self.optimisers = make_optimisers(self.network, arguments)
        self.rates = [arguments.rate, arguments.other_rate]
        self.running = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.step, self.seconds, self.sigma_data = 0, 0.0, 0.0
        self.path = arguments.out / "state.pt"
        told = {name: str(value) for name, value in vars(arguments).items() if name not in _ELSEWHERE}
        self.meant = {name: value for name, value in told.items() if name not in _PHASE}
        self.phase = {name: value for name, value in told.items() if name in _PHASE}

    def resume(self) -> None:
        if not self.path.exists():
            return
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        differing = [name for name, value in self.meant.items() if state["meant"].get(name) != value]
        if differing:
            raise SystemExit(f"{self.path} is of a run with other {', '.join(differing)}: take another --out")
        self.network.load_state_dict(state["network"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.running = state["running"]
        self.step, self.seconds, self.sigma_data = state["step"], state["seconds"], state["sigma_data"]

    def keep(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "running": self.running,
            "step": self.step,
            "seconds": self.seconds,
            "sigma_data": self.sigma_data,
            "meant": self.meant,
        }
        beside = self.path.with_suffix(".part")
        torch.save(state, beside)
        beside.replace(self.path)

    def average(self) -> None:
        """The running mean of the weights, over few steps at the beginning."""
        weight = max(1 - _EMA, 9 / (self.step + 9))
        for name, value in self.network.state_dict().items():
            self.running[name].lerp_(value, weight)

    def averaged(self) -> HFreqdiff:
        network = HFreqdiff(self.network.architecture).to(self.device)
        network.load_state_dict(self.running)
        return network.to(memory_format=self.layout).eval()

    def move(self, progress: float) -> None:
        """One step of the optimisers, at the rate of this moment."""
        for optimiser, rate in zip(self.optimisers, self.rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * rate_at(progress)
            optimiser.step()
        self.step += 1
        self.average()


def batches(simulator: Simulator, arguments: argparse.Namespace, first: int) -> Iterator[Batch]:
    shape = (arguments.scenes, arguments.patches, arguments.side)
    for step in range(first, min(arguments.steps, arguments.stop_after)):
        yield simulator.batch(_TRAINING * arguments.seed + step, *shape)


def main() -> None:
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.benchmark = True
    arguments.out.mkdir(parents=True, exist_ok=True)
    run = Run(arguments)
    run.resume()
    simulator = Simulator(load_sources(arguments.data, False, run.device), run.device)
    held_out = Simulator(load_sources(arguments.data, True, run.device), run.device)
    # Few and fixed, so that runs compare; four patches of a scene each.
    unseen = [held_out.batch(seed, 1, 4, arguments.side) for seed in range(arguments.unseen)]
    noise = torch.Generator(run.device)
    if arguments.stage == "draws" and run.sigma_data == 0:
        run.sigma_data = validate(run.network, unseen, arguments.margin)["residual"]
    casting = torch.autocast(run.device.type, torch.bfloat16) if arguments.bf16 else nullcontext()

    def tell(**told: Any) -> None:
        line = json.dumps({"step": run.step, "minutes": round(run.seconds / 60, 2), **told})
        print(line, flush=True)
        with (arguments.out / "log.jsonl").open("a", encoding="utf-8") as log:
            print(line, file=log)

    def check() -> None:
        network = run.averaged()
        scores = validate(network, unseen, arguments.margin)
        if arguments.stage == "draws":
            scores["draws"] = validate_draws(network, unseen, arguments.margin, run.sigma_data)
        facts = {
            "licences": LICENCES,
            "sources": MIX,
            "held_out_places": HELD_OUT,
            "training": {
                **run.meant,
                **run.phase,
                "steps_done": run.step,
                "minutes_done": round(run.seconds / 60, 1),
                **({"before": run.before} if run.before else {}),
            },
            "gain_on_held_out_places_db": scores,
        }
        drawn = arguments.stage == "draws"
        name = arguments.preset if drawn else f"{arguments.preset}-mean"
        sigma_data = run.sigma_data if drawn else None
        save(arguments.out / f"hfreqdiff-{name}.safetensors", network, sigma_data, facts)
        run.keep()
        tell(validation=scores)

    tell(parameters=sum(p.numel() for p in run.parameters), reach=run.network.reach)
    losses: list[float] = []
    validated = run.seconds
    start = time.perf_counter() - run.seconds
    for batch in batches(simulator, arguments, run.step):
        progress = max(run.step / arguments.steps, run.seconds / (60 * arguments.minutes))
        if progress >= 1:
            break
        with casting:
            if arguments.stage == "mean":
                loss = mean_loss(run.network, batch, arguments.margin, arguments.loss)
            else:
                noise.manual_seed(run.step)
                loss = residual_loss(run.network, batch, arguments.margin, run.sigma_data, noise)
        run.network.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(run.parameters, 1.0)
        losses.append(loss.item())
        if not math.isfinite(losses[-1] + norm.item()):
            tell(stopped=f"loss {losses[-1]}, gradient {norm.item()}", source=batch.source)
            raise SystemExit(
                f"the loss is {losses[-1]} at step {run.step}; {run.path} is the last good state"
            )
        if run.step % arguments.log_every == 0:
            tell(loss=round(sum(losses) / len(losses), 5), gradient=round(norm.item(), 3))
            losses.clear()
        run.move(progress)
        run.seconds = time.perf_counter() - start
        if run.seconds - validated > 60 * arguments.validate_every:
            check()
            validated = run.seconds = time.perf_counter() - start
    check()


if __name__ == "__main__":
    main()
