"""A plugin of QGIS that offers geosharp in the Processing toolbox; see README.md."""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:  # noqa: N802, the name that QGIS calls
    from .geosharp_provider import Plugin  # noqa: TID252, QGIS chooses the package's name

    return Plugin()
