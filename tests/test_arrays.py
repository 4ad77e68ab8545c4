"""Arrays are fused as files of the same are: pixel for pixel, with what files say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

import geosharp
from geosharp.errors import GeosharpError, InputError, PairError, UsageError
from geosharp.raster.opening import opened
from tests.made import ORIGIN, make_pair, write_raster

rioxarray = pytest.importorskip("rioxarray", reason="the extra 'xarray' is not installed")
xarray = pytest.importorskip("xarray")

NO_DATA = {"pan_profile": {"nodata": 700}, "ms_profile": {"nodata": 700}}
# What is learnt from a scene takes seconds.
QUICK = {"method": "glp", "calibration": "sensor", "tile": 64}


def read(path: Path, **options: Any) -> Any:
    return rioxarray.open_rasterio(path, **options)


def by_files(pan: Path, ms: Path, **options: Any) -> tuple[np.ndarray, dict[str, Any]]:
    out = pan.parent / "out.tif"
    geosharp.fuse(pan, ms, out, overviews=False, overwrite=True, **options)
    with opened(str(out)) as file:
        return file.read(), {"transform": file.transform, "crs": file.crs, "nodata": file.nodata}


def check_same(pan: Path, ms: Path, **options: Any) -> Any:
    """The result as a DataArray, once it is what `fuse` writes."""
    wanted, known = by_files(pan, ms, **options)
    found = geosharp.fuse_arrays(read(pan), read(ms), **options)
    assert found.dtype == wanted.dtype
    assert np.array_equal(found.values, wanted, equal_nan=True)
    assert (found.rio.transform(), found.rio.crs) == (known["transform"], known["crs"])
    np.testing.assert_equal(found.rio.nodata, known["nodata"])
    return found


@pytest.mark.parametrize("method", ["exp", "glp-hpm", "gsa", "brovey"])
def test_pixels_are_those_of_files(tmp_path: Path, method: str) -> None:
    pair = make_pair(tmp_path, pan_shape=(150, 170), offset=(0.5, -3))
    calibration = {} if method in ("exp", "brovey") else {"calibration": "sensor"}
    check_same(*pair, method=method, tile=64, bands="3,1", **calibration)


def test_so_they_are_by_default(tmp_path: Path) -> None:
    found = check_same(*make_pair(tmp_path, pan_shape=(128, 128)))
    assert found.attrs["GEOSHARP_METHOD"] == "hfreqdiff"
    assert '"source": "scene"' in found.attrs["GEOSHARP_CALIBRATION"]


@pytest.mark.parametrize(
    ("pair", "options"),
    [
        ({"ms_profile": {"nodata": 700}, "pan_profile": {"nodata": 650}}, {}),
        ({"dtype": "float32"}, {}),
        ({"dtype": "float32", "pan_profile": {"nodata": float("nan")}}, {"dtype": "uint16"}),
        ({"offset": (20, 30)}, {"extent": "pan"}),
        ({"dtype": "uint8"}, {"dtype": "float32"}),
        ({"ratio": 3, "bands": 1, "dtype": "int16"}, {}),
    ],
    ids=["no-data", "float", "float to whole", "beyond MS", "unrounded", "one band"],
)
@pytest.mark.parametrize("method", ["glp", "brovey"])
def test_so_they_are_whatever_the_pair_is_like(
    tmp_path: Path, pair: dict[str, Any], options: dict[str, Any], method: str
) -> None:
    taken = QUICK if method == "glp" else {"method": "brovey", "tile": 64}
    check_same(*make_pair(tmp_path, pan_shape=(96, 120), **pair), **taken, **options)


@pytest.mark.parametrize("method", ["glp", "brovey"])
@pytest.mark.parametrize("how", ["another CRS", "south up"])
def test_ms_is_put_onto_pan_s_grid(tmp_path: Path, how: str, method: str) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(96, 120))
    with rasterio.open(ms) as file:
        data = file.read()
    if how == "south up":
        place = from_origin(*ORIGIN, 4, 4) @ rasterio.Affine(1, 0, 0, 0, -1, data.shape[1])
        write_raster(ms, data[:, ::-1], transform=place)
    else:
        read(ms).rio.reproject("EPSG:3857").rio.to_raster(ms)
    check_same(pan, ms, **(QUICK if method == "glp" else {"method": method, "tile": 64}))


def test_bare_arrays_give_a_bare_array(tmp_path: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(96, 120), offset=(0.5, 1), **NO_DATA)
    wanted, _ = by_files(pan, ms, **QUICK)
    place = from_origin(*ORIGIN, 1, 1), from_origin(ORIGIN[0] + 1, ORIGIN[1] - 0.5, 4, 4)
    found = geosharp.fuse_arrays(
        read(pan).values[0],
        read(ms).values,
        pan_transform=place[0],
        ms_transform=tuple(place[1]),
        crs="EPSG:32633",
        nodata=700,
        **QUICK,
    )
    assert type(found) is np.ndarray
    assert np.array_equal(found, wanted)


def test_without_a_place_both_cover_the_same_ground(tmp_path: Path) -> None:
    nowhere = {"transform": None, "crs": None}
    pair = make_pair(tmp_path, pan_shape=(96, 120), pan_profile=nowhere, ms_profile=nowhere)
    wanted, _ = by_files(*pair, **QUICK)
    with opened(str(pair[0])) as pan, opened(str(pair[1])) as ms:
        notes: list[str] = []
        found = geosharp.fuse_arrays(pan.read(), ms.read(), on_note=notes.append, **QUICK)
    assert np.array_equal(found, wanted)
    assert any("neither PAN nor MS has a geotransform" in note for note in notes)


def test_bands_of_bare_arrays_may_have_names() -> None:
    rng = np.random.default_rng(0)
    pan, ms = rng.integers(1, 99, (64, 64)).astype("uint8"), rng.integers(1, 99, (2, 16, 16)).astype("uint8")
    all_bands = geosharp.fuse_arrays(pan, ms, method="exp")
    red = geosharp.fuse_arrays(pan, ms, method="exp", names=("nir", "red"), bands="red")
    assert np.array_equal(red, all_bands[1:])


def test_inputs_stay_as_they_are(tmp_path: Path) -> None:
    pan, ms = map(read, make_pair(tmp_path, pan_shape=(64, 64)))
    before = pan.copy(deep=True), ms.copy(deep=True)
    geosharp.fuse_arrays(pan, ms, **QUICK)
    assert pan.identical(before[0])
    assert ms.identical(before[1])


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[Any] = []
    geosharp.fuse_arrays(*map(read, make_pair(tmp_path, pan_shape=(64, 128))), progress=told.append, **QUICK)
    assert [(each.stage, each.tiles) for each in told] == [("fuse", 1), ("fuse", 2), ("finish", 2)]


def test_messages_call_arrays_by_their_names(tmp_path: Path) -> None:
    pan, ms = map(read, make_pair(tmp_path, pan_shape=(64, 64)))
    with pytest.raises(PairError) as told:
        geosharp.fuse_arrays(pan, ms.assign_coords(x=ms.x + 1e6).drop_vars("spatial_ref"), **QUICK)
    assert told.value.subject == "pan.tif and ms.tif"
    with pytest.raises(InputError) as other:
        geosharp.fuse_arrays(ms.values, pan.values)
    assert (other.value.subject, other.value.found) == ("pan", "4 bands")


PAN, MS = np.ones((64, 64), "uint16"), np.ones((4, 16, 16), "uint16")
NAMED = xarray.DataArray(PAN, dims=("y", "x"))


@pytest.mark.parametrize(
    ("pan", "ms", "options", "message"),
    [
        (NAMED, MS, {}, "DataArray and ndarray; needed: two of one kind"),
        (NAMED, NAMED, {"crs": "EPSG:32633"}, "crs: a value beside DataArrays"),
        (NAMED, NAMED.to_dataset(name="a"), {}, "DataArray and Dataset"),
        (PAN, [[1]], {}, "ms: a list"),
        (np.ma.masked_equal(PAN, 1), MS, {}, "Fill it, and pass nodata"),
        (PAN[0], MS, {}, r"pan: an array of shape \(64,\)"),
        (PAN[:0], MS, {}, r"pan: an array of shape \(0, 64\)"),
        (PAN, MS, {"chunks": 64}, "chunks: arrays in memory"),
        (PAN, MS, {"diffusion": geosharp.Diffusion(draws=4)}, "diffusion: 4 draws"),
        (PAN, MS, {"method": "brovey", "calibration": __file__}, "a calibration for brovey"),
        (PAN, MS, {"pan_transform": (1, 0, 0, 0, -1, 0)}, "pan and ms: PAN is georeferenced and MS is not"),
        (PAN.astype(complex), MS, {}, "pan: pixels of type complex128"),
        (PAN, MS, {"names": ["red"]}, "ms: 1 names of bands; needed: as many as it has bands, 4"),
    ],
)
def test_what_cannot_be_fused_is_refused(pan: Any, ms: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(GeosharpError, match=message):
        geosharp.fuse_arrays(pan, ms, **options)


def test_a_scene_without_a_valid_pixel_is_refused() -> None:
    with pytest.raises(PairError, match="pan and ms"):
        geosharp.fuse_arrays(PAN, MS, nodata=1, method="brovey")


def test_a_usage_error_is_one() -> None:
    with pytest.raises(UsageError):
        geosharp.fuse_arrays(PAN, MS, method="none")
