"""What is known of a scene's degradation without a look at it: the sensor's published values."""

from __future__ import annotations

from geosharp.imaging.degradation import Degradation
from geosharp.raster.scene import Scene


def table_degradation(scene: Scene) -> Degradation:
    """The degradation that the sensor's table states, its registration being perfect."""
    return Degradation.alike([band.optics.gain for band in scene.bands], scene.sensor.pan_gain)
