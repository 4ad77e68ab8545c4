"""Brovey: GDAL's pixels, on PAN's grid, whatever the pair."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import threading
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.shutil import copy as copy_raster
from rasterio.transform import Affine, from_origin
from rasterio.warp import calculate_default_transform, reproject

from geosharp.errors import InputError, UsageError
from geosharp.raster.brovey import BroveyReader, check_brovey, pansharpened_vrt
from geosharp.raster.grid import Grid, Rect, Relation, relate
from geosharp.raster.source import Source, SourceReader, describe, flip_rows, warp_to
from tests.made import ORIGIN, make_pair, write_raster

NESTED = Relation((4.0, 4.0), (0.0, 0.0))
RELATIONS = {
    "nested": (NESTED, (128, 120), (32, 30)),
    "Landsat's half pixel": (Relation((2.0, 2.0), (-0.5, 0.5)), (121, 121), (61, 61)),
    "not an integer": (Relation((4.000245, 4.000245), (0.0, 0.0)), (320, 304), (80, 76)),
    "MS larger": (Relation((4.0, 4.0), (-20.3, -9.7)), (128, 120), (50, 45)),
    "MS smaller": (Relation((4.0, 4.0), (21.3, 17.6)), (128, 120), (21, 22)),
    "MS beside": (Relation((4.0, 4.0), (-41.0, 30.0)), (128, 120), (32, 30)),
    "odd ratios": (Relation((1.6, 15.9), (-3.3, 2.7)), (128, 320), (83, 20)),
}


def vrt_of(
    pan: Path | str, ms: Path | str | Source | Sequence[Path], relation: Relation = NESTED, **options: Any
) -> str:
    """The VRT of all bands of the MS files, one after the other."""
    files = [ms] if isinstance(ms, Path | str | Source) else ms
    sources = [file if isinstance(file, Source) else describe(file, "MS") for file in files]
    bands = [(at, number) for at, source in enumerate(sources) for number in source.bands]
    return pansharpened_vrt(describe(pan, "PAN"), sources, options.pop("bands", bands), relation, **options)


def read_all(vrt: str) -> np.ndarray:
    return read_with_mask(vrt)[0]


def read_with_mask(vrt: str) -> tuple[np.ndarray, np.ndarray]:
    with BroveyReader(vrt) as reader:
        data, valid = reader.read(Rect(0, 0, *reader.shape))
    return data, np.ones(data.shape[1:], bool) if valid is None else valid


def rough_pair(folder: Path, shape: tuple[int, int] = (64, 80), **profile: Any) -> tuple[Path, Path]:
    """A nested pair of random uint16 pixels with four bands."""
    rng = np.random.default_rng(5)
    pan = write_raster(folder / "p.tif", rng.integers(500, 1500, (1, *shape)).astype("uint16"), **profile)
    ms = rng.integers(600, 1400, (4, shape[0] // 4, shape[1] // 4)).astype("uint16")
    place = {"transform": from_origin(*ORIGIN, 4, 4), "photometric": "MINISBLACK"}
    return pan, write_raster(folder / "m.tif", ms, **place, **profile)


def gdal_pixels(pan: Path, ms: Path, bands: int) -> np.ndarray:
    """What GDAL itself makes of the two files, with its defaults."""
    listed = "".join(
        f'<SpectralBand dstBand="{i}"><SourceFilename>{ms}</SourceFilename><SourceBand>{i}</SourceBand>'
        "</SpectralBand>"
        for i in range(1, bands + 1)
    )
    options = f"<PanchroBand><SourceFilename>{pan}</SourceFilename></PanchroBand>{listed}"
    with rasterio.open(
        '<VRTDataset subClass="VRTPansharpenedDataset"><PansharpeningOptions>'
        f"{options}</PansharpeningOptions></VRTDataset>"
    ) as raster:
        pixels: np.ndarray = raster.read()
        return pixels


# Only the third band of a coordinate_pair, as constant as its PAN: it leaves the other bands as they are.
LAST = (0.0, 0.0, 1.0)


def coordinate_pair(
    folder: Path, relation: Relation, pan_shape: tuple[int, int], ms_shape: tuple[int, int]
) -> tuple[Path, Path]:
    """float32 MS bands that hold their own row and column in PAN pixels, and 1; PAN is 1 everywhere."""
    centres = [
        offset + ratio * (np.arange(size) + 0.5)
        for offset, ratio, size in zip(relation.offset, relation.ratio, ms_shape, strict=True)
    ]
    ms = np.stack([*np.meshgrid(*centres, indexing="ij"), np.ones(ms_shape)]).astype("float32")
    pan_path = write_raster(folder / "p.tif", np.ones((1, *pan_shape), "float32"))
    return pan_path, write_raster(folder / "m.tif", ms)


@pytest.mark.parametrize("bands", [1, 3, 4, 5])
@pytest.mark.parametrize(
    ("dtype", "profile"),
    [
        ("uint8", {}),
        ("uint16", {}),
        ("uint16", {"nodata": 0}),
        ("uint16", {"nodata": 65535}),
        ("uint16", {"nbits": 10}),
        ("int16", {}),
        ("float32", {}),
    ],
)
def test_a_nested_pair_gives_gdals_pixels(
    tmp_path: Path, dtype: str, profile: dict[str, Any], bands: int
) -> None:
    pan, ms = make_pair(
        tmp_path, pan_shape=(64, 80), bands=bands, dtype=dtype, pan_profile=profile, ms_profile=profile
    )
    mine, theirs = read_all(vrt_of(pan, ms, threads=2)), gdal_pixels(pan, ms, bands)
    assert mine.dtype == theirs.dtype == dtype
    np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_nested_pair_gives_the_pixels_of_gdal_pansharpen(tmp_path: Path, dtype: str) -> None:
    tool = shutil.which("gdal_pansharpen.py")
    if tool is None:
        pytest.skip("gdal_pansharpen.py (Debian's gdal-bin) is not installed")
    pan, ms = make_pair(tmp_path, pan_shape=(128, 96), dtype=dtype)
    out = tmp_path / "out.tif"
    subprocess.run([tool, "-q", str(pan), str(ms), str(out)], check=True, capture_output=True)
    with rasterio.open(out) as raster:
        theirs = raster.read()
    mine = read_all(vrt_of(pan, ms))
    if dtype == "uint16":
        np.testing.assert_array_equal(mine, theirs)
    else:  # GDAL 3.6 and 3.10 add up the pseudo-PAN with another rounding.
        np.testing.assert_allclose(mine, theirs, rtol=2.4e-7, atol=0)


@pytest.mark.parametrize("case", RELATIONS)
def test_every_pan_pixel_gets_the_ms_of_its_place(tmp_path: Path, case: str) -> None:
    relation, pan_shape, ms_shape = RELATIONS[case]
    pan, ms = coordinate_pair(tmp_path, relation, pan_shape, ms_shape)
    fused = read_all(vrt_of(pan, ms, relation, weights=LAST, threads=2))
    assert fused.shape == (3, *pan_shape)
    inside = []
    for axis in (0, 1):
        ms_centre = (np.arange(pan_shape[axis]) + 0.5 - relation.offset[axis]) / relation.ratio[axis]
        inside.append((ms_centre > 2) & (ms_centre < ms_shape[axis] - 2))
        assert inside[axis].sum() > 20
    rows, cols = inside
    true_rows, true_cols = (np.arange(size) + 0.5 for size in pan_shape)
    error_rows, error_cols = fused[0] - true_rows[:, None], fused[1] - true_cols
    assert np.abs(error_rows[np.ix_(rows, cols)]).max() < 0.05
    assert np.abs(error_cols[np.ix_(rows, cols)]).max() < 0.05


@pytest.mark.parametrize("row_step", [None, -1.0, 1.0], ids=["no place", "north-up", "south-up"])
def test_the_geotransforms_play_no_part(tmp_path: Path, row_step: float | None) -> None:
    def place(scale: int) -> Affine | None:
        return None if row_step is None else Affine(scale, 0, ORIGIN[0], 0, scale * row_step, ORIGIN[1])

    pan, ms = rough_pair(tmp_path)
    expected = read_all(vrt_of(pan, ms))
    grids = []
    for path, scale in ((pan, 1), (ms, 4)):
        with rasterio.open(path) as raster:
            pixels = raster.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            write_raster(path, pixels, transform=place(scale), photometric="MINISBLACK")
        grids.append(Grid((pixels.shape[1], pixels.shape[2]), place(scale), None))
    relation = relate(*grids)
    assert relation == NESTED
    fused = read_all(vrt_of(pan, ms, relation))
    np.testing.assert_array_equal(fused, expected)


@pytest.mark.parametrize("case", RELATIONS)
@pytest.mark.parametrize("nodata", [None, 700.0])
def test_a_window_holds_the_pixels_of_the_whole(tmp_path: Path, case: str, nodata: float | None) -> None:
    relation, pan_shape, ms_shape = RELATIONS[case]
    rng = np.random.default_rng(3)
    pan = write_raster(tmp_path / "p.tif", rng.integers(500, 1500, (1, *pan_shape)).astype("uint16"))
    ms = rng.integers(600, 800, (2, *ms_shape)).astype("uint16")
    ms_path = write_raster(tmp_path / "m.tif", ms, nodata=nodata)
    one, five = (vrt_of(pan, ms_path, relation, threads=n) for n in (1, 5))
    whole = read_all(one)
    with BroveyReader(five) as reader:
        for _ in range(40):
            row, col = int(rng.integers(0, pan_shape[0])), int(rng.integers(0, pan_shape[1]))
            height, width = rng.choice([1, 2, 5, 64, 100], 2).tolist()
            rect = Rect(row, col, height, width).intersect(Rect(0, 0, *pan_shape))
            part, _ = reader.read(rect)
            np.testing.assert_array_equal(part, whole[:, *rect.within(Rect(0, 0, *pan_shape))])


def test_a_rectangle_beyond_pan_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    pan, ms = rough_pair(tmp_path)
    with BroveyReader(vrt_of(pan, ms)) as reader:
        for rect in (Rect(0, 0, 65, 64), Rect(-1, 0, 4, 4), Rect(0, 0, 0, 4)):
            with pytest.raises(ValueError, match="not within PAN"):
                reader.read(rect)


def flat_pair(folder: Path, pan_shape: tuple[int, int], ms_shape: tuple[int, int]) -> tuple[Path, Path]:
    """PAN 500 and MS 800 everywhere: every valid pixel comes out as 500."""
    pan = write_raster(folder / "p.tif", np.full((1, *pan_shape), 500, "uint16"))
    ms = write_raster(folder / "m.tif", np.full((2, *ms_shape), 800, "uint16"))
    return pan, ms


def test_ms_nodata_stays_where_it_is(tmp_path: Path) -> None:
    pan, ms = flat_pair(tmp_path, (128, 128), (32, 32))
    hole = np.full((2, 32, 32), 800, "uint16")
    hole[:, 10:15, 20:22] = 65535
    write_raster(ms, hole, nodata=65535)
    fused = read_all(vrt_of(pan, ms))
    # Cubic interpolation leaves a rim of invalid pixels' own half out, never lets their value in.
    assert set(np.unique(fused)) == {500, 0}
    assert (fused[:, 42:58, 82:86] == 0).all()
    assert (fused[:, :36] == 500).all()
    assert (fused[:, 64:] == 500).all()


@pytest.mark.parametrize("junk", [0, 9, 65535])
def test_a_pan_pixel_counts_for_itself_alone(tmp_path: Path, junk: int) -> None:
    pan, ms = flat_pair(tmp_path, (64, 64), (16, 16))
    pixels = np.full((1, 64, 64), 500, "uint16")
    pixels[0, 7, 9] = junk
    write_raster(pan, pixels, nodata=junk)
    fused = read_all(vrt_of(pan, ms))
    assert [tuple(at) for at in np.argwhere(fused != 500)] == [(0, 7, 9), (1, 7, 9)]


def test_float_nan_nodata_does_not_spread(tmp_path: Path) -> None:
    pan = write_raster(tmp_path / "p.tif", np.full((1, 64, 64), 5, "float32"))
    pixels = np.full((2, 16, 16), 8, "float32")
    pixels[:, 4:9, 4:9] = math.nan
    ms = write_raster(tmp_path / "m.tif", pixels, nodata=math.nan)
    fused, valid = read_with_mask(vrt_of(pan, ms))
    gone = np.zeros((64, 64), bool)
    gone[16:36, 16:36] = True
    assert valid[~gone].all()
    assert not valid[18:34, 18:34].any()
    assert (fused[:, valid] == 5).all()


@pytest.mark.parametrize("case", ["MS smaller", "MS beside", "not an integer"])
@pytest.mark.parametrize("nodata", [None, 0.0])
def test_beyond_ms_lies_nodata_or_its_edge(tmp_path: Path, case: str, nodata: float | None) -> None:
    relation, pan_shape, ms_shape = RELATIONS[case]
    pan, ms = flat_pair(tmp_path, pan_shape, ms_shape)
    if nodata is not None:
        with rasterio.open(ms, "r+") as raster:
            raster.nodata = nodata
    fused, valid = read_with_mask(vrt_of(pan, ms, relation))
    covered = relation.footprint(ms_shape).intersect(Rect(0, 0, *pan_shape))
    inside = np.zeros(pan_shape, bool)
    inside[covered.within(Rect(0, 0, *pan_shape))] = True
    assert valid[inside].all()
    assert (fused[:, valid] == 500).all()
    if nodata is None:
        assert valid.all()
    elif case != "not an integer":
        assert (~valid[~inside]).mean() > 0.9


JUNK = 60_000


def noisy_ms(shape: tuple[int, int], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Two bands of random values of some 700, and where they are invalid: a hole, an edge, single pixels."""
    rng = np.random.default_rng(11)
    invalid = rng.random(shape) < 0.05
    invalid[4:9, 5:12] = invalid[-2:] = True
    return rng.integers(600, 800, (2, *shape)).astype(dtype), invalid


def write_masked(path: Path, pixels: np.ndarray, invalid: np.ndarray, *, inside: bool) -> Path:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside):
        write_raster(path, pixels)
        with rasterio.open(path, "r+") as raster:
            raster.write_mask(~invalid)
    assert path.with_name(f"{path.name}.msk").exists() == (not inside)
    return path


def write_alpha(path: Path, pixels: np.ndarray, invalid: np.ndarray, **profile: Any) -> Path:
    alpha = np.where(invalid, 0, 255).astype(pixels.dtype)
    write_raster(path, np.concatenate([pixels, alpha[None]]), photometric="MINISBLACK", **profile)
    with rasterio.open(path, "r+") as raster:
        raster.colorinterp = [ColorInterp.gray, ColorInterp.undefined, ColorInterp.alpha]
    return path


def write_invalid(folder: Path, way: str, dtype: str) -> list[Path]:
    """MS files whose invalid pixels hold JUNK or one more, told of in that `way`."""
    pixels, invalid = noisy_ms((32, 30), dtype)
    pixels[:, invalid] = JUNK
    twice = pixels.copy()
    # Left of column 15 by a value, right of it by another means.
    twice[:, invalid & (np.arange(30) >= 15)] = JUNK + 1
    rest = twice[0] == JUNK + 1
    ms, other = folder / "m.tif", folder / "n.tif"
    ways: dict[str, Callable[[], list[Path]]] = {
        "tag": lambda: [write_raster(ms, pixels, nodata=JUNK)],
        "mask inside": lambda: [write_masked(ms, pixels, invalid, inside=True)],
        "mask beside": lambda: [write_masked(ms, pixels, invalid, inside=False)],
        "alpha": lambda: [write_alpha(ms, pixels, invalid)],
        "alpha and tag": lambda: [write_alpha(ms, twice, rest, nodata=JUNK)],
        "alpha and tag of 0": lambda: [write_alpha(ms, np.where(twice == JUNK, 0, twice), rest, nodata=0)],
        "another value per file": lambda: [
            write_raster(ms, pixels[:1], nodata=JUNK),
            write_raster(other, np.where(invalid, JUNK + 1, pixels[1:]).astype(dtype), nodata=JUNK + 1),
        ],
        "tag and mask": lambda: [
            write_raster(ms, pixels[:1], nodata=JUNK),
            write_masked(other, pixels[1:], invalid, inside=True),
        ],
        "NaN and tag": lambda: [
            write_raster(ms, np.where(twice == JUNK + 1, np.nan, twice).astype(dtype), nodata=JUNK)
        ],
    }
    return ways[way]()


INTEGER_WAYS = [
    "mask inside",
    "mask beside",
    "alpha",
    "alpha and tag",
    "alpha and tag of 0",
    "another value per file",
    "tag and mask",
]


@pytest.mark.parametrize(
    ("way", "dtype"),
    [
        *((way, "uint16") for way in INTEGER_WAYS),
        *((way, "int32") for way in INTEGER_WAYS),
        *((way, "float32") for way in (*INTEGER_WAYS, "NaN and tag")),
    ],
)
def test_invalid_ms_is_kept_out_however_it_is_told(tmp_path: Path, way: str, dtype: str) -> None:
    rng = np.random.default_rng(2)
    pan = write_raster(tmp_path / "p.tif", rng.integers(500, 1500, (1, 128, 120)).astype(dtype))
    (tmp_path / "tag").mkdir()
    plain, computed = read_with_mask(vrt_of(pan, write_invalid(tmp_path / "tag", "tag", dtype)))
    fused, valid = read_with_mask(vrt_of(pan, write_invalid(tmp_path, way, dtype)))
    np.testing.assert_array_equal(valid, computed)
    np.testing.assert_array_equal(fused[:, valid], plain[:, valid])
    # At the most twice PAN: an interpolated 600 to 800 beside the mean of two.
    assert fused[:, valid].max() < 3000
    # GDAL gives up where an MS pixel has no valid neighbour in its row or column.
    of_ms = np.kron(~noisy_ms((32, 30), dtype)[1], np.ones((4, 4), bool))
    assert valid[of_ms].mean() > 0.99


@pytest.mark.parametrize("way", ["tag", *INTEGER_WAYS])
@pytest.mark.parametrize("change", ["turned", "warped"])
def test_a_turned_or_warped_ms_shows_what_its_reader_reads(tmp_path: Path, way: str, change: str) -> None:
    pan = write_raster(tmp_path / "p.tif", np.full((1, 128, 120), 700, "uint16"))
    sources = [describe(path, "MS") for path in write_invalid(tmp_path, way, "uint16")]
    if change == "turned":
        sources = [flip_rows(source) for source in sources]
    else:
        place = from_origin(ORIGIN[0] - 1.3, ORIGIN[1] + 2.4, 1, 1)
        sources = [warp_to(source, Grid((32, 30), place, source.grid.crs)) for source in sources]
    read = []
    for source in sources:
        reader = SourceReader(source)
        pixels, valid = reader.read(source.grid.rect)
        reader.close()
        assert valid is not None
        read.append((np.where(valid, pixels, JUNK).astype("uint16"), valid))
    seen = [
        write_raster(tmp_path / f"seen{i}.tif", pixels, nodata=JUNK) for i, (pixels, _) in enumerate(read)
    ]
    plain, computed = read_with_mask(vrt_of(pan, seen))
    bands = [(at, number) for at, source in enumerate(sources) for number in source.bands]
    fused, valid = read_with_mask(pansharpened_vrt(describe(pan, "PAN"), sources, bands, NESTED))
    assert 0.3 < valid.mean() < 0.99
    np.testing.assert_array_equal(valid, computed)
    np.testing.assert_array_equal(fused[:, valid], plain[:, valid])


@pytest.mark.parametrize(("dtype", "least"), [("uint8", 0), ("uint16", 0), ("int16", -32768)])
def test_a_valid_value_is_never_taken_for_invalid(tmp_path: Path, dtype: str, least: int) -> None:
    """MS and PAN hold the very value that tells GDAL of masked pixels."""
    pixels = np.full((2, 16, 16), 100, dtype)
    pixels[:, 10:, 10:] = least
    invalid = np.zeros((16, 16), bool)
    invalid[2, 2] = True
    ms = write_masked(tmp_path / "m.tif", pixels, invalid, inside=True)
    levels = np.full((1, 64, 64), 100, dtype)
    levels[:, :, 20:24] = least
    pan = write_raster(tmp_path / "p.tif", levels)
    fused, valid = read_with_mask(vrt_of(pan, ms))
    assert valid[np.kron(~invalid, np.ones((4, 4), bool))].all()
    # Both bands alike: the result is PAN, to the 1 by which both stepped aside.
    assert np.abs(fused.astype(float) - levels)[:, valid].max() <= 2


def test_a_float_pan_of_zero_is_valid(tmp_path: Path) -> None:
    ms = write_raster(tmp_path / "m.tif", np.full((2, 16, 16), 100, "uint16"), nodata=0)
    levels = np.full((1, 64, 64), 0.5, "float32")
    levels[:, 20:24] = 0
    fused, valid = read_with_mask(vrt_of(write_raster(tmp_path / "p.tif", levels), ms))
    assert valid.all()
    assert (fused[:, levels[0] == 0] == 0).all()


def test_weights_make_the_pseudo_pan(tmp_path: Path) -> None:
    pan = write_raster(tmp_path / "p.tif", np.full((1, 64, 64), 500, "uint16"))
    levels = np.array([200, 400, 800], "uint16")
    ms = write_raster(tmp_path / "m.tif", np.tile(levels[:, None, None], (1, 16, 16)))
    for weights in (None, [0.5, 0.25, 0.25], [0.0, 0.0, 1.0]):
        share = weights or [1 / 3] * 3
        fused = read_all(vrt_of(pan, ms, weights=weights))
        expected = np.rint(levels * 500.0 / np.dot(share, levels))
        np.testing.assert_array_equal(fused[:, 20, 20], expected)


@pytest.mark.parametrize(
    "weights", [[0.5, 0.5], [], [0.25] * 5, [0.5, 0.6, -0.1, 0.0], [0.0] * 4, [math.nan, 1, 1, 1]]
)
def test_wrong_weights_are_refused_by_the_flag_name(tmp_path: Path, weights: list[float]) -> None:
    pan, ms = rough_pair(tmp_path)
    with pytest.raises(UsageError, match="--weights") as caught:
        check_brovey(describe(pan, "PAN"), [describe(ms, "MS")], 4, weights)
    assert "0.25,0.25,0.25,0.25" in str(caught.value)


def test_the_bits_of_ms_clip(tmp_path: Path) -> None:
    pan, ms = rough_pair(tmp_path)
    with rasterio.open(ms) as raster:
        pixels = np.minimum(raster.read(), 1023)
    nine = write_raster(tmp_path / "n.tif", pixels, nbits=10, photometric="MINISBLACK")
    assert read_all(vrt_of(pan, write_raster(ms, pixels, photometric="MINISBLACK"))).max() > 1200
    assert read_all(vrt_of(pan, nine)).max() == 1023
    # Of several files the widest counts, in any order.
    for files in ([nine, ms], [ms, nine]):
        assert read_all(vrt_of(pan, files)).max() > 1200


def test_an_eight_bit_pan_does_not_clip_a_sixteen_bit_ms(tmp_path: Path) -> None:
    pan = write_raster(tmp_path / "p.tif", np.full((1, 64, 64), 50, "uint8"))
    ms = write_raster(tmp_path / "m.tif", np.stack([np.full((16, 16), v, "uint16") for v in (1000, 3000)]))
    fused = read_all(vrt_of(pan, ms))
    assert fused.dtype == np.uint16
    assert fused[:, 30, 30].tolist() == [25, 75]


def test_bands_come_from_several_files_in_the_order_given(tmp_path: Path) -> None:
    pan, ms = rough_pair(tmp_path)
    with rasterio.open(ms) as raster:
        pixels, transform = raster.read(), raster.transform
    files = [write_raster(tmp_path / f"b{i}.tif", pixels[i : i + 1], transform=transform) for i in range(4)]
    one = read_all(vrt_of(pan, ms))
    several = read_all(vrt_of(pan, [files[i] for i in (2, 0, 3, 1)]))
    mixed = read_all(vrt_of(pan, [files[1], ms], bands=[(1, 3), (0, 1), (1, 1)], weights=[0, 0, 1]))
    np.testing.assert_array_equal(several, one[[2, 0, 3, 1]])
    expected = read_all(vrt_of(pan, ms, weights=[1, 0, 0, 0]))
    np.testing.assert_array_equal(mixed, expected[[2, 1, 0]])


def test_names_are_passed_on_as_they_are(tmp_path: Path) -> None:
    pan, ms = rough_pair(tmp_path)
    expected = read_all(vrt_of(pan, ms))
    odd = tmp_path / "a & b <c> \"d\" 'é' &amp;.tif"
    shutil.copy(ms, odd)
    archive = tmp_path / "both.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(pan, "in/pan.tif")
    vrt = tmp_path / "ms.vrt"
    copy_raster(ms, vrt, driver="VRT")
    for pan_name, ms_name in ((str(pan), str(odd)), (f"/vsizip/{archive}/in/pan.tif", str(vrt))):
        fused = read_all(vrt_of(pan_name, ms_name))
        np.testing.assert_array_equal(fused, expected)


def test_readers_of_two_threads_do_not_meet(tmp_path: Path) -> None:
    pan, ms = rough_pair(tmp_path, (256, 256), tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    vrt = vrt_of(pan, ms, threads=1)
    whole = read_all(vrt)
    # Opened and first read here, then elsewhere: what a common file handle would confuse.
    readers = [BroveyReader(vrt) for _ in range(4)]
    for reader in readers:
        reader.read(Rect(0, 0, 64, 64))
    wrong: list[object] = []

    def look(reader: BroveyReader, seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(40):
            rect = Rect(*rng.integers(0, 192, 2).tolist(), 64, 64)
            if not np.array_equal(reader.read(rect)[0], whole[:, *rect.within(Rect(0, 0, 256, 256))]):
                wrong.append(rect)

    threads = [threading.Thread(target=look, args=(reader, seed)) for seed, reader in enumerate(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for reader in readers:
        reader.close()
    assert not wrong


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in Linux's /proc")
def test_readers_share_no_file_handle_and_leave_none(tmp_path: Path) -> None:
    pan, ms = rough_pair(tmp_path)
    vrt = vrt_of(pan, ms)

    def handles() -> list[int]:
        links = [link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return [links.count(path.name) for path in (pan, ms)]

    readers = [BroveyReader(vrt) for _ in range(3)]
    for reader in readers:
        reader.read(Rect(0, 0, 64, 64))
    assert handles() == [3, 3]
    for reader in readers:
        reader.close()
    assert handles() == [0, 0]


@pytest.mark.parametrize("crs", ["EPSG:32633", None])
def test_rows_the_other_way_up_are_turned(tmp_path: Path, crs: str | None) -> None:
    pan, ms = rough_pair(tmp_path)
    expected = read_all(vrt_of(pan, ms))
    with rasterio.open(ms) as raster:
        pixels, north_up = raster.read(), raster.transform
    south_up = north_up @ Affine.translation(0, 16) @ Affine.scale(1, -1)
    turned = write_raster(
        tmp_path / "t.tif", pixels[:, ::-1], transform=south_up, crs=crs, photometric="MINISBLACK"
    )
    source = flip_rows(describe(turned, "MS"))
    assert source.grid.transform == north_up
    np.testing.assert_array_equal(read_all(vrt_of(pan, source)), expected)


def test_ms_of_another_crs_is_warped(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path)
    expected = read_all(vrt_of(pan, ms)).astype(float)
    with rasterio.open(ms) as raster:
        pixels, grid = raster.read(), Grid((64, 64), raster.transform, raster.crs)
        there, width, height = calculate_default_transform(grid.crs, "EPSG:4326", 64, 64, *grid.bounds())
    away = tmp_path / "away.tif"
    profile = {"driver": "GTiff", "count": 4, "dtype": "uint16", "crs": "EPSG:4326", "transform": there}
    with rasterio.open(away, "w", width=width, height=height, photometric="MINISBLACK", **profile) as raster:
        target = rasterio.band(raster, [1, 2, 3, 4])
        reproject(pixels, target, src_transform=grid.transform, src_crs=grid.crs, resampling=Resampling.cubic)
    fused = read_all(vrt_of(pan, warp_to(describe(away, "MS"), grid))).astype(float)
    inner = np.s_[:, 16:-16, 16:-16]
    assert np.corrcoef(fused[inner].ravel(), expected[inner].ravel())[0, 1] > 0.99


def test_a_type_that_gdal_cannot_pansharpen_is_told(tmp_path: Path) -> None:
    pan, _ = rough_pair(tmp_path)
    ms = write_raster(tmp_path / "u.tif", np.ones((2, 16, 20), "uint64"))
    with pytest.raises(InputError, match=r"u\.tif: pixels of type uint64"):
        check_brovey(describe(pan, "PAN"), [describe(ms, "MS")], 2, None)


def test_a_file_that_breaks_off_is_told(tmp_path: Path) -> None:
    pan, ms = rough_pair(tmp_path, (256, 256), tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    vrt = vrt_of(pan, ms)
    pan.write_bytes(pan.read_bytes()[: pan.stat().st_size * 2 // 3])
    with BroveyReader(vrt, "the pair") as reader, pytest.raises(InputError, match="the pair"):
        reader.read(Rect(0, 0, 256, 256))
    pan.unlink()
    with pytest.raises(InputError), BroveyReader(vrt) as reader:
        reader.read(Rect(0, 0, 256, 256))


def test_torch_stays_out() -> None:
    code = "import sys, geosharp.raster.brovey; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_made_pair_is_nested(tmp_path: Path) -> None:
    """The pairs above lie as NESTED says."""
    pan, ms = rough_pair(tmp_path)
    with rasterio.open(pan) as a, rasterio.open(ms) as b:
        assert a.transform == from_origin(*ORIGIN, 1, 1)
        assert relate(Grid(a.shape, a.transform, a.crs), Grid(b.shape, b.transform, b.crs)) == NESTED
