"""What holds nothing valid is no result, unless it is a part of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rasterio

from geosharp.engine.preparation import prepare
from geosharp.engine.writing import write_tiles
from geosharp.errors import PairError, ResourceError
from geosharp.raster.content import fused_content
from geosharp.raster.output import OutputFormat, SceneWriter


class NothingJob:
    """Finds no tile valid."""

    def open_reader(self) -> NothingJob:
        return self

    def read(self, tile: Any) -> None:
        return None

    def close(self) -> None: ...

    def start_thread(self) -> None: ...

    def end_threads(self) -> None: ...

    def compute(self, tile: Any, patch: Any) -> None:
        raise AssertionError("there is nothing to compute")


def test_nothing_is_refused_and_leaves_no_file_but_as_a_part(
    tmp_path: Path, made_pair: tuple[Path, Path]
) -> None:
    setup = prepare(*made_pair, method="exp", tile=64)
    content = replace(fused_content(setup.scene, setup.plan.area, setup.pixels, {}), masked=True)

    def output(name: str) -> SceneWriter:
        return SceneWriter(tmp_path / name, content, OutputFormat(overviews=False))

    with pytest.raises(PairError, match="not one pixel of the result would be valid"):
        write_tiles(NothingJob, setup, output("a.tif"))
    assert list(tmp_path.glob("*a.tif*")) == []
    assert write_tiles(NothingJob, setup, output("b.tif"), may_be_empty=True) == 0
    with rasterio.open(tmp_path / "b.tif") as raster:
        assert not raster.dataset_mask().any()


def test_a_job_that_finds_no_memory_is_told(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    setup = prepare(*made_pair, method="exp", tile=64)
    content = fused_content(setup.scene, setup.plan.area, setup.pixels, {})

    def make() -> Any:
        raise MemoryError

    with pytest.raises(ResourceError, match="memory: none left for tiles of 64"):
        write_tiles(make, setup, SceneWriter(tmp_path / "a.tif", content, OutputFormat()))
    assert not (tmp_path / "a.tif").exists()
