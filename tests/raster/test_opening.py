"""A name that leads to no raster is refused in plain words, each with the next step."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp.errors import InputError
from geosharp.raster.opening import check_exists, check_proj, no_bands, opened
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
    assert "did you mean" not in refusal(tmp_path / "else.jp2").remedy
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


def test_an_archive_is_told_with_the_way_into_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "scene.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert f"/vsizip/{tmp_path}/scene.zip/" in refusal(tmp_path / "scene.zip").remedy


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
