"""How what geosharp knows reads as text: sensors and models."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from geosharp.quality.scores import METRICS, format_value
from geosharp.terminal.text import clean, find_width, wrap

# Scores that tell most of a model, and their protocols.
_SHOWN = {"psnr": "reduced", "sam": "reduced", "ergas": "reduced", "q2n": "reduced", "hqnr": "full"}
# Columns left of what a model tells.
_LABELS = 13
# Columns of a list of bands that are still read with ease.
_WIDEST = 100


def format_sensors(sensors: Sequence[dict[str, Any]]) -> str:
    """`describe_sensor`'s findings, a paragraph each."""
    margin = max(len(sensor["name"]) for sensor in sensors) + 2
    lines = [f"{'name':<{margin}}title: bands, wavelengths in nm, (MTF gains at Nyquist)"]
    for sensor in sensors:
        bits = f", {sensor['bits']} bits" if sensor["bits"] else ""
        lines.append(f"{sensor['name']:<{margin}}{sensor['title']}{bits}: PAN {_optics(sensor['pan'])}")
        # Lines break between bands alone.
        bands = [
            clean(f"{band['name']} {_optics(band)}").replace(" ", "\N{NO-BREAK SPACE}")
            for band in sensor["bands"]
        ]
        indent = " " * margin
        width = min(find_width(), _WIDEST)
        wrapped = textwrap.wrap(", ".join(bands), width, initial_indent=indent, subsequent_indent=indent)
        lines += [line.replace("\N{NO-BREAK SPACE}", " ") for line in wrapped]
    return "\n".join(lines)


def _optics(band: Mapping[str, Any]) -> str:
    span = band["wavelength_nm"]
    return f"{f'{span[0]:g}-{span[1]:g} ' if span else ''}({band['nyquist_gain']:g})"


def format_models(models: Sequence[dict[str, Any]]) -> str:
    """`examine`'s findings, a line each."""
    lines = []
    for model in models:
        told = f"cannot be used: {model['fault']}" if "fault" in model else _model_line(model)
        lines += wrap(f"{model['name']}: {model['place']}, {told}{_checked(model)}", "", "  ", find_width())
    return "\n".join(lines)


def _model_line(model: Mapping[str, Any]) -> str:
    draws = "mean and draws" if model["draws"] else "mean alone"
    low, high = model["ratios"]
    size = f"{model['parameters']:,} parameters, {model['bytes'] / 1e6:.1f} MB"
    return f"{size}, {draws}, ratios {low:g} to {high:g}, SHA-256 {model['sha256'][:8]}"


def _checked(model: Mapping[str, Any]) -> str:
    """What came of verifying it, where that was asked for and nothing is wrong."""
    if "card" not in model or "fault" in model:
        return ""
    return f"; whole, and as {model['card']} says" if model["card"] else "; whole"


def format_model(model: Mapping[str, Any], *, whole: bool) -> str:
    """`describe_model`'s findings, a line each, its worth first; whole: and all facts that it tells."""
    draws = "not learnt: --steps 1, the mean, alone"
    if model["draws"]:
        draws = f"--steps 2 or more; standard deviation about the mean {model['sigma_data']:g} of a band's"
    low, high = model["ratios"]
    lines = {
        "model": f"{model['name']} ({model['place']})",
        **_worth(model["facts"]),
        **_origin(model["facts"]),
        "ratios": f"{low:g} to {high:g} PAN pixels an MS pixel",
        "draws": draws,
        "file": f"{model['file']}, {model['bytes'] / 1e6:.1f} MB{_checked(model)}",
        "SHA-256": model["sha256"],
        "parameters": f"{model['parameters']:,}",
    }
    indent, width = " " * _LABELS, find_width()
    told = [
        line
        for name, text in lines.items()
        for line in wrap(text, f"{clean(name):<{_LABELS - 1}} ", indent, width) or [clean(name)]
    ]
    rest = ["it tells", *_facts(model["facts"], 1)] if whole else ["-v or --json shows all that it tells"]
    return "\n".join([*told, *(rest if model["facts"] else [])])


def _worth(facts: Mapping[str, Any]) -> dict[str, str]:
    """What a tuned model is worth: the verdict, and each contestant's scores on the places that judged."""
    lines = {"verdict": str(facts["verdict"])} if "verdict" in facts else {}
    metrics = {key: (protocol, METRICS[protocol][key]) for key, protocol in _SHOWN.items()}
    for name, scores in _table(facts, "scores").items():
        told = [
            f"{metric.title} {format_value(value, metric)}"
            for key, (protocol, metric) in metrics.items()
            if isinstance(scores, dict) and isinstance(value := _table(scores, protocol).get(key), float)
        ]
        lines[f"  {name}"] = ", ".join(told)
    return lines


def _origin(facts: Mapping[str, Any]) -> dict[str, str]:
    """What a model has learnt from, and for how long."""
    scenes = [each for each in _list(facts, "scenes") if isinstance(each, dict)]
    told: dict[str, Sequence[object]] = {
        "sensor": [each["sensor"] for each in scenes if "sensor" in each],
        "bands": [name for each in scenes for name in _list(each, "bands")],
        "scenes": [each["pan"] for each in scenes if "pan" in each],
        "base": [name] if (name := _table(facts, "settings").get("base")) else [],
        "licences": _list(facts, "licences"),
    }
    if "steps_made" in facts:
        seconds = f" in {_short(facts['seconds'])} s, judging left out" if "seconds" in facts else ""
        told["learning"] = [
            f"{facts['steps_made']} steps{seconds}; weights of step {facts.get('step_of_weights')}"
        ]
    return {name: ", ".join(dict.fromkeys(map(str, values))) for name, values in told.items() if values}


def _table(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table among facts, which a foreign file may have otherwise."""
    found = facts.get(name)
    return found if isinstance(found, dict) else {}


def _list(facts: Mapping[str, Any], name: str) -> Sequence[object]:
    found = facts.get(name)
    return found if isinstance(found, list) else []


def _facts(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    """What a header holds, nested as it is."""
    for name, part in value.items():
        if isinstance(part, list) and any(isinstance(each, dict | list) for each in part):
            part = {str(number): each for number, each in enumerate(part, 1)}
        head = f"{'  ' * depth}{clean(name)}"
        if isinstance(part, dict) and part:
            yield head
            yield from _facts(part, depth + 1)
        else:
            text = "; ".join(map(_short, part)) if isinstance(part, list) else _short(part)
            yield f"{head}: {clean(text)}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
