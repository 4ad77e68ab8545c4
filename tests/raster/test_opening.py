"""A name that leads to no raster is refused in plain words, each with the next step."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp.errors import InputError
from geosharp.raster.opening import check_exists, check_proj, gdal_name, no_bands, opened
from tests.made import write_raster

ROOT = Path(__file__).parents[2]


def refusal(name: str | Path) -> InputError:
    def open_it() -> None:
        check_exists(str(name), "PAN")
        with opened(str(name)):
            pass

    with pytest.raises(InputError) as caught:
        open_it()
    error = caught.value
    assert error.subject == str(name)
    assert all((error.found, error.needed, error.remedy))
    return error


def test_a_missing_file_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "scene_pan.tif").touch()
    error = refusal(tmp_path / "scene_pam.tif")
    assert error.found == "no such file"
    assert f"did you mean {tmp_path}/scene_pan.tif?" in error.remedy
    for other in ("else.jp2", "nope.tif"):
        assert "did you mean" not in refusal(tmp_path / other).remedy
    assert "folder" in refusal(tmp_path / "nowhere" / "pan.tif").remedy
    assert "no such file" in refusal(tmp_path / ("a" * 400)).found


def test_a_broken_link_is_told_from_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "pan.tif").symlink_to(tmp_path / "gone.tif")
    assert "gone.tif, which is not there" in refusal(tmp_path / "pan.tif").found


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "pan.tif", np.ones((1, 4, 4), "uint8"))
    path.chmod(0)
    assert "permission" in refusal(path).found


@pytest.mark.parametrize("folder_too", [False, True])
def test_a_refused_stat_or_access_is_told_as_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder_too: bool
) -> None:
    path = write_raster(tmp_path / "pan.tif", np.ones((1, 4, 4), "uint8"))

    def forbid(*_: object, **__: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "access", lambda *_: False)
    if folder_too:
        monkeypatch.setattr(Path, "stat", forbid)
    with pytest.raises(InputError, match="no permission to read it"):
        check_exists(str(path), "PAN")


def test_empty_foreign_and_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    assert "0 bytes" in refusal(tmp_path / "empty.tif").found
    (tmp_path / "note.tif").write_text("no raster")
    assert "not recognized" in refusal(tmp_path / "note.tif").found
    folder = tmp_path / "folder"
    folder.mkdir()
    assert refusal(folder).found == "a folder"
    (folder / "image.TIF").touch()
    assert "image.TIF" in refusal(folder).remedy


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("file:///a/b.tif", "/a/b.tif"),
        ("file://localhost/a/b%20c.tif", "/a/b c.tif"),
        ("file:/a/b.tif", "/a/b.tif"),
        ("file://localhosts/b.tif", "localhosts/b.tif"),
        ("zip:///a/b.zip!in/c.tif", "/vsizip//a/b.zip/in/c.tif"),
        ("zip:///a/b.zip!/c.tif", "/vsizip//a/b.zip/c.tif"),
        ("zip+file:///a/b.zip!c.tif", "/vsizip//a/b.zip/c.tif"),
        ("zip://a/b.zip", "/vsizip/a/b.zip"),
        ("tar:///a.tar!b.tif", "/vsitar//a.tar/b.tif"),
        ("gzip:///a.tif.gz", "/vsigzip//a.tif.gz"),
        ("https://x.org/a!b.tif?key=1&c=%20#d", "/vsicurl/https://x.org/a!b.tif?key=1&c=%20#d"),
        ("HTTP://x.org/a.tif", "/vsicurl/http://x.org/a.tif"),
        ("zip+https://x.org/a.zip!b.tif", "/vsizip//vsicurl/https://x.org/a.zip/b.tif"),
        ("s3://bucket/a.tif", "/vsis3/bucket/a.tif"),
        ("tar+gs://bucket/a.tar!b.tif", "/vsitar//vsigs/bucket/a.tar/b.tif"),
        ("az://box/a.tif", "/vsiaz/box/a.tif"),
        ("a b.tif", "a b.tif"),
        ("/a/b!c%20.tif", "/a/b!c%20.tif"),
        ("zip+files", "zip+files"),
        ("zip:notes.tif", "zip:notes.tif"),
        ("/vsizip//a.zip/b.tif", "/vsizip//a.zip/b.tif"),
        ("GPKG:/a/b.gpkg:first", "GPKG:/a/b.gpkg:first"),
        ("vrt:///a/b.tif?bands=1", "vrt:///a/b.tif?bands=1"),
        ("<VRTDataset/>", "<VRTDataset/>"),
    ],
)
def test_uris_become_what_gdal_opens_and_other_names_stay(name: str, path: str) -> None:
    assert gdal_name(name) == path
    assert gdal_name(path) == path


def archived(folder: Path, name: str) -> Path:
    """An archive that holds a raster, called image.tif where the archive gives names."""
    image = write_raster(folder / "image.tif", np.ones((1, 4, 4), "uint8"))
    path = folder / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(image, "image.tif")
            archive.writestr("readme.txt", "nothing")
    elif "tar" in name or name.endswith(".tgz"):
        with tarfile.open(path, "w" if name.endswith(".tar") else "w:gz") as archive:
            archive.add(image, "image.tif")
            archive.add(image, "other.tif")
    else:
        path.write_bytes(gzip.compress(image.read_bytes()))
    return path


def advised(name: str | Path) -> str:
    """The path that the refusal of `name` advises."""
    error = refusal(name)
    assert error.needed == "an image, not an archive"
    return error.remedy.rsplit(" ", 1)[-1]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz", "a.tar.gz", "a.tif.gz"])
def test_the_way_into_an_archive_that_is_advised_leads_there(tmp_path: Path, name: str) -> None:
    with opened(advised(archived(tmp_path, name))) as raster:
        assert raster.shape == (4, 4)


def test_an_archive_named_as_such_but_not_its_image_is_told_the_same_way(tmp_path: Path) -> None:
    path = archived(tmp_path, "a.tar")
    assert advised(f"/vsitar/{path}") == advised(path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served, whole files only, by another process.

    A thread would not do: rasterio holds the interpreter while GDAL waits for an answer.
    """
    folder = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "-d", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with process, pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        try:
            assert process.stdout is not None
            port = re.search(r"port (\d+)", process.stdout.readline())
            assert port is not None
            yield folder, f"http://127.0.0.1:{port[1]}"
        finally:
            process.terminate()


def test_the_way_into_an_archive_on_a_server_leads_there(server: tuple[Path, str]) -> None:
    folder, address = server
    archived(folder, "a.zip")
    way = advised(gdal_name(f"{address}/a.zip"))
    assert way == f"/vsizip//vsicurl/{address}/a.zip/image.tif"
    assert way == gdal_name(f"zip+{address}/a.zip!image.tif")
    with opened(way) as raster:
        assert raster.shape == (4, 4)


def test_a_server_of_whole_files_only_and_a_missing_address_are_told(server: tuple[Path, str]) -> None:
    folder, address = server
    write_raster(
        folder / "large.tif", np.random.default_rng(0).integers(0, 255, (1, 900, 900)).astype("uint8")
    )
    error = refusal(gdal_name(f"{address}/large.tif"))
    assert "does not serve parts of files" in error.found
    assert "download" in error.remedy
    missing = refusal(gdal_name(f"{address}/none.tif"))
    assert "404" in missing.found
    assert "check the address" in missing.remedy


def test_what_a_server_sends_is_not_made_of_files_here(server: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = server
    mine, theirs = tmp_path / "mine.tif", folder / "theirs.tif"
    for path in (mine, theirs):
        write_raster(path, np.ones((1, 4, 4), "uint8"))
    band = (
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        "<SourceFilename>{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
    )
    text = f'<VRTDataset rasterXSize="4" rasterYSize="4">{band}</VRTDataset>'
    (folder / "image.tif").write_text(text.format(mine))
    error = refusal(gdal_name(f"{address}/image.tif"))
    assert f"a file of this computer, {mine}" in error.found
    (folder / "other.tif").write_text(text.format(f"/vsicurl/{address}/theirs.tif"))
    with opened(gdal_name(f"{address}/other.tif")) as raster:
        assert raster.shape == (4, 4)


def test_text_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.vrt"
    crs = '<SRS>LOCAL_CS["r\u00e9seau",UNIT["metre",1]]</SRS>'
    band = '<VRTRasterBand dataType="Byte" band="1"/>'
    text = f'<VRTDataset rasterXSize="4" rasterYSize="4">{crs}{band}</VRTDataset>'
    path.write_text(text, encoding="latin-1")
    error = refusal(path)
    assert "not UTF-8" in error.found
    assert r"r\xe9seau" in error.found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of any bytes")
def test_a_name_that_is_not_utf8_is_told_in_words_that_can_be_printed(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((1, 4, 4), "uint8"))
    name = os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9seau.tif")
    path.rename(name)
    with pytest.raises(InputError, match="Rename") as caught, opened(name):
        pass
    str(caught.value).encode("utf-8")


def test_names_that_only_gdal_can_judge_reach_it(tmp_path: Path) -> None:
    for name in (f"/vsizip/{tmp_path}/none.zip/a.tif", "NETCDF:none.nc:band", "https://"):
        check_exists(name, "PAN")
    assert "cannot read" in refusal(f"/vsizip/{tmp_path}/none.zip/a.tif").found


def test_a_dataset_without_bands_and_images_is_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((1, 4, 4), "uint8"))
    with rasterio.open(path) as raster:
        assert "without bands" in no_bands(raster, "a.nc", "MS").found


def test_proj_as_it_comes_passes() -> None:
    check_proj()


@pytest.mark.parametrize("kind", ["empty", "old"])
@pytest.mark.parametrize("variable", ["PROJ_DATA", "PROJ_LIB"])
def test_proj_data_of_another_version_is_named(tmp_path: Path, variable: str, kind: str) -> None:
    if kind == "old":
        shutil.copy(Path(rasterio.__file__).parent / "proj_data" / "proj.db", tmp_path)
        with sqlite3.connect(tmp_path / "proj.db") as database:
            database.execute("update metadata set value = 1 where key = 'DATABASE.LAYOUT.VERSION.MINOR'")
        database.close()
    code = (
        "from geosharp.errors import ResourceError\n"
        "from geosharp.raster.opening import check_proj\n"
        "try:\n    check_proj()\nexcept ResourceError as error:\n    print(error)\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PROJ_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**environment, variable: str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"{variable}={tmp_path}" in done.stdout
    assert "unset" in done.stdout.lower()
    assert "PROJ" not in done.stderr
