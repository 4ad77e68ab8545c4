"""The commands that look at scenes before any work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geosharp.cli.app import app, open_terminal, put, put_json
from geosharp.cli.library import show_model
from geosharp.cli.options import (
    AlignOption,
    AreaOption,
    BandsOption,
    ConsistencyOption,
    DeviceOption,
    DrawsOption,
    DtypeOption,
    ExtentOption,
    JsonOption,
    LogOption,
    MemoryOption,
    MethodOption,
    ModelOption,
    MsArgument,
    PanArgument,
    PrecisionOption,
    QuietOption,
    SeedOption,
    SensorOption,
    StepsOption,
    ThreadsOption,
    TileOption,
    VerboseOption,
    read_bytes,
    read_diffusion,
    read_list,
)
from geosharp.hfreqdiff.models import SUFFIX

if TYPE_CHECKING:
    from geosharp.terminal.console import Terminal


@app.command("info", epilog="Example: geosharp info pan.tif ms.tif --json")
def info_command(
    context: typer.Context,
    pan: PanArgument,
    ms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MS",
            help="Multispectral image, as of fuse. None where PAN is a result or a model.",
            show_default=False,
        ),
    ] = None,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    method: MethodOption = None,
    model: ModelOption = None,
    steps: StepsOption = None,
    seed: SeedOption = None,
    consistency: ConsistencyOption = None,
    draws: DrawsOption = None,
    area: AreaOption = None,
    extent: ExtentOption = "intersection",
    dtype: DtypeOption = None,
    tile: TileOption = None,
    threads: ThreadsOption = None,
    max_memory: MemoryOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what geosharp sees in a pair: sensor, bands, types, no-data, ratio, shift, overlap; and its plan.

    Accepts what fuse accepts, refuses what it refuses, and writes nothing: the plan is the one that
    fuse follows with the same options, but for a halo that fits the kernels it learns (see calibrate).
    One file alone, instead of a pair: of a result of fuse, how it was made and the command that makes it
    again; of a model (.safetensors), what it tells of itself, as models does.
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    if not ms:
        if pan.casefold().endswith(SUFFIX):
            show_model(pan, as_json=as_json, whole=verbose, flag="PAN")
        else:
            _show_origin(terminal, pan, as_json=as_json)
        return
    from geosharp.preflight import inspect
    from geosharp.terminal.tables import format_info

    seen = inspect(
        pan,
        ms,
        bands=read_list(bands),
        sensor=sensor,
        method=method,
        area=area,
        extent=extent,
        dtype=dtype,
        tile=tile,
        threads=threads,
        max_memory=read_bytes("--max-memory", max_memory),
        diffusion=read_diffusion(model, steps, seed, consistency, device, draws, precision),
    )
    if as_json:
        put_json(seen)
        return
    put(format_info(seen))
    plan = seen["plan"]
    if "model" in plan:
        put(f"{'model':<12} {plan['model']} ({plan['model_sha256'][:8]}) on {plan['device']}")
    for note in seen["notes"]:
        terminal.note(note)


def _show_origin(terminal: Terminal, name: str, *, as_json: bool) -> None:
    """Print how a result was made."""
    from geosharp.provenance import trace
    from geosharp.terminal.tables import format_origin

    told = trace(name)
    if as_json:
        put_json(told)
        return
    put(format_origin(told))
    for note in told["notes"]:
        terminal.note(note)


@app.command("calibrate", epilog="Example: geosharp calibrate pan.tif ms.tif -o calibration.json")
def calibrate_command(
    context: typer.Context,
    pan: PanArgument,
    ms: MsArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="JSON",
            help="File to write, which --calibration of fuse, evaluate and report takes.",
        ),
    ],
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="PNG",
            help="Also draw it: kernels, convergence, shifts, PAN beside what MS makes of it. Needs "
            "matplotlib (pip install 'geosharp\\[plot]').",
            rich_help_panel="Output",
        ),
    ] = None,
    align: AlignOption = True,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing JSON or PNG.", rich_help_panel="Output")
    ] = False,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Learn how this scene's MS is blurred, mixed and misplaced against its PAN, in seconds.

    Prints a table of the bands beside the sensor's published values, and what to make of it. fuse does the
    same by itself; a saved calibration serves other scenes of the sensor, or is kept as a record.
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    from geosharp.calibration import check_files, describe_saved, learn_scene, save
    from geosharp.raster.scene import open_scene
    from geosharp.terminal.tables import format_calibration

    check_files(out, plot, overwrite=overwrite, inputs=[pan, *ms])
    scene = open_scene(pan, ms, bands=read_list(bands), sensor=sensor)
    for note in scene.notes:
        terminal.note(note)
    with terminal.progress() as progress:
        calibration = learn_scene(scene, align=align, progress=progress)
    save(calibration, scene, out, plot, overwrite=overwrite)
    for note in calibration.notes:
        terminal.note(note)
    terminal.conclude(f"calibration {calibration.verdict}", path=out)
    if as_json:
        put_json(describe_saved(calibration, scene, out, plot))
    else:
        put(format_calibration(calibration, scene))
