"""The commands that make results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geosharp.cli.app import app, open_terminal, put, put_json
from geosharp.cli.options import (
    AdaptingCommand,
    AdaptOption,
    AlignOption,
    AreaOption,
    BandsOption,
    CalibrationOption,
    ConsistencyOption,
    DaskClusterOption,
    DaskOption,
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
    OverviewsOption,
    PanArgument,
    PrecisionOption,
    QuietOption,
    SaveModelOption,
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
    read_numbers,
)
from geosharp.cli.results import write_report
from geosharp.document import to_json


@app.command(
    "fuse",
    cls=AdaptingCommand,
    epilog="Example: geosharp fuse pan.tif ms.tif -o sharp.tif --method glp --cog",
)
def fuse_command(
    context: typer.Context,
    pan: PanArgument,
    ms: MsArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="OUT", help="GeoTIFF to write, on PAN's grid. Appears when complete."
        ),
    ],
    method: MethodOption = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="LIST",
            help="Band weights of brovey, e.g. 0.3,0.4,0.3.",
            rich_help_panel="Method",
        ),
    ] = None,
    calibration: CalibrationOption = "auto",
    align: AlignOption = True,
    model: ModelOption = None,
    steps: StepsOption = None,
    seed: SeedOption = None,
    consistency: ConsistencyOption = None,
    draws: DrawsOption = None,
    adapt: AdaptOption = None,
    save_model: SaveModelOption = None,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    area: AreaOption = None,
    extent: ExtentOption = "intersection",
    dtype: DtypeOption = None,
    cog: Annotated[
        bool, typer.Option("--cog", help="Write a Cloud Optimized GeoTIFF.", rich_help_panel="Output")
    ] = False,
    overviews: OverviewsOption = True,
    mask: Annotated[
        bool,
        typer.Option(
            "--mask/--no-mask",
            help="Add an internal mask where pixels can be invalid.",
            rich_help_panel="Output",
        ),
    ] = True,
    co: Annotated[
        list[str] | None,
        typer.Option(
            "--co",
            metavar="KEY=VALUE",
            help="GDAL creation option, e.g. COMPRESS=DEFLATE.",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace an existing OUT, PNG or HTML.", rich_help_panel="Output"),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where a run of the same command stopped, if one did; the result is the same.",
            rich_help_panel="Output",
        ),
    ] = False,
    preview: Annotated[
        Path | None,
        typer.Option(
            "--preview", metavar="PNG", help="Also write a stretched quick look.", rich_help_panel="Output"
        ),
    ] = None,
    uncertainty: Annotated[
        Path | None,
        typer.Option(
            "--uncertainty",
            metavar="TIF",
            help="Also write how uncertain OUT is: the standard deviation in DN of each pixel and band that "
            "draws of the model have around its mean.",
            rich_help_panel="Output",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="HTML",
            help="Also write a page that shows how good OUT is, as the report command does.",
            rich_help_panel="Output",
        ),
    ] = None,
    tile: TileOption = None,
    threads: ThreadsOption = None,
    max_memory: MemoryOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    dask: DaskOption = None,
    dask_cluster: DaskClusterOption = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Of --dask-cluster, 1 by default.", rich_help_panel="Performance"),
    ] = None,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile",
            help="Tell how long each stage took, and what would make it faster.",
            rich_help_panel="Performance",
        ),
    ] = False,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fuse PAN and MS into OUT: MS's bands at PAN's resolution.

    Accepts pairs in different CRS, extents and with sub-pixel offsets, no-data of every kind, 8 to 32
    bit integers and floats. Prints OUT's path; progress and notes go to stderr.
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    from geosharp.fusion import fuse
    from geosharp.raster.output.creation import parse_creation
    from geosharp.raster.output.text import HTML_SUFFIXES, check_text

    if report is not None:
        check_text(report, HTML_SUFFIXES, overwrite=overwrite, inputs=[pan, *ms, out])
    with terminal.progress() as progress:
        result = fuse(
            pan,
            ms,
            out,
            method=method,
            bands=read_list(bands),
            sensor=sensor,
            weights=read_numbers("--weights", weights),
            area=area,
            extent=extent,
            dtype=dtype,
            cog=cog,
            overviews=overviews,
            mask=mask,
            creation=parse_creation(co or []),
            overwrite=overwrite,
            preview=preview,
            uncertainty=uncertainty,
            tile=tile,
            threads=threads,
            max_memory=read_bytes("--max-memory", max_memory),
            calibration=calibration,
            align=align,
            diffusion=read_diffusion(model, steps, seed, consistency, device, draws, precision),
            adapt=adapt,
            save_model=save_model,
            resume=resume,
            profile=profile,
            cluster=read_cluster(dask, dask_cluster, workers),
            progress=progress,
            on_note=terminal.note,
        )
    if result.profile is not None:
        terminal.profiled(result.profile)
    summary = terminal.summarise(result)
    terminal.tell(summary)
    if not as_json:
        put(str(result.path))
    page = None
    if report is not None:
        page = write_report(
            terminal,
            out,
            pan,
            ms,
            report,
            overwrite=overwrite,
            calibration=result.calibration or calibration,
            align=align,
            told=result.warnings,
        ).path
        if not as_json:
            put(str(page))
    terminal.conclude(summary, path=result.path, seconds=round(result.seconds, 3), tiles=result.tiles)
    if as_json:
        put_json(result.as_json() | to_json({"report": page}))


@app.command("demo", epilog="Example: geosharp demo /tmp/geosharp-demo")
def demo_command(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where to write it all.", show_default=True)
    ] = Path("geosharp-demo"),
    size: Annotated[
        int, typer.Option("--size", help="Side of the made PAN in pixels, a multiple of 4 from 256 to 2048.")
    ] = 1024,
    seed: Annotated[int, typer.Option("--seed", help="Another number makes another scene.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier demo in FOLDER.")
    ] = False,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a scene by code, fuse it, and compare the result with the known truth."""
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    from geosharp.demo import demo

    with terminal.progress() as progress:
        result = demo(folder, size=size, seed=seed, overwrite=overwrite, progress=progress)
    terminal.demonstrated(result)
    if as_json:
        put_json(result.as_json())
    else:
        put(str(result.fused))
