"""What is packed unpacks to what it was, as near as is said, and never takes more room than is given."""

from __future__ import annotations

import base64
import warnings
from typing import Any

import numpy as np
import pytest
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from geosharp.errors import ResourceError
from geosharp.quality.report import packing
from geosharp.quality.report.packing import foresee, pack_cube, pack_maps, pack_pictures, reduce
from tests.quality.report.made import tinted


def unpack_uri(uri: str) -> np.ndarray:
    head, _, text = uri.partition(",")
    assert head == "data:image/webp;base64"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(base64.b64decode(text)) as memory, memory.open() as raster:
            return raster.read()


def unpack_cube(packed: dict[str, Any], which: int) -> np.ndarray:
    codes = np.frombuffer(base64.b64decode(packed["codes"][which]), "<u2").astype(float)
    values = np.where(codes == 65535, np.nan, packed["low"] + packed["step"] * codes)
    return values.reshape(-1, packed["rows"], packed["cols"])


def unpack_map(packed: dict[str, Any], which: int) -> np.ndarray:
    each = packed["maps"][which]
    codes = np.frombuffer(base64.b64decode(each["codes"]), np.uint8).astype(float)
    values = packed["low"] + codes / 254 * (packed["high"] - packed["low"])
    return np.where(codes == 255, np.nan, values).reshape(each["rows"], each["cols"])


def make_noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, *shape)).astype(np.uint8)


def test_pictures_with_room_keep_their_size_and_look() -> None:
    pictures = [tinted((96, 64), channel, channel) for channel in range(3)]
    album = pack_pictures(pictures, 1_000_000)
    assert (album.shrink, album.quality) == packing.LADDER[0]
    for uri, picture in zip(album.uris, pictures, strict=True):
        # Colour has half the resolution: the middle of a fine colour edge is off, the mean is not.
        np.testing.assert_allclose(unpack_uri(uri).mean((1, 2)), picture.mean((1, 2)), atol=2)


def test_less_room_means_less_quality_then_smaller_pictures() -> None:
    pictures = [make_noise((256, 256), seed) for seed in range(3)]
    full = sum(map(len, pack_pictures(pictures, 10_000_000).uris))
    steps = []
    for limit in (full, full // 2, full // 5, full // 20):
        album = pack_pictures(pictures, limit)
        assert sum(map(len, album.uris)) <= limit
        steps.append(packing.LADDER.index((album.shrink, album.quality)))
        side = 256 // album.shrink
        assert unpack_uri(album.uris[0]).shape == (3, side, side)
    assert steps == sorted(set(steps))
    with pytest.raises(ResourceError, match="--bands"):
        pack_pictures(pictures, 300)


def test_a_calm_middle_does_not_break_the_limit() -> None:
    picture = make_noise((512, 512))
    picture[:, 128:384, 128:384] = 90
    limit = 150_000
    assert foresee([picture], 1, 85) < limit  # it looks as if it fitted
    assert len(pack_pictures([picture], limit).uris[0]) <= limit


def test_what_is_foreseen_is_about_what_is_encoded() -> None:
    pictures = [tinted((700, 900), 0, 3), make_noise((300, 200))]
    for shrink, quality in ((1, 85), (2, 50)):
        encoded = sum(len(packing._encode(reduce(picture, shrink), quality)) for picture in pictures)
        assert foresee(pictures, shrink, quality) == pytest.approx(encoded, rel=0.15)


@pytest.mark.parametrize("side", [64, 65, 71])
def test_a_reduced_picture_covers_what_it_covered(side: int) -> None:
    """A ramp stays a ramp from edge to edge: nothing moves against a picture of another size."""
    ramp = np.broadcast_to(np.linspace(0, 255, side).round(), (1, side, side)).astype(np.uint8)
    small = reduce(ramp, 8)
    count = small.shape[2]
    assert small.shape == (1, -(-side // 8), -(-side // 8))
    places = (np.arange(count) + 0.5) / count * 255
    np.testing.assert_allclose(small[0, 0], places, atol=0.5 * 255 / side + 1)


def test_a_picture_wider_than_webp_allows_is_reduced() -> None:
    wide = np.zeros((1, 2, packing.MAX_SIDE + 10), np.uint8)
    assert reduce(wide, 1).shape == (1, 2, packing.MAX_SIDE)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_cube_comes_back_within_half_a_step(dtype: str) -> None:
    rng = np.random.default_rng(1)
    ms, fused = (rng.uniform(20, 3000, (4, 30, 20)).astype(dtype) for _ in range(2))
    packed = pack_cube([ms, fused])
    assert packed["step"] < 0.05
    for which, cube in enumerate((ms, fused)):
        np.testing.assert_allclose(unpack_cube(packed, which), cube, atol=0.501 * packed["step"])


def test_what_is_not_known_stays_unknown() -> None:
    cube = np.ones((2, 3, 3))
    cube[1, 2, 2] = np.nan
    packed = pack_cube([cube, cube])
    np.testing.assert_array_equal(np.isnan(unpack_cube(packed, 1)), np.isnan(cube))
    assert np.isnan(unpack_cube(pack_cube([cube * np.nan]), 0)).all()
    values = np.array([[0.0, np.nan], [np.inf, 4.0]])
    unpacked = unpack_map(pack_maps([values], signed=False), 0)
    np.testing.assert_array_equal(np.isnan(unpacked), ~np.isfinite(values))


def test_a_large_cube_is_thinned_by_means_of_what_is_known() -> None:
    side = 2 * packing.SPECTRA_SIDE
    cube = np.zeros((1, side, side))
    cube[0, ::2] = 8.0
    cube[0, 0, 0] = np.nan
    cube[0, -2:, -2:] = np.nan
    values = unpack_cube(pack_cube([cube]), 0)[0]
    assert values.shape == (packing.SPECTRA_SIDE, packing.SPECTRA_SIDE)
    assert values[5, 5] == pytest.approx(4.0, abs=1e-3)
    assert values[0, 0] == pytest.approx(8 / 3, abs=1e-3)
    assert np.isnan(values[-1, -1])


def test_a_map_comes_back_on_its_scale() -> None:
    values = np.linspace(-10, 10, 400).reshape(20, 20)
    packed = pack_maps([values, values / 2], signed=True)
    assert packed["low"] == -packed["high"]
    assert 9.5 < packed["high"] < 10
    step = 2 * packed["high"] / 254
    inside = np.abs(values) <= packed["high"]
    np.testing.assert_allclose(unpack_map(packed, 0)[inside], values[inside], atol=0.51 * step)
    np.testing.assert_allclose(unpack_map(packed, 0)[~inside], np.sign(values[~inside]) * packed["high"])
    np.testing.assert_allclose(unpack_map(packed, 1), values / 2, atol=0.51 * step)
    assert pack_maps([np.abs(values)], signed=False)["low"] == 0
    assert pack_maps([values * 0], signed=True)["high"] > 0


def test_many_bands_share_the_room_of_eight() -> None:
    eight, many = (np.random.default_rng(0).random((bands, 160, 160)) for bands in (8, 48))
    room = [sum(map(len, pack_cube([cube])["codes"])) for cube in (eight, many)]
    assert room[1] <= room[0] == -(-8 * 160**2 * 2 // 3) * 4
    large = np.random.default_rng(0).random((320, 320))
    room = [
        sum(len(each["codes"]) for each in pack_maps([large] * bands, signed=True)["maps"])
        for bands in (8, 48)
    ]
    assert room[1] <= room[0]
    # The room is used, too, where whole factors allow.
    assert pack_maps([large] * 32, signed=True)["maps"][0]["rows"] == 160
