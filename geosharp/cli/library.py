"""The commands that tell what geosharp knows: sensors and models."""

from __future__ import annotations

from typing import Annotated

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
    from geosharp.terminal.library import format_sensors

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
    from geosharp.terminal.library import format_models

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
    from geosharp.terminal.library import format_model

    entry = find_entry(name, flag)
    found = describe_model(entry)
    if verify:
        found["card"] = verify_model(entry)
    if as_json:
        put_json(make_document("model/1", found))
    else:
        put(format_model(found, whole=whole))
