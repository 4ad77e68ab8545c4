"""The example of an archive: what is whole is fused and lies in the mosaic, what is broken is told."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

EXAMPLE = Path(__file__).parents[2] / "examples" / "batch_scenes.py"


def test_an_archive_becomes_a_mosaic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(EXAMPLE), "--out", "fused", "--method", "glp"])

    def run() -> str:
        with pytest.raises(SystemExit, match=r"^0$"):
            runpy.run_path(str(EXAMPLE), run_name="__main__")
        return capsys.readouterr().out

    first, second = run(), run()
    assert "1/3 strip0_pan: done" in first
    assert "3/3 strip2_pan: failed" in first
    assert first.splitlines()[-1] == "fused/mosaic.vrt shows 2 results"
    assert "strip0_pan: skipped" in second
    with rasterio.open(tmp_path / "fused" / "mosaic.vrt") as mosaic:
        assert (mosaic.shape, mosaic.count, mosaic.crs.to_epsg()) == ((256, 512), 4, 32631)
        for number in range(2):
            with rasterio.open(tmp_path / "fused" / f"strip{number}_pan_fused.tif") as result:
                there = mosaic.read(window=Window(256 * number, 0, 256, 256))
                assert np.array_equal(there, result.read())
                assert there.std() > 10


def test_a_mosaic_names_results_wherever_a_table_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = runpy.run_path(str(EXAMPLE))
    archive = example["make_archive"](tmp_path / "in")
    (archive / "list.csv").write_text(
        "pan,ms,out\nstrip0_pan.tif,strip0_ms.tif,north/a.tif\nstrip1_pan.tif,strip1_ms.tif,south/a.tif\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["x", "in/list.csv", "--out", "fused", "--method", "exp"])
    with pytest.raises(SystemExit, match=r"^0$"):
        example["main"]()
    assert capsys.readouterr().out.splitlines()[-1] == "fused/mosaic.vrt shows 2 results"
    with rasterio.open("fused/mosaic.vrt") as mosaic, rasterio.open("fused/south/a.tif") as result:
        assert np.array_equal(mosaic.read(window=Window(256, 0, 256, 256)), result.read())
