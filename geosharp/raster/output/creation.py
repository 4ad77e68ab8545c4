"""How a GeoTIFF is laid out and compressed: our choice, and what --co may change of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from geosharp.errors import UsageError
from geosharp.raster.opening import quietly

BLOCK = 512
_COMPRESSIONS = ("NONE", "LZW", "PACKBITS", "DEFLATE", "LZMA", "ZSTD", "JPEG", "WEBP", "LERC", "LERC_DEFLATE",
                 "LERC_ZSTD")  # fmt: skip
_PREDICTED = ("LZW", "DEFLATE", "ZSTD")


@dataclass(frozen=True)
class OutputFormat:
    """What kind of GeoTIFF to write.

    creation: GDAL creation options (of the COG driver where `cog`), which override ours.
    """

    cog: bool = False
    overviews: bool = True
    mask: bool = True
    creation: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Choice:
    values: tuple[str, ...]

    def accepts(self, value: str) -> bool:
        return value.upper() in self.values

    def __str__(self) -> str:
        return ", ".join(self.values)


@dataclass(frozen=True)
class _Number:
    low: float
    high: float
    whole: bool = True

    def accepts(self, value: str) -> bool:
        try:
            return self.low <= (int(value) if self.whole else float(value)) <= self.high
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{'a whole' if self.whole else 'a'} number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class _BlockSize:
    def accepts(self, value: str) -> bool:
        return value.isdecimal() and 16 <= int(value) <= 8192 and int(value) % 16 == 0

    def __str__(self) -> str:
        return "a multiple of 16 from 16 to 8192"


@dataclass(frozen=True)
class _Threads:
    def accepts(self, value: str) -> bool:
        return value.upper() == "ALL_CPUS" or (value.isdecimal() and 1 <= int(value) <= 1024)

    def __str__(self) -> str:
        return "ALL_CPUS or a number of threads"


_Rule = _Choice | _Number | _BlockSize | _Threads
_BOOLEAN = _Choice(("YES", "NO", "TRUE", "FALSE", "ON", "OFF"))
_ERROR = _Number(0, 1e9, whole=False)
_RESAMPLING = _Choice(("NEAREST", "AVERAGE", "BILINEAR", "CUBIC", "CUBICSPLINE", "LANCZOS", "MODE", "RMS"))
_SHARED: dict[str, _Rule] = {
    "COMPRESS": _Choice(_COMPRESSIONS),
    "BIGTIFF": _Choice(("YES", "NO", "IF_NEEDED", "IF_SAFER")),
    "NUM_THREADS": _Threads(),
    "NBITS": _Number(1, 32),
    "MAX_Z_ERROR": _ERROR,
    "MAX_Z_ERROR_OVERVIEW": _ERROR,
    "GEOTIFF_VERSION": _Choice(("AUTO", "1.0", "1.1")),
}
# Left out on purpose: what writes a second file (TFW, RPB, RPCTXT, PROFILE), what moves pixels
# (TARGET_SRS, TILING_SCHEME, RES, EXTENT ...), and what we need for ourselves (ALPHA, SPARSE_OK).
_GTIFF: dict[str, _Rule] = {
    **_SHARED,
    "PREDICTOR": _Choice(("1", "2", "3")),
    "ZSTD_LEVEL": _Number(1, 22),
    "ZLEVEL": _Number(1, 12),
    "LZMA_PRESET": _Number(0, 9),
    "JPEG_QUALITY": _Number(1, 100),
    "WEBP_LEVEL": _Number(1, 100),
    "WEBP_LOSSLESS": _BOOLEAN,
    "TILED": _BOOLEAN,
    "BLOCKXSIZE": _BlockSize(),
    "BLOCKYSIZE": _BlockSize(),
    "INTERLEAVE": _Choice(("BAND", "PIXEL")),
    "PHOTOMETRIC": _Choice(("MINISBLACK", "MINISWHITE", "RGB", "YCBCR")),
    "ENDIANNESS": _Choice(("NATIVE", "LITTLE", "BIG")),
}
_COG: dict[str, _Rule] = {
    **_SHARED,
    "PREDICTOR": _Choice(("YES", "NO", "STANDARD", "FLOATING_POINT")),
    "LEVEL": _Number(0, 22),
    "QUALITY": _Number(1, 100),
    "BLOCKSIZE": _BlockSize(),
    "OVERVIEW_RESAMPLING": _RESAMPLING,
    "OVERVIEW_COMPRESS": _Choice(("AUTO", *_COMPRESSIONS)),
    "OVERVIEW_QUALITY": _Number(1, 100),
    "OVERVIEW_PREDICTOR": _Choice(("YES", "NO", "STANDARD", "FLOATING_POINT")),
    "OVERVIEW_COUNT": _Number(1, 30),
}


def parse_creation(items: Sequence[str]) -> dict[str, str]:
    """The KEY=VALUE strings of --co as a mapping; the last of a repeated key counts."""
    options = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not (key and equals and value):
            raise UsageError("--co", repr(item), "KEY=VALUE", "Write it like --co COMPRESS=DEFLATE")
        options[key.upper()] = value
    return options


def check_creation(form: OutputFormat) -> None:
    """Refuse creation options that GDAL would only warn of, or that would break what we promise."""
    driver, rules = ("COG", _COG) if form.cog else ("GTiff", _GTIFF)
    for key, value in form.creation.items():
        rule = rules.get(key.upper())
        if rule is None:
            raise UsageError("--co", f"{key}={value}", f"an option of the {driver} driver out of "
                             f"{', '.join(sorted(rules))}", "Correct the name or leave it out")  # fmt: skip
        if not rule.accepts(value):
            raise UsageError("--co", f"{key}={value}", f"{key.upper()} as {rule}", "Correct the value")


def try_creation(form: OutputFormat, dtype: str, count: int) -> None:
    """Refuse creation options that do not go together or do not suit `count` bands of `dtype`.

    GDAL knows, but tells it by leaving blocks out: one block written in memory shows it beforehand.
    """
    if not form.creation:
        return
    found = (
        ", ".join(f"{key}={value}" for key, value in form.creation.items()) + f" for {count} {dtype} bands"
    )
    try:
        with quietly(), rasterio.Env(GDAL_PAM_ENABLED=False):
            stored = _store_block(form, dtype, count)
    except (RasterioError, CPLE_BaseError, ValueError) as error:
        found += f" (GDAL: {error})"
        raise UsageError("--co", found, "options that go together", "Leave one out") from error
    if not stored:
        raise UsageError("--co", found, "options that go together", "Leave one out")


def _store_block(form: OutputFormat, dtype: str, count: int) -> bool:
    """Whether one block of ones gets into a file in memory that is made with the options of `form`."""
    data = np.ones((count, BLOCK, BLOCK), dtype)
    profile = {"driver": "GTiff", "count": count, "height": BLOCK, "width": BLOCK, "dtype": dtype}
    options = gtiff_options(dtype, {} if form.cog else form.creation)
    with MemoryFile() as first, MemoryFile() as second:
        with rasterio.open(first.name, "w", **profile, **options) as raster:
            raster.write(data)
            if not form.cog:
                return bool(raster.get_tag_item("BLOCK_SIZE_0_0", "TIFF", bidx=1))
        rasterio.shutil.copy(first.name, second.name, driver="COG", **cog_options(form))
        with rasterio.open(second.name) as raster:
            return bool(raster.get_tag_item("BLOCK_SIZE_0_0", "TIFF", bidx=1))


def asks_for_overviews(form: OutputFormat) -> bool:
    """Whether the COG driver is to make overviews that differ from ours."""
    return any(key.upper() in ("OVERVIEW_RESAMPLING", "OVERVIEW_COUNT") for key in form.creation)


def gtiff_options(dtype: str, creation: Mapping[str, str]) -> dict[str, str]:
    """Options of the GTiff driver for `dtype`: ours, less those that `creation` makes void, and its own.

    BAND interleave writes a third faster than PIXEL (no transposing) and is 1 to 2 % larger.
    """
    given = {key.upper(): value.upper() for key, value in creation.items()}
    compress = given.get("COMPRESS", "ZSTD")
    options = {
        "COMPRESS": compress,
        "TILED": "YES",
        "INTERLEAVE": "PIXEL" if compress == "WEBP" or given.get("PHOTOMETRIC") == "YCBCR" else "BAND",
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
        "PHOTOMETRIC": "MINISBLACK",
        "ALPHA": "NO",
    }
    if given.get("TILED") not in ("NO", "FALSE", "OFF"):
        options |= {"BLOCKXSIZE": str(BLOCK), "BLOCKYSIZE": str(BLOCK)}
    if compress == "ZSTD":
        options["ZSTD_LEVEL"] = "1"
    if compress in _PREDICTED and "NBITS" not in given:
        options["PREDICTOR"] = "3" if np.dtype(dtype).kind == "f" else "2"
    return options | given


def cog_options(form: OutputFormat) -> dict[str, str]:
    """Options of the COG driver, ours and then those of `form.creation`."""
    given = {key.upper(): value.upper() for key, value in form.creation.items()}
    compress = given.get("COMPRESS", "ZSTD")
    options = {
        "COMPRESS": compress,
        "BLOCKSIZE": str(BLOCK),
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
        "OVERVIEWS": "AUTO" if form.overviews else "NONE",
        "OVERVIEW_RESAMPLING": "AVERAGE",
        "COPY_SRC_MDD": "YES",
    }
    if compress == "ZSTD":
        options["LEVEL"] = "1"
    if compress in _PREDICTED and "NBITS" not in given:
        options["PREDICTOR"] = "YES"
    return options | given
