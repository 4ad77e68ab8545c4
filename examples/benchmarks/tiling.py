"""Whether tiles can be told from the result: fused at several tile sizes, compared pixel by pixel.

    python examples/benchmarks/tiling.py [PAN MS]
    python examples/benchmarks/tiling.py [PAN MS] --model base --steps 1,4

A pair is made where none is named. Every method; with --model the diffusion model alone, with seams as
geosharp report measures them (z beyond 3 is no chance), whether the same seed gives the same file, and the
halo in PAN pixels that each number of steps asks for.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from made_pair import make_pair
from numpy.typing import NDArray

from geosharp import Calibration, Diffusion, calibrate, fuse
from geosharp.engine.methods import METHODS
from geosharp.engine.setup import Options
from geosharp.quality.survey.seams import Steps
from geosharp.raster.grid import Rect
from geosharp.raster.scene import open_scene

# The last of each is the scene as one tile.
TILES = (128, 512, 2048, 65536)
MODEL_TILES = (256, 512, 1024, 65536)
HALO_STEPS = (1, 2, 4, 8)
KINDS = (None, "float32")
_SIZE = 1280  # PAN pixels a side of the pair that is made

Floats = NDArray[np.float64]


def fuse_in_tiles(
    pan: Path,
    ms: Path,
    tiles: Sequence[int],
    folder: Path,
    method: str,
    dtype: str | None,
    diffusion: Diffusion | None = None,
) -> dict[int, Floats]:
    """The result (band, row, col) at each tile size, 0 where invalid."""
    fused = {}
    calibration: Calibration | str = calibrate(pan, ms) if METHODS[method].calibrated else "auto"
    for tile in tiles:
        out = folder / f"{method}_{tile}.tif"
        # Memory is not what is tested: the whole scene as one tile may take all it wants.
        fuse(
            pan,
            ms,
            out,
            method=method,
            dtype=dtype,
            tile=tile,
            calibration=calibration,
            diffusion=diffusion,
            overviews=False,
            overwrite=True,
        )
        with rasterio.open(out) as raster:
            fused[tile] = np.nan_to_num(raster.read().astype(np.float64))
        out.unlink()
    return fused


def compare(fused: Mapping[int, Floats]) -> dict[int, tuple[float, float]]:
    """Per tile size: share of pixels unlike those of the last one, and the largest difference."""
    whole = list(fused.values())[-1]
    gaps = {tile: np.abs(image - whole) for tile, image in fused.items()}
    return {tile: (float((gap > 0).any(0).mean()), float(gap.max())) for tile, gap in gaps.items()}


def differing(
    pan: Path, ms: Path, method: str, dtype: str | None, folder: Path
) -> dict[int, tuple[float, float]]:
    """As `compare`, of one method at TILES."""
    return compare(fuse_in_tiles(pan, ms, TILES, folder, method, dtype))


def measure_seam(image: Floats, tile: int, ratio: tuple[float, float]) -> float:
    """z of the steps at tile borders against those elsewhere, as in a report."""
    rect = Rect(0, 0, *image.shape[1:])
    steps = Steps(rect)
    steps.add(image.astype(np.float32), None, rect, rect)
    return steps.measure(tile, ratio).z


def repeat(pan: Path, ms: Path, diffusion: Diffusion, folder: Path) -> str:
    """Whether all of it, calibration included, twice gives the same: bytes, or else pixels."""
    told, images = [], []
    for name in ("first.tif", "second.tif"):
        out = folder / name
        fuse(pan, ms, out, diffusion=diffusion, overwrite=True)
        told.append(out.read_bytes())
        with rasterio.open(out) as raster:
            images.append(raster.read())
    if told[0] == told[1]:
        return "the same bytes"
    return "the same pixels" if np.array_equal(images[0], images[1], equal_nan=True) else "OTHER PIXELS"


def find_halos(pan: Path, ms: Path, diffusion: Diffusion) -> dict[int, dict[str, int]]:
    """By steps, in PAN pixels on each side: what the prior, the network and back-projection ask for, on the
    scene's own calibration."""
    scene, degradation = open_scene(pan, ms), calibrate(pan, ms).degradation
    scene = scene.aligned(degradation.shift)
    prior = max(METHODS["glp"].size_rules(scene, degradation, Options()).halo)
    halos = {}
    for steps in HALO_STEPS:
        asked = replace(diffusion, steps=steps)
        free, whole = (
            max(METHODS["hfreqdiff"].size_rules(scene, degradation, Options(diffusion=each)).halo)
            for each in (replace(asked, consistency=0), asked)
        )
        halos[steps] = {
            "prior": prior, "network": free - prior, "back-projection": whole - free, "total": whole
        }  # fmt: skip
    return halos


def tell_methods(pan: Path, ms: Path, folder: Path) -> None:
    """A line per method and type of the result."""
    print(f"{'':9} {'type':8} " + " ".join(f"{f'tile {tile}':>22}" for tile in TILES[:-1]))
    for method in METHODS:
        for kind in KINDS:
            found = differing(pan, ms, method, kind, folder)
            cells = (f"{share:.1e} by {most:.2g}" for share, most in list(found.values())[:-1])
            print(f"{method:9} {kind or 'of MS':8} " + " ".join(f"{cell:>22}" for cell in cells))


def tell_model(pan: Path, ms: Path, diffusion: Diffusion, steps: Sequence[int], folder: Path) -> None:
    """Tables of one model: differences and seams, the same seed twice, halos."""
    ratio = open_scene(pan, ms).relation.ratio
    print("| steps | type | tile | pixels unlike the whole's | by at most, DN | seam z |")
    print("|---|---|---|---|---|---|")
    for count in steps:
        asked = replace(diffusion, steps=count)
        for kind in KINDS:
            fused = fuse_in_tiles(pan, ms, MODEL_TILES, folder, "hfreqdiff", kind, asked)
            for tile, (share, most) in list(compare(fused).items())[:-1]:
                z = measure_seam(fused[tile], tile, ratio)
                print(f"| {count} | {kind or 'of MS'} | {tile} | {share:.4%} | {most:.3g} | {z:.2f} |")
    print()
    for count in steps:
        print(f"Twice with {count} steps: {repeat(pan, ms, replace(diffusion, steps=count), folder)}.")
    print("\n| steps | prior | network | back-projection | halo |\n|---|---|---|---|---|")
    for count, parts in find_halos(pan, ms, diffusion).items():
        print(f"| {count} | {' | '.join(map(str, parts.values()))} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scene", type=Path, nargs="*", metavar="PAN MS", help="by default a made pair")
    parser.add_argument("--model", help="the diffusion model alone: a name or a file")
    parser.add_argument("--steps", default="1", help="of the model, separated by commas")
    options = parser.parse_args()
    if len(options.scene) not in (0, 2):
        parser.error("name PAN and MS, or neither")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pan, ms = options.scene or make_pair(folder, _SIZE)
        if options.model is None:
            tell_methods(pan, ms, folder)
        else:
            steps = [int(count) for count in options.steps.split(",")]
            tell_model(pan, ms, Diffusion(model=options.model), steps, folder)


if __name__ == "__main__":
    main()
