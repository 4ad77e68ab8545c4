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
# What compressions for pictures take: a type, and numbers of bands where these are interleaved by pixel.
_PICTURES = {"JPEG": ("uint8", range(1, 5)), "WEBP": ("uint8", range(3, 5))}


@dataclass(frozen=True)
class OutputFormat:
    """What kind of GeoTIFF to write.

    creation: GDAL creation options (of the COG driver where `cog`), which override ours.
    """

    cog: bool = False
    overviews: bool = True
    mask: bool = True
    creation: Mapping[str, str] = field(default_factory=dict)

    @property
    def given(self) -> dict[str, str]:
        """`creation` in capitals."""
        return {key.upper(): str(value).upper() for key, value in self.creation.items()}

    @property
    def bits(self) -> int | None:
        """To how many bits --co NBITS packs a sample; None where it is not given."""
        given = self.given.get("NBITS", "")
        return int(given) if given.isdecimal() else None

    def packs(self, dtype: str) -> bool:
        """Whether samples of `dtype` get fewer bits than they have."""
        return self.bits is not None and self.bits < 8 * np.dtype(dtype).itemsize

    def copied(self, dtype: str) -> bool:
        """Whether the file is a rearranged copy of a plain one, which is written first.

        GDAL makes a COG in no other way; and packed blocks it holds back until a file is closed, so
        that nobody can see before whether they reached the disk.
        """
        return self.cog or self.packs(dtype)


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
        if self.whole:
            return value.isdecimal() and self.low <= int(value) <= self.high
        try:
            return self.low <= float(value) <= self.high
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
    "INTERLEAVE": _Choice(("PIXEL",)),
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
            raise UsageError("--co", repr(item), "KEY=VALUE", "write it like --co COMPRESS=DEFLATE")
        options[key.upper()] = value
    return options


def check_creation(form: OutputFormat) -> None:
    """Refuse creation options that GDAL would only warn of, or that would break what we promise."""
    driver, rules = ("COG", _COG) if form.cog else ("GTiff", _GTIFF)
    for key, value in form.given.items():
        rule = rules.get(key)
        if rule is None:
            raise UsageError("--co", f"{key}={value}", f"an option of the {driver} driver out of "
                             f"{', '.join(sorted(rules))}", "correct the name or leave it out")  # fmt: skip
        if not rule.accepts(value):
            raise UsageError("--co", f"{key}={value}", f"{key} as {rule}", "correct the value")


def try_creation(form: OutputFormat, dtype: str, count: int) -> None:
    """Refuse creation options that do not go together or do not suit `count` bands of `dtype`.

    GDAL knows, but tells it by leaving blocks out: one block written in memory shows it beforehand.
    """
    if not form.creation:
        return
    _check_pictures(form, dtype, count)
    _check_bits(form, dtype)
    given = ", ".join(f"{key}={value}" for key, value in form.given.items())
    found = f"{given} for {count} {dtype} bands"
    try:
        with quietly(), rasterio.Env(GDAL_PAM_ENABLED=False):
            stored = _store_block(form, dtype, count)
    except (RasterioError, CPLE_BaseError, ValueError) as error:
        # Before the colon there is a name that GDAL was given for a file in memory.
        reason = str(error.__cause__ or error).rpartition(".tif: ")[2].rstrip(".")
        found += f" (GDAL: {reason})"
        raise UsageError("--co", found, "options that go together", "leave one out") from error
    if not stored:
        raise UsageError("--co", found, "options that go together", "leave one out")


def _check_pictures(form: OutputFormat, dtype: str, count: int) -> None:
    """Refuse a compression for pictures of what is none."""
    by_pixel = form.cog or plain_options(form, dtype)["INTERLEAVE"] == "PIXEL"
    for key in ("COMPRESS", "OVERVIEW_COMPRESS"):
        name = form.given.get(key, "")
        kind, counts = _PICTURES.get(name, (dtype, range(count + 1)))
        if dtype == kind and (count in counts or not by_pixel):
            continue
        needed = f"{kind} bands" + (f", {counts[0]} to {counts[-1]} of them" if by_pixel else "")
        raise UsageError("--co", f"{key}={name} for {count} {dtype} bands", f"{needed}, for {name}",
                         "choose ZSTD, DEFLATE, LZW or LERC, which take any")  # fmt: skip


def _check_bits(form: OutputFormat, dtype: str) -> None:
    """Refuse numbers of bits that GDAL would take for others, or not at all."""
    if form.bits is None:
        return
    kind, most = np.dtype(dtype).kind, 8 * np.dtype(dtype).itemsize
    least = 1 if most == 8 else most // 2 + 1
    if kind != "u":
        raise UsageError("--co", f"NBITS={form.bits} for {dtype} bands", "bands of uint8, uint16 or uint32",
                         "leave it out, or choose another --dtype")  # fmt: skip
    if not least <= form.bits <= most:
        raise UsageError("--co", f"NBITS={form.bits} for {dtype} bands", f"{least} to {most} for {dtype}",
                         "correct the number, or choose another --dtype")  # fmt: skip


def _store_block(form: OutputFormat, dtype: str, count: int) -> bool:
    """Whether one block of ones gets into a file in memory that is made with the options of `form`."""
    data = np.ones((count, BLOCK, BLOCK), dtype)
    profile = {"driver": "GTiff", "count": count, "height": BLOCK, "width": BLOCK, "dtype": dtype}
    with MemoryFile() as first, MemoryFile() as second:
        with rasterio.open(first.name, "w", **profile, **plain_options(form, dtype)) as raster:
            raster.write(data)
            if not form.copied(dtype):
                return bool(raster.get_tag_item("BLOCK_SIZE_0_0", "TIFF", bidx=1))
        rasterio.shutil.copy(first.name, second.name, **copy_options(form, dtype))
        with rasterio.open(second.name) as raster:
            return bool(raster.get_tag_item("BLOCK_SIZE_0_0", "TIFF", bidx=1))


def asks_for_overviews(form: OutputFormat) -> bool:
    """Whether the COG driver is to make overviews that differ from ours."""
    return not form.given.keys().isdisjoint(("OVERVIEW_RESAMPLING", "OVERVIEW_COUNT"))


def plain_options(form: OutputFormat, dtype: str) -> dict[str, str]:
    """Options of the GTiff driver for the file that blocks are written into."""
    return _gtiff_options(dtype, {} if form.copied(dtype) else _meant(form, dtype))


def copy_options(form: OutputFormat, dtype: str) -> dict[str, str]:
    """Driver, and its options, for the copy of that file, where `form` asks for one."""
    if form.cog:
        return {"driver": "COG", **_cog_options(form, _meant(form, dtype))}
    kept = {"COPY_SRC_OVERVIEWS": "YES", "COPY_SRC_MDD": "YES"}
    return {"driver": "GTiff", **kept, **_gtiff_options(dtype, _meant(form, dtype))}


def _meant(form: OutputFormat, dtype: str) -> dict[str, str]:
    """What is given, less what says no more than is so anyway and would only be in GDAL's way."""
    void = {key for key, said in (("NBITS", not form.packs(dtype)), ("INTERLEAVE", form.cog)) if said}
    return {key: value for key, value in form.given.items() if key not in void}


def _gtiff_options(dtype: str, given: dict[str, str]) -> dict[str, str]:
    """Options of the GTiff driver for `dtype`: ours, less those that `given` makes void, and those.

    BAND interleave writes a third faster than PIXEL (no transposing) and is 1 to 2 % larger.
    """
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


def _cog_options(form: OutputFormat, given: dict[str, str]) -> dict[str, str]:
    """Options of the COG driver, which interleaves by pixel: ours and then those of `given`."""
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
