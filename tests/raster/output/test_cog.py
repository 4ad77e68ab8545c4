"""A cloud-optimised file is one by every validator, and says what a plain one says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile

from geosharp.raster.output import BandInfo, OutputFormat, SceneWriter
from geosharp.raster.output.cog import restore_content
from tests.raster.output.test_writer import make_content, save


def test_cog_passes_both_validators(tmp_path: Path) -> None:
    cogeo = pytest.importorskip("rio_cogeo.cogeo", reason="rio-cogeo is not installed")
    path = tmp_path / "out.tif"
    save(path, make_content((1100, 1500), 4, "uint8"), OutputFormat(cog=True))
    assert cogeo.cog_validate(path, strict=True)[0]
    module = "osgeo_utils.samples.validate_cloud_optimized_geotiff"
    python = "/usr/bin/python3"
    there = Path(python).exists()
    probe = [python, "-c", f"import {module}"]
    if not there or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("GDAL's own validator is not installed")
    run = subprocess.run([python, "-m", module, path], capture_output=True, text=True, check=False)
    assert "is a valid cloud optimized GeoTIFF" in run.stdout, run.stdout + run.stderr


def test_a_cog_gains_no_tags_from_sidecars(tmp_path: Path) -> None:
    save(tmp_path / "out.tif", make_content((60, 60), tags={"IMD": {"satId": "X1"}}), OutputFormat(cog=True))
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert set(raster.tags()) == {"AREA_OR_POINT"}
        assert raster.tags(ns="IMD") == {"satId": "X1"}


@pytest.mark.parametrize("text", ["x", "<&> and quotes", "long " * 100])
def test_tags_of_bands_survive_whatever_their_length(tmp_path: Path, text: str) -> None:
    bands = (BandInfo("a", tags={"k": text}), BandInfo("b", tags={"PADDING": "theirs"}))
    content = make_content((60, 60), bands=bands, tags={"OWN": {"a": "b"}})
    save(tmp_path / "out.tif", content, OutputFormat(cog=True))
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert (raster.tags(1), raster.tags(2)) == ({"k": text}, {"PADDING": "theirs"})
        assert raster.tags(ns="OWN") == {"a": "b"}
        assert "PADDING" not in raster.tags()


def test_four_uint8_bands_hold_no_opacity_in_any_overview(tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    save(source, make_content((1100, 1100), 4, "uint8"))
    rasterio.shutil.copy(source, tmp_path / "out.tif", driver="COG")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        before = {tuple(page.tags["ExtraSamples"].value) for page in file.pages if page.samplesperpixel == 4}
    assert before == {(2,)}  # else GDAL has mended it, and restore_content has nothing to do
    restore_content(source, tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        after = {tuple(page.tags["ExtraSamples"].value) for page in file.pages if page.samplesperpixel == 4}
    assert after == {(0,)}


def test_overviews_can_be_asked_for(tmp_path: Path) -> None:
    form = OutputFormat(cog=True, creation={"OVERVIEW_RESAMPLING": "NEAREST", "OVERVIEW_COUNT": "1"})
    content = make_content((1100, 1100), 1, masked=False, nodata=None)
    data = np.tile(np.uint16([[1, 9], [9, 9]]), (550, 550))[None]
    with SceneWriter(tmp_path / "out.tif", content, form) as writer:
        writer.write(content.grid.rect, data, None)
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.overviews(1) == [2]
    with rasterio.open(tmp_path / "out.tif", overview_level=0) as raster:
        assert set(np.unique(raster.read())) <= {1, 9}  # an average would be 7
