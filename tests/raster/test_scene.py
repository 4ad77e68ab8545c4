"""PAN and MS open as one scene whatever their defects, and its patches agree with counting by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geosharp.errors import GeosharpError, InputError, UsageError
from geosharp.raster.grid import Rect, tiles
from geosharp.raster.scene import Patch, Scene, SceneReader, open_scene
from tests.made import ORIGIN, make_pair, write_raster
from tests.raster.made_sensor import write_sensor


def numbered_pair(
    folder: Path,
    *,
    ratio: float = 4,
    offset: tuple[float, float] = (0.0, 0.0),
    pan_shape: tuple[int, int] = (61, 83),
    ms_shape: tuple[int, int] = (17, 23),
    dtype: str = "uint16",
    pan_profile: dict[str, Any] | None = None,
    ms_profile: dict[str, Any] | None = None,
) -> tuple[Path, Path]:
    """A PAN at 1 m and an MS of 3 bands, random values 0 to 9; `offset` from PAN's corner to MS's."""
    rng = np.random.default_rng(3)
    pan = rng.integers(0, 10, (1, *pan_shape)).astype(dtype)
    ms = rng.integers(0, 10, (3, *ms_shape)).astype(dtype)
    place = from_origin(ORIGIN[0] + offset[1], ORIGIN[1] - offset[0], ratio, ratio)
    return (
        write_raster(folder / "pan.tif", pan, **(pan_profile or {})),
        write_raster(folder / "ms.tif", ms, **{"transform": place, **(ms_profile or {})}),
    )


def read(scene: Scene, rect: Rect, halo: tuple[int, int] = (0, 0)) -> Patch | None:
    with SceneReader(scene) as reader:
        return reader.read(rect, halo)


CASES: list[dict[str, Any]] = [
    {"ratio": 4},
    {"ratio": 2, "offset": (-0.5, 0.5), "ms_shape": (31, 42)},
    {"ratio": 4.000245, "offset": (1.3, -2.7)},
    {"ratio": 2.5, "offset": (-7.25, 3.5)},
    {"ratio": 3, "offset": (5.0, 7.0), "ms_shape": (5, 6)},
    {"ratio": 8, "offset": (-3.0, -3.0), "ms_shape": (4, 5)},
    {"ratio": 1.99979, "offset": (0.3311, -0.446), "ms_shape": (20, 20)},
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(("pan_nodata", "ms_nodata"), [(None, None), (3, None), (None, 5), (3, 5)])
def test_a_pixel_is_valid_where_pan_is_and_the_ms_pixel_around_its_centre(
    tmp_path: Path, case: dict[str, Any], pan_nodata: int | None, ms_nodata: int | None
) -> None:
    profiles = {"pan_profile": {"nodata": pan_nodata}, "ms_profile": {"nodata": ms_nodata}}
    pan, ms = numbered_pair(tmp_path, **case, **profiles)
    scene = open_scene(pan, ms)
    with rasterio.open(pan) as raster:
        fine = raster.read(1)
    with rasterio.open(ms) as raster:
        coarse = raster.read()
    rect = Rect(-3, -2, 70, 90)
    patch = read(scene, rect, (2, 3))
    assert patch is not None
    found = scene.valid_on_pan(patch, rect)
    (oy, ox), ratio = case.get("offset", (0.0, 0.0)), case["ratio"]
    for row, col in np.ndindex(rect.shape):
        y, x = rect.row + row, rect.col + col
        i, j = math.floor((y + 0.5 - oy) / ratio), math.floor((x + 0.5 - ox) / ratio)
        expected = [
            0 <= y < fine.shape[0]
            and 0 <= x < fine.shape[1]
            and fine[y, x] != pan_nodata
            and 0 <= i < coarse.shape[1]
            and 0 <= j < coarse.shape[2]
            and band[i, j] != ms_nodata
            for band in coarse
        ]
        assert (found is None and all(expected)) or found[:, row, col].tolist() == expected, (y, x)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_overlapping_reads_agree_and_ms_covers_pan(tmp_path: Path, case: dict[str, Any]) -> None:
    profiles = {"pan_profile": {"nodata": 3}, "ms_profile": {"nodata": 5}}
    scene = open_scene(*numbered_pair(tmp_path, **case, **profiles))
    whole = read(scene, scene.area, (12, 12))
    assert whole is not None
    assert whole.pan_valid is not None
    assert whole.ms_valid is not None
    for tile in tiles(scene.area, 16):
        patch = read(scene, tile, (7, 9))
        assert patch is not None
        assert patch.pan_rect == tile.grow(7, 9)
        assert patch.pan.shape == (1, *patch.pan_rect.shape)
        assert patch.ms.shape == (3, *patch.ms_rect.shape)
        assert scene.relation.pan_rect(patch.ms_rect).intersect(patch.pan_rect) == patch.pan_rect
        at, ms_at = patch.pan_rect.within(whole.pan_rect), patch.ms_rect.within(whole.ms_rect)
        assert (patch.pan == whole.pan[:, *at]).all()
        assert (patch.ms == whole.ms[:, *ms_at]).all()
        valid = np.ones(patch.pan.shape, bool) if patch.pan_valid is None else patch.pan_valid
        assert (valid == whole.pan_valid[:, *at]).all()
        ms_valid = np.ones(patch.ms.shape, bool) if patch.ms_valid is None else patch.ms_valid
        assert (ms_valid == whole.ms_valid[:, *ms_at]).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_area_is_what_both_cover(tmp_path: Path, case: dict[str, Any]) -> None:
    scene = open_scene(*numbered_pair(tmp_path, **case))
    assert scene.area.intersect(scene.grid.rect) == scene.area
    patch = read(scene, scene.area)
    assert patch is not None
    assert scene.valid_on_pan(patch, scene.area) is None
    wider = scene.area.grow(1, 1)
    patch = read(scene, wider)
    assert patch is not None
    valid = scene.valid_on_pan(patch, wider)
    assert valid is not None
    assert not valid[:, [0, -1]].any()
    assert not valid[:, :, [0, -1]].any()


def test_where_pan_has_nothing_there_is_no_patch(tmp_path: Path) -> None:
    pan, ms = numbered_pair(tmp_path, pan_profile={"nodata": 0})
    with rasterio.open(pan, "r+") as raster:
        pixels = raster.read()
        pixels[:, 16:40] = 0
        raster.write(pixels)
    scene = open_scene(pan, ms)
    assert scene.may_have_invalid
    assert read(scene, Rect(16, 0, 24, 50), (8, 8)) is None
    assert read(scene, Rect(15, 0, 24, 50), (8, 8)) is not None


@pytest.mark.parametrize("bands_there", [0, 1])
def test_where_ms_has_nothing_there_is_no_patch_though_the_halo_has(tmp_path: Path, bands_there: int) -> None:
    pan, ms = numbered_pair(tmp_path, ms_profile={"nodata": 0})
    with rasterio.open(ms, "r+") as raster:
        pixels = np.maximum(raster.read(), 1)
        pixels[bands_there:, 4:10] = 0
        raster.write(pixels)
    scene = open_scene(pan, ms)
    rows_under = Rect(16, 0, 24, 50)
    assert (read(scene, rows_under, (8, 8)) is None) == (bands_there == 0)
    assert read(scene, Rect(15, 0, 24, 50), (8, 8)) is not None
    assert read(scene, Rect(0, 84, 24, 50), (8, 8)) is None


def split(ms: Path) -> list[Path]:
    """One file per band beside `ms`."""
    with rasterio.open(ms) as raster:
        profile = {"transform": raster.transform, "crs": raster.crs, "nodata": raster.nodata}
        return [
            write_raster(ms.parent / f"band_{i}.tif", raster.read([i]), **profile) for i in raster.indexes
        ]


@pytest.mark.parametrize("bands", [None, [2], [3, 1], [1, 2, 3], ["two", 1], ["THREE", "one"]])
def test_bands_come_in_the_order_asked_from_one_file_or_several(
    tmp_path: Path, bands: list[int | str] | None
) -> None:
    pan, ms = numbered_pair(tmp_path, ms_profile={"nodata": 5})
    with rasterio.open(ms, "r+") as raster:
        raster.descriptions = ("one", "two", "three")
        pixels = raster.read()
    names = {"one": 0, "two": 1, "three": 2}
    order = [b - 1 if isinstance(b, int) else names[b.lower()] for b in bands or (1, 2, 3)]
    one = open_scene(pan, ms, bands=bands)
    files = split(ms)
    for path, name in zip(files, names, strict=True):
        with rasterio.open(path, "r+") as raster:
            raster.descriptions = (name,)
    several = open_scene(pan, files, bands=bands)
    mixed = open_scene(pan, [files[0], ms], bands=[o + 2 for o in order])
    for scene in (one, several, mixed):
        assert [band.name for band in scene.bands] == [list(names)[o] for o in order]
        patch = read(scene, Rect(0, 0, 61, 83))
        assert patch is not None
        at = patch.ms_rect.intersect(Rect(0, 0, 17, 23))
        assert patch.ms_valid is not None
        assert (
            patch.ms[:, *at.within(patch.ms_rect)] == pixels[order][:, *at.within(Rect(0, 0, 17, 23))]
        ).all()
        valid = patch.ms_valid[:, *at.within(patch.ms_rect)]
        assert (valid == (pixels[order] != 5)[:, : at.height, : at.width]).all()
        for band in scene.bands:
            assert band.number in scene.ms[band.source].bands


def test_band_files_without_names_are_called_by_their_files(tmp_path: Path) -> None:
    pan, ms = numbered_pair(tmp_path)
    files = [path.rename(tmp_path / f"LC08_{name}.tif") for path, name in zip(split(ms), "abc", strict=True)]
    scene = open_scene(pan, files, bands=["c", "a"])
    assert [band.name for band in scene.bands] == ["c", "a"]
    assert [Path(source.name).stem for source in scene.ms] == ["LC08_a", "LC08_c"]


@pytest.mark.parametrize("nodata", [("uint16", 0, 7), ("int16", -5, 9), ("float32", np.nan, -1)])
def test_pan_and_ms_have_no_data_of_their_own(tmp_path: Path, nodata: tuple[str, float, float]) -> None:
    dtype, of_pan, of_ms = nodata
    pan, ms = numbered_pair(
        tmp_path,
        dtype=dtype,
        pan_profile={"nodata": of_pan, "dtype": dtype},
        ms_profile={"nodata": of_ms, "dtype": dtype},
    )
    for path, value in ((pan, of_pan), (ms, of_ms)):
        with rasterio.open(path, "r+") as raster:
            pixels = np.full(raster.read().shape, 100, dtype)
            pixels[:, 4:8, 4:8] = value
            raster.write(pixels)
    scene = open_scene(pan, ms)
    patch = read(scene, scene.area)
    assert patch is not None
    valid = scene.valid_on_pan(patch, scene.area)
    expected = np.ones((3, *scene.area.shape), bool)
    expected[:, 4:8, 4:8] = False
    expected[:, 16:32, 16:32] = False
    assert valid is not None
    assert (valid == expected).all()


def test_per_file_no_data_hides_only_its_own_band(tmp_path: Path) -> None:
    pan, ms = numbered_pair(tmp_path)
    files = split(ms)
    for path, value in zip(files, (1, 2, None), strict=True):
        with rasterio.open(path, "r+") as raster:
            raster.write(np.full((1, 17, 23), 2, "uint16"))
            raster.nodata = value
    scene = open_scene(pan, files)
    patch = read(scene, scene.area)
    assert patch is not None
    valid = scene.valid_on_pan(patch, scene.area)
    assert valid is not None
    assert valid.mean((1, 2)).tolist() == [1, 0, 1]


def test_a_scene_smaller_than_its_halo_is_read(tmp_path: Path) -> None:
    scene = open_scene(*numbered_pair(tmp_path, pan_shape=(4, 4), ms_shape=(1, 1)))
    patch = read(scene, scene.area, (40, 40))
    assert patch is not None
    assert patch.pan.shape == (1, 84, 84)
    assert (patch.ms == patch.ms[:, :1, :1]).all()
    assert patch.ms_valid is not None
    assert patch.ms_valid.sum() == 3


def test_a_made_pair_opens_as_it_was_made(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    assert scene.relation.nested()
    assert scene.area == Rect(0, 0, 256, 256)
    assert scene.dtype == "uint16"
    assert not scene.may_have_invalid
    assert scene.ms_grid.shape == (64, 64)
    assert scene.notes == ()


def test_a_four_band_byte_image_keeps_its_fourth_band_and_says_so(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, dtype="uint8", ms_profile={"photometric": "RGB", "alpha": "YES"})
    scene = open_scene(pan, ms)
    assert len(scene.bands) == 4
    assert any(str(ms) in note and "alpha" in note for note in scene.notes)


def refusal(kind: type[GeosharpError], *arguments: Any, **options: Any) -> GeosharpError:
    with pytest.raises(kind) as caught:
        open_scene(*arguments, **options)
    assert all((caught.value.subject, caught.value.found, caught.value.needed, caught.value.remedy))
    return caught.value


def test_arguments_in_the_wrong_order_are_told(made_pair: tuple[Path, Path]) -> None:
    pan, ms = made_pair
    error = refusal(InputError, ms, pan)
    assert error.subject == str(ms)
    assert "4 bands" in error.found
    assert "PAN comes first" in error.remedy


def test_a_missing_file_of_either_kind_is_named(made_pair: tuple[Path, Path]) -> None:
    pan, ms = made_pair
    assert refusal(InputError, pan, [ms, "gone.tif"]).subject == "gone.tif"
    assert refusal(InputError, "gone.tif", ms).subject == "gone.tif"


@pytest.mark.parametrize("bands", [[5], 5, ["purple"], "purple", [], [None], [2.5], [True], [1, 1]])
def test_bands_that_are_not_there_are_refused(made_pair: tuple[Path, Path], bands: Any) -> None:
    assert refusal(UsageError, *made_pair, bands=bands).subject == "--bands"


def test_bands_may_be_given_as_one_text(made_pair: tuple[Path, Path]) -> None:
    assert [band.number for band in open_scene(*made_pair, bands="4,3,2").bands] == [4, 3, 2]
    assert [band.number for band in open_scene(*made_pair, bands=3).bands] == [3]


def test_an_unknown_sensor_and_no_ms_are_refused(made_pair: tuple[Path, Path]) -> None:
    refusal(UsageError, *made_pair, sensor="no such sensor")
    assert refusal(UsageError, made_pair[0], []).subject == "MS"


def test_a_truncated_ms_is_refused_by_name_when_it_is_read(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    ms.write_bytes(ms.read_bytes()[:9000])
    scene = open_scene(pan, ms)
    with pytest.raises(InputError) as caught:
        read(scene, scene.area)
    assert caught.value.subject == str(ms)


@pytest.mark.parametrize("kind", ["bench", "edge"])
def test_every_real_scene_opens_and_is_read(data: Path, kind: str) -> None:
    for folder in sorted((data / kind).iterdir()):
        scene = open_scene(folder / "pan.tif", folder / "ms.tif")
        middle = Rect(scene.area.row + 40, scene.area.col + 40, 32, 32)
        patch = read(scene, middle, (8, 8))
        if patch is not None:
            assert patch.ms.shape[0] == len(scene.bands)
            assert np.isfinite(patch.pan[:, 8:-8, 8:-8].astype(float)).any()
        assert scene.area.area > 0.9 * scene.grid.rect.area


@pytest.mark.parametrize(("widths", "top"), [((10, 12), 4095), ((12, None), 65535), ((11, 11), 2047)])
def test_of_several_files_the_widest_range_counts(
    tmp_path: Path, widths: tuple[int | None, int | None], top: int
) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(64, 64), bands=1)
    with rasterio.open(ms) as raster:
        data, transform = raster.read(), raster.transform
    names = []
    for width in widths:
        profile = {} if width is None else {"nbits": width}
        names.append(tmp_path / f"band{len(names)}.tif")
        write_raster(names[-1], np.minimum(data, 1000), transform=transform, **profile)
    for order in (names, names[::-1]):
        assert open_scene(pan, order).value_range == (0, top)


def test_a_sensor_file_tells_the_bands_and_is_named(tmp_path: Path) -> None:
    file = write_sensor(tmp_path, "blue", "red", "nir")
    pair = numbered_pair(tmp_path)
    scene = open_scene(*pair, sensor=file)
    assert [band.name for band in scene.bands] == ["blue", "red", "nir"]
    assert scene.sensor_reason == "sensor file newsat.toml"
    assert scene.sensor == open_scene(*pair, sensor=str(file)).sensor


@pytest.mark.parametrize(
    ("dtype", "declared", "bits", "top"),
    [
        ("uint16", None, 11, 2047),
        ("uint16", None, 16, 65535),
        ("uint16", 10, 11, 1023),
        ("uint8", None, 11, 255),
        ("int16", None, 12, 4095),
        ("int16", None, 15, 32767),
        ("float32", None, 11, None),
    ],
)
def test_a_sensors_bits_bound_what_a_file_says_nothing_of(
    tmp_path: Path, dtype: str, declared: int | None, bits: int, top: int | None
) -> None:
    profile = {} if declared is None else {"nbits": declared}
    pair = numbered_pair(tmp_path, dtype=dtype, ms_profile=profile, pan_profile={**profile})
    file = write_sensor(tmp_path, "blue", "red", "nir", head=f"bits = {bits}")
    scene = open_scene(*pair, sensor=file)
    for found in (scene.value_range, scene.pan.value_range):
        assert (None if found is None else found[1]) == top
