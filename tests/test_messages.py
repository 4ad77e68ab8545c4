"""Every error that a user can meet has its four parts, in the form that makes one sentence of them.

Read from the source: what is at fault, what was found, what was needed, what to do next. {} stands for a
value that is put in.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from geosharp import errors

PACKAGE = Path(errors.__file__).parent
LEAVES = {name for name, value in vars(errors).items() if isinstance(value, type) and name != "GeosharpError"}
PARTS = ("subject", "found", "needed", "remedy")
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Message:
    """An error where it is made. parts: by name, every text that each can be; {} where that is not told."""

    place: str
    parts: dict[str, tuple[str, ...]]


def find_messages(tree: ast.Module, place: str) -> Iterator[Message]:
    scopes: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
    while scopes:
        node, scope = scopes.pop()
        scopes += [
            (child, child if isinstance(child, Function) else scope) for child in ast.iter_child_nodes(node)
        ]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in LEAVES:
            given = dict(zip(PARTS, node.args, strict=False)) | {
                k.arg: k.value for k in node.keywords if k.arg
            }
            texts = {name: tuple(read(value, scope, tree)) for name, value in given.items()}
            yield Message(f"{place}:{node.lineno}", texts)


def read(node: ast.AST, scope: ast.AST, tree: ast.AST) -> Iterator[str]:
    """All texts that an expression can be."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from read(node.body, scope, tree)
        yield from read(node.orelse, scope, tree)
    elif isinstance(node, ast.Name):
        known = list(assigned(node.id, scope)) or list(assigned(node.id, tree))
        for value in known:
            yield from read(value, scope, tree)
        if not known:
            yield "{}"
    else:
        yield "{}"


def assigned(name: str, scope: ast.AST) -> Iterator[ast.AST]:
    """What is assigned to a name in a function, or at the top of a module."""
    body = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
    for node in body:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == name:
                yield node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=False)
                yield from (value for at, value in pairs if isinstance(at, ast.Name) and at.id == name)


def faults(message: Message) -> list[str]:
    if missing := [name for name in PARTS if name not in message.parts]:
        return [f"no {', '.join(missing)}"]
    found = []
    for name in PARTS:
        for text in message.parts[name]:
            if not text.strip() or text != text.strip() or "\n" in text:
                found.append(f"{name} {text!r}: empty, or with blanks or lines around it")
            elif name != "subject" and re.search(r"[^.]\.$|[!;,]$", text):
                found.append(f"{name} {text!r}: ends a sentence that goes on")
            elif name == "remedy" and not (text[0].islower() or text[0] in "{-"):
                found.append(f"{name} {text!r}: begins with a capital, or no word")
            elif name == "needed" and not begins_within(text):
                found.append(f"{name} {text!r}: begins with a capital")
    return found


def begins_within(text: str) -> bool:
    """Whether the first word can stand within a sentence: in small letters, or with a capital of its own."""
    first = text.split()[0].removesuffix("'s")
    return not first[0].isupper() or first.isupper() or first in NAMES or "=" in first


NAMES = {"Dask", "GeoJSON", "Python", "GeoTIFF", "GeoTIFFs", "Parquet", "PyTorch"}


def all_messages() -> list[Message]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        found += find_messages(ast.parse(path.read_text(encoding="utf-8")), place)
    return found


def test_every_message_has_its_form() -> None:
    found = all_messages()
    assert len(found) > 200
    wrong = [f"{message.place}: {fault}" for message in found for fault in faults(message)]
    assert not wrong, "\n".join(wrong)


def test_most_of_what_is_said_is_seen_here() -> None:
    parts = [
        texts for message in all_messages() for name, texts in message.parts.items() if name != "subject"
    ]
    unseen = sum(texts == ("{}",) for texts in parts)
    assert unseen < 0.1 * len(parts)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("InputError('a', 'b', 'c', 'd')", []),
        (
            "def f():\n    needed, remedy = 'c', 'Do it'\n    raise InputError('a', f'{x}', needed, remedy)",
            ["capital"],
        ),
        ("InputError('a', 'b.', 'c', 'd')", ["ends a sentence"]),
        ("UsageError('a', 'b', 'Some', 'd')", ["begins with a capital"]),
        ("UsageError('a', 'b' if x else '', 'c', 'd')", ["empty"]),
        ("OutputError('a', 'b', 'c')", ["no remedy"]),
    ],
)
def test_each_fault_is_seen(code: str, told: list[str]) -> None:
    (message,) = find_messages(ast.parse(code), "x.py")
    found = faults(message)
    assert len(found) == len(told)
    assert all(word in fault for word, fault in zip(told, found, strict=True))
