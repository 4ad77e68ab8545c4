"""A made scene to try geosharp on: a ground, and what a satellite records of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.demo_ground import make_scene as make_scene
from geosharp.engine.stream import ProgressCallback
from geosharp.errors import OutputError, UsageError
from geosharp.fusion import DEFAULT_METHOD, FilePath, fuse
from geosharp.quality.metrics import ergas, psnr, sam
from geosharp.raster.grid import Rect, north_up
from geosharp.raster.output import BandInfo, Content, OutputFormat, SceneWriter, check_target
from geosharp.raster.preview import check_preview, write_png
from geosharp.raster.source import SourceReader, describe

Floats = NDArray[np.float32]
Counts = NDArray[np.uint16]

_MAX_DN = 2047
_RATIO = 4
_SIZES = (256, 8192)
# Nowhere in particular, in UTM zone 31 north at half a metre.
_CORNER, _PIXEL, _EPSG = (440_000.0, 5_400_000.0), 0.5, 32631
# The part of the scene that the picture shows, as shares of rows and columns.
_TOWN = (0.34, 0.67)
# Share of what PAN sees that the four bands do not: red edge, estimated between red and near infrared.
_BETWEEN = 0.2


def observe(
    truth: NDArray[Any],
    *,
    ratio: int = 4,
    ms_gains: Sequence[float] = (0.34, 0.32, 0.30, 0.22),
    pan_gain: float = 0.15,
    spectral_weights: Sequence[float] = (0.12, 0.28, 0.32, 0.28),
    snr: float = 120.0,
    seed: int = 0,
) -> tuple[Counts, Counts]:
    """Record `truth` (4, row, col) as PAN (1, row, col) and MS (4, row / ratio, col / ratio), 11 bit.

    ms_gains, pan_gain: MTF at each instrument's Nyquist frequency, a Gaussian as `degrade` takes it;
    spectral_weights: of blue, green, red and near infrared in PAN, which also sees light that no linear mix
    of them gives; snr: mean signal over the standard deviation of the noise, infinite for none.
    """
    if ratio < 1 or any(size % ratio for size in truth.shape[1:]):
        raise UsageError(
            "shape of the made scene",
            f"{truth.shape[1]} x {truth.shape[2]} at ratio {ratio}",
            "rows and columns that are multiples of the ratio",
            f"choose multiples of {ratio}" if ratio > 0 else "choose a positive ratio",
        )
    rng = np.random.default_rng(seed)
    mixed = np.tensordot(np.asarray(spectral_weights, np.float32), truth, 1) / sum(spectral_weights)
    seen = (1 - _BETWEEN) * mixed + _BETWEEN * np.sqrt(truth[2] * truth[3])
    pan = degrade(seen, pan_gain, 1)[None]
    ms = np.stack([degrade(band, gain, ratio) for band, gain in zip(truth, ms_gains, strict=True)])
    return _count(pan, snr, rng), _count(ms, snr, rng)


def degrade(band: NDArray[Any], gain: float, ratio: int) -> Floats:
    """Blur a band (row, col) by a Gaussian and take the value at the centre of each ratio x ratio block.

    gain: of the blur at the Nyquist frequency of the coarse grid, in (0, 1]. The edge repeats outwards.
    """
    sigma = ratio / math.pi * math.sqrt(-2 * math.log(gain))
    reach = max(math.ceil(4 * sigma), 1)
    offsets = np.arange(-reach, ratio + reach)
    weights = np.exp(-0.5 * ((offsets - (ratio - 1) / 2) / max(sigma, 0.05)) ** 2)
    weights /= weights.sum()
    image = np.asarray(band, np.float32)
    for _ in range(2):
        padded = np.pad(image, ((reach, reach), (0, 0)), mode="edge")
        stop = len(image) // ratio * ratio
        coarse = np.zeros((stop // ratio, image.shape[1]), np.float32)
        for start, weight in enumerate(weights):
            coarse += np.float32(weight) * padded[start : start + stop : ratio]
        image = np.ascontiguousarray(coarse.T)
    return image


def _count(radiance: Floats, snr: float, rng: np.random.Generator) -> Counts:
    """Radiance (band, row, col) as DN, with white noise of each band's mean over `snr`."""
    sigma = radiance.mean((1, 2), keepdims=True) / np.float32(snr)
    noisy = radiance + sigma * rng.standard_normal(radiance.shape, dtype=np.float32)
    counts: Counts = np.clip(np.rint(noisy), 0, _MAX_DN).astype(np.uint16)
    return counts


@dataclass(frozen=True)
class Score:
    """Against the truth: PSNR in dB, pooled over bands; SAM in degrees; ERGAS."""

    psnr: float
    sam: float
    ergas: float


@dataclass(frozen=True)
class DemoResult:
    """Where everything lies, and the scores of the methods by name."""

    pan: Path
    ms: Path
    truth: Path
    fused: Path
    picture: Path
    scores: Mapping[str, Score]


def demo(
    folder: FilePath,
    *,
    size: int = 1024,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
) -> DemoResult:
    """Make a PAN/MS pair of `size` PAN pixels a side in `folder`, fuse it, and score it against the truth.

    Writes pan.tif, ms.tif, truth.tif, fused.tif and before_after.png; refuses to replace them unless
    `overwrite`.
    """
    if not _SIZES[0] <= size <= _SIZES[1] or size % _RATIO:
        raise UsageError(
            "--size",
            str(size),
            f"a multiple of {_RATIO} from {_SIZES[0]} to {_SIZES[1]}",
            "leave it out for 1024",
        )
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            folder, f"cannot be made ({error.strerror})", "a folder that can be written", "choose another"
        ) from error
    paths = {name: folder / f"{name}.tif" for name in ("pan", "ms", "truth", "fused", "exp")}
    picture = folder / "before_after.png"
    for path in paths.values():
        check_target(path, overwrite=overwrite)
    check_preview(picture, overwrite=overwrite)
    truth = make_scene((size, size), seed)
    pan, ms = observe(truth, ratio=_RATIO, seed=seed)
    counts = np.clip(np.rint(truth), 0, _MAX_DN).astype(np.uint16)
    for name, image, ratio in (("pan", pan, 1), ("ms", ms, _RATIO), ("truth", counts, 1)):
        _write(paths[name], image, ratio, overwrite)
    scores = {}
    fused = {}
    for method, out in (("exp", paths["exp"]), (DEFAULT_METHOD, paths["fused"])):
        fuse(paths["pan"], paths["ms"], out, method=method, overwrite=overwrite, progress=progress)
        with closing(SourceReader(describe(out, "MS"))) as reader:
            fused[method] = reader.read(Rect(0, 0, size, size))[0]
        scores[method] = Score(
            psnr(counts, fused[method]), sam(counts, fused[method]), ergas(counts, fused[method], _RATIO)
        )
    paths["exp"].unlink()
    write_png(picture, _before_after(ms, fused[DEFAULT_METHOD]), overwrite=overwrite)
    return DemoResult(
        paths["pan"], paths["ms"], paths["truth"], paths["fused"], picture, MappingProxyType(scores)
    )


def _write(path: Path, image: Counts, ratio: int, overwrite: bool) -> None:
    """Write (band, row, col) `image` with pixels of `ratio` PAN pixels."""
    names = ("pan",) if len(image) == 1 else ("blue", "green", "red", "nir")
    content = Content(
        grid=north_up((image.shape[1], image.shape[2]), _CORNER, _PIXEL * ratio, _EPSG),
        dtype="uint16",
        bands=tuple(BandInfo(name, name if name in ("red", "green", "blue") else None) for name in names),
        tags={"": {"NOTE": "made by geosharp demo, no real place"}},
    )
    with SceneWriter(path, content, OutputFormat(overviews=False), overwrite=overwrite) as writer:
        writer.write(content.grid.rect, image)


def _before_after(ms: Counts, fused: Counts) -> NDArray[np.uint8]:
    """MS and result side by side, (3, row, col): a part of the town in true colour, enlarged twice."""
    size = fused.shape[1]
    side = min(480, size) // _RATIO * _RATIO
    row, col = (int(np.clip(at * size - side / 2, 0, size - side)) // _RATIO * _RATIO for at in _TOWN)
    after = fused[:3, row : row + side, col : col + side][::-1].astype(np.float32)
    coarse = ms[:3, row // _RATIO : (row + side) // _RATIO, col // _RATIO : (col + side) // _RATIO][::-1]
    before = coarse.repeat(_RATIO, 1).repeat(_RATIO, 2).astype(np.float32)
    low, high = np.percentile(before, (1, 99), axis=(1, 2), keepdims=True)
    gap = np.full((3, side, 8), 255, np.uint8)
    panels = [np.clip(255 * (x - low) / (high - low), 0, 255).astype(np.uint8) for x in (before, after)]
    return np.concatenate([panels[0], gap, panels[1]], 2).repeat(2, 1).repeat(2, 2)
