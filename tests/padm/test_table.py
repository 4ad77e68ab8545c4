from __future__ import annotations

from pathlib import Path

from geosharp.imaging.degradation import Degradation
from geosharp.padm.table import table_degradation
from geosharp.raster.scene import open_scene
from tests.made import make_pair


def test_the_table_states_the_sensors_gains(tmp_path: Path) -> None:
    how = table_degradation(open_scene(*make_pair(tmp_path), sensor="ikonos"))
    assert how == Degradation.alike([0.26, 0.28, 0.29, 0.28], 0.17)
