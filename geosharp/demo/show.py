"""Show geosharp on a made scene: write the pair, fuse it, score it against the known truth."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geosharp.demo.ground import make_scene
from geosharp.demo.recording import MAX_DN, Counts, observe
from geosharp.document import make_document
from geosharp.engine.methods import DEFAULT_METHOD
from geosharp.engine.stream import Progress, ProgressCallback
from geosharp.errors import OutputError, UsageError
from geosharp.fusion import fuse
from geosharp.quality.metrics import ergas, psnr, sam
from geosharp.raster.grid import Rect, north_up
from geosharp.raster.output import BandInfo, Content, OutputFormat, SceneWriter, check_target
from geosharp.raster.output.preview import check_preview, write_png
from geosharp.raster.source import FilePath, SourceReader, describe

_RATIO = 4
# The ground is made as a whole, in memory: 1.6 GB at the largest size.
_SIZES = (256, 2048)
# Nowhere in particular, in UTM zone 31 north at half a metre.
_CORNER, _PIXEL, _EPSG = (440_000.0, 5_400_000.0), 0.5, 32631
# The part of the scene that the picture shows, as shares of rows and columns.
_TOWN = (0.34, 0.72)


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

    def as_json(self) -> dict[str, Any]:
        """What `geosharp demo --json` prints."""
        facts = {
            "out": self.fused,
            "pan": self.pan,
            "ms": self.ms,
            "truth": self.truth,
            "picture": self.picture,
            "scores": self.scores,
        }
        return make_document("demo/1", facts)


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
    counts = np.clip(np.rint(truth), 0, MAX_DN).astype(np.uint16)
    for name, image, ratio in (("pan", pan, 1), ("ms", ms, _RATIO), ("truth", counts, 1)):
        _write(paths[name], image, ratio, overwrite)
    scores = {}
    fused = {}
    for method, out in (("exp", paths["exp"]), (DEFAULT_METHOD, paths["fused"])):
        show = None if progress is None else partial(_name_stage, progress, method)
        fuse(paths["pan"], paths["ms"], out, method=method, overwrite=overwrite, progress=show)
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


def _name_stage(progress: ProgressCallback, method: str, done: Progress) -> None:
    """Two fusions are told apart by their methods."""
    progress(replace(done, stage=method if done.stage == "fuse" else done.stage))


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
