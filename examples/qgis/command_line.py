"""geosharp's command line as another program runs it: its messages are heard, and it can be stopped.

Nothing here is of QGIS, whose Python needs neither geosharp nor torch for it.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

# Of the program that runs it: for another Python, GDAL and PROJ they are wrong.
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_DATA", "PROJ_LIB")
# Seconds between looks whether it is to be stopped, and what it has then to end by itself.
LOOK, PATIENCE = 0.2, 20.0
# An event, such as {"event": "progress", "message": "12%", "pixels": 12, "total_pixels": 100}.
Event = dict[str, Any]


class CommandError(Exception):
    """It ended without a result; in its own words."""


def run(
    command: str,
    arguments: Sequence[str],
    hear: Callable[[Event], None],
    stopped: Callable[[], bool] = lambda: False,
) -> str:
    """Run `command`, such as geosharp or /somewhere/bin/geosharp, with the arguments; what it printed.

    hear: told of each line on stderr, those that are no JSON as events without a name. stopped: asked again
    and again; once it is true the command is interrupted, and leaves no half of a file.
    """
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    # The path of a program may have spaces.
    program = [command] if Path(command).is_file() else shlex.split(command, posix=os.name == "posix")
    try:
        process = subprocess.Popen(
            [*program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            # Ctrl-C on a terminal is for the program that runs it.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except (OSError, IndexError) as error:
        raise CommandError(
            f"'{command}' cannot be run ({error}): name geosharp's command, with its path"
        ) from error
    printed: list[str] = []
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdout is not None
    assert process.stderr is not None
    readers = [
        threading.Thread(target=_read, args=(process.stderr, lines.put)),
        threading.Thread(target=_read, args=(process.stdout, lambda line: line and printed.append(line))),
    ]
    for reader in readers:
        reader.start()
    told: Event = {}
    asked = False
    while True:
        if stopped() and not asked:
            asked = True
            _interrupt(process)
        try:
            line = lines.get(timeout=LOOK)
        except queue.Empty:
            continue
        if line is None:
            break
        event = _parse(line)
        told = event if event.get("event") == "error" or not told else told
        hear(event)
    for reader in readers:
        reader.join()
    if process.wait() and not asked:
        raise CommandError(told.get("message") or f"{command} ended with exit status {process.returncode}")
    return "".join(printed)


def _read(stream: IO[str], put: Callable[[Any], object]) -> None:
    with stream:
        for line in stream:
            put(line)
    put(None)


def _parse(line: str) -> Event:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    return event if isinstance(event, dict) else {"message": line.rstrip("\n")}


def _interrupt(process: subprocess.Popen[str]) -> None:
    """As Ctrl-C does; what does not end by that is ended."""
    process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
    ending = threading.Timer(PATIENCE, process.kill)
    ending.daemon = True
    ending.start()
