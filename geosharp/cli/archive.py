"""The command that fuses whole archives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from geosharp.cli.app import app, open_terminal, put, put_json
from geosharp.cli.options import (
    AlignOption,
    BandsOption,
    ConsistencyOption,
    DaskClusterOption,
    DaskOption,
    DeviceOption,
    DtypeOption,
    ExtentOption,
    JsonOption,
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
    read_cluster,
    read_diffusion,
    read_list,
)

BatchCalibrationOption = Annotated[
    str,
    typer.Option(
        "--calibration",
        metavar="auto|sensor|per-sensor|FILE",
        help="As of fuse. per-sensor: the blur of a sensor's scenes is learnt from the first of them and "
        "kept in FOLDER; where MS lies is learnt from each.",
        rich_help_panel="Method",
    ),
]


@app.command("batch", epilog="Example: geosharp batch archive/ -o fused/ --workers 2")
def batch_command(
    context: typer.Context,
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENES...",
            help="A folder, in which names, footprints and times tell pairs; a CSV or Parquet file with "
            "columns pan and ms (several files of MS with ; between), and where wanted out and options; STAC "
            "items as JSON, a file or an address; or PAN MS PAN MS ...",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for results and batch.jsonl.")
    ],
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print pairs with their sizes, what cannot be fused and what is left out; do nothing.",
        ),
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            help="Scenes side by side, each in a process of its own; they share cores and memory. Of "
            "--dask-cluster, its workers.",
            rich_help_panel="Performance",
        ),
    ] = 1,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Try all scenes again that failed in an earlier batch, also where no file has changed.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Fuse scenes again whose results are there.")
    ] = False,
    scores: Annotated[
        bool,
        typer.Option("--scores", help="Score each result at full resolution.", rich_help_panel="Output"),
    ] = False,
    stac: Annotated[
        bool,
        typer.Option(
            "--stac", help="Write a STAC item beside each result, and items.json.", rich_help_panel="Output"
        ),
    ] = False,
    method: MethodOption = None,
    model: ModelOption = None,
    steps: StepsOption = None,
    seed: SeedOption = None,
    consistency: ConsistencyOption = None,
    calibration: BatchCalibrationOption = "auto",
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
    dask: DaskOption = None,
    dask_cluster: DaskClusterOption = None,
    max_memory: MemoryOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fuse all scenes of an archive into a folder, one GeoTIFF each.

    What fails stops no other scene. Scenes whose results are there are skipped, interrupted ones go on where
    they were, and one that failed is tried again once a file or an option of it has changed: the same
    command may be given again and again. batch.jsonl in FOLDER tells what became of each. Exits with 1 if any
    scene failed, and with 2 on wrong usage.
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    from geosharp.archive.batch import batch, plan
    from geosharp.archive.ledger import NAME
    from geosharp.archive.sources import list_sources
    from geosharp.raster.pairing import pair_up
    from geosharp.terminal.archive import format_batch, format_plan

    given: dict[str, Any] = {
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
    options = {name: value for name, value in given.items() if value is not None}
    # A scheduler that runs has its own workers.
    asked = None if dask_cluster is None and (dask is None or workers == 1) else workers
    cluster = read_cluster(dask, dask_cluster, asked)
    listing = list_sources(pair_up(scenes))
    if dry_run:
        for note in listing.notes:
            terminal.note(note)
        planned = plan(listing, out, options).look()
        if as_json:
            put_json(planned.as_json())
        else:
            put(format_plan(planned))
        return
    result = batch(
        listing,
        out,
        workers=workers,
        cluster=cluster,
        retry_failed=retry_failed,
        overwrite=overwrite,
        scores=scores,
        stac=stac,
        options=options,
        on_row=terminal.scene_done,
        on_note=terminal.note,
    )
    told = format_batch(result, out / NAME)
    terminal.conclude(told.splitlines()[0], seconds=result.seconds)
    if as_json:
        put_json(result.as_json())
    else:
        put(told)
    if result.failed:
        raise typer.Exit(1)
