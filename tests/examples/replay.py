"""Scripts whose geosharp commands are taken down, then run in this process: each start anew takes seconds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from typer.testing import CliRunner

from geosharp.cli.app import app

# How many arguments there are, where it is asked, and what is asked; of arguments without line breaks.
_TAKE_DOWN = """#!/bin/sh
printf '%s\\n' "$#" "$PWD" "$@" >> '{notes}'
"""


def put_on_path(folder: Path, script: str) -> str:
    """A PATH on which `geosharp` is that script, kept in `folder`."""
    command = folder / "geosharp"
    folder.mkdir(parents=True, exist_ok=True)
    command.write_text(script, "utf-8")
    command.chmod(0o755)
    return os.pathsep.join([str(folder), os.environ["PATH"]])


def replay(command: list[str], cwd: Path, aside: Path) -> tuple[str, str]:
    """What a script prints to stdout and stderr, and then its geosharp commands, which must not fail; they
    come after all else of it. aside: a folder for notes, made here."""
    notes = aside / "notes"
    path = put_on_path(aside, _TAKE_DOWN.format(notes=notes))
    notes.write_text("")
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    stdout, stderr = [done.stdout], [done.stderr]
    lines = iter(notes.read_text("utf-8").splitlines())
    before = Path.cwd()
    try:
        for count in lines:
            os.chdir(next(lines))
            arguments = [next(lines) for _ in range(int(count))]
            ran = CliRunner().invoke(app, arguments)
            assert ran.exit_code == 0, f"geosharp {arguments}: {ran.exception!r}\n{ran.output}"
            stdout.append(ran.stdout)
            stderr.append(ran.stderr)
    finally:
        os.chdir(before)
    return "".join(stdout), "".join(stderr)
