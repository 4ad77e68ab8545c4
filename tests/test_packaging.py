"""What is declared is what is used: dependencies, pins, entry points, the public names, the gates' script."""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import geosharp

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUNTIME = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
OPTIONAL = {
    name: [Requirement(line) for line in lines]
    for name, lines in PROJECT["project"]["optional-dependencies"].items()
}
TEST = OPTIONAL["test"]
EXTRAS = [requirement for name, lines in OPTIONAL.items() if name != "test" for requirement in lines]
# torch's own writer imports it.
UNSEEN = {"tensorboard"}
# Named on a command line or loaded by pytest, never imported.
TOOLS = {"mypy", "pytest-randomly", "pytest-xdist", "ruff"}


def distributions(requirements: Iterable[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def third_party(files: Iterable[Path]) -> set[str]:
    """What the files import, or ask pytest for, from neither the standard library nor this repository."""
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "importorskip":
                names.update(str(a.value) for a in node.args[:1] if isinstance(a, ast.Constant))
    own = {"geosharp", "tests", *sys.stdlib_module_names}
    return {canonicalize_name(top) for name in names if (top := name.split(".")[0]) not in own}


def pins() -> dict[str, str]:
    lines = (
        line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    )
    return {canonicalize_name(name): version for name, _, version in (x.partition("==") for x in lines if x)}


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """The requirements and, from what is installed, all that they bring here."""
    waiting, seen = list(requirements), set[str]()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        if name in seen or not any(
            requirement.marker is None or requirement.marker.evaluate({"extra": e}) for e in extras
        ):
            continue
        seen.add(name)
        waiting += [Requirement(line) for line in requires(name) or []]
    return seen


def test_the_library_declares_what_it_imports_and_no_more() -> None:
    declared = distributions(RUNTIME + EXTRAS) - UNSEEN
    assert declared == third_party((ROOT / "geosharp").rglob("*.py"))


def test_the_tests_declare_what_they_import_and_no_more() -> None:
    used = third_party((ROOT / "tests").rglob("*.py"))
    assert used - distributions(RUNTIME) == distributions(TEST) - TOOLS


@pytest.mark.parametrize("requirement", RUNTIME + TEST, ids=str)
def test_each_dependency_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_everything_installed_is_pinned_and_nothing_replaces_torch() -> None:
    needed = closure(RUNTIME + TEST)
    assert "sympy" in needed  # torch's: the walk went further than this file
    assert needed - set(pins()) == set()
    assert "torchvision" not in needed | set(pins())


def test_the_entry_point_exists() -> None:
    module, _, function = PROJECT["project"]["scripts"]["geosharp"].partition(":")
    assert callable(getattr(import_module(module), function))


def test_the_version_has_one_source() -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    source = (ROOT / PROJECT["tool"]["hatch"]["version"]["path"]).read_text("utf-8")
    assert re.findall(r'^__version__ = "(.+)"$', source, re.M) == [geosharp.__version__]


@pytest.mark.parametrize("name", geosharp.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(geosharp, name) is not None
    assert name in dir(geosharp)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sharpen'"):
        _ = geosharp.sharpen  # type: ignore[attr-defined]


def test_what_is_packed_beside_the_modules_exists() -> None:
    packed = PROJECT["tool"]["hatch"]["build"]["targets"]
    for name in packed["wheel"]["force-include"]:
        assert any((ROOT / name).iterdir())
    for name in packed["sdist"]["include"]:
        assert (ROOT / name.removeprefix("/")).exists(), name
    assert (ROOT / "geosharp" / "py.typed").exists()


def readme_steps() -> Iterator[list[str]]:
    for line in (ROOT / "README.md").read_text("utf-8").splitlines():
        if "-m pytest" in line:
            yield line.split(" && ")


def test_the_gates_run_readmes_own_command() -> None:
    """The script takes the command out of README, and holds no second one that could drift from it."""
    (steps,) = readme_steps()
    assert len(steps) == 3
    assert "-c constraints.txt -e '.[test]'" in steps[1]
    script = ROOT / ".ci" / "run"
    text = script.read_text("utf-8")
    assert os.access(script, os.X_OK)
    assert "grep -F -- '-m pytest' README.md" in text
    assert [f"steps[{n}]" in text for n in range(3)] == [True] * 3
    assert "pip install" not in text
    assert text.count("pytest' README.md") == text.count("-m pytest") == 1
