"""Models by name: those that ship with geosharp, those in the user's folder, and files.

torch is imported when a model is read: a wrong name is refused at once.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geosharp.errors import ResourceError, UsageError
from geosharp.hfreqdiff.settings import check_device

if TYPE_CHECKING:
    import torch

    from geosharp.hfreqdiff.checkpoint import Model

SUFFIX = ".safetensors"
_PREFIX = "hfreqdiff-"
# Of a GPU's free memory, and bytes, that tiles are planned for.
_SHARE_OF_FREE, _MOST_ROOM = 0.7, 15 * 2**29
# Inside a wheel; in a checkout models/ lies beside the package.
_PACKAGE = Path(__file__).parents[1]
_FOLDERS = (_PACKAGE / "models", _PACKAGE.parent / "models")


def shipped_models() -> dict[str, Path]:
    """The models that come with geosharp, by name."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    files = [] if folder is None else sorted(folder.glob(f"{_PREFIX}*{SUFFIX}"))
    return {file.stem.removeprefix(_PREFIX): file for file in files}


def user_folder() -> Path:
    """Where a user keeps models to call them by name: geosharp/models in $XDG_DATA_HOME, which is
    ~/.local/share where it is not set (freedesktop.org's Base Directory Specification)."""
    told = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The specification has no relative ones.
    home = told if told.is_absolute() else Path(os.path.expanduser("~")) / ".local" / "share"  # noqa: PTH111
    return home / "geosharp" / "models"


def user_models() -> dict[str, Path]:
    """The models in the user's folder, by their files' names without the ending."""
    return {file.stem: file for file in sorted(user_folder().glob(f"*{SUFFIX}")) if file.is_file()}


def find_model(name: str | os.PathLike[str], flag: str = "--model") -> Path:
    """The file of a model: of a shipped one or one in the user's folder by its name, else the path itself.
    flag: where it was named."""
    known = {**user_models(), **shipped_models()}
    if isinstance(name, str) and name in known:
        return known[name]
    path = Path(name)
    try:
        if path.is_file():
            return path
        found = "is a folder" if path.is_dir() else "no such model and no such file"
    except OSError as error:
        found = f"cannot be looked at ({error.strerror})"
    needed = f"a model by its name ({', '.join(sorted(known)) or 'there is none'}) or a {SUFFIX} file"
    raise UsageError(flag, f"'{path}': {found}", needed, "see what geosharp models lists")


def open_model(name: str | os.PathLike[str], device: torch.device) -> Model:
    """The model of that name on `device`, read once for as long as its file stays as it is."""
    path = find_model(name).resolve()
    state = path.stat()
    with within_device_memory("the model"):
        return _load(path, (state.st_ino, state.st_mtime_ns, state.st_size), device)


@lru_cache(maxsize=4)
def _load(path: Path, state: tuple[int, int, int], device: torch.device) -> Model:
    from geosharp.hfreqdiff.checkpoint import load

    return load(path, device)


def copy_model(model: Model, device: torch.device) -> Model:
    """The same model on another device."""
    with within_device_memory("the model"):
        return replace(model, network=copy.deepcopy(model.network).to(device))


def find_device(name: str) -> torch.device:
    """The one device of that name, see find_devices."""
    device, *others = find_devices(name)
    if others:
        found, remedy = f"{1 + len(others)} GPUs", "name one; torchrun trains on several"
        raise UsageError(f"--device {name}", found, "one device", remedy)
    return device


def find_devices(name: str) -> tuple[torch.device, ...]:
    """auto: a GPU where there is one that PyTorch can use; cuda:0,1: the GPUs of these numbers."""
    import torch

    check_device(name)
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return (torch.device("cpu"),)
    if not torch.cuda.is_available():
        found = "no GPU that PyTorch can use"
        if torch.version.cuda is None:
            found = f"this PyTorch ({torch.__version__}) is built without CUDA"
        needed, remedy = "a GPU and a CUDA build of PyTorch", "take --device cpu"
        raise ResourceError(f"--device {name}", found, needed, remedy)
    _compute_exactly()
    _, _, told = name.partition(":")
    if not told:
        return (torch.device("cuda"),)
    count, numbers = torch.cuda.device_count(), [int(number) for number in told.split(",")]
    if max(numbers) >= count:
        found = f"{count} GPUs" if count > 1 else "one GPU"
        raise ResourceError(
            f"--device {name}", found, f"numbers from 0 to {count - 1}", "see nvidia-smi for what there is"
        )
    return tuple(torch.device("cuda", number) for number in numbers)


def _compute_exactly() -> None:
    """Ten bits of mantissa, as GPUs take for float32 where they may, would make results theirs."""
    import torch

    convolutions: Any = getattr(torch.backends.cudnn, "conv", None)
    if hasattr(convolutions, "fp32_precision"):
        convolutions.fp32_precision = torch.backends.cuda.matmul.fp32_precision = "ieee"
    else:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def check_gpu(device: torch.device) -> None:
    """Refuse a GPU that computes nothing: one that is full, or that this PyTorch has no code for."""
    import torch

    try:
        torch.ones(1, device=device).add_(1).item()
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise ResourceError(
            f"--device {device}",
            f"it does not compute ({reason})",
            "a GPU that this PyTorch can use",
            "see nvidia-smi for who uses it, or take --device cpu",
        ) from error


def gpu_room(device: torch.device) -> int:
    """Bytes of a GPU's memory that tiles may take: most of what is free, and no more than is of use."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    # What this process keeps for its next tensors is free, too.
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(int(_SHARE_OF_FREE * free), _MOST_ROOM)


@contextmanager
def within_device_memory(what: str) -> Iterator[None]:
    """Running out of a GPU's memory is a ResourceError that says what to change. what: had no room there."""
    from geosharp.imaging.computing import is_want_of_device_memory

    try:
        yield
    except RuntimeError as error:
        if not is_want_of_device_memory(error):
            raise
        raise ResourceError(
            "the GPU's memory",
            f"none left for {what}",
            f"room for {what} beside all else on that GPU",
            "give a smaller --tile or fewer --threads, or take --device cpu",
        ) from error
