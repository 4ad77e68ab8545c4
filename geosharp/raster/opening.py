"""From the name of a raster to GDAL, and what GDAL says against it in words for the user."""

from __future__ import annotations

import difflib
import errno
import functools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError

from geosharp.errors import InputError, ResourceError

_ARCHIVES = {".zip": "/vsizip/", ".tar": "/vsitar/", ".tgz": "/vsitar/", ".gz": "/vsigzip/"}
_IMAGES = {".tif", ".tiff", ".jp2", ".vrt", ".img", ".ntf"}


@contextmanager
def opened(name: str) -> Iterator[Any]:
    """An open rasterio dataset, with its side files (.msk, .hdr, .aux.xml); failures are InputErrors."""
    with told(name), quietly(), beside(), rasterio.open(name) as raster:
        yield raster


def check_exists(name: str, role: str) -> None:
    """Refuse a path that leads to nothing readable; what GDAL alone can judge passes."""
    if name.startswith("/vsi") or "://" in name or ":" in name.split("/", 1)[0] or name.lstrip()[:1] == "<":
        return
    path = Path(name)
    needed = f"a raster as {role}"
    try:
        size = path.stat().st_size
    except PermissionError as error:
        raise _forbidden(name, role) from error
    except OSError as error:
        if error.errno == errno.ENOENT and path.is_symlink():
            found = f"a link to {path.readlink()}, which is not there"
            raise InputError(name, found, needed, "mend the link or pass the file itself") from error
        raise InputError(name, "no such file", needed, _nearest_file(path)) from error
    if not os.access(path, os.R_OK):
        raise _forbidden(name, role)
    if size == 0 and not path.is_dir():
        raise InputError(name, "an empty file (0 bytes)", needed, "fetch or copy it again")


@functools.cache
def check_proj() -> None:
    """PROJ_DATA set for another PROJ makes every CRS of rasterio's own PROJ unreadable."""
    try:
        with rasterio.Env():
            CRS.from_epsg(4326)
    except CRSError as error:
        found = [f"{key}={os.environ[key]}" for key in ("PROJ_DATA", "PROJ_LIB") if key in os.environ]
        raise ResourceError(
            ", ".join(found) or "PROJ",
            f"no PROJ data of the version that rasterio needs ({error})",
            "the data that comes with rasterio",
            "unset PROJ_DATA and PROJ_LIB and run again",
        ) from error


@contextmanager
def told(name: str) -> Iterator[None]:
    """What rasterio and GDAL raise about `name` becomes an InputError."""
    try:
        yield
    except (RasterioError, CPLE_BaseError, CRSError) as error:
        reason = str(error.__cause__ or error).replace("\n", " ").strip().rstrip(".")
        raise _unreadable(name, reason) from error


@contextmanager
def quietly() -> Iterator[None]:
    """Without rasterio's warning about a missing georeference, of which a Scene tells in its own words.

    Warning filters are the process's: only for the thread that opens files, before others start.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


@contextmanager
def beside() -> Iterator[None]:
    """GDAL looks for files beside the one opened: masks, headers and metadata may lie there."""
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="FALSE"):
        yield


def no_bands(raster: Any, name: str, role: str) -> InputError:
    """The refusal of a dataset that only holds others."""
    inside = list(raster.subdatasets)
    if not inside:
        return InputError(
            name, "a dataset without bands", f"a raster as {role}", "pass the image file itself"
        )
    listed = ", ".join(inside[:4]) + (", ..." if len(inside) > 4 else "")
    found = f"a container of {len(inside)} images"
    return InputError(name, found, f"one image as {role}", f"pass one of: {listed}")


def _unreadable(name: str, reason: str) -> InputError:
    path, needed = Path(name), "a complete file in a format that GDAL reads"
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _IMAGES)
        remedy = f"pass a file in it, such as {inside[0]}" if inside else "pass the image file itself"
        return InputError(name, "a folder", "an image file", remedy)
    prefix = _ARCHIVES.get(path.suffix.lower())
    if prefix and not name.startswith("/vsi"):
        remedy = f"pass the image inside it, as in {prefix}{name}/image.tif"
        return InputError(name, f"GDAL cannot read it ({reason})", "an image, not an archive", remedy)
    remedy = "check it with gdalinfo -checksum, or fetch it again"
    return InputError(name, f"GDAL cannot read it ({reason})", needed, remedy)


def _forbidden(name: str, role: str) -> InputError:
    return InputError(
        name, "no permission to read it", f"a readable raster as {role}", "check its permissions"
    )


def _nearest_file(path: Path) -> str:
    try:
        siblings = sorted(p.name for p in path.parent.iterdir())
    except OSError:
        return f"check the path: the folder {path.parent} is not there"
    close = difflib.get_close_matches(path.name, siblings, 1)
    return f"did you mean {path.parent / close[0]}? If not, check the path" if close else "check the path"
