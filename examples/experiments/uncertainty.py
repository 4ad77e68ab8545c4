"""Does the predicted deviation rank the true error, and is it as large? Draws of a model against the truth.

    python examples/experiments/uncertainty.py --model FILE --steps 4 --draws 8 [--bench FOLDER]
        [--native FOLDER] [--cases 4] [--markdown uncertainty.md]
    python examples/experiments/uncertainty.py --files TRUTH.tif FUSED.tif UNCERTAINTY.tif

--bench: scenes coarsened as in padm_worth.py, so that their MS is the truth; --native: simulated pairs from
held-out places, as in native.py. Errors are those of the mean, which is what a user gets by default, and the
deviations those that `fuse --uncertainty` writes beside it; all in DN, 8 PAN pixels from the edges.

Rank correlation is Spearman's, of deviation and absolute error. Reliability: pixels of all bands in ten parts
of equal size by their predicted deviation; where it is right, the root mean square of the errors is the same.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from native import RATIOS, SOURCES, draw_case, load_held_out
from numpy.typing import NDArray
from padm_planted import add_noise, cut_seams, degrade, make_mosaic, write_float
from padm_worth import find_judge
from steps import refuse_without_draws, scenes_of_table

from geosharp.fusion import fuse
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.quality.reduced import reduce_scene
from geosharp.raster.scene import SceneReader, open_scene

DATA = Path(os.environ.get("GEOSHARP_DATA", Path(__file__).parents[3] / "shared" / "data"))
PARTS = 10
_BORDER = 8

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """ranks: rank correlation of each band; overall: of all; parts: from small to large predicted deviation,
    its mean and the root mean square of the errors."""

    name: str
    ranks: tuple[float, ...]
    overall: float
    parts: tuple[tuple[float, float], ...]


def judge(name: str, truth: Floats, fused: Floats, deviation: Floats) -> Reliability:
    """Images (band, row, col) in DN; where one of them is not finite, it does not count."""
    valid = np.isfinite(np.stack([truth, fused, deviation])).all((0, 1))
    error, deviation = np.abs(fused - truth)[:, valid], deviation[:, valid]
    ranks = tuple(correlate_ranks(*band) for band in zip(deviation, error, strict=True))
    error, deviation = error.ravel(), deviation.ravel()
    order = np.argsort(deviation, kind="stable")
    parts = tuple(
        (float(deviation[part].mean()), float(np.sqrt((error[part] ** 2).mean())))
        for part in np.array_split(order, PARTS)
    )
    return Reliability(name, ranks, correlate_ranks(deviation, error), parts)


def correlate_ranks(one: Floats, two: Floats) -> float:
    """Spearman's rank correlation of two vectors; nan where one is constant."""
    a, b = (_rank(each) - (len(each) + 1) / 2 for each in (one, two))
    own = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / own if own else np.nan


def _rank(values: Floats) -> Floats:
    """From 1; equal values share the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks


def read_rasters(*paths: Path) -> list[Floats]:
    """(band, row, col) each, nan where invalid."""
    images = []
    for path in paths:
        with rasterio.open(path) as raster:
            images.append(raster.read(masked=True).astype(np.float64).filled(np.nan))
    return images


def measure(
    name: str, pan: Path, ms: Path, truth: Floats, settings: tuple[str, int, int], folder: Path
) -> Reliability:
    """PAN and MS fused against the truth on PAN's grid. settings: model, steps and number of draws."""
    model, steps, draws = settings
    mean, spread, drawn = (folder / f"{each}.tif" for each in ("mean", "uncertainty", "drawn"))
    fuse(pan, ms, mean, extent="pan", diffusion=Diffusion(model=model), dtype="float32", overviews=False)
    fuse(
        pan,
        ms,
        drawn,
        extent="pan",
        diffusion=Diffusion(model=model, steps=steps, draws=draws),
        uncertainty=spread,
        overviews=False,
    )
    inner = np.s_[:, _BORDER:-_BORDER, _BORDER:-_BORDER]
    fused, deviation = (image[inner] for image in read_rasters(mean, spread))
    return judge(name, truth[inner], fused, deviation)


def judge_bench(data: Path, names: Sequence[str], settings: tuple[str, int, int]) -> Iterator[Reliability]:
    for name in names:
        scene = open_scene(data / name / "pan.tif", data / name / "ms.tif")
        with SceneReader(scene) as reader:
            truth, valid = reader.read_ms(scene.ms_grid.rect)
        truth = np.where(True if valid is None else valid, truth.astype(np.float64), np.nan)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            reduce_scene(scene, find_judge(name, scene), folder)
            yield measure(name, folder / "pan.tif", folder / "ms.tif", truth, settings, folder)


def judge_native(data: Path, cases: int, settings: tuple[str, int, int]) -> Iterator[Reliability]:
    held_out = load_held_out(data)
    for number in range(cases):
        source = SOURCES[number // len(RATIOS) % len(SOURCES)]
        chips, rng = held_out[source], np.random.default_rng([number, 8])
        case, truth = draw_case(number, source, chips.shape[1]), make_mosaic(chips, rng)
        pan, ms = degrade(truth, case)
        pan, ms = cut_seams(add_noise(pan, case.noise, rng), chips), add_noise(ms, case.noise, rng)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            paths = (
                write_float(folder / "pan.tif", pan, 1), write_float(folder / "ms.tif", ms, case.ratio)
            )  # fmt: skip
            name = f"{source}, ratio {case.ratio}"
            yield measure(name, *paths, truth, settings, folder)


def to_markdown(found: Sequence[Reliability]) -> str:
    lines = ["| scene | rank correlation, all | of each band |", "|---|---|---|"]
    for each in found:
        bands = ", ".join(f"{rank:.2f}" for rank in each.ranks)
        lines.append(f"| {each.name} | {each.overall:.3f} | {bands} |")
    mean = np.mean([each.overall for each in found])
    lines += [f"| mean | {mean:.3f} | |", "", "Predicted deviation / root mean square error, by tenths:", ""]
    lines.append(f"| scene |{''.join(f' {part + 1} |' for part in range(PARTS))}")
    lines.append("|---|" + "---|" * PARTS)
    for each in found:
        cells = " | ".join(f"{predicted:.3g} / {error:.3g}" for predicted, error in each.parts)
        lines.append(f"| {each.name} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", help="a name or a file; it must have learnt to draw")
    what.add_argument("--files", type=Path, nargs=3, help="truth, result and deviation, on one grid")
    parser.add_argument("--steps", type=int, default=4, help="of a draw")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--bench", type=Path, default=DATA / "bench", help="folder of the scenes")
    parser.add_argument("--scenes", help="names of scenes, separated by commas; all of the bench by default")
    parser.add_argument("--native", type=Path, default=DATA / "pretrain", help="folder of the .npz files")
    parser.add_argument("--cases", type=int, default=4, help="of held-out places")
    parser.add_argument("--markdown", type=Path, help="also write the tables there")
    options = parser.parse_args()
    if options.files is not None:
        found = [judge(options.files[1].name, *read_rasters(*options.files))]
    else:
        refuse_without_draws(options.model)
        settings = (options.model, options.steps, options.draws)
        names = options.scenes.split(",") if options.scenes else scenes_of_table()
        found = [
            *judge_bench(options.bench, names, settings),
            *judge_native(options.native, options.cases, settings),
        ]
    text = to_markdown(found)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
