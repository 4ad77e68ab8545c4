from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geosharp.padm.misfit import find_misfit
from geosharp.padm.sample import take_sample
from tests.padm.planted import make_ground, plant


@pytest.mark.parametrize(
    ("ratio", "shift"), [(4.0, (12.0, -8.0)), (4.0, (-20.0, 0.0)), (2.0, (0.0, 9.0)), (4.0, (0.0, 0.0))]
)
def test_a_large_misfit_is_found_to_a_pixel_of_ms(
    tmp_path: Path, ratio: float, shift: tuple[float, float]
) -> None:
    sample = take_sample(plant(tmp_path, ratio=ratio, shift=shift, size=384))
    assert sample is not None
    found = find_misfit(sample)
    assert found is not None
    np.testing.assert_allclose(found, shift, atol=ratio / 4)


def test_strangers_have_none(tmp_path: Path) -> None:
    from tests.padm.test_calibrate import same_pixels

    made = plant(tmp_path)
    pan = (100 + 10 * make_ground(256, 1, seed=5)).astype(np.float32)[:1]
    ms = (100 + 10 * make_ground(64, 4, seed=6)).astype(np.float32)
    sample = take_sample(same_pixels(made, tmp_path, pan, ms))
    assert sample is not None
    assert find_misfit(sample) is None
