"""The application: what all commands share, and how a run ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from geosharp.cli.options import QuietOption, VerboseOption
from geosharp.errors import GeosharpError, OutputError, ResourceError, UsageError
from geosharp.version import __version__

if TYPE_CHECKING:
    from geosharp.terminal.console import Terminal


@dataclass
class Session:
    """What was asked for before the command, and the terminal once the command has opened it."""

    verbose: bool
    quiet: bool
    terminal: Terminal | None = None


# The commands as the help lists them.
_PANELS = {
    "Make results": ("fuse", "batch", "demo"),
    "Look before": ("check", "info", "calibrate"),
    "Look after": ("report", "evaluate"),
    "Teach": ("train",),
    "What is there": ("models", "sensors", "doctor"),
}


class Commands(TyperGroup):
    """Tells a GeosharpError in one line and exits with its code; lists commands by what they are for."""

    def list_commands(self, ctx: Any) -> list[str]:
        listed = [name for names in _PANELS.values() for name in names]
        return sorted(super().list_commands(ctx), key=listed.index)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command: Any = super().get_command(ctx, cmd_name)
        for panel, names in _PANELS.items():
            if cmd_name in names:
                command.rich_help_panel = panel
                command.help = _join_lines(command.help)
        return command

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GeosharpError as error:
            raise _told(ctx.obj, error) from error
        except MemoryError as error:
            needed, remedy = "room for the tiles under way", "give --max-memory or fewer --threads"
            raise _told(ctx.obj, ResourceError("memory", "none left", needed, remedy)) from error
        except KeyboardInterrupt as error:
            if ctx.obj is not None and ctx.obj.terminal is not None:
                ctx.obj.terminal.interrupted()
            raise typer.Exit(130) from error


def _join_lines(text: str) -> str:
    """Paragraphs of one line each: the terminal breaks them where it ends."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sharpen satellite scenes: fuse a fine panchromatic image with a coarse multispectral one.",
)


@app.callback(invoke_without_command=True)
def main_options(
    context: typer.Context,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        put(f"geosharp {__version__}")
        raise typer.Exit
    context.obj = Session(verbose, quiet)


def main() -> None:
    """Entry point of the `geosharp` command."""
    _open_standard_streams()
    sys.unraisablehook = _tell_ignored
    # Ends that schedulers and closed sessions send are Ctrl-C to us: temporaries go, old results stay.
    for name in ("SIGTERM", "SIGHUP"):
        # What nohup has made deaf stays so.
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        app()
    except OSError as error:
        # Help that stdout does not take; what commands print goes through `put`.
        sys.stderr.write(f"geosharp: {error}\n")
        _drop_stdout()
        sys.exit(1)


def _tell_ignored(unraisable: sys.UnraisableHookArgs) -> None:
    """Of a message of GDAL's that is not UTF-8 rasterio has a traceback printed, and goes on."""
    if not issubclass(unraisable.exc_type, UnicodeDecodeError):
        sys.__unraisablehook__(unraisable)


def _open_standard_streams() -> None:
    """Where the shell has closed stdout or stderr, something takes their place: else the next file opened
    would be taken for them, and what is told would go into it."""
    for number in (1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for good


def open_terminal(context: typer.Context, verbose: bool, quiet: bool, *, log_json: bool = False) -> Terminal:
    """The terminal as -v and -q before or after the command, and --log-json, ask for."""
    from geosharp.terminal.console import Terminal

    session: Session = context.obj
    verbose, quiet = verbose or session.verbose, quiet or session.quiet
    if verbose and quiet:
        raise UsageError("-q and -v", "both", "one of them", "leave one out")
    session.terminal = Terminal(quiet=quiet, log_json=log_json)
    # Where they matter, GDAL's messages are told as ours.
    context.with_resource(session.terminal.logged(shown=verbose))
    return session.terminal


def put(text: str) -> None:
    """Print a result to stdout."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_stdout()
        raise OutputError(
            "stdout",
            f"cannot be written ({error.strerror})",
            "a stdout that takes text",
            "send it elsewhere; files that were asked for are complete",
        ) from error


def put_json(document: Mapping[str, Any]) -> None:
    """Print a result for programs: all that stdout is to hold."""
    put(json.dumps(document, indent=2, allow_nan=False))


def _drop_stdout() -> None:
    """Let nothing more be written there, or the interpreter fails anew on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _told(session: Session | None, error: GeosharpError) -> typer.Exit:
    """The exit that follows `error`, which is told here."""
    if session is not None and session.terminal is not None:
        session.terminal.fail(error)
    else:
        with contextlib.suppress(OSError):
            typer.echo(f"geosharp: {error}", err=True)
    return typer.Exit(error.exit_code)
