"""geosharp from Python: a pair of files looked at, calibrated, fused and scored; then arrays for files.

    python examples/python_api.py [FOLDER]

The pair is made by code, in FOLDER or in one that is removed at the end. Arrays of xarray need geosharp's
extra: pip install 'geosharp[xarray]'.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

import geosharp

SIDE, RATIO, PIXEL = 256, 4, 0.5
CORNER = 440_000.0, 5_400_000.0
BANDS = "blue", "green", "red", "nir"


def make_pair(folder: Path) -> tuple[Path, Path]:
    """A PAN at half a metre, and an MS of four bands at two."""
    rng = np.random.default_rng(0)
    ground = np.full((4, SIDE, SIDE), 400.0)
    for _ in range(400):
        row, col = rng.integers(-20, SIDE, 2)
        height, width = rng.integers(4, 40, 2)
        where = slice(max(row, 0), row + height), slice(max(col, 0), col + width)
        ground[:, *where] = rng.uniform(200, 1500) * rng.uniform(0.7, 1.3, (4, 1, 1))
    ground *= 1 + 0.03 * rng.standard_normal(ground.shape)
    cells = SIDE // RATIO
    coarse = ground.reshape(4, cells, RATIO, cells, RATIO).mean((2, 4))
    pan, ms = folder / "pan.tif", folder / "ms.tif"
    write(pan, ground.mean(0, keepdims=True), PIXEL, ("pan",))
    write(ms, coarse, PIXEL * RATIO, BANDS)
    return pan, ms


def write(path: Path, data: np.ndarray, pixel: float, names: tuple[str, ...]) -> None:
    profile = {"count": len(data), "height": data.shape[1], "width": data.shape[2], "dtype": "uint16"}
    place = from_origin(*CORNER, pixel, pixel)
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32631", transform=place, **profile) as file:
        file.write(data.round().astype("uint16"))
        file.descriptions = names


def look(pan: Path, ms: Path) -> None:
    """What a scene is like; a pair that does not fit is refused, with what to do about it."""
    scene = geosharp.open_scene(pan, ms)
    print(f"scene: {scene.grid.shape}, ratio {scene.relation.ratio}, {[band.name for band in scene.bands]}")
    try:
        geosharp.open_scene(ms, pan)
    except geosharp.GeosharpError as error:
        print(f"refused: {error.found}; needed: {error.needed}")


def calibrate(pan: Path, ms: Path, saved: Path) -> None:
    """How blurred and misplaced MS is; saved, it serves other scenes of the sensor."""
    calibration = geosharp.calibrate(pan, ms, saved)
    print(f"calibration: {calibration.verdict}, MS lies {calibration.degradation.shift} PAN pixels aside")


def fuse_files(pan: Path, ms: Path, out: Path, saved: Path) -> None:
    """The file appears when it is complete; callbacks hear of progress, and of what a user should know."""
    seen: list[str] = []
    result = geosharp.fuse(
        pan,
        ms,
        out,
        calibration=saved,
        progress=lambda step: seen.append(step.stage),
        on_note=lambda note: print(f"note: {note}"),
    )
    print(f"fused: {result.path.name} by {result.method}, {result.tiles} tiles, stages {sorted(set(seen))}")


def score(pan: Path, ms: Path, fused: Path, saved: Path) -> None:
    """How results agree with PAN and MS; the higher HQNR, the better."""
    evaluation = geosharp.evaluate(
        pan, ms, fused=fused, methods=["exp", "glp"], protocol="full", calibration=saved
    )
    for protocol, results in evaluation.protocols.items():
        for name, scores in results.items():
            print(f"{protocol} resolution: {name} HQNR {scores['hqnr']:.3f}")


def fuse_arrays(pan: Path, ms: Path, saved: Path) -> None:
    """Arrays in, an array out: the pixels are those of files, whatever they come from."""
    with rasterio.open(pan) as fine, rasterio.open(ms) as coarse:
        result = geosharp.fuse_arrays(
            fine.read(1),
            coarse.read(),
            pan_transform=fine.transform,
            ms_transform=coarse.transform,
            crs=fine.crs,
            names=BANDS,
            method="glp",
            calibration=saved,
        )
    print(f"numpy: {type(result).__name__} {result.shape} {result.dtype}")


def fuse_dataarrays(pan: Path, ms: Path, saved: Path) -> None:
    """With xarray they know where they lie; in Dask's chunks a scene may be larger than memory."""
    try:
        import rioxarray
    except ImportError:
        print("xarray and Dask: left out; pip install 'geosharp[xarray]' brings them")
        return
    fine, coarse = rioxarray.open_rasterio(pan), rioxarray.open_rasterio(ms)
    result = geosharp.fuse_arrays(fine, coarse, method="glp", calibration=saved)
    print(f"xarray: {result.dims} {result.shape}, {result.rio.crs}, bands {result.long_name}")
    later = geosharp.fuse_arrays(
        fine.chunk(x=128, y=128), coarse.chunk(x=32, y=32), method="glp", calibration=saved, tile=128
    )
    print(f"dask: chunks {later.chunks}, nothing is computed yet")
    part = later.sel(x=slice(CORNER[0] + 30, CORNER[0] + 60), y=slice(CORNER[1] - 30, CORNER[1] - 60))
    same = part.compute().equals(result.sel(x=part.x, y=part.y))
    print(f"dask: a part of {part.shape}, {'the same' if same else 'not the same'} pixels")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if sys.argv[1:] else temporary)
        folder.mkdir(parents=True, exist_ok=True)
        pan, ms = make_pair(folder)
        saved, fused = folder / "calibration.json", folder / "sharp.tif"
        look(pan, ms)
        calibrate(pan, ms, saved)
        fuse_files(pan, ms, fused, saved)
        score(pan, ms, fused, saved)
        fuse_arrays(pan, ms, saved)
        fuse_dataarrays(pan, ms, saved)


if __name__ == "__main__":
    main()
