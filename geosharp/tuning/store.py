"""A run that may be stopped: the file beside the output that holds all it needs to go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from geosharp.errors import InputError, OutputError
from geosharp.raster.output.text import write_bytes

SUFFIX = ".state"
# The entry of the file's metadata that holds everything but tensors.
_ENTRY = "geosharp-training"


@dataclass(frozen=True)
class Stored:
    """tensors by name; facts: where the run was."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class Store:
    """identity: what this run learns from and how, as text by name; a run with another cannot go on. None
    in a process that leaves it to the first to look."""

    def __init__(self, path: Path, identity: Mapping[str, str] | None) -> None:
        self.path = path
        self.identity = None if identity is None else dict(identity)

    @classmethod
    def beside(cls, out: Path, identity: Mapping[str, str] | None) -> Store:
        return cls(out.with_name(f".{out.name}{SUFFIX}"), identity)

    def keep(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Replace what was kept, once all is written."""
        held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        header = json.dumps({"identity": self.identity, "facts": dict(facts)})
        content = save(held, {_ENTRY: header})
        write_bytes(self.path, content, (SUFFIX,), overwrite=True)

    def check(self) -> None:
        """Raise where what was kept is of another run, or damaged, before any of it is loaded."""
        self._open(whole=False)

    def read(self) -> Stored | None:
        """What was kept; None where nothing was. Raises where it is of another run, or damaged."""
        return self._open(whole=True)

    def _open(self, *, whole: bool) -> Stored | None:
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                told = json.loads((file.metadata() or {})[_ENTRY])
                identity, facts = dict(told["identity"]), dict(told["facts"])
                names = file.keys() if whole else ()
                stored = Stored({name: file.get_tensor(name) for name in names}, facts)
        except (OSError, SafetensorError, ValueError, LookupError, TypeError) as error:
            raise self.damaged(error) from error
        wanted = identity if self.identity is None else self.identity
        names = sorted({*identity, *wanted})
        if differing := [name for name in names if identity.get(name) != wanted.get(name)]:
            raise OutputError(
                self.path,
                f"the state of a run with other {', '.join(differing)}",
                "the same scenes and settings, to go on where it stopped",
                self._remedy,
            )
        return stored

    def damaged(self, error: Exception) -> InputError:
        """What to raise where it does not hold what it should."""
        return InputError(
            self.path, f"a state that cannot be read ({error})", "one that train wrote", self._remedy
        )

    @property
    def _remedy(self) -> str:
        return f"remove {self.path} to start anew, or take another --out"

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
