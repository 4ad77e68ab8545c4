"""The command that fuses whole archives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from geosharp.cli.app import app, open_terminal, put
from geosharp.cli.options import (
    AlignOption,
    BandsOption,
    CalibrationOption,
    ConsistencyOption,
    DeviceOption,
    DtypeOption,
    ExtentOption,
    LogOption,
    MemoryOption,
    MethodOption,
    ModelOption,
    OverviewsOption,
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


@app.command("batch", epilog="Example: geosharp batch archive/ -o fused/ --workers 2")
def batch_command(
    context: typer.Context,
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENES...",
            help="A folder in which names tell pairs, a CSV with columns pan and ms, or PAN MS PAN MS ...",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for results and batch.jsonl.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the pairs, and what is left out, and do nothing.")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            help="Scenes side by side, each in a process of its own; they share cores and --max-memory.",
            rich_help_panel="Performance",
        ),
    ] = 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try scenes again that failed in an earlier batch.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Fuse scenes again whose results are there.")
    ] = False,
    method: MethodOption = None,
    model: ModelOption = None,
    steps: StepsOption = None,
    seed: SeedOption = None,
    consistency: ConsistencyOption = None,
    calibration: CalibrationOption = "auto",
    align: AlignOption = True,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    extent: ExtentOption = "intersection",
    dtype: DtypeOption = None,
    cog: Annotated[
        bool, typer.Option("--cog", help="Write Cloud Optimized GeoTIFFs.", rich_help_panel="Output")
    ] = False,
    overviews: OverviewsOption = True,
    tile: TileOption = None,
    threads: ThreadsOption = None,
    max_memory: MemoryOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fuse all scenes of an archive into a folder, one GeoTIFF each.

    What fails stops no other scene. Scenes whose results are there are skipped, and interrupted ones go on
    where they were: the same command may be given again and again. batch.jsonl in FOLDER tells what became of
    each. Exits with 1 if any scene failed.
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    from geosharp.archive.batch import batch, plan
    from geosharp.raster.pairing import find_pairs
    from geosharp.terminal.tables import format_batch

    pairs, notes = find_pairs(scenes)
    for note in notes:
        terminal.note(note)
    if dry_run:
        for row in plan(pairs, out)[0]:
            put(f"{row.pan} + {', '.join(row.ms)} -> {row.out}")
        return
    options: dict[str, Any] = {
        "method": method,
        "diffusion": read_diffusion(model, steps, seed, consistency, device, None, precision),
        "calibration": calibration,
        "align": align,
        "bands": read_list(bands),
        "sensor": sensor,
        "extent": extent,
        "dtype": dtype,
        "cog": cog,
        "overviews": overviews,
        "tile": tile,
        "threads": threads,
        "max_memory": read_bytes("--max-memory", max_memory),
    }
    result = batch(
        pairs,
        out,
        workers=workers,
        retry_failed=retry_failed,
        overwrite=overwrite,
        options={name: value for name, value in options.items() if value is not None},
        on_row=terminal.scene_done,
    )
    put(format_batch(result))
    if result.failed:
        raise typer.Exit(1)
