"""An encoded picture is what was given: exactly when lossless, closely and smaller when not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from geosharp.errors import ResourceError
from geosharp.raster.output import encode
from geosharp.raster.output.encode import encode_webp
from tests.made import texture


def read_webp(encoded: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(encoded) as memory, memory.open() as raster:
            assert raster.driver == "WEBP"
            return raster.read()


def make_picture(count: int) -> np.ndarray:
    return np.stack([np.rint(255 * texture((61, 47), seed)) for seed in range(count)]).astype(np.uint8)


@pytest.mark.parametrize("count", [1, 3])
def test_the_highest_quality_keeps_every_pixel(count: int) -> None:
    picture = make_picture(count)
    read = read_webp(encode_webp(picture, 100))
    assert read.shape == (3, 61, 47)
    np.testing.assert_array_equal(read, np.broadcast_to(picture, read.shape))


def test_opacity_stays_and_hides_nothing_else() -> None:
    picture = make_picture(4)
    picture[3] = np.where(np.arange(47) < 20, 0, 255)
    read = read_webp(encode_webp(picture, 100))
    np.testing.assert_array_equal(read[3], picture[3])
    np.testing.assert_array_equal(read[:3, :, 20:], picture[:3, :, 20:])


def test_less_quality_is_smaller_and_further_away() -> None:
    picture = make_picture(3)
    sizes, errors = [], []
    for quality in (100, 90, 60, 30):
        encoded = encode_webp(picture, quality)
        sizes.append(len(encoded))
        errors.append(float(np.abs(read_webp(encoded).astype(int) - picture).mean()))
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)
    assert errors[0] == 0 < errors[1]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint16),
        np.zeros((4, 4), np.uint8),
        np.zeros((3, 0, 4), np.uint8),
        np.zeros((1, 1, 16384), np.uint8),
    ],
    ids=["two bands", "16 bits", "no band axis", "empty", "too wide"],
)
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="picture"):
        encode_webp(image, 80)


def test_a_gdal_without_webp_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(MemoryFile):
        def open(self, **profile: object) -> object:
            return super().open(**{**profile, "driver": "WEBPX"})

    monkeypatch.setattr(encode, "MemoryFile", Bare)
    with pytest.raises(ResourceError, match="WEBP driver"):
        encode_webp(make_picture(3), 80)
