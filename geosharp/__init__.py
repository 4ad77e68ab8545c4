"""Pansharpening of satellite scenes: a fine PAN and a coarse MS of one ground become a fine MS.

The names below load what they need on first use, so that `import geosharp` costs neither torch nor
rasterio: the command line answers `--help` and refuses wrong usage at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from geosharp.errors import GeosharpError
from geosharp.version import __version__ as __version__

if TYPE_CHECKING:
    from geosharp.archive.batch import BatchResult, batch
    from geosharp.arrays import fuse_arrays
    from geosharp.calibration import calibrate
    from geosharp.checkup.check import Checkup, check
    from geosharp.cluster.connection import Cluster
    from geosharp.evaluation import Evaluation, evaluate
    from geosharp.fusion import FuseResult, fuse
    from geosharp.hfreqdiff.settings import Diffusion
    from geosharp.padm.calibration import Calibration, load_calibration
    from geosharp.raster.scene import Scene, open_scene
    from geosharp.reporting import ReportResult, report
    from geosharp.training import TrainResult, train

__all__ = [
    "BatchResult",
    "Calibration",
    "Checkup",
    "Cluster",
    "Diffusion",
    "Evaluation",
    "FuseResult",
    "GeosharpError",
    "ReportResult",
    "Scene",
    "TrainResult",
    "__version__",
    "batch",
    "calibrate",
    "check",
    "evaluate",
    "fuse",
    "fuse_arrays",
    "load_calibration",
    "open_scene",
    "report",
    "train",
]

_HOMES = {
    "BatchResult": "geosharp.archive.batch",
    "Calibration": "geosharp.padm.calibration",
    "Checkup": "geosharp.checkup.check",
    "Cluster": "geosharp.cluster.connection",
    "Diffusion": "geosharp.hfreqdiff.settings",
    "Evaluation": "geosharp.evaluation",
    "FuseResult": "geosharp.fusion",
    "ReportResult": "geosharp.reporting",
    "Scene": "geosharp.raster.scene",
    "TrainResult": "geosharp.training",
    "batch": "geosharp.archive.batch",
    "calibrate": "geosharp.calibration",
    "check": "geosharp.checkup.check",
    "evaluate": "geosharp.evaluation",
    "fuse": "geosharp.fusion",
    "fuse_arrays": "geosharp.arrays",
    "load_calibration": "geosharp.padm.calibration",
    "open_scene": "geosharp.raster.scene",
    "report": "geosharp.reporting",
    "train": "geosharp.training",
}


if not TYPE_CHECKING:  # to a type checker only the names imported above exist

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
