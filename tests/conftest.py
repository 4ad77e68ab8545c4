"""Fixtures that every room's tests share."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
import typer.testing

# A PROJ of the machine's own is not the one in rasterio's wheel; they must be gone before rasterio loads.
for name in ("PROJ_DATA", "PROJ_LIB"):
    os.environ.pop(name, None)
# One thread, as many as the engine gives torch: more wait for each other by spinning, which on cores that
# others use takes many times as long as the small tensors of tests. To be set before torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Every command that a test starts would compile all of geosharp anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Each of hundreds of commands would build the tree of all of them first.
typer.testing._get_command = functools.cache(typer.testing._get_command)

DATA_VARIABLE = "GEOSHARP_DATA"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real scenes; the test is skipped where there is none."""
    told = os.environ.get(DATA_VARIABLE)
    folder = Path(told) if told else Path(__file__).parents[2] / "shared" / "data"
    if folder.is_dir():
        return folder
    if told:
        pytest.fail(f"{DATA_VARIABLE} names {told}, which is no folder")
    return pytest.skip(f"no real scenes: {DATA_VARIABLE} is not set and ../shared/data is absent")


@pytest.fixture(scope="session")
def made_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A PAN of 256 x 256 and an MS of 64 x 64 with 4 bands, uint16. Shared: read them, never write them."""
    from tests.made import make_pair

    return make_pair(tmp_path_factory.mktemp("made_pair"))
