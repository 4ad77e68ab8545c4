"""The commands that look before work: check, at a pair, and doctor, at this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geosharp.cli.app import app, open_terminal, put, put_json
from geosharp.cli.options import (
    BandsOption,
    JsonOption,
    LogOption,
    MemoryOption,
    MethodOption,
    MsArgument,
    PanArgument,
    QuietOption,
    SensorOption,
    ThreadsOption,
    VerboseOption,
    read_bytes,
    read_list,
)


@app.command("check", epilog="Example: geosharp check pan.tif ms.tif --strict")
def check_command(
    context: typer.Context,
    pan: PanArgument,
    ms: MsArgument,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    method: MethodOption = None,
    folder: Annotated[
        Path,
        typer.Option(
            "--folder", metavar="FOLDER", help="Where the result would be written.", rich_help_panel="Output"
        ),
    ] = Path(),
    threads: ThreadsOption = None,
    max_memory: MemoryOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings, too.")] = False,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say whether a pair is fit to fuse, in plain words, and what to do where it is not; in seconds.

    Overlap, georeference, time gap, registration and its map, no-data, saturation, bit depth, band order,
    cloud, memory, time and disk, from headers and a sample of pixels; nothing is written. Exit code 0: fit,
    1: not fit (a "stop").
    """
    open_terminal(context, verbose, quiet, log_json=log_json)
    from geosharp.checkup.check import check
    from geosharp.terminal.checkup import format_checkup

    found = check(
        pan,
        ms,
        bands=read_list(bands),
        sensor=sensor,
        method=method,
        threads=threads,
        max_memory=read_bytes("--max-memory", max_memory),
        folder=folder,
    )
    if as_json:
        put_json(found.as_json())
    else:
        put(format_checkup(found))
    if not found.fit or (strict and found.level == "warning"):
        raise typer.Exit(1)


@app.command("doctor", epilog="Example: geosharp doctor --json > doctor.json")
def doctor_command(
    context: typer.Context,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say whether all works here: versions, GDAL and PROJ, GPUs, memory, models, and a fusion of a tiny pair.

    For a report of a problem, and after an installation; nothing is left behind. Exit code 0: it works, 1:
    something does not (a "stop").
    """
    open_terminal(context, verbose, quiet, log_json=log_json)
    from geosharp.diagnosis import diagnose
    from geosharp.terminal.checkup import format_diagnosis

    found = diagnose()
    if as_json:
        put_json(found.as_json())
    else:
        put(format_diagnosis(found))
    if not found.works:
        raise typer.Exit(1)
