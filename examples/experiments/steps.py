"""What more steps bring: a model's mean, and its draws, on every scene of the bench.

    python examples/experiments/steps.py --model FILE --out FOLDER [--data FOLDER] [--steps 1,2,4,8]

--data holds one folder per scene with pan.tif and ms.tif, which are coarsened and judged as in padm_worth.py.
Seconds are those of `fuse` on the whole scene, once it is calibrated. Writes to --out: steps.md, and of each
scene NAME.png, where PAN has most detail, at 200 %: PAN, MS, and the result by each number of steps, from
left to right, stretched alike.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch
from padm_worth import TABLE, find_judge

from geosharp.calibration import calibrate
from geosharp.engine.setup import Options
from geosharp.evaluation import evaluate_scene
from geosharp.fusion import fuse
from geosharp.hfreqdiff.models import open_model
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.quality.report.pictures import choose_renderings, find_stretch
from geosharp.quality.survey.cells import read_ms_on_pan
from geosharp.raster.grid import Rect
from geosharp.raster.output.preview import write_png
from geosharp.raster.scene import Scene, SceneReader, open_scene

DATA = Path(os.environ.get("GEOSHARP_DATA", Path(__file__).parents[3] / "shared" / "data")) / "bench"
# By protocol: the scores that are told, with their decimals.
COLUMNS = {
    "reduced": {"psnr": 2, "sam": 3, "ergas": 3},
    "full": {"hqnr": 4, "d_rho": 4, "reprojection_ergas": 3},
}
_WINDOW, _GAP = 192, 4  # PAN pixels a side; pixels between pictures


@dataclass(frozen=True)
class Row:
    """scores: by metric."""

    scene: str
    steps: int
    scores: dict[str, float]
    seconds: float


def score_scene(
    folder: Path, methods: Sequence[str], diffusion: Diffusion | None = None, calibration: str = "auto"
) -> dict[str, dict[str, float]]:
    """Scores by method and metric on the bench scene in `folder`. calibration: as of `fuse`."""
    scene = open_scene(folder / "pan.tif", folder / "ms.tif")
    found = evaluate_scene(
        scene,
        methods,
        calibration=calibration,
        degradation=find_judge(folder.name, scene),
        options=Options(diffusion=diffusion),
    ).protocols
    return {
        method: {name: found[protocol][method][name] for protocol in COLUMNS for name in COLUMNS[protocol]}
        for method in methods
    }


def measure(folder: Path, model: str, steps: Sequence[int], picture: Path) -> list[Row]:
    """A row for each number of steps on the scene in `folder`, and its pictures."""
    pan, ms = folder / "pan.tif", folder / "ms.tif"
    learnt, rows, fused = calibrate(pan, ms), [], []
    with tempfile.TemporaryDirectory() as temporary:
        for count in steps:
            diffusion, out = Diffusion(model=model, steps=count), Path(temporary) / f"{count}.tif"
            done = fuse(pan, ms, out, extent="pan", calibration=learnt, diffusion=diffusion, overviews=False)
            with rasterio.open(out) as raster:
                fused.append(raster.read())
            scores = score_scene(folder, ["hfreqdiff"], diffusion)["hfreqdiff"]
            rows.append(Row(folder.name, count, scores, done.seconds))
    write_png(picture, show(open_scene(pan, ms), fused), overwrite=True)
    return rows


def show(scene: Scene, fused: Sequence[np.ndarray]) -> np.ndarray:
    """(3, row, col) uint8. fused: results on all of PAN's grid, of MS's dtype."""
    with SceneReader(scene) as reader:
        whole = reader.read_pan(scene.grid.rect)[0]
        rect = find_detail(whole[0])
        ms = read_ms_on_pan(reader, rect)[0]
        every = reader.read_ms(scene.ms_grid.rect)[0]
    shown = next(iter(choose_renderings(scene.bands).values()))
    stretch = find_stretch(every.reshape(len(every), -1))
    cut = np.s_[:, rect.row : rect.stop_row, rect.col : rect.stop_col]
    pictures = [find_stretch(whole.reshape(1, -1)).draw(whole[cut], [0])]
    pictures += [stretch.draw(image, shown) for image in (ms, *(each[cut] for each in fused))]
    gap = np.full((3, 2 * rect.height, _GAP), 255, np.uint8)
    parts = []
    for picture in pictures:
        coloured = np.repeat(picture, 3 // len(picture), 0)
        parts += [coloured.repeat(2, 1).repeat(2, 2), gap]
    return np.concatenate(parts[:-1], 2)


def find_detail(pan: np.ndarray) -> Rect:
    """The window of a lattice in which PAN (row, col) differs most from pixel to pixel."""
    height, width = (min(_WINDOW, size) for size in pan.shape)
    places = [
        Rect(row, col, height, width)
        for row in range(0, pan.shape[0] - height + 1, max(height // 2, 1))
        for col in range(0, pan.shape[1] - width + 1, max(width // 2, 1))
    ]

    def detail(rect: Rect) -> float:
        part = pan[rect.row : rect.stop_row, rect.col : rect.stop_col].astype(np.float64)
        return float(np.abs(np.diff(part, axis=0)).mean() + np.abs(np.diff(part, axis=1)).mean())

    return max(places, key=detail)


def to_markdown(rows: Sequence[Row]) -> str:
    """A line per scene and number of steps, then the means over the scenes."""
    decimals = {name: digits for columns in COLUMNS.values() for name, digits in columns.items()}
    heads = ["scene", "steps", *(name.replace("_", " ") for name in decimals), "seconds"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in [*rows, *average(rows)]:
        cells = " | ".join(f"{row.scores[name]:.{digits}f}" for name, digits in decimals.items())
        lines.append(f"| {row.scene} | {row.steps} | {cells} | {row.seconds:.1f} |")
    return "\n".join(lines)


def average(rows: Sequence[Row]) -> list[Row]:
    groups = {row.steps: [other for other in rows if other.steps == row.steps] for row in rows}
    return [
        Row(
            "mean",
            steps,
            mean_scores([row.scores for row in own]),
            math.fsum(row.seconds for row in own) / len(own),
        )
        for steps, own in groups.items()
    ]


def mean_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """By metric, over scenes."""
    return {name: math.fsum(each[name] for each in scores) / len(scores) for name in scores[0]}


def scenes_of_table() -> list[str]:
    """The names of the bench's scenes."""
    return list(json.loads(TABLE.read_text(encoding="utf-8")))


def refuse_without_draws(model: str) -> None:
    if open_model(model, torch.device("cpu")).header.sigma_data is None:
        raise SystemExit(
            f"{model} gives the mean alone: more steps need a model that has learnt to draw "
            "(pretrain.py --stage draws --start MEAN.safetensors)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="a name or a file; it must have learnt to draw")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table and the pictures")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the scenes")
    parser.add_argument("--scenes", help="names of scenes, separated by commas; all of the bench by default")
    parser.add_argument("--steps", default="1,2,4,8", help="separated by commas")
    options = parser.parse_args()
    refuse_without_draws(options.model)
    options.out.mkdir(parents=True, exist_ok=True)
    steps = [int(count) for count in options.steps.split(",")]
    rows = []
    for name in options.scenes.split(",") if options.scenes else scenes_of_table():
        rows += measure(options.data / name, options.model, steps, options.out / f"{name}.png")
    text = to_markdown(rows)
    print(text)
    (options.out / "steps.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
