"""The Dockerfile, without an engine: its sources exist, its arguments are used, nobody is root."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")
IGNORE = (ROOT / ".dockerignore").read_text("utf-8")
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]


def instructions(text: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, its arguments), with continued lines joined and comments dropped."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (line.split()[0].upper(), line.partition(" ")[2].strip())
        for line in joined.splitlines()
        if line.strip()
    ]


def faults(text: str, root: Path = ROOT, ignore: str = IGNORE) -> list[str]:
    steps = instructions(text)
    return [*_copies(steps, root, ignore), *_arguments(steps), *_bases(steps), *_user(steps), *_entry(steps)]


def _copies(steps: list[tuple[str, str]], root: Path, ignore: str) -> Iterator[str]:
    stages = {words.split()[-1] for name, words in steps if name == "FROM" and " AS " in words}
    allowed = {line[1:] for line in ignore.splitlines() if line.startswith("!")}
    for words in (words.split() for name, words in steps if name == "COPY"):
        if words[0].startswith("--from="):
            if words[0].removeprefix("--from=") not in stages:
                yield f"no stage for {words[0]}"
            continue
        for source in words[:-1]:
            if not (root / source).exists():
                yield f"COPY {source}: it does not exist"
            elif source not in allowed:
                yield f"COPY {source}: .dockerignore keeps it out"


def _arguments(steps: list[tuple[str, str]]) -> Iterator[str]:
    for place, (name, words) in enumerate(steps):
        argument = words.split("=")[0]
        if name == "ARG" and not any(f"${{{argument}}}" in later for _, later in steps[place + 1 :]):
            yield f"ARG {argument} is not used"
    given = {words.split("=")[0] for name, words in steps if name == "ARG"}
    for used in sorted({u for _, words in steps for u in re.findall(r"\$\{(\w+)\}", words)} - given):
        yield f"{used} is no ARG"


def _bases(steps: list[tuple[str, str]]) -> Iterator[str]:
    defaults = dict(words.split("=", 1) for name, words in steps if name == "ARG" and "=" in words)
    for name, words in steps:
        if name == "FROM":
            image = re.sub(r"\$\{(\w+)\}", lambda m: defaults.get(m[1], ""), words.split()[0])
            if ":" not in image or image.endswith(":latest"):
                yield f"FROM {image}: no version"
    if defaults.get("TORCH_BUILD") != "cpu":
        yield "the CPU build of torch is not the default"


def _user(steps: list[tuple[str, str]]) -> Iterator[str]:
    last = max(place for place, (name, _) in enumerate(steps) if name == "FROM")
    users = [words for name, words in steps[last:] if name == "USER"]
    if not users or users[-1].split(":")[0] in ("root", "0"):
        yield "it runs as root"


def _entry(steps: list[tuple[str, str]]) -> Iterator[str]:
    entries = [words for name, words in steps if name == "ENTRYPOINT"]
    if len(entries) != 1 or not entries[0].startswith("[") or json.loads(entries[0])[0] not in SCRIPTS:
        yield "ENTRYPOINT is not the command in its exec form"


def test_the_dockerfile_has_no_fault() -> None:
    assert faults(TEXT) == []


def test_it_is_built_from_the_pins() -> None:
    installs = [words for name, words in instructions(TEXT) if name == "RUN" and "pip install" in words]
    assert installs
    assert all("-c constraints.txt" in words for words in installs)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("COPY models ./models", "COPY weights ./weights", "COPY weights: it does not exist"),
        ("COPY models ./models", "COPY tests ./tests", "COPY tests: .dockerignore keeps it out"),
        ("--from=build", "--from=built", "no stage for --from=built"),
        ("ARG TORCH_BUILD=cpu", "ARG TORCH_BUILD=cpu\nARG SPARE=1", "ARG SPARE is not used"),
        ("/${TORCH_BUILD}", "/${BUILD}", "ARG TORCH_BUILD is not used"),
        ("TORCH_BUILD=cpu", "TORCH_BUILD=cu130", "the CPU build of torch is not the default"),
        ("=python:3.11-slim", "=python", "FROM python: no version"),
        ("USER geosharp\n", "", "it runs as root"),
        ("USER geosharp\n", "USER 0:0\n", "it runs as root"),
        ('ENTRYPOINT ["geosharp"]', "ENTRYPOINT geosharp", "ENTRYPOINT is not the command in its exec form"),
    ],
)
def test_each_fault_is_seen(old: str, new: str, fault: str) -> None:
    assert old in TEXT
    assert fault in faults(TEXT.replace(old, new))
