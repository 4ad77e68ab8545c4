"""How far a model is ahead of both priors on held-out simulated places, by how blurred MS is against PAN.

    PYTHONPATH=. python examples/experiments/by_blur.py --model base [--data FOLDER] [--batches 24]

Gain: dB over the better of the two priors, patch by patch, at ratio 4; its error is that of the mean of
patches. The same places, mixes and shifts for every Nyquist gain of the kernel.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import simulate
import torch
from pretrain import DATA, inner
from simulate import Simulator, load_sources

from geosharp.hfreqdiff.conditions import ADDITIVE, MODULATED
from geosharp.hfreqdiff.models import open_model
from geosharp.hfreqdiff.network import HFreqdiff

GAINS = (0.05, 0.1, 0.2, 0.3, 0.45, 0.55)
_SCENES, _SIDE, _MARGIN = 4, 128, 16


@torch.inference_mode()
def find_gains(network: HFreqdiff, simulator: Simulator, batches: int) -> list[float]:
    """Of each patch."""
    gains: list[float] = []
    for seed in range(batches):
        batch = simulator.batch(10**6 + seed, _SCENES, 1, _SIDE)
        found = network.mean(network.encode(batch.shown, batch.described))
        modulated = batch.shown[:, :, MODULATED] - batch.shown[:, :, ADDITIVE]
        ours, added, multiplied = (
            inner(error, _MARGIN).square().mean((1, 2, 3))
            for error in (found - batch.missing, batch.missing, modulated - batch.missing)
        )
        gains += (10 * torch.log10(torch.minimum(added, multiplied) / ours)).tolist()
    return gains


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="base", help="a name or a file")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the .npz files of pretrain/")
    parser.add_argument("--batches", type=int, default=24)
    options = parser.parse_args()
    device = torch.device("cpu")
    network = open_model(options.model, device).network
    sources = load_sources(options.data, True, device)
    simulate.RATIOS.clear()
    simulate.RATIOS[4] = 1.0
    print("| Nyquist gain | gain, dB | error |\n|---|---|---|")
    for gain in GAINS:
        simulate.GAINS = (gain, gain)
        gains = find_gains(network, Simulator(sources, device), options.batches)
        error = statistics.stdev(gains) / len(gains) ** 0.5
        print(f"| {gain:g} | {statistics.mean(gains):.2f} | {error:.2f} |", flush=True)


if __name__ == "__main__":
    main()
