"""The whole way from two files to one."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC
from rasterio.transform import from_origin

import geosharp
from geosharp import GeosharpError
from geosharp.engine.clock import (
    CALIBRATE,
    COMPUTE,
    FINISH,
    PARTS,
    PREPARE,
    WAIT_COMPUTE,
    WAIT_READ,
    WRITE,
)
from geosharp.engine.preparation import adopt, prepare
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Progress
from geosharp.errors import OutputError, PairError, ResourceError, UsageError
from geosharp.hfreqdiff.checkpoint import Model, load
from geosharp.hfreqdiff.models import open_model
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.imaging.degradation import Degradation
from geosharp.raster.scene import Scene, open_scene
from tests.hfreqdiff.made_model import make_model
from tests.made import ORIGIN, make_pair, texture, write_raster
from tests.quick import fuse
from tests.raster.made_saturated import saturate
from tests.raster.made_sensor import write_sensor

METHODS = ("exp", "brovey", "gsa", "glp", "glp-hpm")


def read(path: Path) -> np.ndarray:
    with _unplaced(), rasterio.open(path) as raster:
        return raster.read()


@contextmanager
def _unplaced() -> Iterator[None]:
    """For opening what has no georeference yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def punch(path: Path, nodata: float, holes: list[tuple[slice, slice]]) -> None:
    """Write `nodata` into holes of a raster and declare it."""
    with rasterio.open(path, "r+") as raster:
        raster.nodata = nodata
        data = raster.read()
        for rows, cols in holes:
            data[:, rows, cols] = nodata
        raster.write(data)


@pytest.mark.parametrize("method", METHODS)
def test_result_is_on_pans_grid_in_ms_dtype(
    tmp_path: Path, made_pair: tuple[Path, Path], method: str
) -> None:
    out = tmp_path / "out.tif"
    result = fuse(*made_pair, out, method=method)
    with rasterio.open(made_pair[0]) as pan, rasterio.open(made_pair[1]) as ms, rasterio.open(out) as fused:
        assert (fused.crs, fused.transform, fused.shape) == (pan.crs, pan.transform, pan.shape)
        assert fused.count == ms.count
        assert fused.dtypes == ms.dtypes
        assert fused.profile["compress"] == "zstd"
        assert fused.block_shapes[0] == (256, 256) or fused.block_shapes[0] == (512, 512)
        tags = fused.tags()
    assert tags["GEOSHARP_METHOD"] == method
    assert tags["GEOSHARP_VERSION"] == geosharp.__version__
    assert json.loads(tags["GEOSHARP_PARAMETERS"])["pan"] == str(made_pair[0])
    assert (result.path, result.method, result.warnings) == (out, method, ())
    assert result.tiles >= 1


@pytest.mark.parametrize("method", ["brovey", "glp"])
def test_a_result_ends_where_ms_saturates_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    pan, ms = make_pair(tmp_path)
    for path in (pan, ms):
        saturate(path)
    result = fuse(pan, ms, tmp_path / "out.tif", method=method)
    assert result.warnings == ("MS saturates at 2047: values are clipped there",)
    with rasterio.open(result.path) as raster:
        assert json.loads(raster.tags()["GEOSHARP_PARAMETERS"])["clipped_at"] == 2047
    assert np.array_equal(
        read(result.path), read(fuse(pan, ms, tmp_path / "b.tif", method=method, tile=64).path)
    )
    monkeypatch.setattr("geosharp.engine.preparation.find_ceiling", lambda scene: None)
    free = fuse(pan, ms, tmp_path / "free.tif", method=method)
    assert free.warnings == ()
    assert read(free.path).max() > 2100
    assert np.array_equal(np.minimum(read(free.path), 2047), read(result.path))


def test_injection_sharpens_and_keeps_colours(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    truth = read(fuse(*made_pair, tmp_path / "exp.tif", method="exp").path).astype(float)
    pan = read(made_pair[0])[0].astype(float)
    detail = pan - truth.mean(0)
    for method in METHODS[1:]:
        fused = read(fuse(*made_pair, tmp_path / f"{method}.tif", method=method).path).astype(float)
        assert np.corrcoef((fused - truth).mean(0).ravel(), detail.ravel())[0, 1] > 0.9, method
        blocks = fused.reshape(4, 64, 4, 64, 4).mean((2, 4))
        assert np.abs(blocks - read(made_pair[1])).mean() < 0.03 * blocks.mean(), method


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["landsat", "holes"])
def test_tiles_cannot_be_told(tmp_path: Path, method: str, kind: str) -> None:
    if kind == "landsat":
        pan, ms = make_pair(tmp_path, pan_shape=(301, 287), ratio=2, offset=(-0.5, 0.5))
    else:
        pan, ms = make_pair(tmp_path, pan_shape=(300, 276))
        punch(pan, 0, [(slice(40, 90), slice(100, 130)), (slice(0, 5), slice(0, 276))])
        punch(ms, 0, [(slice(50, 60), slice(3, 30))])
    whole = read(fuse(pan, ms, tmp_path / "whole.tif", method=method, tile=4096).path)
    for tile in (64, 100, 128):
        tiled = read(fuse(pan, ms, tmp_path / f"{tile}.tif", method=method, tile=tile).path)
        gap = np.abs(tiled.astype(int) - whole.astype(int))
        assert gap.max() <= 1
        assert (gap > 0).mean() <= 1e-5


def test_float_output_is_unrounded_and_tiles_differ_by_nothing(
    tmp_path: Path, made_pair: tuple[Path, Path]
) -> None:
    images = [
        read(fuse(*made_pair, tmp_path / f"{tile}.tif", dtype="float32", tile=tile).path)
        for tile in (64, 1024)
    ]
    np.testing.assert_array_equal(*images)
    assert images[0].dtype == np.float32
    assert (images[0] != np.rint(images[0])).mean() > 0.9
    rounded = read(fuse(*made_pair, tmp_path / "rounded.tif").path)
    np.testing.assert_array_equal(np.rint(images[0]), rounded)


@pytest.mark.parametrize("method", METHODS)
def test_area_is_cut_out_of_the_whole_scenes_result(
    tmp_path: Path, made_pair: tuple[Path, Path], method: str
) -> None:
    whole = read(fuse(*made_pair, tmp_path / "whole.tif", method=method, tile=64).path)
    x, y = ORIGIN
    box = f"{x + 70},{y - 200},{x + 211},{y - 33}"
    part = fuse(*made_pair, tmp_path / "part.tif", method=method, area=box, tile=64)
    gap = np.abs(read(part.path).astype(int) - whole[:, 33:200, 70:211].astype(int))
    assert gap.max() <= (1 if method == "brovey" else 0)
    assert part.grid.transform == from_origin(x + 70, y - 33, 1, 1)


def test_polygon_area_masks_what_is_outside(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    x, y = ORIGIN
    ring = [[x + 20, y - 20], [x + 219.5, y - 20], [x + 20, y - 219.5], [x + 20, y - 20]]
    shape = {"type": "Polygon", "coordinates": [ring], "crs": {"properties": {"name": "EPSG:32633"}}}
    (tmp_path / "area.geojson").write_text(json.dumps(shape))
    for method in ("glp", "brovey"):
        out = tmp_path / f"{method}.tif"
        fuse(*made_pair, out, method=method, area=str(tmp_path / "area.geojson"), tile=64)
        with rasterio.open(out) as fused:
            valid = fused.dataset_mask() > 0
            assert fused.shape == (199, 199)
            rows, cols = np.mgrid[:199, :199]
            np.testing.assert_array_equal(valid, rows + cols + 1 < 199.5)
            assert fused.nodata == 0
            assert (fused.read()[:, ~valid] == 0).all()


def test_extent_pan_masks_what_ms_does_not_cover(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(256, 256))
    data = read(ms)[:, :40, 10:]
    x, y = ORIGIN
    ms = write_raster(
        tmp_path / "part.tif", data, transform=from_origin(x + 40, y, 4, 4), photometric="MINISBLACK"
    )
    for method in METHODS:
        inner = fuse(pan, ms, tmp_path / f"i_{method}.tif", method=method)
        assert inner.grid.shape == (160, 216)
        full = fuse(pan, ms, tmp_path / f"p_{method}.tif", method=method, extent="pan")
        with rasterio.open(full.path) as fused, rasterio.open(pan) as source:
            assert (fused.shape, fused.transform) == (source.shape, source.transform)
            valid = fused.dataset_mask() > 0
            pixels = fused.read()
        expected = np.zeros((256, 256), bool)
        expected[:160, 40:] = True
        np.testing.assert_array_equal(valid, expected)
        assert np.abs(pixels[:, :160, 40:].astype(int) - read(inner.path).astype(int)).max() <= 1


@pytest.mark.parametrize("method", METHODS)
def test_no_data_stays_no_data_and_valid_pixels_never_become_it(tmp_path: Path, method: str) -> None:
    pan, ms = make_pair(tmp_path)
    punch(pan, 0, [(slice(10, 30), slice(50, 90))])
    punch(ms, 65535, [(slice(40, 44), slice(8, 20))])
    out = fuse(pan, ms, tmp_path / "out.tif", method=method).path
    expected = np.ones((256, 256), bool)
    expected[10:30, 50:90] = False
    expected[160:176, 32:80] = False
    with rasterio.open(out) as fused:
        assert fused.nodata == 65535
        np.testing.assert_array_equal(fused.dataset_mask() > 0, expected)
        np.testing.assert_array_equal((fused.read() == 65535).all(0), ~expected)
    inner = read(out)[:, expected]
    assert inner.max() < 4000  # no 65535 bled into what is around it


def test_holes_of_one_band_stay_that_bands(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    with rasterio.open(ms, "r+") as raster:
        raster.nodata = 0
        data = raster.read()
        data[2, 5:9, 5:9] = 0
        raster.write(data)
    out = fuse(pan, ms, tmp_path / "out.tif").path
    fused = read(out)
    with rasterio.open(out) as raster:
        # Readers trust the mask over the no-data value: it must not call the hole of one band valid.
        assert not raster.dataset_mask()[20:36, 20:36].any()
        assert (raster.dataset_mask() > 0).sum() == 256 * 256 - 16 * 16
    assert (fused[2, 20:36, 20:36] == 0).all()
    assert (fused[[0, 1, 3]] > 0).all()
    assert (fused[2] > 0).sum() == 256 * 256 - 16 * 16


def test_values_are_clipped_never_wrapped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pan = write_raster(tmp_path / "pan.tif", rng.integers(0, 2, (1, 128, 128)).astype("uint8") * 255)
    for dtype, low, high in (("uint8", 0, 255), ("int16", -32768, 32767)):
        ms = rng.choice([low, high], (1, 32, 32)).astype(dtype)
        path = write_raster(tmp_path / "ms.tif", ms, transform=from_origin(*ORIGIN, 4, 4))
        exact = read(fuse(pan, path, tmp_path / "exact.tif", dtype="float32", overwrite=True).path)
        stored = read(fuse(pan, path, tmp_path / "out.tif", overwrite=True).path)
        assert exact.min() < low
        assert exact.max() > high
        np.testing.assert_array_equal(stored, np.rint(np.clip(exact, low, high)))


def test_nbits_bounds_the_result(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, ms_profile={"nbits": 11})
    with rasterio.open(ms, "r+") as raster:
        raster.write(np.clip(raster.read().astype(int) * 2, 0, 2047).astype("uint16"))
    exact = read(fuse(pan, ms, tmp_path / "exact.tif", dtype="float32").path)
    stored = read(fuse(pan, ms, tmp_path / "out.tif").path)
    assert exact.max() > 2047
    assert stored.max() == 2047


def test_bands_names_colours_scaling_and_metadata_are_kept(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    with rasterio.open(ms, "r+") as raster:
        raster.descriptions = ("blue", "green", "red", "nir")
        raster.scales, raster.offsets = (0.1, 0.2, 0.3, 0.4), (1.0, 2.0, 3.0, 4.0)
        raster.update_tags(ACQUISITION="2026-01-02", AREA_OR_POINT="Point")
        raster.update_tags(ns="IMD", satId="WV02")
        raster.update_tags(3, STATISTICS_MEAN="7", LAMBDA="660")
    out = fuse(pan, ms, tmp_path / "out.tif", bands=["red", 2, "blue"]).path
    with rasterio.open(out) as fused, rasterio.open(pan) as source:
        assert fused.descriptions == ("red", "green", "blue")
        assert [color.name for color in fused.colorinterp] == ["red", "green", "blue"]
        assert fused.scales == (0.3, 0.2, 0.1)
        assert fused.offsets == (3.0, 2.0, 1.0)
        assert fused.tags()["ACQUISITION"] == "2026-01-02"
        assert fused.tags(ns="IMD") == {"satId": "WV02"}
        assert fused.tags(1)["LAMBDA"] == "660"
        assert "STATISTICS_MEAN" not in fused.tags(1)
        assert fused.transform == source.transform
        assert "WorldView-2" in fused.tags()["GEOSHARP_SENSOR"]


def test_a_sensor_file_is_told_by_its_name_and_hash(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    file = write_sensor(tmp_path, "blue", "green", "red", "nir", head='title = "NewSat 1"')
    out = fuse(*made_pair, tmp_path / "out.tif", sensor=file).path
    with rasterio.open(out) as fused:
        tags = fused.tags()
        assert fused.descriptions == ("blue", "green", "red", "nir")
    assert tags["GEOSHARP_SENSOR"] == "NewSat 1 (sensor file newsat.toml)"
    told = json.loads(tags["GEOSHARP_PARAMETERS"])
    assert told["sensor"] == str(file)
    assert told["sensor_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    known = fuse(*made_pair, tmp_path / "known.tif", sensor="ikonos").path
    with rasterio.open(known) as fused:
        assert "sensor_sha256" not in json.loads(fused.tags()["GEOSHARP_PARAMETERS"])


def test_band_order_only_reorders(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    straight = read(fuse(*made_pair, tmp_path / "a.tif").path)
    turned = read(fuse(*made_pair, tmp_path / "b.tif", bands=[3, 1]).path)
    np.testing.assert_array_equal(turned, straight[[2, 0]])


def test_band_files_give_what_one_file_gives(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    data = read(made_pair[1])
    files = [
        write_raster(tmp_path / f"b{i}.tif", data[i : i + 1], transform=from_origin(*ORIGIN, 4, 4))
        for i in range(4)
    ]
    for method in METHODS:
        one = read(fuse(*made_pair, tmp_path / f"one_{method}.tif", method=method).path)
        many = read(fuse(made_pair[0], files, tmp_path / f"many_{method}.tif", method=method).path)
        np.testing.assert_array_equal(one, many)


def test_without_georeference_points_and_polynomials_are_carried(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    bare = {"crs": None, "transform": None}
    write_raster(pan, read(pan), **bare)
    write_raster(ms, read(ms), photometric="MINISBLACK", **bare)
    result = fuse(pan, ms, tmp_path / "bare.tif")
    assert any("same ground" in warning for warning in result.warnings)
    points = [
        GroundControlPoint(row=r, col=c, x=10 + c, y=50 - r, z=0) for r, c in ((0, 0), (0, 256), (256, 0))
    ]
    ones = [1.0] * 20
    rpc = RPC(0, 50, 45, 1, ones, ones, 128, 128, 10, 1, ones, ones, 128, 128)
    with _unplaced(), rasterio.open(pan, "r+") as raster:
        raster.gcps = (points, CRS.from_epsg(4326))
        raster.rpcs = rpc
    out = fuse(pan, ms, tmp_path / "carried.tif", area="16,8,200,100").path
    with rasterio.open(out) as fused:
        gcps, crs = fused.gcps
        assert crs == CRS.from_epsg(4326)
        assert [(p.row, p.col, p.x) for p in gcps] == [(p.row - 8, p.col - 16, p.x) for p in points]
        assert (fused.rpcs.line_off, fused.rpcs.samp_off) == (128 - 8, 128 - 16)
    np.testing.assert_array_equal(read(out), read(result.path)[:, 8:100, 16:200])


def test_landsats_offset_is_worth_decibels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.stack([texture((512, 512), seed, (1, 2, 3, 5, 8)) for seed in (1, 2)])
    truth = 2000 * (0.3 * truth + 0.7 * texture((512, 512), 3, (1, 2, 3, 5, 8)))
    # PAN pixels are 2 x 2, MS pixels 4 x 4 fine ones, MS half a PAN pixel up and to the right.
    pan = truth.mean(0).reshape(256, 2, 256, 2).mean((1, 3))
    ms = truth[:, 3:-1, 1:-3].reshape(2, 127, 4, 127, 4).mean((2, 4))
    x, y = ORIGIN
    pan_path = write_raster(tmp_path / "pan.tif", pan[None].astype("float32"))
    ms_path = write_raster(
        tmp_path / "ms.tif", ms.astype("float32"), transform=from_origin(x + 0.5, y - 1.5, 2, 2)
    )
    want = truth.reshape(2, 256, 2, 256, 2).mean((2, 4))[:, 20:-20, 20:-20]

    def psnr(path: Path) -> float:
        with rasterio.open(path) as raster:
            row, col = (round(v) for v in ((y - raster.transform.f), (raster.transform.c - x)))
            full = np.zeros((2, 256, 256))
            data = raster.read()
            full[:, row : row + data.shape[1], col : col + data.shape[2]] = data
        error = full[:, 20:-20, 20:-20] - want
        return float(10 * np.log10(want.max() ** 2 / (error**2).mean()))

    respected = psnr(fuse(pan_path, ms_path, tmp_path / "respected.tif").path)

    def ignore_offset(*args: Any, **options: Any) -> Scene:
        scene = open_scene(*args, **options)
        return replace(scene, placed=replace(scene.placed, offset=(2.0, 0.0)))

    monkeypatch.setattr("geosharp.engine.preparation.open_scene", ignore_offset)
    ignored = psnr(fuse(pan_path, ms_path, tmp_path / "ignored.tif").path)
    assert respected > ignored + 4


def test_progress_ends_with_everything_and_the_library_prints_nothing(
    tmp_path: Path, made_pair: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[Progress] = []
    fuse(*made_pair, tmp_path / "out.tif", tile=64, progress=told.append)
    fusing = [p for p in told if p.stage == "fuse"]
    assert [p.tiles for p in fusing] == list(range(1, 17))
    assert fusing[-1].pixels == fusing[-1].total_pixels == 256 * 256
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("method", ["glp", "brovey"])
def test_cog_and_overviews(tmp_path: Path, method: str) -> None:
    pan = write_raster(tmp_path / "pan.tif", (1500 * texture((1100, 1100)))[None].astype("uint16"))
    coarse = (1500 * texture((275, 275)))[None].repeat(3, 0).astype("uint16")
    ms = write_raster(tmp_path / "ms.tif", coarse, transform=from_origin(*ORIGIN, 4, 4))
    plain = fuse(pan, ms, tmp_path / "plain.tif", method=method).path
    cog = fuse(pan, ms, tmp_path / "cog.tif", method=method, cog=True).path
    bare = fuse(pan, ms, tmp_path / "bare.tif", method=method, overviews=False).path
    np.testing.assert_array_equal(read(plain), read(cog))
    with rasterio.open(plain) as a, rasterio.open(cog) as b, rasterio.open(bare) as c:
        assert a.overviews(1)
        assert b.overviews(1)
        assert b.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert not c.overviews(1)


def failing(
    tmp_path: Path, pair: tuple[Path, Path]
) -> dict[str, tuple[type[GeosharpError], Callable[[], Any]]]:
    pan, ms = pair
    out = tmp_path / "out.tif"
    invalid = write_raster(
        tmp_path / "invalid.tif",
        np.zeros((4, 64, 64), "uint16"),
        transform=from_origin(*ORIGIN, 4, 4),
        nodata=0,
        photometric="MINISBLACK",
    )
    return {
        "unknown method": (UsageError, lambda: fuse(pan, ms, out, method="magic")),
        "unknown extent": (UsageError, lambda: fuse(pan, ms, out, extent="moon")),
        "unknown dtype": (UsageError, lambda: fuse(pan, ms, out, dtype="complex64")),
        "unknown sensor": (UsageError, lambda: fuse(pan, ms, out, sensor="sputnik")),
        "unknown band": (UsageError, lambda: fuse(pan, ms, out, bands=[5])),
        "weights of another method": (UsageError, lambda: fuse(pan, ms, out, weights=[1, 1, 1, 1])),
        "wrong weights": (UsageError, lambda: fuse(pan, ms, out, method="brovey", weights=[1, 1])),
        "tiny tile": (UsageError, lambda: fuse(pan, ms, out, tile=3)),
        "no threads": (UsageError, lambda: fuse(pan, ms, out, threads=0)),
        "too little memory": (ResourceError, lambda: fuse(pan, ms, out, max_memory=2**20)),
        "no MS": (UsageError, lambda: fuse(pan, [], out)),
        "nothing valid": (PairError, lambda: fuse(pan, invalid, out)),
        "bad option": (UsageError, lambda: fuse(pan, ms, out, creation={"COMPRES": "LZW"})),
        "no folder": (OutputError, lambda: fuse(pan, ms, tmp_path / "no" / "out.tif")),
        "preview that is no PNG": (UsageError, lambda: fuse(pan, ms, out, preview=tmp_path / "p.jpg")),
        "preview over an input": (GeosharpError, lambda: fuse(pan, ms, out, preview=pan)),
        "output is an input": (UsageError, lambda: fuse(pan, ms, ms, overwrite=True)),
    }


CASES = [
    "unknown method",
    "unknown extent",
    "unknown dtype",
    "unknown sensor",
    "unknown band",
    "weights of another method",
    "wrong weights",
    "tiny tile",
    "no threads",
    "too little memory",
    "no MS",
    "nothing valid",
    "bad option",
    "no folder",
    "preview that is no PNG",
    "preview over an input",
    "output is an input",
]


@pytest.mark.parametrize("case", CASES)
def test_bad_input_leaves_nothing(tmp_path: Path, made_pair: tuple[Path, Path], case: str) -> None:
    kind, attempt = failing(tmp_path, made_pair)[case]
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(kind) as caught:
        attempt()
    assert all(getattr(caught.value, part) for part in ("subject", "found", "needed", "remedy"))
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_an_existing_output_is_kept_without_overwrite(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    out = tmp_path / "out.tif"
    out.write_bytes(b"precious")
    with pytest.raises(OutputError, match="overwrite"):
        fuse(*made_pair, out)
    assert out.read_bytes() == b"precious"
    fuse(*made_pair, out, overwrite=True)
    assert read(out).shape == (4, 256, 256)


def test_a_failure_midway_keeps_the_old_output_and_leaves_no_temporary(
    tmp_path: Path, made_pair: tuple[Path, Path]
) -> None:
    out = tmp_path / "out.tif"
    out.write_bytes(b"old")

    def fail(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fuse(*made_pair, out, overwrite=True, tile=64, progress=fail)
    assert out.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.tif"]


def test_a_ms_truncated_midway_is_named(tmp_path: Path) -> None:
    pan, ms = make_pair(
        tmp_path, pan_shape=(512, 512), ms_profile={"tiled": True, "blockxsize": 16, "blockysize": 16}
    )
    whole = ms.read_bytes()
    ms.write_bytes(whole[: len(whole) * 2 // 3])
    for method in ("glp", "brovey"):
        with warnings.catch_warnings(), pytest.raises(GeosharpError, match=r"ms\.tif|pan\.tif"):
            fuse(pan, ms, tmp_path / "out.tif", method=method)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ms.tif", "pan.tif"]


def test_ms_of_another_place_is_told_in_one_note(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    with rasterio.open(ms, "r+") as raster:
        raster.write(raster.read()[:, ::-1, ::-1])
    result = fuse(pan, ms, tmp_path / "out.tif", method="glp")
    about = [note for note in result.warnings if "in common" in note]
    assert len(about) == 1
    assert "they show different ground" in about[0]


def test_a_band_that_pan_does_not_see_is_told_and_spared(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    data = read(ms)
    data[3] = 1000 * texture((64, 64), 99, (1, 2, 4)) + 200
    write_raster(ms, data, transform=from_origin(*ORIGIN, 4, 4), photometric="MINISBLACK")
    smooth = read(fuse(pan, ms, tmp_path / "exp.tif", method="exp").path).astype(float)
    for method in ("gsa", "glp", "glp-hpm"):
        result = fuse(pan, ms, tmp_path / f"{method}.tif", method=method)
        assert any("band4" in warning and "little" in warning for warning in result.warnings)
        added = read(result.path).astype(float) - smooth
        assert added[3].std() < 0.35 * added[0].std(), method


def test_what_is_prepared_is_what_is_fused(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    x, y = ORIGIN
    given = {
        "area": f"{x + 10},{y - 150},{x + 150},{y - 10}",
        "dtype": "float32",
        "tile": 64,
        "method": "gsa",
    }
    setup = prepare(*made_pair, **given)  # type: ignore[arg-type]
    told: list[Progress] = []
    result = fuse(*made_pair, tmp_path / "out.tif", progress=told.append, **given)  # type: ignore[arg-type]
    assert setup.plan.area.rect.shape == result.grid.shape == (140, 140)
    assert setup.plan.tile_count == told[-1].total_tiles == 9
    assert setup.pixels.dtype == "float32"
    assert min(setup.plan.halo) > 4 * 3


def test_notes_are_told_before_the_first_tile_and_kept(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    events: list[str] = []
    result = fuse(
        pan,
        ms,
        tmp_path / "out.tif",
        dtype="uint8",
        progress=lambda p: events.append("tile"),
        on_note=events.append,
    )
    notes = events[: events.index("tile")]
    assert notes == list(result.warnings)
    assert any("beyond 0 to 255 are clipped" in note for note in notes)
    assert fuse(pan, ms, tmp_path / "same.tif").warnings == ()


def test_that_floats_become_whole_numbers_is_noted(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, dtype="float32")
    told = fuse(*pair, tmp_path / "out.tif", dtype="uint16").warnings
    assert any("rounded to whole numbers" in note for note in told)
    assert fuse(*pair, tmp_path / "float.tif").warnings == ()


def test_opposite_rows_give_the_same_picture(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    pan, ms = (read(path) for path in made_pair)
    x, y = ORIGIN
    up_pan = write_raster(tmp_path / "up_pan.tif", pan[:, ::-1], transform=Affine(1, 0, x, 0, 1, y - 256))
    up_ms = write_raster(
        tmp_path / "up_ms.tif",
        ms[:, ::-1],
        transform=Affine(4, 0, x, 0, 4, y - 256),
        photometric="MINISBLACK",
    )
    for method in METHODS:
        north = read(fuse(*made_pair, tmp_path / f"n_{method}.tif", method=method).path).astype(int)
        for name, one, other, flip in (
            ("both", up_pan, up_ms, True),
            ("ms", made_pair[0], up_ms, False),
            ("pan", up_pan, made_pair[1], True),
        ):
            fused = read(fuse(one, other, tmp_path / f"{name}_{method}.tif", method=method).path).astype(int)
            gap = np.abs((fused[:, ::-1] if flip else fused) - north)
            assert gap.max() <= 1, (method, name)
            assert (gap > 0).mean() < 0.001, (method, name)


def test_what_a_vrt_or_uri_reads_is_never_replaced(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64))
    before = pan.read_bytes(), ms.read_bytes()
    with pytest.raises(UsageError, match="same file"):
        fuse(pan, f"file://{ms}", ms, overwrite=True)
    vrt = tmp_path / "pan.vrt"
    rasterio.shutil.copy(pan, vrt, driver="VRT")
    with pytest.raises(UsageError, match="same file"):
        fuse(vrt, ms, pan, overwrite=True)
    assert (pan.read_bytes(), ms.read_bytes()) == before


@pytest.mark.parametrize("method", ["brovey", "glp"])
def test_an_empty_result_is_refused(tmp_path: Path, method: str) -> None:
    pan, ms = make_pair(tmp_path)
    data = read(ms)[:, :20, :20]
    ms = write_raster(
        tmp_path / "part.tif", data, transform=from_origin(*ORIGIN, 4, 4), photometric="MINISBLACK"
    )
    x, y = ORIGIN
    out = tmp_path / "out.tif"
    with pytest.raises(PairError, match="not one pixel"):
        fuse(pan, ms, out, method=method, extent="pan", area=f"{x + 150},{y - 250},{x + 250},{y - 150}")
    assert not out.exists()


def test_no_data_that_the_type_cannot_hold_is_replaced(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64), dtype="float64")
    punch(ms, -1.7e308, [(slice(0, 3), slice(0, 3))])
    out = fuse(pan, ms, tmp_path / "out.tif", dtype="float32").path
    with rasterio.open(out) as fused:
        assert np.isnan(fused.nodata)
        valid = fused.dataset_mask() > 0
    assert not valid[:12, :12].any()
    assert valid.sum() == 64 * 64 - 144


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


# A part of the shared pair: enough for laws, and quick.
PART = (ORIGIN[0] + 61, ORIGIN[1] - 170, ORIGIN[0] + 170, ORIGIN[1] - 75)


def test_a_diffusion_is_told_in_the_lineage_with_a_seed_only_where_it_draws(
    tmp_path: Path, made_pair: tuple[Path, Path], model: Path
) -> None:
    told = []
    for steps in (1, 2):
        out = tmp_path / f"{steps}.tif"
        asked = Diffusion(model=model, steps=steps, seed=7, consistency=0, device="cpu")
        result = fuse(*made_pair, out, method="hfreqdiff", area=PART, diffusion=asked)
        seedless = "--seed does nothing with --steps 1: nothing is drawn"
        assert (result.method, result.warnings) == ("hfreqdiff", (seedless,) if steps == 1 else ())
        with rasterio.open(out) as raster:
            assert raster.tags()["GEOSHARP_METHOD"] == "hfreqdiff"
            told.append(json.loads(raster.tags()["GEOSHARP_PARAMETERS"]))
    mean, draw = told
    facts = {"model": str(model), "model_sha256": load(model).digest, "consistency": 0, "device": "cpu"}
    assert mean.items() >= {**facts, "steps": 1}.items()
    assert "seed" not in mean
    assert draw.items() >= {**facts, "steps": 2, "seed": 7}.items()
    assert mean["tile"] % 4 == 0


def test_a_draw_repeats_in_any_number_of_threads_and_tiles(
    tmp_path: Path, made_pair: tuple[Path, Path], model: Path
) -> None:
    def drawn(name: str, seed: int, **given: int) -> np.ndarray:
        asked = Diffusion(model=model, steps=2, seed=seed, device="cpu")
        out = tmp_path / f"{name}.tif"
        return read(fuse(*made_pair, out, method="hfreqdiff", area=PART, diffusion=asked, **given).path)  # type: ignore[arg-type]

    first = drawn("first", 5, threads=1, tile=64)
    np.testing.assert_array_equal(drawn("again", 5, threads=1, tile=64), first)
    np.testing.assert_array_equal(drawn("threads", 5, threads=2, tile=64), first)
    gap = np.abs(drawn("tile", 5, tile=256).astype(int) - first.astype(int))
    assert gap.max() <= 1
    assert (gap > 0).mean() <= 1e-4
    assert (drawn("other", 6) != first).mean() > 0.5


def test_holes_stay_holes_under_the_model_and_valid_pixels_never_become_one(
    tmp_path: Path, model: Path
) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(128, 120))
    punch(pan, 0, [(slice(40, 70), slice(50, 80))])
    punch(ms, 0, [(slice(0, 8), slice(0, 9))])
    images = {
        method: read(fuse(pan, ms, tmp_path / f"{method}.tif", method=method, diffusion=asked).path)
        for method, asked in (("hfreqdiff", Diffusion(model=model, steps=2)), ("exp", None))
    }
    np.testing.assert_array_equal(images["hfreqdiff"] == 0, images["exp"] == 0)
    assert not images["exp"][:, 40:70, 50:80].any()
    assert not images["exp"][:, :32, :36].any()


def test_where_no_method_was_asked_for_glp_takes_the_place_of_a_model_that_does_not_fit(
    tmp_path: Path,
) -> None:
    pair = make_pair(tmp_path, pan_shape=(128, 128), ratio=8)
    result = fuse(*pair, tmp_path / "out.tif", method=None)
    assert result.method == "glp"
    (note,) = [note for note in result.warnings if "hfreqdiff" in note]
    assert note.startswith("glp takes the place of hfreqdiff: 8 PAN pixels an MS pixel; needed: 1.5 to 6.5")
    expected = read(fuse(*pair, tmp_path / "glp.tif", method="glp").path)
    np.testing.assert_array_equal(read(result.path), expected)
    with rasterio.open(result.path) as raster:
        assert json.loads(raster.tags()["GEOSHARP_PARAMETERS"])["method"] == "glp"
        assert "model" not in json.loads(raster.tags()["GEOSHARP_PARAMETERS"])


@pytest.mark.parametrize(
    ("method", "diffusion"), [("hfreqdiff", None), ("hfreqdiff", Diffusion()), (None, Diffusion())]
)
def test_a_model_that_was_asked_for_and_does_not_fit_is_refused(
    tmp_path: Path, method: str | None, diffusion: Diffusion | None
) -> None:
    pair = make_pair(tmp_path, pan_shape=(128, 128), ratio=8)
    with pytest.raises(PairError, match=r"8 PAN pixels an MS pixel; .* Take --method glp"):
        fuse(*pair, tmp_path / "no.tif", method=method, diffusion=diffusion)
    assert not (tmp_path / "no.tif").exists()


def test_without_a_method_a_scene_that_fits_is_the_models(
    tmp_path: Path, made_pair: tuple[Path, Path], model: Path
) -> None:
    asked = Diffusion(model=model, device="cpu")
    images = [
        read(fuse(*made_pair, tmp_path / f"{method}.tif", method=method, area=PART, diffusion=asked).path)
        for method in (None, "hfreqdiff")
    ]
    np.testing.assert_array_equal(*images)


def test_a_model_is_opened_once_in_a_run(
    tmp_path: Path, made_pair: tuple[Path, Path], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def count(*given: Any) -> Model:
        opened.append(given)
        return open_model(*given)

    monkeypatch.setattr("geosharp.hfreqdiff.models.open_model", count)
    asked = Diffusion(model=model, device="cpu")
    fuse(*made_pair, tmp_path / "out.tif", method=None, area=PART, diffusion=asked)
    assert len(opened) == 1
    # Nor does it stay for the next run: its file may be another.
    fuse(*made_pair, tmp_path / "out.tif", method=None, area=PART, diffusion=asked, overwrite=True)
    assert len(opened) == 2


def test_the_lineage_tells_the_tile_of_the_plan_that_is_followed(
    tmp_path: Path, made_pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def adopt_less(setup: Setup, degradation: Degradation) -> Setup:
        """As where wider kernels leave less memory for tiles."""
        adopted = adopt(setup, degradation)
        return replace(adopted, plan=replace(adopted.plan, tile=64))

    monkeypatch.setattr("geosharp.fusion.adopt", adopt_less)
    out = fuse(*made_pair, tmp_path / "out.tif").path
    with rasterio.open(out) as raster:
        assert json.loads(raster.tags()["GEOSHARP_PARAMETERS"])["tile"] == 64


@pytest.mark.parametrize("method", ["exp", "brovey", "gsa", "glp", "glp-hpm"])
def test_a_diffusion_for_a_method_without_one_is_refused(
    tmp_path: Path, made_pair: tuple[Path, Path], method: str
) -> None:
    with pytest.raises(UsageError, match=f"^--method: {method}, with --model, .*; needed: hfreqdiff"):
        fuse(*made_pair, tmp_path / "out.tif", method=method, diffusion=Diffusion())
    assert list(tmp_path.iterdir()) == []


def test_settings_of_another_kind_are_refused(tmp_path: Path, made_pair: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="Diffusion"):
        geosharp.fuse(*made_pair, tmp_path / "out.tif", diffusion="base")  # type: ignore[arg-type]


def test_a_profile_accounts_for_the_time(tmp_path: Path, made_pair: tuple[Path, Path], model: Path) -> None:
    asked = Diffusion(model=model, device="cpu")
    result = geosharp.fuse(
        *made_pair, tmp_path / "out.tif", method="hfreqdiff", diffusion=asked, profile=True
    )
    profile = result.profile
    assert profile is not None
    seconds, hands = profile.seconds, profile.threads
    assert profile.tiles < profile.wall == result.seconds
    assert set(PARTS) < seconds.keys()
    assert 0.5 * seconds[COMPUTE] < sum(seconds[part] for part in PARTS) <= seconds[COMPUTE]
    assert seconds[COMPUTE] + seconds[WAIT_READ] <= 1.01 * hands * profile.tiles
    assert seconds[WRITE] + seconds[WAIT_COMPUTE] <= profile.tiles
    one_by_one = seconds[PREPARE] + seconds[CALIBRATE] + profile.tiles + seconds[FINISH]
    assert one_by_one == pytest.approx(profile.wall, abs=0.05)
    unasked = fuse(*made_pair, tmp_path / "out.tif", overwrite=True)
    assert unasked.profile is None
