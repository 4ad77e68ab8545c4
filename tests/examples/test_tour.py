"""The notebook runs from top to bottom, in one namespace, and is committed without what it has shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "tour.ipynb"
CELLS = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]


def test_it_is_committed_without_outputs() -> None:
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.slow
def test_its_cells_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    pytest.importorskip("rioxarray", reason="the extra 'xarray' is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for number, cell in enumerate(CELLS):
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)  # noqa: S102
        assert len(plt.get_fignums()) == 4
    finally:
        plt.close("all")
    assert names["made"].scores["hfreqdiff"].psnr > names["made"].scores["exp"].psnr
    assert names["results"]["fused.tif"]["hqnr"] > 0
    assert names["part"].grid.shape == (64, 64)
    assert names["read"](names["part"].uncertainty).mean() > 0
    assert names["corner"].shape == (4, 100, 100)
    assert "converged" in capsys.readouterr().out
