"""The command line: parses, forwards, prints."""

from __future__ import annotations

import json
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from geosharp.errors import GeosharpError, ResourceError, UsageError
from geosharp.version import __version__


class Commands(TyperGroup):
    """Tells a GeosharpError in one line and exits with its code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GeosharpError as error:
            typer.echo(f"geosharp: {error}", err=True)
            raise typer.Exit(error.exit_code) from error
        except MemoryError as error:
            told = ResourceError(
                "memory", "none left", "room for the tiles under way", "give --max-memory or fewer --threads"
            )
            typer.echo(f"geosharp: {told}", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            typer.echo("geosharp: interrupted; the output is whole or not there", err=True)
            raise typer.Exit(130) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sharpen satellite scenes: fuse a fine panchromatic image with a coarse multispectral one.",
)

PanArgument = Annotated[
    str,
    typer.Argument(
        metavar="PAN",
        help="Panchromatic image, one band, 1.5 to 16 times finer than MS. Anything GDAL opens: GeoTIFF, "
        "VRT, JP2, DIMAP, TIL, NITF, /vsizip/..., https://...",
        show_default=False,
    ),
]
MsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="MS...",
        help="Multispectral image: one multi-band file, or several band files on one grid. Refused: rotated "
        "grids, complex or paletted pixels, no overlap with PAN.",
        show_default=False,
    ),
]
BandsOption = Annotated[
    str | None,
    typer.Option(
        "--bands",
        metavar="LIST",
        help="MS bands to use, in this order, by number or name, e.g. 4,3,2 or nir,red,green.",
        rich_help_panel="Input",
    ),
]
SensorOption = Annotated[
    str | None,
    typer.Option(
        "--sensor",
        metavar="NAME",
        help="Sensor, where the metadata does not tell it, e.g. worldview-2.",
        rich_help_panel="Input",
    ),
]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show GDAL's own messages too.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but errors and the result's path.")
]


@app.callback(invoke_without_command=True)
def main_options(
    context: typer.Context,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"geosharp {__version__}")
        raise typer.Exit
    context.obj = {"verbose": verbose, "quiet": quiet}


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
    method: Annotated[
        str,
        typer.Option("--method", "-m", help="exp, brovey, gsa, glp or glp-hpm.", rich_help_panel="Method"),
    ] = "glp",
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
    area: Annotated[
        str | None,
        typer.Option(
            "--area",
            metavar="BOX|FILE",
            help="Fuse a part: left,bottom,right,top in PAN's CRS, or polygons in a GeoJSON file. Its pixels "
            "are those of the whole scene's result.",
            rich_help_panel="Input",
        ),
    ] = None,
    extent: Annotated[
        str,
        typer.Option(
            "--extent",
            help="intersection: where PAN and MS overlap. pan: all of PAN, masked where MS has nothing.",
            rich_help_panel="Output",
        ),
    ] = "intersection",
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            metavar="TYPE",
            help="Pixel type, MS's by default; float32 keeps MS's DN unrounded.",
            rich_help_panel="Output",
        ),
    ] = None,
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
        bool, typer.Option("--overwrite", help="Replace an existing OUT.", rich_help_panel="Output")
    ] = False,
    preview: Annotated[
        Path | None,
        typer.Option(
            "--preview", metavar="PNG", help="Also write a stretched quick look.", rich_help_panel="Output"
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            "--tile",
            help="Tile side in PAN pixels; the result does not depend on it.",
            rich_help_panel="Performance",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", help="Computing threads, all cores by default.", rich_help_panel="Performance"
        ),
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(
            "--max-memory",
            metavar="SIZE",
            help="Stay under this, e.g. 800M or 4G.",
            rich_help_panel="Performance",
        ),
    ] = None,
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
    from geosharp.terminal import Terminal

    terminal = _terminal(context, Terminal, verbose, quiet, log_json)
    from geosharp.fusion import fuse
    from geosharp.raster.output.creation import parse_creation

    with terminal.progress() as progress:
        result = fuse(
            pan,
            ms,
            out,
            method=method,
            bands=_list(bands),
            sensor=sensor,
            weights=_numbers("--weights", weights),
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
            max_memory=_bytes("--max-memory", max_memory),
            progress=progress,
        )
    terminal.fused(result)
    typer.echo(str(result.path))


@app.command("info", epilog="Example: geosharp info pan.tif ms.tif --json")
def info_command(
    context: typer.Context,
    pan: PanArgument,
    ms: MsArgument,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    method: Annotated[str, typer.Option("--method", "-m", help="Method that the plan is for.")] = "glp",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what geosharp sees in a pair: sensor, bands, types, no-data, ratio, shift, overlap; and its plan.

    Accepts what fuse accepts, refuses what it refuses, and writes nothing.
    """
    from geosharp.terminal import Terminal, print_info

    _terminal(context, Terminal, verbose, quiet, False)
    from geosharp.preflight import inspect

    seen = inspect(pan, ms, bands=_list(bands), sensor=sensor, method=method)
    if as_json:
        typer.echo(json.dumps(seen, indent=2))
    else:
        print_info(seen)


@app.command("demo", epilog="Example: geosharp demo /tmp/geosharp-demo")
def demo_command(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where to write it all.", show_default=True)
    ] = Path("geosharp-demo"),
    size: Annotated[int, typer.Option("--size", help="Side of the made PAN in pixels, 256 to 8192.")] = 1024,
    seed: Annotated[int, typer.Option("--seed", help="Another number makes another scene.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier demo in FOLDER.")
    ] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a scene by code, fuse it, and compare the result with the known truth."""
    from geosharp.terminal import Terminal

    terminal = _terminal(context, Terminal, verbose, quiet, False)
    from geosharp.demo import demo

    with terminal.progress() as progress:
        result = demo(folder, size=size, seed=seed, overwrite=overwrite, progress=progress)
    terminal.demonstrated(result)
    typer.echo(str(result.fused))


def main() -> None:
    """Entry point of the `geosharp` command."""
    # Ends that schedulers and closed sessions send are Ctrl-C to us: temporaries go, old results stay.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    app()


def _terminal(context: typer.Context, kind: Any, verbose: bool, quiet: bool, log_json: bool) -> Any:
    """The terminal as -v and -q before or after the command, and --log-json, ask for."""
    before = context.obj or {}
    verbose, quiet = verbose or before.get("verbose", False), quiet or before.get("quiet", False)
    if verbose and quiet:
        raise UsageError("-q and -v", "both", "one of them", "leave one out")
    if verbose:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    else:
        # GDAL's messages are told as ours where they matter.
        logging.getLogger("rasterio").addHandler(logging.NullHandler())
        logging.getLogger("rasterio").propagate = False
    return kind(quiet=quiet, log_json=log_json)


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _numbers(flag: str, text: str | None) -> list[float] | None:
    try:
        parts = _list(text)
        return None if parts is None else [float(part) for part in parts]
    except ValueError as error:
        raise UsageError(
            flag, f"'{text}'", "numbers separated by commas", "write them as 0.3,0.4,0.3"
        ) from error


def _bytes(flag: str, text: str | None) -> int | None:
    if text is None:
        return None
    units = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    number, unit = text.strip().upper().removesuffix("B"), 1
    if number and number[-1] in units:
        number, unit = number[:-1], units[number[-1]]
    try:
        size = int(float(number) * unit)
    except (ValueError, OverflowError):
        size = 0
    if size <= 0:
        raise UsageError(flag, f"'{text}'", "a size in bytes or with K, M, G", "write it as 800M or 4G")
    return size
