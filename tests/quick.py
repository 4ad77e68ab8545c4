"""The verbs with the sensor's table and glp: what a scene tells of itself takes a second to learn, and the
network another to compute.

Most tests do not look at what they change."""

from __future__ import annotations

from functools import partial

import geosharp

fuse = partial(geosharp.fuse, method="glp", calibration="sensor")
report = partial(geosharp.report, calibration="sensor")
evaluate = partial(geosharp.evaluate, calibration="sensor")
