"""The command that makes models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geosharp.cli.app import app, open_terminal, put, put_json
from geosharp.cli.options import (
    AlignOption,
    BandsOption,
    DeviceOption,
    JsonOption,
    LogOption,
    QuietOption,
    SensorOption,
    VerboseOption,
    read_list,
)

if TYPE_CHECKING:
    from geosharp.terminal.console import Terminal
    from geosharp.training import TrainResult
    from geosharp.tuning.tune import TrainProgress

# Scores that the table shows, by protocol.
_SHOWN = {
    "reduced": ("psnr", "sam", "ergas", "q2n"),
    "full": ("hqnr", "d_lambda", "d_s", "d_rho", "reprojection_ergas"),
}

ScenesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SCENES...",
        help="PAN MS [PAN MS ...]; or one folder, in which the names of PAN and MS differ in a word such "
        "as pan and ms, P and M, PAN and MUL; or one CSV with columns pan and ms (several "
        "files of MS with ; between).",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        metavar="OUT",
        help="Model to write, a safetensors file, which --model of fuse takes. Appears if it is better "
        "than BASE.",
    ),
]
BaseOption = Annotated[
    str,
    typer.Option("--base", metavar="NAME|FILE|none", help="Model to start from; none: from nothing."),
]
HoursOption = Annotated[
    float | None, typer.Option("--hours", help="How long to learn.  \\[default: 0.1]", show_default=False)
]
LengthOption = Annotated[
    int | None, typer.Option("--steps", help="So many steps, instead of --hours.", show_default=False)
]
RunSeedOption = Annotated[int, typer.Option("--seed", help="The same number gives the same model.")]
KeepOption = Annotated[
    bool, typer.Option("--keep", help="Write OUT though it is no better.", rich_help_panel="Output")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing OUT.", rich_help_panel="Output")
]
TensorboardOption = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        metavar="FOLDER",
        help="Also write loss and scores by step for TensorBoard (pip install 'geosharp\\[tensorboard]').",
        rich_help_panel="Output",
    ),
]


@app.command("train", epilog="Example: geosharp train pan.tif ms.tif -o my-sensor.safetensors --hours 0.1")
def train_command(
    context: typer.Context,
    scenes: ScenesArgument,
    out: OutOption,
    base: BaseOption = "base",
    hours: HoursOption = None,
    steps: LengthOption = None,
    seed: RunSeedOption = 0,
    bands: BandsOption = None,
    sensor: SensorOption = None,
    align: AlignOption = True,
    keep: KeepOption = False,
    overwrite: OverwriteOption = False,
    tensorboard: TensorboardOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    log_json: LogOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fine-tune a model on your own scenes, and say whether it is worth using.

    Each scene is calibrated; what it would be one level coarser is learnt from, and its MS is the truth. One
    place in five is kept aside: there BASE, the new model and classical methods are compared. Prints their
    scores, a verdict, and OUT's path if it was written; exits with 1 if it was not. Stopped by Ctrl-C, the
    same command goes on where it was. Several GPUs: torchrun --nproc-per-node N -m geosharp train ...
    """
    terminal = open_terminal(context, verbose, quiet, log_json=log_json)
    from geosharp.raster.pairing import pair_up
    from geosharp.training import state_beside, train

    try:
        with _progress(terminal, tensorboard) as progress:
            result = train(
                pair_up(scenes),
                out,
                base=base,
                steps=steps,
                hours=hours,
                seed=seed,
                device=device or "auto",
                bands=read_list(bands),
                sensor=sensor,
                align=align,
                keep=keep,
                overwrite=overwrite,
                progress=progress,
                on_note=terminal.note,
            )
    except KeyboardInterrupt:
        if state_beside(out).exists():
            terminal.note(f"what was learnt is in {state_beside(out)}: the same command goes on there")
        raise
    if result.first:
        _conclude(terminal, result, as_json=as_json)


@contextmanager
def _progress(terminal: Terminal, folder: Path | None) -> Iterator[Callable[[TrainProgress], None]]:
    """What hears of each step: the terminal, and TensorBoard's files where there is a folder for them."""
    from geosharp.tuning.scalars import scalars_in

    with scalars_in(folder) as write, terminal.learning() as show:

        def tell(progress: TrainProgress) -> None:
            for hear in (show, write):
                if hear is not None:
                    hear(progress)

        yield tell


def _conclude(terminal: Terminal, result: TrainResult, *, as_json: bool) -> None:
    if as_json:
        put_json(result.as_json())
    else:
        put(format_table(result))
        put(result.verdict)
    terminal.say(
        "done",
        f"{result.steps} steps in {result.seconds:.0f} s; weights of step {result.step}",
        path=result.path,
        seconds=round(result.seconds, 3),
        better=result.better,
    )
    if result.path is None:
        raise typer.Exit(1)
    if not as_json:
        put(str(result.path))


def format_table(result: TrainResult) -> str:
    """Scores on the places kept aside, a row for each contestant."""
    from geosharp.terminal.tables import format_protocols

    means = ", means over scenes" if len(result.facts.get("scenes", ())) > 1 else ""
    return f"{format_protocols(result.protocols, _SHOWN)}\non places kept aside{means}"
