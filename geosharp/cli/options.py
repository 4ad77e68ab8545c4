"""Arguments and options that commands share, and what their texts mean."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from geosharp.cluster.connection import Cluster
from geosharp.errors import UsageError
from geosharp.hfreqdiff.models import find_model
from geosharp.hfreqdiff.settings import DEFAULT_MINUTES, Diffusion, check_draws

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
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document, and nothing else (examples/guide/machine.md)."),
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
        "--sensor-file",
        metavar="NAME|FILE",
        help="Sensor, where the metadata does not tell it: one that geosharp sensors lists, or a TOML file "
        "that describes yours (geosharp sensors NAME prints one to start from).",
        rich_help_panel="Input",
    ),
]
AreaOption = Annotated[
    str | None,
    typer.Option(
        "--area",
        metavar="BOX|FILE",
        help="A part: left,bottom,right,top in PAN's CRS, or polygons in a GeoJSON file. Its pixels "
        "are those of the whole scene's result (but where 0 becomes no-data, valid ones move to 1).",
        rich_help_panel="Input",
    ),
]
MethodOption = Annotated[
    str | None,
    typer.Option(
        "--method",
        "-m",
        help="hfreqdiff, exp, brovey, gsa, glp or glp-hpm.",
        show_default="hfreqdiff, or glp at ratios that its model does not serve",
        rich_help_panel="Method",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|FILE",
        help="Of hfreqdiff: base, which is shipped and the default, another that geosharp models lists, or a "
        "safetensors file.",
        rich_help_panel="Model",
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option(
        "--steps",
        help="Of hfreqdiff: 1 gives the mean, its best guess, and is the default; 2 to 16 give a draw with "
        "detail that may be invented.",
        rich_help_panel="Model",
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        help="Of a draw, and of --adapt: the same number gives the same result.",
        rich_help_panel="Model",
    ),
]
DrawsOption = Annotated[
    int | None,
    typer.Option(
        "--draws",
        metavar="K",
        help="Draws that --uncertainty is from; 8 by default. Each takes longer than the result does.",
        rich_help_panel="Model",
    ),
]
ConsistencyOption = Annotated[
    int | None,
    typer.Option(
        "--consistency",
        metavar="N",
        help="Of hfreqdiff: rounds of back-projection, which hold the result to what MS measured; 1 by "
        "default, 0 for none. More than 1 amplifies MS noise.",
        rich_help_panel="Model",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="Of hfreqdiff: auto, cpu, cuda, or GPUs by their numbers, such as cuda:0,1.",
        rich_help_panel="Performance",
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="Of hfreqdiff's network: fp32, or bf16, which GPUs compute faster and rounds more coarsely.",
        rich_help_panel="Performance",
    ),
]
AdaptOption = Annotated[
    float | None,
    typer.Option(
        "--adapt",
        metavar="[MINUTES]",
        help="Let a copy of the model learn from this scene first, and take it if it is better on places "
        f"kept aside. For about so many minutes of two cores, {DEFAULT_MINUTES:g} without a number; a GPU "
        "needs less. The result depends on --seed and MINUTES, not on how fast the machine is.",
        rich_help_panel="Model",
    ),
]
SaveModelOption = Annotated[
    Path | None,
    typer.Option(
        "--save-model",
        metavar="FILE",
        help="Keep what --adapt has learnt, if it is better: a safetensors file, which --model takes.",
        rich_help_panel="Model",
    ),
]
CalibrationOption = Annotated[
    str,
    typer.Option(
        "--calibration",
        metavar="auto|sensor|FILE",
        help="How MS came of what PAN shows: its blur, and where it lies. auto: learnt from the scene, in "
        "seconds. sensor: the sensor's published values. FILE: a JSON of the calibrate command. Not for exp "
        "and brovey.",
        rich_help_panel="Method",
    ),
]
AlignOption = Annotated[
    bool,
    typer.Option(
        "--align/--no-align",
        help="Put MS where calibration finds its content, up to 4 PAN pixels from where the geotransforms "
        "put it; --no-align trusts them.",
        rich_help_panel="Method",
    ),
]
ExtentOption = Annotated[
    str,
    typer.Option(
        "--extent",
        help="intersection: where PAN and MS overlap. pan: all of PAN, masked where MS has nothing.",
        rich_help_panel="Output",
    ),
]
DtypeOption = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="TYPE",
        help="uint8, int8, uint16, int16, uint32, int32, float32 or float64; MS's type by default. "
        "float32 keeps MS's DN unrounded.",
        rich_help_panel="Output",
    ),
]
TileOption = Annotated[
    int | None,
    typer.Option(
        "--tile",
        help="Tile side in PAN pixels, from 64; the result does not depend on it.",
        rich_help_panel="Performance",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", help="Computing threads, all cores by default.", rich_help_panel="Performance"),
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        help="Stay under this, e.g. 800M or 4G.",
        rich_help_panel="Performance",
    ),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say what is decided and done, and what GDAL says.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but errors and what was asked for.")
]


OverviewsOption = Annotated[
    bool, typer.Option("--overviews/--no-overviews", help="Build overviews.", rich_help_panel="Output")
]
LogOption = Annotated[bool, typer.Option("--log-json", help="Progress and messages as JSON lines on stderr.")]


DaskOption = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Send the work to the workers of this Dask scheduler, tcp://HOST:PORT; they must see the same "
        "files (pip install 'geosharp\\[cluster]').",
        rich_help_panel="Performance",
    ),
]
DaskClusterOption = Annotated[
    str | None,
    typer.Option(
        "--dask-cluster",
        metavar="KIND",
        help="Start a Dask cluster for this run, of --workers: local, slurm or kubernetes. What a worker is "
        "there is set in Dask's configuration.",
        rich_help_panel="Performance",
    ),
]


class AdaptingCommand(TyperCommand):
    """Takes --adapt with and without a number."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, give_minutes(args))


def give_minutes(args: list[str]) -> list[str]:
    """The arguments with the default after each --adapt that no number follows."""
    given = []
    for argument, following in zip(args, [*args[1:], ""], strict=False):
        bare = argument == "--adapt" and not _may_be_minutes(following)
        given.append(f"--adapt={DEFAULT_MINUTES:g}" if bare else argument)
    return given


def _may_be_minutes(text: str) -> bool:
    """Whether what follows --adapt is its number, or one that is written wrongly, rather than a file."""
    try:
        float(text)
    except ValueError:
        return text[:1].isdigit() and not os.path.lexists(text)
    return True


def read_diffusion(
    model: str | None,
    steps: int | None = None,
    seed: int | None = None,
    consistency: int | None = None,
    device: str | None = None,
    draws: int | None = None,
    precision: str | None = None,
) -> Diffusion | None:
    """The settings that were given, others at their defaults; None where none was.

    A model that there is not is refused: the verbs take seconds to load what computes.
    """
    given = {"model": model, "steps": steps, "seed": seed, "consistency": consistency, "device": device}
    given |= {"draws": draws, "precision": precision}
    if draws is not None:
        check_draws(draws)
    given = {name: value for name, value in given.items() if value is not None}
    diffusion = replace(Diffusion(), **given) if given else None  # type: ignore[arg-type]
    if diffusion is not None:
        find_model(diffusion.model)
    return diffusion


def read_cluster(address: str | None, kind: str | None, workers: int | None) -> Cluster | None:
    """Where work is sent; None where it is done here."""
    if kind is None and workers is not None:
        found, needed = f"{workers}, and no cluster to have them", "--dask-cluster, which starts its workers"
        raise UsageError("--workers", found, needed, "add --dask-cluster, or leave --workers out")
    if address is None and kind is None:
        return None
    return Cluster(address, kind, 1 if workers is None else workers)


def read_list(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def read_numbers(flag: str, text: str | None) -> list[float] | None:
    try:
        parts = read_list(text)
        return None if parts is None else [float(part) for part in parts]
    except ValueError as error:
        raise UsageError(
            flag, f"'{text}'", "numbers separated by commas", "write them as 0.3,0.4,0.3"
        ) from error


# Bytes: who gives less has left out the unit.
_LEAST_SIZE = 2**20


def read_bytes(flag: str, text: str | None) -> int | None:
    """The size a user means by 800M or 1.5G, in bytes."""
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
    if size < _LEAST_SIZE:
        found = f"'{text}'" if size <= 0 else f"'{text}', which is {size} bytes"
        raise UsageError(flag, found, "a size of 1M or more, with K, M or G", "write it as 800M or 4G")
    return size
