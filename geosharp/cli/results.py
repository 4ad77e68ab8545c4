"""The commands that tell how good results are."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geosharp.cli.app import app, open_terminal, put, put_json
from geosharp.cli.options import (
    AlignOption,
    AreaOption,
    BandsOption,
    CalibrationOption,
    ConsistencyOption,
    DeviceOption,
    JsonOption,
    LogOption,
    ModelOption,
    MsArgument,
    PanArgument,
    QuietOption,
    SeedOption,
    SensorOption,
    StepsOption,
    ThreadsOption,
    VerboseOption,
    read_diffusion,
    read_list,
)

if TYPE_CHECKING:
    from geosharp.padm.calibration import Calibration
    from geosharp.reporting import ReportResult
    from geosharp.terminal.console import Terminal


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
    calibration: CalibrationOption = "auto",
    align: AlignOption = True,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing page.", rich_help_panel="Output")
    ] = False,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show how good a result is, on one page that needs no network.

    Pictures to swipe between MS, PAN and result; scores beside interpolation and glp on the same pixels;
    where it disagrees with MS and PAN; histograms, spectra, seams, and how it was made. What geosharp made
    tells its --bands and --sensor itself. Refused: a result that is not on PAN's grid or has other bands.
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    result = write_report(
        terminal,
        fused,
        pan,
        ms,
        out,
        title=title,
        bands=bands,
        sensor=sensor,
        overwrite=overwrite,
        calibration=calibration,
        align=align,
    )
    terminal.conclude(_summarise(result), path=result.path, seconds=round(result.seconds, 3))
    if as_json:
        put_json(result.as_json())
    else:
        put(str(result.path))


def write_report(
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
    calibration: str | Calibration = "auto",
    align: bool = True,
    told: Collection[str] = (),
) -> ReportResult:
    """Write a page and say so to eyes. told: notes that are not to be told again."""
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
            calibration=calibration,
            align=align,
            progress=progress,
            on_note=lambda text: None if text in told else terminal.note(text),
        )
    terminal.tell(_summarise(result))
    return result


def _summarise(result: ReportResult) -> str:
    return f"report: {result.size / 1e6:.1f} MB in {result.seconds:.1f} s"


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
    calibration: CalibrationOption = "auto",
    align: AlignOption = True,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    area: AreaOption = None,
    model: ModelOption = None,
    steps: StepsOption = None,
    seed: SeedOption = None,
    consistency: ConsistencyOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score methods and finished results side by side on the same pixels of a scene.

    Pixels count that are valid in all of them. The best of each column is starred; a lead smaller than
    the noise of the scores is none. A result's bands go by their names. Refused: a result that is not on
    PAN's grid or has other bands. One file per method is kept meanwhile in the folder for temporary files
    (TMPDIR).
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    diffusion = read_diffusion(model, steps, seed, consistency, device)
    from geosharp.evaluation import evaluate
    from geosharp.terminal.tables import format_scores

    with terminal.progress() as progress:
        evaluation = evaluate(
            pan,
            ms,
            fused=fused or [],
            methods=read_list(methods),
            diffusion=diffusion,
            protocol=protocol or "both",
            bands=read_list(bands),
            sensor=sensor,
            area=area,
            threads=threads,
            calibration=calibration,
            align=align,
            progress=progress,
            on_note=terminal.note,
        )
    terminal.conclude(f"scored at {' and '.join(evaluation.protocols)} resolution")
    if as_json:
        put_json(evaluation.as_json())
    else:
        put(format_scores(evaluation))
