"""README's picture is what its script makes."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

EXAMPLES = Path(__file__).parents[2] / "examples"


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return np.asarray(file.read(), float)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_script_makes_the_picture_that_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "picture.png"
    monkeypatch.setattr(sys, "argv", ["picture.py", "--out", str(out)])
    runpy.run_path(str(EXAMPLES / "picture.py"), run_name="__main__")
    made, shown = read(out), read(EXAMPLES / "picture.png")
    assert made.shape == shown.shape
    assert np.abs(made - shown).mean() < 1
