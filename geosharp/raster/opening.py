"""From the name of a raster to GDAL, and what GDAL says against it in words for the user."""

from __future__ import annotations

import difflib
import errno
import functools
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import rasterio
from rasterio._err import CPLE_BaseError, CPLE_HttpResponseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile
from rasterio.shutil import copy as copy_raster

from geosharp.errors import InputError, ResourceError

Texts = tuple[str | None, ...]

# What GDAL reads an image in an archive or on a server through, by the scheme of its URI.
_ARCHIVES = {"zip": "/vsizip/", "tar": "/vsitar/", "gzip": "/vsigzip/"}
_STORES = {"s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/", "oss": "/vsioss/"}
_STORES |= {scheme: f"/vsicurl/{scheme}://" for scheme in ("http", "https", "ftp")}
_AFAR = re.compile("://|" + "|".join(map(re.escape, _STORES.values())))
# How an image in a file with that ending is named; a .gz holds one file only.
_INSIDE = {
    ".zip": "/vsizip/{}/image.tif",
    ".tar": "/vsitar/{}/image.tif",
    ".tgz": "/vsitar/{}/image.tif",
    ".tar.gz": "/vsitar/{}/image.tif",
    ".gz": "/vsigzip/{}",
}
_IMAGES = {".tif", ".tiff", ".jp2", ".vrt", ".img", ".ntf"}


def gdal_name(name: str) -> str:
    """What GDAL opens for `name`: URIs as rasterio takes them become paths, other names stay as they are.

    A VRT that names the raster is read by GDAL alone, which knows no URIs.
    """
    scheme, _, place = name.partition(":")
    *archives, store = scheme.casefold().split("+")
    if store in _ARCHIVES:
        archives, store = [*archives, store], "file"
    if not place.startswith("/") or not {*archives} <= {*_ARCHIVES} or store not in {*_STORES, "file"}:
        return name
    place, inside = place.removeprefix("//"), ""
    if archives:
        place, _, inside = place.partition("!")
    path = unquote(re.sub("^localhost(?=/)", "", place)) if store == "file" else _STORES[store] + place
    for archive in reversed(archives):
        path = _ARCHIVES[archive] + path
    return f"{path}/{inside.lstrip('/')}" if inside else path


@contextmanager
def opened(name: str) -> Iterator[Any]:
    """An open rasterio dataset, with its side files (.msk, .hdr, .aux.xml); failures are InputErrors."""
    with told(name), quietly(), beside(), rasterio.open(name) as raster:
        _check_files(name, raster.files)
        yield raster


def _check_files(name: str, files: Iterable[str]) -> None:
    """Refuse what another computer sends (a VRT, by whatever name) and is made of files of this one."""
    if not _AFAR.search(name):
        return
    if local := next((file for file in files if not _AFAR.search(file)), None):
        found = f"it is made of a file of this computer, {local}"
        needed = "an image that is whole on its server"
        raise InputError(name, found, needed, "download it, look into it, and pass it if you trust it")


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
        raise _unreadable(name, error) from error
    except UnicodeDecodeError as error:
        near = error.object[max(error.start - 20, 0) : error.end + 20]
        found = f"text in its metadata that is not UTF-8 ({near!r})"
        remedy = "correct the text, or write the file again without it"
        raise InputError(name, found, "metadata in UTF-8", remedy) from error
    except UnicodeEncodeError as error:
        shown = name.encode(errors="backslashreplace").decode()
        raise InputError(shown, "a name that is not UTF-8", "a name in UTF-8", "rename the file") from error


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


def band_texts(raster: Any) -> tuple[Texts, Texts]:
    """Names and units of all bands; what is not UTF-8, which rasterio alone takes, counts as Latin-1."""
    try:
        return raster.descriptions, raster.units
    except UnicodeDecodeError:
        with MemoryFile(ext=".vrt") as written:
            copy_raster(raster, written.name, driver="VRT")
            # Latin-1 holds any byte, so that each text can be looked at by itself.
            vrt = ElementTree.fromstring(bytes(written.getbuffer()).decode("latin-1"))
    bands = vrt.findall("VRTRasterBand")
    names, units = ([_decoded(band.findtext(tag)) for band in bands] for tag in ("Description", "UnitType"))
    return tuple(names), tuple(units)


def _decoded(text: str | None) -> str | None:
    try:
        return text and text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return text


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


def _unreadable(name: str, error: Exception) -> InputError:
    path, cause = Path(name), error.__cause__ or error.__context__ or error
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _IMAGES)
        remedy = f"pass a file in it, such as {inside[0]}" if inside else "pass the image file itself"
        return InputError(name, "a folder", "an image file", remedy)
    reason = str(cause).replace("\n", " ").strip().rstrip(".")
    found = f"GDAL cannot read it ({reason})"
    if "Range downloading not supported" in reason:
        found = "its server does not serve parts of files"
        remedy = "download the file first, and pass the downloaded one"
        return InputError(name, found, "a server that answers range requests, or a local file", remedy)
    if isinstance(cause, CPLE_HttpResponseError):
        remedy = "check the address, the access and the network"
        return InputError(name, found, "an address that answers", remedy)
    if way := _way_inside(name):
        return InputError(name, found, "an image, not an archive", f"pass the image inside it, as in {way}")
    remedy = "fetch it again, or check it with gdalinfo -checksum where GDAL's tools are installed"
    return InputError(name, found, "a complete file in a format that GDAL reads", remedy)


def _way_inside(name: str) -> str | None:
    """How GDAL is told of an image in the archive `name`; None where it is none, or was named so."""
    for ending, form in _INSIDE.items():
        if name.lower().endswith(ending):
            way = form.format(name.removeprefix(form[: form.index("{")]))
            return way if way != name else None
    return None


def _forbidden(name: str, role: str) -> InputError:
    return InputError(
        name, "no permission to read it", f"a readable raster as {role}", "check its permissions"
    )


def _nearest_file(path: Path) -> str:
    try:
        siblings = {p.stem: p.name for p in sorted(path.parent.iterdir())}
    except OSError:
        return f"check the path: the folder {path.parent} is not there"
    # Not their endings, which are mostly the same.
    close = difflib.get_close_matches(path.stem, siblings, 1)
    if not close:
        return "check the path"
    return f"did you mean {path.parent / siblings[close[0]]}? If not, check the path"
