"""The commands that tell what geosharp knows: sensors and models."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from geosharp.cli.app import app, open_terminal, put, put_json
from geosharp.cli.options import JsonOption, LogOption, QuietOption, VerboseOption
from geosharp.document import make_document

# Scores that tell most of a model, and their protocols.
_SHOWN = {"psnr": "reduced", "sam": "reduced", "ergas": "reduced", "q2n": "reduced", "hqnr": "full"}


@app.command("sensors", epilog="Example: geosharp sensors worldview-2 > my-sensor.toml")
def sensors_command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE", help="A sensor, or a sensor file to check.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the sensors that --sensor takes; or print one as a sensor file, to start a new satellite's."""
    from geosharp.raster.sensor_file import describe_sensor, format_sensor
    from geosharp.raster.sensors import SENSORS, find_sensor

    if name is not None:
        sensor = find_sensor(name, "NAME")
        if as_json:
            put_json(make_document("sensor/1", describe_sensor(sensor)))
        else:
            put(format_sensor(sensor).rstrip("\n"))
        return
    told = [describe_sensor(sensor) for sensor in SENSORS.values()]
    if as_json:
        put_json(make_document("sensors/1", {"sensors": told}))
    else:
        put(format_sensors(told))


@app.command("models", epilog="Example: geosharp models base --verify")
def models_command(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE", help="A model, as --model takes it.", show_default=False),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Read it wholly, or all: exit code 1 where one is damaged, foreign, of a newer geosharp, or "
            "not what the card beside it says.",
        ),
    ] = False,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the models that --model takes by name; or show one, with what it was trained on and its scores.

    Shipped ones, and those in geosharp/models in $XDG_DATA_HOME (~/.local/share). With -v or --json one shows
    all that it tells.
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    if name is not None:
        show_model(name, as_json=as_json, verify=verify, whole=verbose)
        return
    from geosharp.hfreqdiff.inventory import examine, list_models
    from geosharp.hfreqdiff.models import user_folder

    found = [examine(entry, verify=verify) for entry in list_models()]
    if as_json:
        put_json(make_document("models/1", {"models": found}))
    else:
        put(format_models(found))
    terminal.note(f"models in {user_folder()} go by their names")
    if verify and any("fault" in each for each in found):
        raise typer.Exit(1)


def show_model(
    name: str, *, as_json: bool, verify: bool = False, whole: bool = False, flag: str = "NAME"
) -> None:
    """Print what a model tells of itself, the most telling or the whole; raises where it is none. flag: where
    it was named."""
    from geosharp.hfreqdiff.inventory import describe_model, find_entry, verify_model

    entry = find_entry(name, flag)
    found = describe_model(entry)
    if verify:
        found["card"] = verify_model(entry)
    if as_json:
        put_json(make_document("model/1", found))
    else:
        put(format_model(found, whole=whole))


def format_sensors(sensors: Sequence[dict[str, Any]]) -> str:
    """`describe_sensor`'s findings, a paragraph each."""
    margin = max(len(sensor["name"]) for sensor in sensors) + 2
    lines = [f"{'name':<{margin}}title: bands, their wavelengths in nm, (their MTF gains at Nyquist)"]
    for sensor in sensors:
        bits = f", {sensor['bits']} bits" if sensor["bits"] else ""
        lines.append(f"{sensor['name']:<{margin}}{sensor['title']}{bits}: PAN {_optics(sensor['pan'])}")
        # Lines break between bands alone.
        bands = [
            f"{band['name']} {_optics(band)}".replace(" ", "\N{NO-BREAK SPACE}") for band in sensor["bands"]
        ]
        indent = " " * margin
        wrapped = textwrap.wrap(", ".join(bands), 100, initial_indent=indent, subsequent_indent=indent)
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
        lines.append(f"{model['name']}: {model['place']}, {_clean(told)}{_checked(model)}")
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
    told = [f"{_clean(name):<12} {_clean(text)}" for name, text in lines.items()]
    rest = ["it tells", *_facts(model["facts"], 1)] if whole else ["-v or --json shows all that it tells"]
    return "\n".join([*told, *(rest if model["facts"] else [])])


def _worth(facts: Mapping[str, Any]) -> dict[str, str]:
    """What a tuned model is worth: the verdict, and each contestant's scores on the places that judged."""
    from geosharp.quality.scores import METRICS, format_value

    lines = {"verdict": str(facts["verdict"])} if "verdict" in facts else {}
    metrics = {key: (protocol, METRICS[protocol][key]) for key, protocol in _SHOWN.items()}
    for name, scores in _table(facts, "scores").items():
        told = [
            f"{metric.title} {format_value(value, metric)}"
            for key, (protocol, metric) in metrics.items()
            if isinstance(value := _table(_table({name: scores}, name), protocol).get(key), float)
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
        head = f"{'  ' * depth}{_clean(name)}"
        if isinstance(part, dict) and part:
            yield head
            yield from _facts(part, depth + 1)
        else:
            text = "; ".join(map(_short, part)) if isinstance(part, list) else _short(part)
            yield f"{head}: {_clean(text)}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _clean(text: str) -> str:
    """Text of a foreign file without what would command the terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
