"""One planted scene and its calibration, shared: they are only read."""

from __future__ import annotations

import pytest

from geosharp.padm.calibrate import calibrate
from geosharp.padm.calibration import Calibration
from geosharp.padm.sample import Sample, take_sample
from geosharp.raster.scene import Scene
from tests.padm.planted import plant

GAINS, SHIFT = (0.2, 0.35), (0.7, -1.2)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """256 x 256 PAN pixels, ratio 4, four bands, 40 dB; degraded by GAINS and SHIFT."""
    return plant(tmp_path_factory.mktemp("planted"), gains=GAINS, shift=SHIFT, noise=40)


@pytest.fixture(scope="session")
def sample(scene: Scene) -> Sample:
    taken = take_sample(scene)
    assert taken is not None
    return taken


@pytest.fixture(scope="session")
def calibration(scene: Scene) -> Calibration:
    return calibrate(scene)
