"""Whatever SceneWriter says it wrote reads back; whatever stops it leaves the folder as it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile
from affine import Affine
from rasterio.crs import CRS

from geosharp.errors import OutputError
from geosharp.raster.grid import Grid, Rect, tiles
from geosharp.raster.output import BandInfo, Content, OutputFormat, SceneWriter
from geosharp.raster.output.tiff import find_damage

UTM = CRS.from_epsg(32633)
TRANSFORM = Affine(0.5, 0, 500_000, 0, -0.5, 4_600_000)
KINDS = {
    "plain": OutputFormat(),
    "cog": OutputFormat(cog=True),
    "packed": OutputFormat(creation={"NBITS": "12"}),
}


def list_names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def make_content(shape: tuple[int, int], count: int = 2, dtype: str = "uint16", **changes: Any) -> Content:
    bands = tuple(BandInfo(name=f"band {n}") for n in range(count))
    return replace(Content(Grid(shape, TRANSFORM, UTM), dtype, bands, nodata=0.0, masked=True), **changes)


def make_image(content: Content, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(band, row, col) pixels without nodata where valid, and their mask with a hole and a border."""
    rng = np.random.default_rng(seed)
    shape = content.grid.shape
    data = rng.integers(1, 120, (len(content.bands), *shape)).astype(content.dtype)
    valid = np.ones(shape, bool)
    valid[: shape[0] // 5, : shape[1] // 3] = False
    valid[shape[0] // 2, shape[1] // 2] = False
    data[:, ~valid] = content.nodata or 0
    return data, valid


def save(
    path: Path,
    content: Content,
    form: OutputFormat | None = None,
    tile: int = 512,
    start: tuple[int, int] = (0, 0),
    overwrite: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Write a made image in tiles along multiples of `tile` from pixel `start` above the image."""
    data, valid = make_image(content)
    area = content.grid.rect.move(*start)
    with SceneWriter(path, content, form or OutputFormat(), overwrite=overwrite) as writer:
        for rect in tiles(area, tile):
            part = rect.move(-start[0], -start[1])
            rows, cols = part.within(content.grid.rect)
            writer.write(part, data[:, rows, cols], valid[rows, cols])
    return data, valid


@pytest.mark.parametrize("cog", [False, True])
@pytest.mark.parametrize(
    ("shape", "tile", "start"),
    [
        ((700, 1100), 512, (0, 0)),
        ((700, 1100), 200, (77, 130)),
        ((700, 1100), 640, (511, 1)),
        ((60, 47), 512, (0, 0)),
        ((60, 47), 16, (3, 9)),
    ],
)
def test_pixels_and_mask_read_back_for_any_tiling(
    tmp_path: Path, shape: tuple[int, int], tile: int, start: tuple[int, int], cog: bool
) -> None:
    data, valid = save(tmp_path / "out.tif", make_content(shape), OutputFormat(cog=cog), tile, start)
    with rasterio.open(tmp_path / "out.tif") as raster:
        np.testing.assert_array_equal(raster.read(), data)
        np.testing.assert_array_equal(raster.dataset_mask() > 0, valid)
        assert raster.block_shapes == [(512, 512)] * 2
    assert list_names(tmp_path) == ["out.tif"]


def test_an_image_without_georeferencing_raises_no_warning(tmp_path: Path) -> None:
    save(tmp_path / "out.tif", make_content((600, 600), grid=Grid((600, 600), None, None)))
    assert (tmp_path / "out.tif").exists()


@pytest.mark.parametrize("cog", [False, True])
def test_a_reader_without_gdal_agrees(tmp_path: Path, cog: bool) -> None:
    content = make_content((700, 1100), 4, "uint8")
    deflate = OutputFormat(cog=cog, creation={"COMPRESS": "DEFLATE"})  # tifffile alone cannot undo ZSTD
    data, _ = save(tmp_path / "deflate.tif", content, deflate)
    pixels = tifffile.imread(tmp_path / "deflate.tif", series=0)
    np.testing.assert_array_equal(pixels if pixels.shape[0] == 4 else np.moveaxis(pixels, -1, 0), data)
    save(tmp_path / "out.tif", content, OutputFormat(cog=cog))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        page = file.pages[0]
        assert page.tags["TileWidth"].value == page.tags["TileLength"].value == 512
        assert page.tags["Compression"].value.name == "ZSTD"
        assert page.tags["Predictor"].value == 2
        if not cog:  # GDAL's COG driver calls four uint8 bands RGB and one more, whatever they are
            assert page.tags["PhotometricInterpretation"].value.name == "MINISBLACK"
        assert all(
            set(image.tags["ExtraSamples"].value) == {0} for image in file.pages if image.samplesperpixel > 1
        )
        assert page.tags["ModelPixelScaleTag"].value == (0.5, 0.5, 0.0)
        assert page.tags["ModelTiepointTag"].value == (0, 0, 0, 500_000, 4_600_000, 0)
        assert page.geotiff_tags["ProjectedCSTypeGeoKey"] == 32633
        assert page.tags["GDAL_NODATA"].value == "0"
        assert "band 3" in page.tags["GDAL_METADATA"].value


@pytest.mark.parametrize("cog", [False, True])
@pytest.mark.parametrize("form", [OutputFormat(), OutputFormat(mask=False)])
def test_what_is_skipped_or_never_comes_is_nodata_and_invalid(
    tmp_path: Path, form: OutputFormat, cog: bool
) -> None:
    content = make_content((1100, 1100), nodata=7.0)
    with SceneWriter(tmp_path / "out.tif", content, replace(form, cog=cog)) as writer:
        writer.skip(Rect(0, 0, 512, 1100))
        writer.write(Rect(512, 100, 100, 100), np.full((2, 100, 100), 9, "uint16"), None)
        writer.skip(Rect(612, 100, 300, 500))
    expected = np.zeros((1100, 1100), bool)
    expected[512:612, 100:200] = True
    with rasterio.open(tmp_path / "out.tif") as raster:
        np.testing.assert_array_equal(raster.read(2), np.where(expected, 9, 7))
        np.testing.assert_array_equal(raster.dataset_mask() > 0, expected)
    assert find_damage(tmp_path / "out.tif") is None


@pytest.mark.parametrize("cog", [False, True])
def test_overviews_average_valid_pixels_only(tmp_path: Path, cog: bool) -> None:
    content = make_content((1100, 2100), 1)
    valid = np.ones((1100, 2100), bool)
    valid[:, 1::2] = False  # half of every averaged block
    valid[:400] = False
    data = np.where(valid, 100, 0).astype("uint16")[None]
    with SceneWriter(tmp_path / "out.tif", content, OutputFormat(cog=cog)) as writer:
        writer.write(content.grid.rect, data, valid)
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.overviews(1)[:2] == [2, 4]
    with rasterio.open(tmp_path / "out.tif", overview_level=1) as raster:
        assert raster.shape == (275, 525)
        assert raster.compression.name.lower() == "zstd"
        assert raster.block_shapes[0] == (512, 512)
        pixels, mask = raster.read(1), raster.dataset_mask() > 0
        assert not pixels[:100].any()
        assert not mask[:100].any()
        assert (pixels[100:] == 100).all()


@pytest.mark.parametrize(
    ("shape", "form", "levels"),
    [
        ((512, 3000), OutputFormat(), []),
        ((513, 600), OutputFormat(), [2]),
        ((2049, 2050), OutputFormat(), [2, 4, 8]),
        ((2049, 2050), OutputFormat(overviews=False), []),
        ((1100, 1100), OutputFormat(cog=True, overviews=False), []),
    ],
)
def test_overviews_go_down_to_one_block(
    tmp_path: Path, shape: tuple[int, int], form: OutputFormat, levels: list[int]
) -> None:
    with SceneWriter(tmp_path / "out.tif", make_content(shape, 1), form):
        pass
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.overviews(1) == levels


@pytest.mark.parametrize("cog", [False, True])
@pytest.mark.parametrize(("tile", "start"), [(256, (0, 0)), (300, (55, 66)), (1024, (0, 0))])
def test_the_same_calls_give_the_same_bytes(
    tmp_path: Path, tile: int, start: tuple[int, int], cog: bool
) -> None:
    for name in ("a.tif", "b.tif"):
        save(tmp_path / name, make_content((1100, 1500)), OutputFormat(cog=cog), tile, start)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_run_leaves_the_folder_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out.tif"
    path.write_bytes(b"old")
    content = make_content((700, 600), tags={"IMD": {"satId": "X1"}})
    writer = SceneWriter(path, content, OutputFormat(), overwrite=True)

    def run() -> None:
        with writer:
            writer.write(Rect(0, 0, 512, 512), np.ones((2, 512, 512), "uint16"), None)
            assert len(list_names(tmp_path)) >= 2
            raise error

    with pytest.raises(error):
        run()
    assert list_names(tmp_path) == ["out.tif"]
    assert path.read_bytes() == b"old"


def test_an_interrupt_while_finishing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rasterio.shutil, "copy", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "out.tif", make_content((60, 60)), OutputFormat(cog=True))
    assert list_names(tmp_path) == []


def test_a_wrong_tile_is_a_programming_error(tmp_path: Path) -> None:
    writer = SceneWriter(tmp_path / "out.tif", make_content((60, 60)), OutputFormat())
    with pytest.raises(ValueError, match="do not fit"), writer:
        writer.write(Rect(0, 0, 16, 16), np.zeros((2, 16, 16), "uint8"), None)
    with pytest.raises(ValueError, match="not within"), writer:
        writer.skip(Rect(50, 0, 16, 16))


_WRITE_UNDER_LIMIT = """
import resource, signal, sys
from pathlib import Path
from geosharp.errors import OutputError
from tests.raster.output.test_writer import KINDS, list_names, make_content, save
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, kind, *limits = sys.argv[1:]
for limit in map(int, limits):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        save(Path(path), make_content((700, 1100)), KINDS[kind], 300)
    except OutputError as error:
        print(f"refused: {error}; left: {list_names(Path(path).parent)}")
"""


@pytest.mark.parametrize("kind", ["plain", "cog", "packed"])
def test_a_file_cut_short_is_never_renamed(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("resource", reason="this system has no file size limits")
    save(tmp_path / "whole.tif", make_content((700, 1100)), KINDS[kind], 300)
    size = (tmp_path / "whole.tif").stat().st_size
    limits = [str(int(share * size)) for share in (0.02, 0.5, 0.8, 0.99)]
    (tmp_path / "whole.tif").unlink()
    run = subprocess.run(
        [sys.executable, "-c", _WRITE_UNDER_LIMIT, tmp_path / "out.tif", kind, *limits],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    refusals = run.stdout.splitlines()
    assert len(refusals) == len(limits)
    assert all(line.startswith("refused: ") and " free in " in line for line in refusals)
    assert all(line.endswith("; left: []") for line in refusals)
    assert list_names(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small disk takes root")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("filled_kb", [500, 2500, 2900, 3900, 4090])
@pytest.mark.parametrize("guarded", [True, False])
def test_a_full_disk_is_one_error_and_no_file(
    small_disk: Path, filled_kb: int, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the disk fills up behind the back of the look at the free space (guarded=False)."""
    if not guarded:
        monkeypatch.setattr(SceneWriter, "_free", lambda self: 1 << 40)
    (small_disk / "filler").write_bytes(bytes(filled_kb * 1000))
    content = make_content((700, 1100))
    if filled_kb > 500:
        with pytest.raises(OutputError, match="free"):
            save(small_disk / "out.tif", content, tile=300)
        assert list_names(small_disk) == ["filler"]
        return
    data, valid = save(small_disk / "out.tif", content, tile=300)
    with rasterio.open(small_disk / "out.tif") as raster:
        np.testing.assert_array_equal(raster.read(), data)
        np.testing.assert_array_equal(raster.dataset_mask() > 0, valid)


def test_too_little_space_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SceneWriter, "_free", lambda self: 1000)
    with pytest.raises(OutputError, match="too little space"):
        SceneWriter(tmp_path / "out.tif", make_content((700, 1100)), OutputFormat())
    assert list_names(tmp_path) == []


def test_a_disk_that_was_full_for_a_while_is_noticed(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On closing, GDAL would fill the lost blocks with nodata."""
    monkeypatch.setattr(SceneWriter, "_free", lambda self: 1 << 40)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(3_900_000))
    content = make_content((700, 1100))
    writer = SceneWriter(small_disk / "out.tif", content, OutputFormat())

    def run() -> None:
        with writer:
            writer.write(content.grid.rect, *make_image(content))
            writer._raster.get_tag_item("BLOCK_SIZE_2_1", "TIFF", bidx=2)  # waits for GDAL's threads
            filler.unlink()

    with pytest.raises(OutputError, match="did not reach the disk"):
        run()
    assert list_names(small_disk) == []


def test_a_mask_that_is_not_the_one_given_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SceneWriter, "_write_mask", lambda self, masks: self._raster.write_mask(True))
    with pytest.raises(OutputError, match="mask"):
        save(tmp_path / "out.tif", make_content((60, 60)))
    assert list_names(tmp_path) == []


def test_a_disk_that_gets_full_stops_the_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = make_content((512, 1024))
    writer = SceneWriter(tmp_path / "out.tif", content, OutputFormat())

    def run() -> None:
        with writer:
            data, valid = make_image(content)
            writer.write(Rect(0, 0, 512, 512), data[:, :, :512], valid[:, :512])
            monkeypatch.setattr(SceneWriter, "_free", lambda self: 1000)
            with pytest.raises(OutputError, match="disk is full"):
                writer.write(Rect(0, 512, 512, 512), data[:, :, 512:], valid[:, 512:])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert list_names(tmp_path) == []
