"""Stretched copies, saturation and holes are seen, and told from what is sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp.checkup.look import Look, take_look
from geosharp.checkup.values import (
    check_bits,
    check_holes,
    check_saturation,
    find_holes,
    read_channels,
    read_levels,
)
from geosharp.finding import Finding
from geosharp.raster.ceiling import find_ceiling
from geosharp.raster.scene import Scene, open_scene
from tests.made import make_pair


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return make_pair(tmp_path)


def change(path: Path, function: object) -> None:
    """The file with `function` of its pixels."""
    with rasterio.open(path, "r+") as raster:
        raster.write(np.asarray(function(raster.read()), raster.dtypes[0]))  # type: ignore[operator]


def see(pair: tuple[Path, Path]) -> tuple[Scene, Look]:
    scene = open_scene(*pair)
    return scene, take_look(scene)


def bits_of(pair: tuple[Path, Path]) -> Finding:
    scene, look = see(pair)
    return check_bits(scene, read_channels(scene, look))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_sound_pairs_have_nothing_to_be_told(tmp_path: Path, dtype: str) -> None:
    scene, look = see(make_pair(tmp_path, dtype=dtype))
    channels = read_channels(scene, look)
    assert [each.name for each in channels] == ["PAN", *(band.name for band in scene.bands)]
    for found in (check_bits(scene, channels), check_saturation(channels), check_holes(look, 1)):
        assert found.level == "ok", found.told


def test_a_step_between_values_is_noted(pair: tuple[Path, Path]) -> None:
    for path in pair:
        change(path, lambda data: data // 8 * 8)
    found = bits_of(pair)
    assert found.level == "note"
    assert "all are multiples of 8, as if 3 bits less" in found.text


@pytest.mark.parametrize("factor", [2.7, 8.03])
def test_levels_that_a_stretch_left_out_are_seen(pair: tuple[Path, Path], factor: float) -> None:
    change(pair[1], lambda data: np.rint(data // 8 * factor))
    found = bits_of(pair)
    assert found.level == "warning"
    assert "of the levels never occur in band1, band2, band3, band4" in found.text


def test_few_pixels_over_many_levels_are_no_gaps() -> None:
    values = np.random.default_rng(0).integers(5000, 60_000, 4000).astype(np.uint16)
    assert read_levels("PAN", values, None).gaps < 0.05


def test_a_copy_for_display_piles_up_at_both_ends(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, dtype="uint8")
    change(pair[1], lambda data: np.clip((data.astype(float) - 80) * 5, 0, 255))
    found = bits_of(pair)
    assert (found.level, "pile up at both ends" in found.text) == ("warning", True)


def test_values_beyond_the_declared_bits_are_told(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, ms_profile={"nbits": 11})
    scene = open_scene(*pair)
    assert scene.ms[0].bits == 11
    look = take_look(scene)
    look.ms[2, 0, 0] = 3000
    found = check_bits(scene, read_channels(scene, look))
    assert (found.level, "more than the declared bits hold in band3" in found.text) == ("warning", True)


@pytest.mark.parametrize(("which", "level"), [(0, "stop"), (1, "warning")])
def test_an_image_of_one_value_is_told(pair: tuple[Path, Path], which: int, level: str) -> None:
    change(pair[which], lambda data: data * 0 + 7)
    found = bits_of(pair)
    assert (found.level, "one value alone in" in found.text) == (level, True)


@pytest.mark.parametrize(("top", "bits"), [(2047, None), (4095, None), (65535, None), (1023, 10)])
def test_saturation_is_at_the_top_of_the_bits_in_use(top: int, bits: int | None) -> None:
    values = np.random.default_rng(0).integers(50, top - 5, 10_000).astype(np.uint16)
    values[:300] = top
    assert read_levels("PAN", values, bits).top == 0.03
    assert read_levels("PAN", values[300:], bits).top == 0.0


def test_saturation_of_stretched_values_is_at_their_last_step() -> None:
    values = np.random.default_rng(0).integers(6, 250, 10_000).astype(np.uint16) * 8
    assert read_levels("PAN", values, None).top == 0.0
    # Too few to be told by their number.
    values[:5] = 2040
    assert read_levels("PAN", values, None).top == 5e-4


def test_a_band_shares_the_bits_of_the_brightest() -> None:
    """1023 is the top of ten bits, and an ordinary value where another band shows eleven."""
    values = np.minimum(np.random.default_rng(0).integers(50, 1060, 10_000), 1023).astype(np.uint16)
    values[values == 1023] = np.arange((values == 1023).sum()) % 900 + 100
    values[:3] = 1023
    assert read_levels("red", values, None).top == 3e-4
    assert read_levels("red", values, None, highest=2000.0).top == 0.0


def test_floats_that_are_cut_off_are_saturated() -> None:
    values = np.random.default_rng(0).normal(0.3, 0.1, 10_000).astype(np.float32)
    assert read_levels("PAN", values, None).top == 0.0
    assert read_levels("PAN", np.minimum(values, 0.5), None).top > 0.01


@pytest.mark.parametrize(("share", "level"), [(0.0, "ok"), (5e-5, "ok"), (2e-3, "note"), (0.05, "warning")])
def test_more_saturation_is_told_louder(pair: tuple[Path, Path], share: float, level: str) -> None:
    def saturate(data: np.ndarray) -> np.ndarray:
        data[0].reshape(-1)[: round(share * data[0].size)] = 2047
        return data

    change(pair[0], saturate)
    scene, look = see(pair)
    found = check_saturation(read_channels(scene, look))
    assert found.level == level, found.told
    assert found.facts["shares"]["PAN"] == pytest.approx(share, abs=1e-5)


def test_where_results_end_is_told(pair: tuple[Path, Path]) -> None:
    change(pair[1], lambda data: np.minimum(data, 511))
    scene, look = see(pair)
    channels = read_channels(scene, look)
    assert "clips MS's values at 511" in check_saturation(channels, find_ceiling(scene)).text
    assert "clips" not in check_saturation(channels, None).text


def test_holes_are_told_from_what_lies_around_an_image() -> None:
    """A turned image: its corners are no holes, a gap in it and a stripe across it are."""
    rows, cols = np.mgrid[:100, :100] - 49.5
    image = (abs(rows * 0.9 + cols * 0.4) < 40) & (abs(cols * 0.9 - rows * 0.4) < 40)
    assert not find_holes(image).any()
    holed = image.copy()
    holed[45:50, 40:60] = False
    assert (find_holes(holed) == (image & ~holed)).all()
    striped = np.ones((50, 50), bool)
    striped[20:23] = False
    assert find_holes(striped).sum() == 150


@pytest.mark.parametrize(("side", "level"), [(0, "ok"), (4, "note"), (24, "warning")])
def test_holes_and_tiles_are_counted(tmp_path: Path, side: int, level: str) -> None:
    pair = make_pair(tmp_path, pan_shape=(512, 512), ms_profile={"nodata": 0})

    def spoil(data: np.ndarray) -> np.ndarray:
        data[:, 20 : 20 + side, 20 : 20 + side] = 0
        return data

    change(pair[1], spoil)
    _, look = see(pair)
    found = check_holes(look, 40)
    assert found.level == level
    assert found.facts["ms_holes"] == side**2 / 128**2
    assert found.facts["pan_holes"] == 0
    assert found.facts["tiles_touched"] == (10 if side else 0)


def test_a_collar_is_no_fault_and_is_told(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, ms_profile={"nodata": 0})

    def spoil(data: np.ndarray) -> np.ndarray:
        data[:, :16] = 0
        return data

    change(pair[1], spoil)
    found = check_holes(see(pair)[1], 4)
    assert (found.level, found.text) == (
        "ok",
        "no holes seen; 25 % of the common area lies outside the image",
    )


def test_nothing_valid_is_a_stop(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, ms_profile={"nodata": 0})
    change(pair[1], lambda data: data * 0)
    found = check_holes(see(pair)[1], None)
    assert (found.level, found.text.startswith("MS: no valid pixel")) == ("stop", True)
