"""Virtual rasters: the bands they are made of, but for what is hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from geosharp.raster.vrt import Hide, band_xml, dataset_xml, mask_xml, source_xml, whole
from tests.made import write_raster

SHAPE = (5, 7)
PLACE = (10.0, 2.0, 0.0, 20.0, 0.0, -2.0)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32"])
@pytest.mark.parametrize("hide", [None, (3.0, 99.0), (None, 99.0)])
def test_hidden_pixels_get_another_value_and_no_others(tmp_path: Path, dtype: str, hide: Hide | None) -> None:
    pixels = np.arange(35).reshape(1, *SHAPE).astype(dtype)
    mask = np.zeros((1, *SHAPE), "uint8")
    mask[0, 1:, 2:] = 255
    name = str(write_raster(tmp_path / "a & b.tif", pixels))
    cover = str(write_raster(tmp_path / "mask.tif", mask))
    masked = dataset_xml(
        SHAPE, band_xml(1, dtype, None, [source_xml(name, 1, *whole(SHAPE))]), mask=mask_xml(cover, "1")
    )
    shown = band_xml(1, dtype, hide and hide[1], [source_xml(masked, 1, *whole(SHAPE), hide)])
    expected = pixels.copy()
    if hide is not None:
        expected[mask == 0 if hide[0] is None else pixels == hide[0]] = 99
    with rasterio.open(dataset_xml(SHAPE, shown, PLACE)) as raster:
        np.testing.assert_array_equal(raster.read(), expected)
        assert raster.dtypes == (dtype,)
        assert raster.transform.to_gdal() == PLACE
