"""The mean of several checkpoints of one run, weight for weight, as a model.

    PYTHONPATH=. python examples/experiments/average.py --out hfreqdiff-base.safetensors EARLIER LATER

Weights before and after the rate has fallen lie in one basin; their mean keeps what the fall has won, and on
real scenes does not trust the simulation as far. The header is the last file's, with the others' steps and
hashes and the mean's own gains on held-out places.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from pretrain import DATA, validate
from simulate import Simulator, load_sources

from geosharp.hfreqdiff.checkpoint import load, save


def average(files: list[Path], out: Path, data: Path, batches: int) -> None:
    """data: folder of the imagery; batches: of held-out places that the mean is judged on."""
    models = [load(file) for file in files]
    if len({model.header.architecture for model in models}) > 1:
        raise SystemExit("networks of different architectures have no mean")
    states = [model.network.state_dict() for model in models]
    last = models[-1]
    last.network.load_state_dict(
        {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
    )
    others = [
        {"sha256": model.digest, "steps_done": model.header.facts["training"]["steps_done"]}
        for model in models[:-1]
    ]
    facts = dict(last.header.facts)
    training = facts["training"] = {**facts["training"], "averaged_with": others}
    held_out = Simulator(load_sources(data, True, torch.device("cpu")), torch.device("cpu"))
    unseen = [held_out.batch(seed, 1, 4, int(training["side"])) for seed in range(batches)]
    facts["gain_on_held_out_places_db"] = validate(last.network, unseen, int(training["margin"]))
    save(out, last.network, None, facts, ratios=last.header.ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", type=Path, nargs="+", help="safetensors, of which the last gives the header")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the .npz files of pretrain/")
    parser.add_argument("--unseen", type=int, default=24, help="batches of held-out places to judge on")
    options = parser.parse_args()
    average(options.files, options.out, options.data, options.unseen)


if __name__ == "__main__":
    main()
