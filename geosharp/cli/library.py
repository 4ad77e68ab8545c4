"""The commands that tell what geosharp knows: sensors and models."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from geosharp.cli.app import app, open_terminal, put, put_json
from geosharp.cli.options import JsonOption, LogOption, QuietOption, VerboseOption
from geosharp.document import make_document


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

    Shipped ones, and those in geosharp/models in $XDG_DATA_HOME (~/.local/share).
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    if name is not None:
        show_model(name, as_json=as_json, verify=verify)
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


def show_model(name: str, *, as_json: bool, verify: bool = False, flag: str = "NAME") -> None:
    """Print what a model tells of itself; raises where it is none. flag: where it was named."""
    from geosharp.hfreqdiff.inventory import describe_model, find_entry, verify_model

    entry = find_entry(name, flag)
    found = describe_model(entry)
    if verify:
        found["card"] = verify_model(entry)
    if as_json:
        put_json(make_document("model/1", found))
    else:
        put(format_model(found))


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


def format_model(model: Mapping[str, Any]) -> str:
    """`describe_model`'s findings, a line each, and all facts that the model tells."""
    draws = "not learnt: --steps 1, the mean, alone"
    if model["draws"]:
        draws = f"--steps 2 or more; standard deviation about the mean {model['sigma_data']:g} of a band's"
    low, high = model["ratios"]
    lines = {
        "model": f"{model['name']} ({model['place']})",
        "file": f"{model['file']}, {model['bytes'] / 1e6:.1f} MB{_checked(model)}",
        "SHA-256": model["sha256"],
        "parameters": f"{model['parameters']:,}",
        "draws": draws,
        "ratios": f"{low:g} to {high:g} PAN pixels an MS pixel",
    }
    told = [f"{name:<12} {text}" for name, text in lines.items()]
    return "\n".join([*told, "it tells", *_facts(model["facts"], 1)])


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
            text = "; ".join(map(str, part)) if isinstance(part, list) else str(part)
            yield f"{head}: {_clean(text)}"


def _clean(text: str) -> str:
    """Text of a foreign file without what would command the terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
