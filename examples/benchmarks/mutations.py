"""Rasters that are broken or hostile, made of good ones by code; which one is decided by a seed.

    folder, pan, ms, kind = mutate(folder, seed)

Each kind of mutation is a function of a pair's folder that spoils one of its files, or puts another in its
place. `mutants.py` runs geosharp on them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.rpc import RPC
from rasterio.shutil import copy as copy_raster
from rasterio.transform import from_origin
from tiff_edits import EDITS, flip_pixels, flip_tags, hostile_texts, loop, relayout, resize, truncate

SIDE, RATIO, BANDS = 128, 4, 4
# How files may be laid out.
LAYOUTS: tuple[dict[str, object], ...] = (
    {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate", "predictor": 2},
    {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "zstd", "bigtiff": "yes"},
    {"tiled": True, "blockxsize": 64, "blockysize": 64},
    {"compress": "lzw", "interleave": "pixel"},
    {"blockysize": 8, "bigtiff": "yes", "endianness": "big"},
    {"nodata": 0, "compress": "deflate", "interleave": "pixel"},
)
EXTRAS = "plain", "overviews", "mask", "gcps", "rpcs", "metadata"


def write_pair(folder: Path, layout: dict[str, object], extra: str) -> None:
    """pan.tif and ms.tif of one textured ground; `extra` is what MS and PAN hold besides."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    ground = [
        400
        + 100 * band
        + 200 * np.sin(rows / (9 + band)) * np.cos(cols / 7)
        + rng.normal(0, 40, (SIDE, SIDE))
        for band in range(BANDS)
    ]
    fine = np.clip(np.stack(ground), 1, 2000)
    coarse = fine.reshape(BANDS, SIDE // RATIO, RATIO, SIDE // RATIO, RATIO).mean((2, 4))
    _write(folder / "pan.tif", fine.mean(0, keepdims=True).astype("uint16"), 1, layout, extra)
    _write(folder / "ms.tif", coarse.astype("uint16"), RATIO, layout, extra)


def _write(path: Path, data: np.ndarray, pixel: float, layout: dict[str, object], extra: str) -> None:
    place = {"crs": "EPSG:32633", "transform": from_origin(5e5, 4.6e6, pixel, pixel)}
    if extra == "gcps":
        sides = [(row, col) for row in (0, data.shape[1]) for col in (0, data.shape[2])]
        points = [GroundControlPoint(r, c, 5e5 + c * pixel, 4.6e6 - r * pixel, 0) for r, c in sides]
        place = {"gcps": points, "crs": CRS.from_epsg(32633)}
    count, height, width = data.shape
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            count=count,
            height=height,
            width=width,
            dtype="uint16",
            photometric="minisblack",
            **place,
            **layout,
        ) as raster,
    ):
        raster.write(data)
        if extra == "mask":
            raster.write_mask(np.mgrid[:height, :width][0] > 3)
        if extra == "rpcs":
            line = [0.0, 0.0, 1.0, *[0.0] * 17]
            one = [1.0, *[0.0] * 19]
            raster.rpcs = RPC(0, 1, 41, 1, one, line, height / 2, height / 2, 15, 1, one, line, 96, 96)
        if extra == "metadata":
            raster.update_tags(SENSOR="WorldView-2", note="<&>" * 20)
            for band in raster.indexes:
                raster.set_band_description(band, f"band {band}")
        if extra == "overviews":
            raster.build_overviews([2, 4], Resampling.average)


_PYTHON = (
    "<PixelFunctionType>m.f</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>"
    "<PixelFunctionCode><![CDATA[\nimport os\ndef f(*a, **k):\n    os.system('touch executed')\n]]>"
    "</PixelFunctionCode>"
)

# Of a folder with pan.tif and ms.tif one is named; it is spoilt in place or replaced by what is returned.
Mutation = Callable[[random.Random, Path], Path | None]


def _edited(edit: Callable[[random.Random, bytearray], None]) -> Mutation:
    def mutation(chance: random.Random, path: Path) -> None:
        content = bytearray(path.read_bytes())
        edit(chance, content)
        path.write_bytes(content)

    return mutation


def _declare_huge(chance: random.Random, path: Path) -> None:
    """A file of a few kilobytes that declares very many pixels, none of them stored, or all of one value."""
    side = chance.choice((10**5, 10**6, 2**31 - 1, 40_000))
    pixel, count = (1, 1) if path.name.startswith("pan") else (RATIO, BANDS)
    count = chance.choice((count, 65_000))
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        # No TIFF's table of blocks is as long as both sides would ask for.
        height=chance.choice((side, 100) if side < 2**31 - 1 else (100,)) // pixel,
        width=side // pixel,
        dtype=chance.choice(("uint16", "float64")),
        crs="EPSG:32633",
        transform=from_origin(5e5, 4.6e6, pixel, pixel),
        tiled=True,
        blockxsize=chance.choice((512, 16_384)),
        blockysize=chance.choice((512, 16_384)),
        compress="deflate",
        interleave="pixel",
        sparse_ok=True,
        bigtiff="yes",
    ):
        pass


def _widen_blocks(chance: random.Random, path: Path) -> None:
    """Zip bombs: blocks of gigabytes that a few kilobytes unpack to."""
    with rasterio.open(path) as raster:
        count, side, place = raster.count, raster.width, raster.transform
    block = chance.choice((4096, 16_384, 32_768))
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=side,
        width=side,
        dtype="uint16",
        crs="EPSG:32633",
        transform=place,
        tiled=True,
        blockxsize=block,
        blockysize=chance.choice((4096, block)),
        compress="zstd",
        sparse_ok=True,
        interleave=chance.choice(("band", "pixel")),
    ):
        pass


def _take_format(chance: random.Random, path: Path) -> Path:
    """Another format, truncated or with bytes changed."""
    driver, suffix = chance.choice(
        (
            ("JP2OpenJPEG", ".jp2"),
            ("NITF", ".ntf"),
            ("HFA", ".img"),
            ("ENVI", ".dat"),
            ("PNG", ".png"),
            ("VRT", ".vrt"),
        )
    )
    other = path.with_suffix(suffix)
    copy_raster(path, other, driver=driver, strict=False)
    content = bytearray(other.read_bytes())
    edit = chance.choice((truncate, flip_pixels))
    edit(chance, content) if len(content) > 32 else None
    other.write_bytes(content)
    return other


def _take_vrt(chance: random.Random, path: Path) -> Path:
    """A VRT that names itself, devices, servers, code, or far too much."""
    other = path.with_suffix(".vrt")
    name = chance.choice(
        (other.name, "/dev/zero", "/dev/random", "/proc/self/mem", "nothing.tif", path.name, "a.vrt")
    )
    name = chance.choice(
        (name, name, "/vsizip//dev/zero/a", "/vsicurl/http://127.0.0.1:9/a.tif", "/vsistdin/")
    )
    (path.parent / "a.vrt").write_text(_vrt(SIDE, "", _source(other.name)))
    side = SIDE if path.name == "pan.tif" else SIDE // RATIO
    function = chance.choice(("", "", "sum", "mul", "python", "expression", "nonsense"))
    kinds = {
        "python": _PYTHON,
        "expression": "<PixelFunctionType>expression</PixelFunctionType>",
        "": "",
    }
    code = kinds.get(function, f"<PixelFunctionType>{function}</PixelFunctionType>")
    side = chance.choice((side, side, side, 2**31 - 1, 10**6))
    other.write_text(_vrt(side, code, _source(name) * chance.choice((1, 1, 1, 5000))))
    return other


def _vrt(side: int, code: str, sources: str) -> str:
    kind = ' subClass="VRTDerivedRasterBand"' if code else ""
    pixel = SIDE / side if side <= SIDE else 1
    return (
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>500000, {pixel}, 0, 4600000, 0, -{pixel}</GeoTransform>"
        f'<VRTRasterBand dataType="UInt16" band="1"{kind}>{code}{sources}</VRTRasterBand></VRTDataset>'
    )


def _source(name: str) -> str:
    inside = f'<SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand>'
    return f"<SimpleSource>{inside}</SimpleSource>"


def _put_beside(chance: random.Random, path: Path) -> None:
    """Hostile side files: metadata, overviews, masks."""
    ending = chance.choice((".aux.xml", ".ovr", ".msk", ".msk.ovr"))
    beside = path.with_name(path.name + ending)
    if ending == ".aux.xml":
        text = chance.choice(hostile_texts()).replace(b"GDALMetadata", b"PAMDataset")
        beside.write_bytes(text)
        return
    content = bytearray(path.read_bytes())
    chance.choice((truncate, flip_tags, resize, relayout, loop))(chance, content)
    beside.write_bytes(content)


def _take_device(chance: random.Random, path: Path) -> Path:
    """What is no file at all."""
    name = path.with_name("pipe.tif")
    kind = chance.choice(("pipe", "zero", "folder", "link"))
    if kind == "pipe":
        os.mkfifo(name)
    elif kind == "folder":
        name.mkdir()
    else:
        name.symlink_to("/dev/zero" if kind == "zero" else name.name)
    return name


MUTATIONS: dict[str, Mutation] = {
    **{name: _edited(edit) for name, edit in EDITS.items()},
    "huge and empty": _declare_huge,
    "huge blocks": _widen_blocks,
    "another format, broken": _take_format,
    "hostile VRT": _take_vrt,
    "hostile side files": _put_beside,
    "pipes, devices, folders, links": _take_device,
}


def mutate(folder: Path, seed: int) -> tuple[Path, Path, str]:
    """PAN and MS in `folder`, which is empty, one of them spoilt, or both alike; and the kind of mutation."""
    chance = random.Random(seed)
    kind = [*MUTATIONS][seed % len(MUTATIONS)]
    write_pair(folder, chance.choice(LAYOUTS), chance.choice(EXTRAS))
    paths = {name: folder / f"{name}.tif" for name in ("pan", "ms")}
    for name in chance.choice((("pan",), ("ms",), ("pan", "ms"))):
        paths[name] = MUTATIONS[kind](chance, paths[name]) or paths[name]
        if kind.startswith("pipes"):
            break
    return paths["pan"], paths["ms"], kind
