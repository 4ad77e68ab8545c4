"""Parts below each other are read, and shown, as the one raster that they are of."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from geosharp.errors import OutputError
from geosharp.raster.grid import Grid, Rect
from geosharp.raster.output import BandInfo, Content, OutputFormat, SceneWriter
from geosharp.raster.output.mosaic import MosaicReader, Piece, write_mosaic

SHAPE, CUTS = (70, 50), (0, 32, 64, 70)


@pytest.fixture
def whole() -> tuple[Content, np.ndarray, np.ndarray]:
    """A content, its pixels and which are valid; among those that are, some hold the no-data value."""
    grid = Grid(SHAPE, Affine(0.5, 0, 1000, 0, -0.5, 2000), CRS.from_epsg(32631))
    bands = (BandInfo("red", "red", scale=2.0, unit="DN"), BandInfo("nir", tags={"key": "<&>"}))
    content = Content(grid, "uint16", bands, nodata=0, masked=True, tags={"": {"GEOSHARP_METHOD": "glp"}})
    draw = np.random.default_rng(0)
    data, valid = draw.integers(0, 3, (2, *SHAPE)).astype(np.uint16), draw.random(SHAPE) < 0.7
    data[:, ~valid] = 0
    return content, data, valid


def write_pieces(folder: Path, content: Content, data: np.ndarray, valid: np.ndarray) -> list[Piece]:
    folder.mkdir()
    pieces = []
    for start, stop in itertools.pairwise(CUTS):
        rect = Rect(start, 0, stop - start, SHAPE[1])
        piece = Piece(rect, folder / f"{start}.tif")
        part = Content(content.grid.crop(rect), "uint16", content.bands, nodata=0, masked=True)
        with SceneWriter(piece.path, part, OutputFormat(overviews=False)) as writer:
            writer.write(Rect(0, 0, *rect.shape), data[:, start:stop], valid[start:stop])
        pieces.append(piece)
    return pieces


def test_what_is_read_is_what_was_written(
    tmp_path: Path, whole: tuple[Content, np.ndarray, np.ndarray]
) -> None:
    content, data, valid = whole
    reader = MosaicReader(write_pieces(tmp_path / "parts", content, data, valid), masked=True)
    for rect in (Rect(40, 3, 20, 30), Rect(0, 0, 32, 50), Rect(64, 49, 6, 1)):
        found, mask = reader.read(rect)
        rows, cols = slice(rect.row, rect.stop_row), slice(rect.col, rect.stop_col)
        assert np.array_equal(found, data[:, rows, cols])
        assert mask is not None
        assert np.array_equal(mask, valid[rows, cols])
    reader.close()


def test_the_vrt_shows_all_of_it_and_moves_with_its_parts(
    tmp_path: Path, whole: tuple[Content, np.ndarray, np.ndarray]
) -> None:
    content, data, valid = whole
    (tmp_path / "a").mkdir()
    pieces = write_pieces(tmp_path / "a" / "parts", content, data, valid)
    write_mosaic(tmp_path / "a" / "all.vrt", content, pieces)
    (tmp_path / "a").rename(tmp_path / "b")
    with rasterio.open(tmp_path / "b" / "all.vrt") as raster:
        assert np.array_equal(raster.read(), data)
        assert np.array_equal(raster.dataset_mask() > 0, valid)
        assert (raster.crs, raster.transform, raster.nodata) == (content.grid.crs, content.grid.transform, 0)
        assert raster.descriptions == ("red", "nir")
        assert (raster.scales[0], raster.units[0]) == (2.0, "DN")
        assert raster.tags()["GEOSHARP_METHOD"] == "glp"
        assert raster.tags(2)["key"] == "<&>"
    assert [path.name for path in (tmp_path / "b").iterdir() if path.is_file()] == ["all.vrt"]


def test_a_broken_part_is_told(tmp_path: Path, whole: tuple[Content, np.ndarray, np.ndarray]) -> None:
    pieces = write_pieces(tmp_path / "parts", *whole)
    pieces[1].path.write_bytes(pieces[1].path.read_bytes()[:200])
    reader = MosaicReader(pieces, masked=True)
    with pytest.raises(OutputError, match=r"32.tif: cannot be read"):
        reader.read(Rect(40, 3, 20, 30))
    reader.close()
