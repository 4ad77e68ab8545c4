"""Images for the tests of quality, made by code."""

from __future__ import annotations

import numpy as np

from tests.made import texture


def made_image(bands: int = 4, shape: tuple[int, int] = (96, 128), seed: int = 0) -> np.ndarray:
    return np.stack([100 + 900 * texture(shape, seed + band) for band in range(bands)]).astype(np.uint16)


def noisy(image: np.ndarray, sigma: float, seed: int = 9) -> np.ndarray:
    return image + sigma * np.random.default_rng(seed).standard_normal(image.shape)
