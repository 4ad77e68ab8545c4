"""Fixtures of this room: a ground is read by many tests and changed by none."""

from __future__ import annotations

import pytest

from geosharp.tuning.ground import Ground
from tests.tuning.made_ground import make_ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return make_ground(tmp_path_factory.mktemp("ground"))
