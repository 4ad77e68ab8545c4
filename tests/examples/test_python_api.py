"""The tour of the Python interface: every part of it is run, and says what came of it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "python_api.py"


@pytest.mark.slow
def test_every_part_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rioxarray", reason="the extra 'xarray' is not installed")
    monkeypatch.setattr("sys.argv", [str(EXAMPLE), str(tmp_path)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    text = capsys.readouterr().out
    told = dict(line.split(": ", 1) for line in text.splitlines())
    assert told["refused"] == "4 bands; needed: a panchromatic image of one band as PAN"
    assert told["fused"].startswith("sharp.tif by hfreqdiff")
    assert "converged" in told["calibration"]
    assert told["numpy"] == "ndarray (4, 256, 256) uint16"
    assert told["xarray"].startswith("('band', 'y', 'x') (4, 256, 256), EPSG:32631, bands ('blue'")
    assert told["dask"].endswith("the same pixels")
    assert "not the same" not in text
    assert (tmp_path / "sharp.tif").exists()
