"""The commands."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geosharp.cli.app import app, open_terminal, put
from geosharp.cli.options import (
    AreaOption,
    BandsOption,
    DtypeOption,
    ExtentOption,
    MemoryOption,
    MethodOption,
    MsArgument,
    PanArgument,
    QuietOption,
    SensorOption,
    ThreadsOption,
    TileOption,
    VerboseOption,
    read_bytes,
    read_list,
    read_numbers,
)

if TYPE_CHECKING:
    from geosharp.terminal import Terminal


@app.command("fuse", epilog="Example: geosharp fuse pan.tif ms.tif -o sharp.tif --method glp --cog")
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
    method: MethodOption = "glp",
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="LIST",
            help="Band weights of brovey, e.g. 0.3,0.4,0.3.",
            rich_help_panel="Method",
        ),
    ] = None,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    area: AreaOption = None,
    extent: ExtentOption = "intersection",
    dtype: DtypeOption = None,
    cog: Annotated[
        bool, typer.Option("--cog", help="Write a Cloud Optimized GeoTIFF.", rich_help_panel="Output")
    ] = False,
    overviews: Annotated[
        bool, typer.Option("--overviews/--no-overviews", help="Build overviews.", rich_help_panel="Output")
    ] = True,
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
    preview: Annotated[
        Path | None,
        typer.Option(
            "--preview", metavar="PNG", help="Also write a stretched quick look.", rich_help_panel="Output"
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
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Progress and messages as JSON lines on stderr.")
    ] = False,
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
            tile=tile,
            threads=threads,
            max_memory=read_bytes("--max-memory", max_memory),
            progress=progress,
            on_note=terminal.note,
        )
    terminal.fused(result)
    put(str(result.path))
    if report is not None:
        _write_report(terminal, out, pan, ms, report, overwrite=overwrite, told=result.warnings)


@app.command("report", epilog="Example: geosharp report sharp.tif pan.tif ms.tif -o report.html")
def report_command(
    context: typer.Context,
    fused: Annotated[
        str,
        typer.Argument(
            metavar="FUSED",
            help="A finished result of this pair, of geosharp or any other tool, on PAN's grid or a part.",
            show_default=False,
        ),
    ],
    pan: PanArgument,
    ms: MsArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="HTML", help="Page to write. Appears when complete.")
    ],
    title: Annotated[
        str | None,
        typer.Option("--title", help="Title of the page, FUSED's name by default.", rich_help_panel="Output"),
    ] = None,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing page.", rich_help_panel="Output")
    ] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show how good a result is, on one page that needs no network.

    Pictures to swipe between MS, PAN and result; scores beside interpolation and glp on the same pixels;
    where it disagrees with MS and PAN; histograms, spectra, seams, and how it was made. What geosharp made
    tells its --bands and --sensor itself. Refused: a result that is not on PAN's grid or has other bands.
    """
    terminal = open_terminal(context, verbose, quiet)
    _write_report(terminal, fused, pan, ms, out, title=title, bands=bands, sensor=sensor, overwrite=overwrite)


def _write_report(
    terminal: Terminal,
    fused: str | Path,
    pan: str,
    ms: list[str],
    out: Path,
    *,
    title: str | None = None,
    bands: str | None = None,
    sensor: str | None = None,
    overwrite: bool = False,
    told: Collection[str] = (),
) -> None:
    """told: notes that are not to be told again."""
    from geosharp.reporting import report

    with terminal.progress() as progress:
        result = report(
            fused,
            pan,
            ms,
            out,
            title=title,
            bands=read_list(bands),
            sensor=sensor,
            overwrite=overwrite,
            progress=progress,
            on_note=lambda text: None if text in told else terminal.note(text),
        )
    terminal.say(
        "done",
        f"report: {result.size / 1e6:.1f} MB in {result.seconds:.1f} s",
        path=str(result.path),
        seconds=round(result.seconds, 3),
    )
    put(str(result.path))


@app.command("info", epilog="Example: geosharp info pan.tif ms.tif --json")
def info_command(
    context: typer.Context,
    pan: PanArgument,
    ms: MsArgument,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    method: MethodOption = "glp",
    area: AreaOption = None,
    extent: ExtentOption = "intersection",
    dtype: DtypeOption = None,
    tile: TileOption = None,
    threads: ThreadsOption = None,
    max_memory: MemoryOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what geosharp sees in a pair: sensor, bands, types, no-data, ratio, shift, overlap; and its plan.

    Accepts what fuse accepts, refuses what it refuses, and writes nothing: the plan is the one that
    fuse follows with the same options.
    """
    terminal = open_terminal(context, verbose, quiet)
    from geosharp.preflight import inspect
    from geosharp.terminal import format_info

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
    )
    if as_json:
        put(json.dumps(seen, indent=2, allow_nan=False))
        return
    put(format_info(seen))
    for note in seen["notes"]:
        terminal.note(note)


@app.command("evaluate", epilog="Example: geosharp evaluate pan.tif ms.tif --fused sharp.tif --method glp")
def evaluate_command(
    context: typer.Context,
    pan: PanArgument,
    ms: MsArgument,
    fused: Annotated[
        list[str] | None,
        typer.Option(
            "--fused",
            metavar="FILE",
            help="A finished result of this pair, of geosharp or any other tool, on PAN's grid; may be given "
            "several times. Scored at full resolution.",
            rich_help_panel="Input",
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            "--method",
            "-m",
            metavar="LIST",
            help="Methods to score, e.g. exp,glp; all by default.",
            rich_help_panel="Method",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="reduced: the pair is coarsened by its ratio, so that the MS is the truth. full: without a "
            "reference, how results agree with MS and PAN. both, which is the default.",
            rich_help_panel="Method",
        ),
    ] = None,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    area: AreaOption = None,
    threads: ThreadsOption = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Also write them as JSON.", rich_help_panel="Output"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing JSON file.", rich_help_panel="Output")
    ] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score methods and finished results side by side on the same pixels of a scene.

    Pixels count that are valid in all of them. The best of each column is starred; a lead smaller than
    the noise of the scores is none. Refused: a result that is not on PAN's grid or has other bands.
    """
    terminal = open_terminal(context, verbose, quiet)
    from geosharp.evaluation import evaluate
    from geosharp.raster.output.text import JSON_SUFFIXES, check_text, write_text
    from geosharp.terminal import format_scores

    inputs = [pan, *ms, *(fused or []), *([area] if area else [])]
    if json_file is not None:
        check_text(json_file, JSON_SUFFIXES, overwrite=overwrite, inputs=inputs)
    with terminal.progress() as progress:
        evaluation = evaluate(
            pan,
            ms,
            fused=fused or [],
            methods=read_list(methods),
            protocol=protocol or "both",
            bands=read_list(bands),
            sensor=sensor,
            area=area,
            threads=threads,
            progress=progress,
            on_note=terminal.note,
        )
    if json_file is not None:
        sources = evaluation.scene.pan, *evaluation.scene.ms
        inputs += [file for source in sources for file in source.files]
        write_text(json_file, evaluation.as_json(), JSON_SUFFIXES, overwrite=overwrite, inputs=inputs)
    put(format_scores(evaluation))


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
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a scene by code, fuse it, and compare the result with the known truth."""
    terminal = open_terminal(context, verbose, quiet)
    from geosharp.demo import demo

    with terminal.progress() as progress:
        result = demo(folder, size=size, seed=seed, overwrite=overwrite, progress=progress)
    terminal.demonstrated(result)
    put(str(result.fused))
