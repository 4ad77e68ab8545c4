"""Fuse a folder of scenes, see what became of each, and lay the results side by side in one mosaic.

    python examples/batch_scenes.py [ARCHIVE] [--out fused] [--method glp] [--workers 2]

ARCHIVE: a folder in which names tell PAN and MS (a_pan.tif, a_ms.tif ...), or a CSV with columns pan and ms.
Without it, three neighbouring scenes are made by code, one of which is broken. Run it again: finished scenes
are skipped. The mosaic, OUT/mosaic.vrt, is a text that names the results, which QGIS and GDAL open: no pixel
is copied.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from rasterio.transform import from_origin

import geosharp

SIDE, RATIO, PIXEL = 256, 4, 0.5


def make_archive(folder: Path) -> Path:
    """Three scenes of one ground beside each other, of which the last has lost half of its MS."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, cols = np.mgrid[:SIDE, : 3 * SIDE]
    fields = np.sin(rows / 9) * np.cos(cols / 13) + ((rows // 31 + cols // 23) % 2)
    for number in range(3):
        here = fields[:, number * SIDE : (number + 1) * SIDE]
        bands = np.stack([300 + 80 * weight * here for weight in (1.0, 0.8, 0.6, 1.4)])
        coarse = bands.reshape(4, SIDE // RATIO, RATIO, SIDE // RATIO, RATIO).mean((2, 4))
        left = 500000 + number * SIDE * PIXEL
        write(folder / f"strip{number}_pan.tif", bands.mean(0, keepdims=True), left, PIXEL)
        write(folder / f"strip{number}_ms.tif", coarse, left, PIXEL * RATIO)
    broken = folder / "strip2_ms.tif"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    return folder


def write(path: Path, data: np.ndarray, left: float, pixel: float) -> None:
    profile = {"driver": "GTiff", "count": len(data), "height": data.shape[1], "width": data.shape[2]}
    place = from_origin(left, 4600000, pixel, pixel)
    with rasterio.open(path, "w", dtype="uint16", crs="EPSG:32631", transform=place, **profile) as file:
        file.write(data.astype(np.uint16))


def make_mosaic(results: Sequence[Path], out: Path) -> None:
    """A VRT of results that share CRS, pixel size and bands; later ones lie on top."""
    files = [rasterio.open(path) for path in results]
    kinds = {(str(file.crs), file.res, file.count, file.dtypes[0]) for file in files}
    if len(kinds) > 1:
        raise SystemExit(
            f"{out}: the results differ in CRS, pixel size, bands or type: warp them first (gdalwarp)"
        )
    ((_, (width, height), count, dtype),) = kinds
    left, top = min(file.bounds.left for file in files), max(file.bounds.top for file in files)
    columns = round((max(file.bounds.right for file in files) - left) / width)
    lines = round((top - min(file.bounds.bottom for file in files)) / height)
    kind = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "float32": "Float32"}[dtype]
    text = [f'<VRTDataset rasterXSize="{columns}" rasterYSize="{lines}">']
    text += [f"<SRS>{escape(files[0].crs.to_wkt())}</SRS>"]
    text += [f"<GeoTransform>{left!r}, {width!r}, 0, {top!r}, 0, {-height!r}</GeoTransform>"]
    for band in range(1, count + 1):
        nodata = files[0].nodata
        empty = "" if nodata is None else f"<NoDataValue>{nodata}</NoDataValue>"
        name = files[0].descriptions[band - 1]
        text += [f'<VRTRasterBand dataType="{kind}" band="{band}">{empty}']
        text += [f"<Description>{escape(name)}</Description>"] if name else []
        for file in files:
            at = round((file.bounds.left - left) / width), round((top - file.bounds.top) / height)
            size = f'xSize="{file.width}" ySize="{file.height}"'
            text += ["<ComplexSource>"]
            name = os.path.relpath(file.name, out.parent)
            text += [f'<SourceFilename relativeToVRT="1">{escape(name)}</SourceFilename>']
            text += [f"<SourceBand>{band}</SourceBand>", f'<SrcRect xOff="0" yOff="0" {size}/>']
            text += [f'<DstRect xOff="{at[0]}" yOff="{at[1]}" {size}/>', "<UseMaskBand>true</UseMaskBand>"]
            text += ["</ComplexSource>"]
        text += ["</VRTRasterBand>"]
    out.write_text("\n".join([*text, "</VRTDataset>"]) + "\n", encoding="utf-8")
    for file in files:
        file.close()


def show(row: Any, done: int, total: int) -> None:
    print(f"{done}/{total} {row.name}: {row.state} {row.error}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", nargs="?", type=Path)
    parser.add_argument("--out", type=Path, default=Path("fused"))
    parser.add_argument("--method", default="hfreqdiff")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    archive = options.archive or make_archive(options.out / "archive")
    result = geosharp.batch(
        archive, options.out, workers=options.workers, options={"method": options.method}, on_row=show
    )
    finished = [Path(row.out) for row in result.rows if row not in result.failed]
    if finished:
        make_mosaic(finished, options.out / "mosaic.vrt")
        print(f"{options.out / 'mosaic.vrt'} shows {len(finished)} results")
    raise SystemExit(1 if result.failed and options.archive else 0)


if __name__ == "__main__":
    main()
