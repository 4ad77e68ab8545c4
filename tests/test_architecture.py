"""The house holds: arrows point one way, each library stays in its room, nothing heavy loads early.

Every law is a function of parsed modules, so that it can be shown a made tree that breaks it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.made import make_pair

ROOT = Path(__file__).parents[1]
PACKAGE = "geosharp"
MAX_LINES = 400

# A room may import itself and rooms of a lower rank; rooms of one rank do not know each other.
RANKS = {
    "document": 0,
    "errors": 0,
    "notes": 0,
    "version": 0,
    "cluster": 1,
    "finding": 1,
    "raster": 1,
    "imaging": 1,
    "padm": 2,
    "hfreqdiff": 2,
    "quality": 2,
    "engine": 3,
    "calibration": 4,
    "tuning": 4,
    "adaptation": 5,  # of fusion's model to its scene
    "distribution": 5,  # of fusion's work over a cluster
    "chunks": 6,  # of fusion's work over arrays
    "fusion": 6,
    "training": 6,
    "arrays": 7,  # what fusion does to files, to arrays
    "evaluation": 7,  # scores what they make
    "provenance": 7,  # tells how they were made
    "preflight": 7,  # tells what the verbs would do
    "demo": 7,  # shows what they do
    "checkup": 8,  # tells whether a pair is fit for them
    "diagnosis": 8,  # tells whether they work here
    "reporting": 8,  # shows what evaluation scores
    "archive": 9,
    "terminal": 10,
    "cli": 11,
    "__main__": 12,
    "__init__": 13,
}
# Libraries that only some rooms may import; an empty set closes every room.
ONLY_IN = {
    "affine": {"raster"},
    "click": set[str](),
    "rasterio": {"raster"},
    "rich": {"terminal"},
    "torchvision": set[str](),
    "typer": {"cli"},
}
NEVER_IN = {"torch": {"raster", "errors", "terminal", "cli", "__main__", "__init__"}}
PRINTING = {"cli", "terminal"}
# What makes code of data, or gives text to a shell.
EXECUTING = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve", "yaml"}
EXECUTING_CALLS = {"eval", "exec", "os.popen", "os.system", "torch.load"}
EXECUTING_KEYWORDS = {"allow_pickle", "shell"}
VAGUE = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
# Library modules without a test module of their own, each with the reason.
UNMIRRORED: dict[str, str] = {
    "engine/setup": "records; that a model is read once and its device found, test_fusion tests",
    "version": "one constant, compared with the package's metadata by test_packaging",
}
# Test modules at the top whose subject is not one module of the library.
OWN_SUBJECT = {
    "test_architecture",
    "test_batch_scenes",
    "test_cuda",
    "test_dockerfile",
    "test_examples",
    "test_experiments",
    "test_faults",
    "test_machine",
    "test_messages",
    "test_mutants",
    "test_new_satellite",
    "test_new_sensor",
    "test_packaging",
    "test_pairs",
    "test_picture",
    "test_python_api",
    "test_qgis",
    "test_quickstart",
    "test_readme",
    "test_real_scenes",
    "test_slurm",
    "test_tour",
    "test_train_resume",
}


@dataclass(frozen=True)
class Module:
    """A parsed source file. path: relative to the package, with slashes; room: its first part."""

    path: str
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        return self.path.split("/")[0].removesuffix(".py")


def parse(package: Path) -> list[Module]:
    modules = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(package).as_posix()
        modules.append(Module(name, ast.parse(text, str(path)), len(text.splitlines())))
    return modules


def imports(module: Module) -> Iterator[str]:
    """Full dotted names, wherever in the file; `from a import b` gives a.b."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def arrows(module: Module) -> Iterator[str]:
    if module.room not in RANKS:
        yield f"{module.room} has no place among the arrows"
        return
    for name in imports(module):
        parts = name.split(".")
        if not parts[0]:
            yield f"relative import {name}"
        if parts[0] != PACKAGE or len(parts) == 1 or parts[1] in (module.room, "__version__"):
            continue
        if parts[1] not in RANKS or RANKS[parts[1]] >= RANKS[module.room]:
            yield f"{module.room} imports {'.'.join(parts[:3])}, against the arrows"


def front_door(module: Module) -> Iterator[str]:
    """`geosharp.fuse` loads upper rooms behind the arrows' back: inside, only the version is read."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            named = node.value.id == PACKAGE and node.attr != "__version__"
            if named and PACKAGE in imports(module):
                yield f"reads {PACKAGE}.{node.attr} through the package"


def fences(module: Module) -> Iterator[str]:
    for library in sorted({name.split(".")[0] for name in imports(module)}):
        if module.room not in ONLY_IN.get(library, {module.room}):
            yield f"imports {library}, which belongs in {sorted(ONLY_IN[library]) or 'no room'}"
        if module.room in NEVER_IN.get(library, ()):
            yield f"imports {library}, which never appears in {module.room}"
    if {"importlib", "importlib.import_module"} & set(imports(module)) and module.room != "__init__":
        yield "imports by a computed name, which hides an arrow"


def dotted(node: ast.expr) -> str:
    """The name that an expression is, such as torch.load; empty where it is none."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def inertness(module: Module) -> Iterator[str]:
    """Nothing that is read becomes code."""
    used = set(imports(module))
    for name in sorted({name.split(".")[0] for name in used} & EXECUTING | used & EXECUTING_CALLS):
        yield f"imports {name}, which makes code of data"
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        if (called := dotted(node.func)) in EXECUTING_CALLS:
            yield f"calls {called} in line {node.lineno}"
        for keyword in node.keywords:
            if keyword.arg in EXECUTING_KEYWORDS and ast.unparse(keyword.value) != "False":
                yield f"passes {keyword.arg} in line {node.lineno}"


def silence(module: Module) -> Iterator[str]:
    """The library returns, raises or calls back; only the command line prints."""
    if module.room in PRINTING:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"prints in line {node.lineno}"
        if isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr"):
            yield f"reaches for {node.attr} in line {node.lineno}"


def names(module: Module) -> Iterator[str]:
    for part in module.path.removesuffix(".py").split("/"):
        if VAGUE & set(part.split("_")):
            yield f"the name '{part}' says nothing"


def sizes(module: Module) -> Iterator[str]:
    if module.lines >= MAX_LINES:
        yield f"{module.lines} lines; needed: under {MAX_LINES}"


LAWS: tuple[Callable[[Module], Iterator[str]], ...] = (
    arrows,
    front_door,
    fences,
    inertness,
    silence,
    names,
    sizes,
)


def violations(package: Path) -> list[str]:
    return [f"{m.path}: {breach}" for m in parse(package) for law in LAWS for breach in law(m)]


def unmirrored(package: Path, tests: Path) -> list[str]:
    """Modules without a test module in the same place, and test modules without their module.

    tests/room/test_grid.py and test_grid_edges.py both mirror geosharp/room/grid.py.
    """
    modules = {p.relative_to(package).with_suffix("") for p in package.rglob("*.py") if p.stem[:2] != "__"}
    mirrors = {p.relative_to(tests).with_suffix("") for p in tests.rglob("test_*.py")}

    def mirror(test: Path, module: Path) -> bool:
        wanted = f"test_{module.name}"
        return test.parent == module.parent and (test.name == wanted or test.name.startswith(f"{wanted}_"))

    untested = [
        m for m in modules if not any(mirror(t, m) for t in mirrors) and m.as_posix() not in UNMIRRORED
    ]
    orphans = [t for t in mirrors if t.name not in OWN_SUBJECT and not any(mirror(t, m) for m in modules)]
    return sorted(
        [f"{m.as_posix()}.py has no test module" for m in untested]
        + [f"tests/{t.as_posix()}.py has no module" for t in orphans]
    )


def loaded_after(code: str) -> set[str]:
    """Top-level modules in memory once a fresh interpreter has run `code`."""
    script = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
    )
    script += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stderr.splitlines()[-1].split()}


def write_tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


GOOD = {
    "__init__.py": "from importlib import import_module\n__version__ = '1'\n",
    "__main__.py": "from geosharp.cli import main\n",
    "errors.py": "",
    "raster/grid.py": "import rasterio\nfrom affine import Affine\nfrom geosharp.errors import InputError\n",
    "imaging/blur.py": "import torch\nfrom importlib import resources\nfrom geosharp import errors\n",
    "engine/plan.py": "import geosharp\nfrom geosharp.raster import grid\nVERSION = geosharp.__version__\n",
    "fusion.py": "from geosharp.engine import plan\n",
    "cli.py": "import typer\nfrom geosharp.fusion import fuse\nprint(fuse)\n",
}
BREACHES = {
    "upward": ("raster/bad.py", "from geosharp.engine.plan import Plan\n", "against the arrows"),
    "sideways": ("raster/bad.py", "from geosharp.imaging import blur\n", "against the arrows"),
    "upward, late": ("imaging/bad.py", "def f():\n    import geosharp.fusion\n", "against the arrows"),
    "upward, for types": (
        "raster/bad.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from geosharp.engine import plan\n",
        "against the arrows",
    ),
    "through the package": ("engine/bad.py", "from geosharp import fuse\n", "against the arrows"),
    "front door": ("engine/bad.py", "import geosharp\ngeosharp.fuse()\n", "through the package"),
    "errors import": ("errors.py", "from geosharp.raster.grid import Grid\n", "against the arrows"),
    "unknown room": ("cellar/bad.py", "", "no place"),
    "relative": ("raster/bad.py", "from .grid import Grid\n", "relative import"),
    "dynamic": ("raster/bad.py", "from importlib import import_module\n", "computed name"),
    "rasterio": ("engine/bad.py", "from rasterio.windows import Window\n", "imports rasterio"),
    "affine": ("imaging/bad.py", "import affine\n", "imports affine"),
    "torch": ("raster/bad.py", "import torch.nn\n", "never appears in raster"),
    "torchvision": ("imaging/bad.py", "import torchvision\n", "no room"),
    "typer": ("fusion.py", "import typer\n", "imports typer"),
    "click": ("cli.py", "import click\n", "no room"),
    "unpickling": ("engine/bad.py", "def f():\n    from pickle import loads\n", "makes code of data"),
    "unpickling weights": ("imaging/bad.py", "import torch\ntorch.load('a')\n", "calls torch.load in line 2"),
    "unpickling arrays": ("raster/bad.py", "def f(g):\n    g(allow_pickle=True)\n", "passes allow_pickle"),
    "evaluating": ("engine/bad.py", "def f(a):\n    return eval(a)\n", "calls eval in line 2"),
    "a shell": ("engine/bad.py", "import subprocess\nsubprocess.run('a', shell=True)\n", "passes shell"),
    "print": ("engine/bad.py", "def f():\n    print('done')\n", "prints in line 2"),
    "stderr": ("engine/bad.py", "import sys\nsys.stderr.write('done')\n", "reaches for stderr"),
    "vague module": ("raster/utils.py", "", "says nothing"),
    "vague part": ("raster/tile_manager.py", "", "says nothing"),
    "long": ("raster/bad.py", "\n" * MAX_LINES, f"{MAX_LINES} lines"),
}


def test_the_library_keeps_every_law() -> None:
    found = violations(ROOT / PACKAGE)
    assert not found, "\n".join(found)


def test_every_module_has_its_test_module_and_the_reverse() -> None:
    found = unmirrored(ROOT / PACKAGE, ROOT / "tests")
    assert not found, "\n".join(found)


def test_a_good_tree_has_no_violation(tmp_path: Path) -> None:
    assert violations(write_tree(tmp_path, GOOD)) == []


@pytest.mark.parametrize("breach", BREACHES)
def test_each_breach_is_reported_once_where_it_is(tmp_path: Path, breach: str) -> None:
    path, text, message = BREACHES[breach]
    found = violations(write_tree(tmp_path, {**GOOD, path: text}))
    assert len(found) == 1
    assert found[0].startswith(f"{path}: ")
    assert message in found[0]


def test_a_missing_and_an_orphaned_test_module_are_reported(tmp_path: Path) -> None:
    package = write_tree(
        tmp_path / "package", {"__init__.py": "", "raster/grid.py": "", "raster/scene.py": ""}
    )
    tests = write_tree(tmp_path / "tests", {"raster/test_grid_edges.py": "", "test_scene.py": ""})
    assert unmirrored(package, tests) == [
        "raster/scene.py has no test module",
        "tests/test_scene.py has no module",
    ]


def test_importing_geosharp_loads_nothing_heavy() -> None:
    assert not loaded_after(f"import {PACKAGE}") & {"torch", "rasterio", "numpy", "typer", "shapely"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["fuse", "--help"], ["report", "--help"], ["--version"]], ids=" ".join
)
def test_the_command_line_answers_without_torch_or_rasterio(arguments: list[str]) -> None:
    loaded = loaded_after(f"sys.argv = {['geosharp', *arguments]}; from geosharp.cli import main; main()")
    assert "typer" in loaded
    assert not loaded & {"torch", "rasterio"}


def test_commands_that_compute_nothing_answer_without_torch(tmp_path: Path) -> None:
    pan, ms = map(str, make_pair(tmp_path, pan_shape=(64, 64)))
    out = str(tmp_path / "out")
    commands = [
        ["fuse", pan, ms, "-o", f"{out}.tif", "--method", "brovey"],
        ["info", f"{out}.tif"],
        ["batch", str(tmp_path), "-o", out, "--dry-run"],
        ["sensors"],
    ]
    loaded = loaded_after(
        f"from {PACKAGE}.cli import app; [app(words, standalone_mode=False) for words in {commands}]"
    )
    assert "rasterio" in loaded
    assert "torch" not in loaded


def test_archives_and_clusters_begin_without_torch() -> None:
    """Brovey needs none, and it takes seconds, and memory in each of their processes."""
    modules = [f"{PACKAGE}.{name}" for name in ("archive.batch", "archive.running", "distribution")]
    loaded = loaded_after(f"import {', '.join(modules)}")
    assert "rasterio" in loaded
    assert "torch" not in loaded


def test_the_probe_sees_what_is_loaded() -> None:
    assert "numpy" in loaded_after(f"from {PACKAGE}.raster import grid; import numpy")
