"""Whether geosharp works on this computer: what it is made of, what it finds, and a fusion of a tiny pair."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geosharp.demo.ground import make_scene
from geosharp.demo.recording import Counts, degrade, observe
from geosharp.document import make_document
from geosharp.engine.computer import available_memory, available_room, tell_size
from geosharp.engine.plan import available_cores
from geosharp.errors import GeosharpError
from geosharp.finding import Finding, Level, find_worst, refuse
from geosharp.fusion import fuse
from geosharp.hfreqdiff.inventory import Entry, examine, list_models
from geosharp.hfreqdiff.models import check_gpu, user_folder
from geosharp.raster.environment import GdalState, look_at_gdal
from geosharp.raster.grid import Grid, Rect, north_up
from geosharp.raster.output import BandInfo, Content, OutputFormat, SceneWriter
from geosharp.raster.source import SourceReader, describe
from geosharp.version import __version__

# Formats of inputs and outputs, and without which of them nothing goes.
_DRIVERS = ("GTiff", "COG", "VRT", "JP2OpenJPEG", "NITF", "DIMAP")
_NEEDED = ("GTiff", "VRT")
# What extras of the package bring, by their names, as they are imported.
_EXTRAS = {
    "plot": "matplotlib",
    "archive": "pyarrow",
    "xarray": "rioxarray",
    "cluster": "distributed",
    "tensorboard": "tensorboard",
}
# NVIDIA's driver is there where this is.
_DRIVER = Path("/proc/driver/nvidia/version")
# Bytes: of memory that base with its smallest tiles needs, and of a folder for temporary files.
_LEAST_MEMORY, _LEAST_ROOM = 1200 * 2**20, 200 * 2**20
# Of the tiny pair: PAN pixels a side, ratio, corner (x, y), metres, EPSG.
_SIZE, _RATIO, _CORNER, _PIXEL, _EPSG = 64, 4, (440_000.0, 5_400_000.0), 0.5, 32631
_GAINS = (0.34, 0.32, 0.30, 0.22)
_METHODS = ("glp", "hfreqdiff")
# Of MS's mean: how far a result, made as coarse as MS again, may be from it.
_MOST_MISFIT = 0.10


@dataclass(frozen=True)
class Diagnosis:
    """What was found, part by part."""

    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The worst of the findings'."""
        return find_worst(self.findings)

    @property
    def works(self) -> bool:
        return self.level != "stop"

    def as_json(self) -> dict[str, Any]:
        """What `geosharp doctor --json` prints."""
        facts = {"works": self.works, "level": self.level, "findings": self.findings}
        return make_document("doctor/1", facts)


def diagnose() -> Diagnosis:
    """Look at all that geosharp stands on, and let it fuse a tiny pair; leaves nothing behind."""
    return Diagnosis(tuple(_look()))


def _look() -> Iterator[Finding]:
    state = look_at_gdal()
    yield _tell_versions(state)
    yield _check_drivers(state)
    yield _check_proj(state)
    yield _check_gpus()
    yield _check_computer()
    yield _check_temporary(Path(tempfile.gettempdir()))
    yield _tell_extras()
    entries = list_models()
    if not entries:
        advice = "install geosharp anew, or copy models to that folder; glp and others work without"
        yield Finding("models", "stop", f"none came with geosharp, nor is one in {user_folder()}", advice)
    for entry in entries:
        yield check_model(entry)
    # Without PROJ no file opens, which is told.
    if state.proj_fault is None:
        for method in _METHODS:
            yield try_method(method)


def _tell_versions(state: GdalState) -> Finding:
    facts = {
        "geosharp": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda_of_torch": torch.version.cuda,
        "rasterio": state.rasterio,
        "gdal": state.gdal,
        "proj": state.proj,
        "geos": state.geos,
        "numpy": np.__version__,
        "shapely": _version("shapely"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python_at": sys.prefix,
    }
    text = ", ".join(f"{name} {facts[name]}" for name in ("geosharp", "python", "torch", "rasterio", "gdal"))
    text += ", " + ", ".join(f"{name} {facts[name]}" for name in ("proj", "numpy", "shapely"))
    return Finding("versions", "ok", f"{text}; {facts['system']}", facts=facts)


def _check_drivers(state: GdalState) -> Finding:
    lacking = [name for name in _DRIVERS if name not in state.drivers]
    facts = {"count": len(state.drivers), "lacking": lacking}
    if not lacking:
        return Finding(
            "GDAL", "ok", f"{len(state.drivers)} formats, {', '.join(_DRIVERS)} among them", facts=facts
        )
    level: Level = "stop" if set(lacking) & set(_NEEDED) else "warning"
    text = f"no {', '.join(lacking)} among its {len(state.drivers)} formats"
    return Finding("GDAL", level, text, "install rasterio's wheel from PyPI, which has them", facts)


def _check_proj(state: GdalState) -> Finding:
    facts = {"paths": list(state.proj_paths), "environment": state.proj_variables}
    if state.proj_fault is not None:
        told = refuse("PROJ", state.proj_fault)
        return Finding("PROJ", "stop", told.text, told.advice, facts)
    if state.proj_variables:
        told_by = ", ".join(f"{name}={value}" for name, value in state.proj_variables.items())
        text = f"{state.proj} knows CRS, with {told_by}"
        advice = "unset it if coordinates look wrong: rasterio brings data of its own"
        return Finding("PROJ", "note", text, advice, facts)
    return Finding("PROJ", "ok", f"{state.proj} knows CRS, by {', '.join(state.proj_paths)}", facts=facts)


def _check_gpus() -> Finding:
    facts: dict[str, Any] = {"built_for": torch.version.cuda, "devices": []}
    if not torch.cuda.is_available():
        text = f"none that PyTorch can use ({torch.__version__}): the CPU computes"
        if _DRIVER.is_file():
            advice = "install a CUDA build of PyTorch that fits the driver (see pytorch.org) to use the GPU"
            return Finding("GPU", "warning", f"{text}, though NVIDIA's driver is there", advice, facts)
        return Finding("GPU", "ok", text, facts=facts)
    told = []
    for number in range(torch.cuda.device_count()):
        device = torch.device("cuda", number)
        try:
            check_gpu(device)
            free, total = torch.cuda.mem_get_info(device)
        except GeosharpError as error:
            return refuse("GPU", error)
        name = torch.cuda.get_device_name(device)
        facts["devices"].append({"number": number, "name": name, "free": free, "total": total})
        told.append(f"{number}: {name}, {tell_size(free)} of {tell_size(total)} free, computes")
    return Finding("GPU", "ok", "; ".join(told), facts=facts)


def _check_computer() -> Finding:
    cores, free = available_cores(), available_memory()
    facts = {"cores": cores, "memory_free": free, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS")}
    text = f"{cores} cores, {'an unknown amount of' if free is None else tell_size(free)} memory free"
    if free is None or free >= _LEAST_MEMORY:
        return Finding("computer", "ok", text, facts=facts)
    advice = "end what else runs here, or give --max-memory, which takes smaller tiles"
    return Finding("computer", "warning", text, advice, facts)


def _check_temporary(folder: Path) -> Finding:
    free = available_room(folder)
    facts = {"folder": str(folder), "free": free}
    text = f"{folder}, {'an unknown amount' if free is None else tell_size(free)} free"
    if free is None or free >= _LEAST_ROOM:
        return Finding("temporary files", "ok", text, facts=facts)
    return Finding(
        "temporary files", "warning", text, "free some room, or let TMPDIR name a larger disk", facts
    )


def _tell_extras() -> Finding:
    facts = {extra: _version(module) for extra, module in _EXTRAS.items()}
    there = [f"{extra} ({_EXTRAS[extra]} {version})" for extra, version in facts.items() if version]
    lacking = [extra for extra, version in facts.items() if not version]
    text = f"{', '.join(there) or 'none'} found"
    if lacking:
        text += f"; not {', '.join(lacking)}, which pip install 'geosharp[{','.join(lacking)}]' would bring"
    return Finding("extras", "ok", text, facts=facts)


def _version(module: str) -> str | None:
    if find_spec(module) is None:
        return None
    try:
        return installed(module)
    except PackageNotFoundError:
        return "of unknown version"


def check_model(entry: Entry) -> Finding:
    """Whether a model can be read, and is what its card says."""
    found = examine(entry, verify=True)
    subject = f"model {Path(entry.name).name.removesuffix('.safetensors')}"
    facts = {name: found.get(name) for name in ("file", "place", "sha256", "parameters", "card")}
    if "fault" in found:
        advice = "get it anew, or remove it from that folder"
        level: Level = "stop" if entry.place == "shipped" else "warning"
        return Finding(subject, level, found["fault"], advice, facts)
    card = f"as {found['card']} says" if found["card"] else "with no card that tells its hash"
    text = f"{entry.place}, {found['parameters']:,} parameters, SHA-256 {found['sha256'][:16]}, {card}"
    return Finding(subject, "ok", text, facts=facts)


def try_method(method: str) -> Finding:
    """Let a method fuse a tiny made pair, and hold the file that it writes against what was put in."""
    subject, start = f"self-test {method}", time.perf_counter()
    advice = "report it with what geosharp doctor --json prints"
    try:
        with tempfile.TemporaryDirectory(prefix="geosharp-doctor-", ignore_cleanup_errors=True) as folder:
            fault, misfit = _fuse_tiny(Path(folder), method)
    except GeosharpError as error:
        return refuse(subject, error)
    except Exception as error:  # whatever it is, it is what the doctor is asked for
        return Finding(subject, "stop", f"{type(error).__name__}: {error}", advice)
    seconds = time.perf_counter() - start
    facts = {"seconds": round(seconds, 2), "misfit": round(misfit, 5)}
    if fault is None and not misfit <= _MOST_MISFIT:
        fault = f"its result, made coarse again, is {misfit:.1%} off MS"
    if fault is not None:
        return Finding(subject, "stop", fault, advice, facts)
    text = (
        f"{_SIZE} x {_SIZE} x 4 in {seconds:.1f} s, in its place, {misfit:.2%} off MS when made coarse again"
    )
    return Finding(subject, "ok", text, facts=facts)


def _fuse_tiny(folder: Path, method: str) -> tuple[str | None, float]:
    """What is wrong with the file that comes out, and its distance from MS as a share of MS's mean."""
    pan, ms = observe(make_scene((_SIZE, _SIZE), 0), ratio=_RATIO, ms_gains=_GAINS)
    _write(folder / "pan.tif", pan, 1)
    _write(folder / "ms.tif", ms, _RATIO)
    out = fuse(
        folder / "pan.tif",
        folder / "ms.tif",
        folder / "out.tif",
        method=method,
        calibration="sensor",
        overviews=False,
    )
    source = describe(out.path, "MS")
    with closing(SourceReader(source)) as reader:
        fused, _ = reader.read(Rect(0, 0, _SIZE, _SIZE))
    again = np.stack([degrade(band, gain, _RATIO) for band, gain in zip(fused, _GAINS, strict=True)])
    misfit = float(np.sqrt(np.mean((again - ms) ** 2)) / ms.mean())
    wanted = _grid(1)
    if source.grid != wanted:
        return f"its result lies at {source.grid}, not at {wanted}", misfit
    return None, misfit


def _grid(ratio: int) -> Grid:
    return north_up((_SIZE // ratio, _SIZE // ratio), _CORNER, _PIXEL * ratio, _EPSG)


def _write(path: Path, image: Counts, ratio: int) -> None:
    """Write (band, row, col) `image` with pixels of `ratio` PAN pixels."""
    names = ("pan",) if len(image) == 1 else ("blue", "green", "red", "nir")
    content = Content(grid=_grid(ratio), dtype="uint16", bands=tuple(BandInfo(name) for name in names))
    with SceneWriter(path, content, OutputFormat(overviews=False)) as writer:
        writer.write(content.grid.rect, image)
