"""Networks as safetensors files that describe themselves in a JSON header."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from geosharp.errors import InputError, ResourceError
from geosharp.hfreqdiff.network import Architecture, HFreqdiff
from geosharp.version import __version__

# The entry of the file's metadata that holds the header, and the header's own version.
_ENTRY = "geosharp"
FORMAT = 1
# PAN pixels an MS pixel that a network serves, least and most, where its header does not tell.
RATIOS = (1.5, 6.5)
# What is built to compare it with the file's weights is built in less than a second.
_MOST_WIDTH, _MOST_BLOCKS = 1024, 64
# Letters of a fact that is told in a sentence.
_LONGEST = 80


@dataclass(frozen=True)
class Header:
    """What a checkpoint tells of itself before a weight is read.

    sigma_data: the standard deviation of the truth about the mean, in units of the band, for draws; None
    where the network has not learnt to draw. facts: training data, licences, command, scores. ratios: PAN
    pixels an MS pixel that it serves, least and most.
    """

    architecture: Architecture
    sigma_data: float | None
    facts: Mapping[str, Any]
    ratios: tuple[float, float] = RATIOS

    @property
    def sensor_files(self) -> dict[str, str]:
        """By sensors' titles, the files that described them where the network was trained; of facts that
        anybody may have written, what is a line of text."""
        scenes = self.facts.get("scenes")
        told = [each for each in scenes if isinstance(each, dict)] if isinstance(scenes, list) else []
        pairs = [(each.get("sensor"), each.get("sensor_file")) for each in told]
        return {title: file for title, file in pairs if _is_line(title) and _is_line(file)}


def _is_line(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= _LONGEST


@dataclass(frozen=True)
class Model:
    """A network ready to compute, and the SHA-256 of the file it is from."""

    network: HFreqdiff
    header: Header
    digest: str


def save(
    path: Path,
    network: HFreqdiff,
    sigma_data: float | None,
    facts: Mapping[str, Any],
    ratios: tuple[float, float] = RATIOS,
) -> None:
    """Write `network`, see Header; a file of that name is replaced once all is written."""
    beside = path.with_name(f".{path.name}.part")
    try:
        # Not safetensors' own file, which is closed to all but its owner.
        beside.write_bytes(serialise(network, sigma_data, facts, ratios))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def serialise(
    network: HFreqdiff,
    sigma_data: float | None,
    facts: Mapping[str, Any],
    ratios: tuple[float, float] = RATIOS,
) -> bytes:
    """What a file of `network` holds."""
    rules = network.size_rules
    header = {
        "format": FORMAT,
        "version": __version__,
        "architecture": dataclasses.asdict(network.architecture),
        "size_rules": {"multiple": rules.multiple, "halo": rules.halo},
        "sigma_data": sigma_data,
        "ratios": ratios,
        "facts": dict(facts),
    }
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    return to_bytes(state, {_ENTRY: json.dumps(header, allow_nan=False)})


def read_header(path: Path) -> Header:
    """The header alone: what is needed to say whether the model fits a scene."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error
    if _ENTRY not in metadata:
        raise _refusal(path, "safetensors, but no model of geosharp")
    try:
        told = json.loads(metadata[_ENTRY])
    except (ValueError, RecursionError) as error:
        raise _refusal(path, "a header that is not JSON") from error
    if not isinstance(told, dict) or not isinstance(told.get("format"), int):
        raise _refusal(path, "a header without a format")
    if told["format"] != FORMAT:
        made_by = f" of geosharp {told['version']}" if isinstance(told.get("version"), str) else ""
        raise InputError(
            path,
            f"a model{made_by} in format {told['format']}",
            f"format {FORMAT}",
            "upgrade geosharp, or take a model of this version",
        )
    sigma_data, facts = told.get("sigma_data"), told.get("facts")
    positive = isinstance(sigma_data, float) and 0 < sigma_data < 100
    if not isinstance(facts, dict) or not (sigma_data is None or positive):
        raise _refusal(path, "a header without sigma_data and facts")
    architecture, ratios = told.get("architecture"), told.get("ratios", RATIOS)
    return Header(_architecture(path, architecture), sigma_data, facts, _ratios(path, ratios))


def load(path: Path, device: torch.device | str = "cpu") -> Model:
    """The network of a file on `device`, for inference."""
    header = read_header(path)
    try:
        device = torch.device(device)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise ResourceError(device, "no such device", "a GPU that PyTorch can use", "choose --device cpu")
        with torch.device("meta"):
            network = HFreqdiff(header.architecture)
        wanted = {name: list(value.shape) for name, value in network.state_dict().items()}
        with safe_open(path, "pt") as file:
            names = file.keys()
            # Before any is read: there is no telling how large others are.
            if {name: file.get_slice(name).get_shape() for name in names} != wanted:
                raise _refusal(path, "other weights than its header announces")
            state = {name: file.get_tensor(name) for name in names}
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error
    if not all(value.dtype == torch.float32 and value.isfinite().all() for value in state.values()):
        raise _refusal(path, "weights that are not finite float32 numbers")
    network = HFreqdiff(header.architecture)
    network.load_state_dict(state)
    network.requires_grad_(False).eval()
    # What convolutions without gradients are fastest with.
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Model(network, header, digest)


def _architecture(path: Path, told: Any) -> Architecture:
    hints = typing.get_type_hints(Architecture)
    if not isinstance(told, dict) or set(told) != set(hints):
        raise _refusal(path, f"an architecture of other parts than {', '.join(hints)}")
    for name, hint in hints.items():
        choices = typing.get_args(hint)
        fits = told[name] in choices if choices else type(told[name]) is hint
        most = _MOST_BLOCKS if name.endswith("_blocks") else _MOST_WIDTH
        if not fits or (hint is int and not 0 < told[name] <= most):
            raise _refusal(path, f"an architecture with {told[name]!r:.40} as {name}")
    return Architecture(**told)


def _ratios(path: Path, told: Any) -> tuple[float, float]:
    pair = list(told) if isinstance(told, list | tuple) else []
    numbers = len(pair) == 2 and all(type(value) in (int, float) for value in pair)
    if not numbers or not 1 < pair[0] <= pair[1] < 100:
        raise _refusal(path, f"a header with {told!r:.40} as ratios")
    return float(pair[0]), float(pair[1])


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, OSError):
        return _refusal(path, f"cannot be read: {error.strerror or error}")
    return _refusal(path, f"no safetensors file, or a damaged one ({error})")


def _refusal(path: Path, found: str) -> InputError:
    return InputError(path, found, "a model as geosharp saves it", "name another model, or get this one anew")
