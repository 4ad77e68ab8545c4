"""The verbs with the sensor's table: what a scene tells of itself takes a second to learn.

Most tests do not look at what it changes."""

from __future__ import annotations

from functools import partial

import geosharp

fuse = partial(geosharp.fuse, calibration="sensor")
report = partial(geosharp.report, calibration="sensor")
evaluate = partial(geosharp.evaluate, calibration="sensor")
