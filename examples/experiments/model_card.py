"""The card of a model, from its header and the scores that scripts have measured.

    python examples/experiments/model_card.py --model models/hfreqdiff-base.safetensors
        --bench bench.md --native native.md > models/hfreqdiff-base.md

--bench: what examples/benchmarks/quality.py printed with the model; --native: what native.py wrote.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from geosharp.hfreqdiff.checkpoint import Model, load

# Settings of a run that a card names, in the order of pretrain.py's arguments.
_SETTINGS = ("stage", "preset", "bf16", "seed", "rate", "other_rate", "loss")
_CARD = """# {name}

{purpose}

- **Network**: {parameters:,} parameters, {blocks} at width {width}, {transform} sub-bands; a pixel
  depends on {reach} PAN pixels around it, besides what its conditions need.
  SHA-256 `{digest}`.
- **Data**: openly licensed imagery alone, PAN and MS simulated from it (`examples/experiments/simulate.py`):
  {sources}.
  No scene of the sensors that it is scored on below was seen. Credits: `NOTICE.md`.
- **Held out**: all imagery of {held_out}; on it the mean is
  {gain} dB above the better of its two priors, patch by patch ({by_ratio}).
- **Training**: {training}.
- **Draws**: {draws}

## Scores

`examples/benchmarks/quality.py`, real scenes of sensors that it never saw, each coarsened by a blur and a
shift of which no method is told:

{bench}

`examples/experiments/native.py`, simulated pairs from the held-out places, against the truth at native
resolution:

{native}

## Limits

- Tried at 1.5 to 6.5 PAN pixels an MS pixel, trained at 2, 3 and 4. Beyond, `geosharp fuse` takes `glp` and
  says so.
- What PAN does not see it cannot know: thermal and short-wave infrared bands gain little, and fine detail in
  them is a guess.
- Saturated PAN or MS, clouds that moved between PAN and MS, and moving objects are fused as they come.
- It was trained on towns, fields, forest and water in daylight, mostly of temperate climates: sea ice, dunes
  and night scenes were not tried.

## Not to be used for

Measuring single pixels where a decision rests on one, counting or identifying small objects as evidence, and
targeting. Detail at PAN's resolution is an estimate: where it matters, look at PAN and MS themselves.
"""


def write_card(path: Path, bench: str, native: str, note: str = "") -> str:
    """note: a sentence on how these weights were chosen."""
    model = load(path)
    facts, a = model.header.facts, model.header.architecture
    training, gains = facts["training"], facts["gain_on_held_out_places_db"]
    ratios = ", ".join(f"{name} {gains[name]:.2f}" for name in gains if name.startswith("ratio"))
    return _CARD.format(
        name=path.stem,
        purpose=_purpose(model),
        parameters=sum(value.numel() for value in model.network.parameters()),
        blocks=f"{a.encoder_blocks} + {a.mean_blocks} + {a.draw_blocks} blocks (encoder, mean, draws)",
        width=a.width,
        transform=a.transform.capitalize(),
        reach=model.network.reach,
        digest=model.digest,
        sources=", ".join(f"{name} {share:.0%}" for name, share in facts["sources"].items()),
        held_out=", ".join(facts["held_out_places"]),
        gain=f"{gains['all']:.2f}",
        by_ratio=ratios,
        training=_tell_training(training.get("before") or training) + (f".\n  {note}" if note else ""),
        draws=_tell_draws(model),
        bench=bench.strip(),
        native=native.strip(),
    )


def _purpose(model: Model) -> str:
    drawn = "" if model.header.sigma_data is None else ", and draws around it"
    return (
        "Fuses PAN and MS of any sensor and any number of bands: the mean of what MS lacks beside what a\n"
        f"classical method injects{drawn}."
    )


def _tell_draws(model: Model) -> str:
    if model.header.sigma_data is None:
        return "not learnt: `--steps 1`, the mean, alone."
    facts, scale = model.header.facts, model.header.sigma_data
    loss = facts["gain_on_held_out_places_db"]["draws"]
    return (
        f"{_tell_training(facts['training'])}, with the mean as it is. Diffusion's loss on what is held\n"
        f"  out, 1 where nothing is known: {loss:.3f}; the truth lies about the mean by\n"
        f"  {scale:.3f} of a band's standard deviation."
    )


def _tell_training(training: dict[str, Any]) -> str:
    command = f"examples/experiments/pretrain.py {_tell_settings(training)}"
    steps, hours = training["steps_done"], training["minutes_done"] / 60
    told = f"`{command}`;\n  {steps:,} steps, {hours:.1f} hours on {training.get('device', 'a CPU')}"
    if others := training.get("averaged_with"):
        before = ", ".join(f"{other['steps_done']:,}" for other in others)
        told += f"; the mean (`average.py`)\n  of these weights and of those after {before} steps"
    return told


def _tell_settings(training: dict[str, Any]) -> str:
    given = (
        f"--{key.replace('_', '-')}{'' if training[key] == 'True' else ' ' + training[key]}"
        for key in _SETTINGS
        if training[key] != "False"
    )
    return " ".join(given)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--bench", type=Path, required=True, help="output of quality.py")
    parser.add_argument("--native", type=Path, required=True, help="output of native.py")
    parser.add_argument(
        "--note", default="", help="how these weights were chosen, in a sentence without its stop"
    )
    options = parser.parse_args()
    bench, native = (path.read_text("utf-8") for path in (options.bench, options.native))
    print(write_card(options.model, bench, native, options.note))


if __name__ == "__main__":
    main()
