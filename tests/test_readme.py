"""README tells the truth: its commands exist with their options, and run; its Python runs."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner, Result

from geosharp.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "examples").glob("*/*.md"))]
# A block behind <!-- not run: REASON --> is checked for its options alone.
FENCE = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+) -->\s*)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    kind: str
    body: str
    run: bool


def blocks(text: str, kind: str) -> list[Block]:
    found = [Block(m["kind"], m["body"], m["why"] is None) for m in FENCE.finditer(text)]
    return [block for block in found if block.kind == kind]


def commands(block: Block) -> Iterator[list[str]]:
    """The arguments of each `geosharp ...` in a bash block, however it is chained, piped or commented."""
    for words in _statements(block):
        if words and words[0].removeprefix(".venv/bin/") == "geosharp":
            yield words[1 : words.index(">")] if ">" in words else words[1:]


def targets(block: Block) -> dict[str, str]:
    """The file that a command's output goes to, by its arguments in a line."""
    found = [words for words in _statements(block) if ">" in words]
    return {shlex.join(words[1 : words.index(">")]): words[words.index(">") + 1] for words in found}


def _statements(block: Block) -> Iterator[list[str]]:
    for line in block.body.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("();<|&"):
                yield words
                words = []
            else:
                words.append(word)


@functools.cache
def find_command() -> Any:
    """The command line as Typer makes it, which takes a while."""
    return typer.main.get_command(app)


@functools.cache
def ask_for_help(*command: str) -> Result:
    return CliRunner().invoke(app, [*command, "--help"])


def unknown_options(arguments: list[str]) -> list[str]:
    """What the command line does not know in `arguments`: the command, or options of it."""
    command = find_command()
    known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
    known |= {"--help", "-h"}
    unknown = []
    for word in arguments:
        option = word.split("=")[0]
        subcommands = getattr(command, "commands", {})
        if option.startswith("-") and len(option) > 1 and not option[1].isdigit():
            unknown += [] if option in known else [option]
        elif word in subcommands:
            command = subcommands[word]
            known |= {
                option for parameter in command.params for option in parameter.opts + parameter.secondary_opts
            }
        elif subcommands:
            unknown.append(word)
    return unknown


# What a command is given besides: ten seconds less.
SMALLER = {"demo": ["--size", "256"]}
ALL = {
    shlex.join(arguments): arguments
    for page in PAGES
    for block in blocks(page.read_text("utf-8"), "bash")
    for arguments in commands(block)
}


@pytest.fixture
def scene_folder(tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a pan.tif and an ms.tif: what README's commands stand in."""
    for path in made_pair:
        shutil.copy(path, tmp_path / path.name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readme_shows_commands() -> None:
    assert "demo" in ALL


@pytest.mark.parametrize("command", sorted(ALL))
def test_each_command_and_option_exists(command: str) -> None:
    arguments = ALL[command]
    assert unknown_options(arguments) == []
    helped = ask_for_help(*arguments[:1])
    assert helped.exit_code == 0, helped.output


@pytest.mark.usefixtures("scene_folder")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_run_in_order(page: Path) -> None:
    for block in blocks(page.read_text("utf-8"), "bash"):
        written = targets(block)
        for arguments in commands(block):
            if block.run:
                done = CliRunner().invoke(app, [*arguments, *SMALLER.get(arguments[0], [])])
                assert done.exit_code == 0, (
                    f"geosharp {shlex.join(arguments)}: {done.exception!r}\n{done.output}"
                )
                if target := written.get(shlex.join(arguments)):
                    Path(target).write_text(done.stdout, "utf-8")


@pytest.mark.usefixtures("scene_folder")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_python_runs_in_order(page: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks(page.read_text("utf-8"), "python"):
        if block.run:
            exec(compile(block.body, page.name, "exec"), names)  # noqa: S102 - it is our own page


def test_links_lead_somewhere() -> None:
    pages = [*PAGES, *ROOT.glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_commands_are_found_however_they_are_written() -> None:
    text = """
```bash
pip install . && .venv/bin/geosharp demo  # geosharp comment
geosharp info pan.tif ms.tif --json | head > seen.json
geosharp fuse pan.tif ms.tif \\
    -o 'my out.tif'
```

<!-- not run: it takes a GPU -->
```bash
geosharp fuse pan.tif ms.tif --out=far.tif
```

```text
geosharp nothing
```
"""
    first, second = blocks(text, "bash")
    assert (first.run, second.run) == (True, False)
    assert list(commands(first)) == [
        ["demo"],
        ["info", "pan.tif", "ms.tif", "--json"],
        ["fuse", "pan.tif", "ms.tif", "-o", "my out.tif"],
    ]
    assert list(commands(second)) == [["fuse", "pan.tif", "ms.tif", "--out=far.tif"]]


@pytest.mark.parametrize(
    ("arguments", "unknown"),
    [
        (["fuse", "pan.tif", "ms.tif", "--out=x.tif", "-m", "glp", "--no-mask"], []),
        (["fuse", "pan.tif", "ms.tif", "--output", "x.tif"], ["--output"]),
        (["info", "pan.tif", "ms.tif", "--cog"], ["--cog"]),
        (["sharpen", "pan.tif"], ["sharpen", "pan.tif"]),
        (["--version"], []),
    ],
    ids=str,
)
def test_what_the_command_line_lacks_is_told(arguments: list[str], unknown: list[str]) -> None:
    assert unknown_options(arguments) == unknown
