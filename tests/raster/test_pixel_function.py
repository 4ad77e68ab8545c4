"""What GDAL calls for pixels: it gets those of the image that it names, and there is nothing else to call."""

from __future__ import annotations

import numpy as np

from geosharp.raster import pixel_function
from geosharp.raster.memory import ArrayPixels
from geosharp.raster.pixel_function import PROVIDERS, fill


def test_the_part_of_the_band_that_is_asked_for_is_put() -> None:
    data = np.arange(2 * 6 * 5).reshape(2, 6, 5)
    PROVIDERS["made"] = ArrayPixels(data)
    out = np.zeros((3, 2), int)
    try:
        fill([], out, 1, 2, 2, 3, 5, 6, 0, None, token=b"made", band=b"1")
    finally:
        del PROVIDERS["made"]
    assert np.array_equal(out, data[1, 2:5, 1:3])


def test_the_module_that_gdal_trusts_holds_no_other_function() -> None:
    functions = {name for name, value in vars(pixel_function).items() if type(value) is type(fill)}
    assert functions == {"fill"}
