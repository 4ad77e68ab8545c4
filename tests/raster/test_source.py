"""A raster is described as it is, and read with its edges, masks and metadata, or refused in plain words."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from geosharp.errors import InputError
from geosharp.raster.environment import gdal_settings
from geosharp.raster.grid import Grid, Rect
from geosharp.raster.source import Array, Mask, Source, SourceReader, describe, flip_rows, warp_to
from tests.made import ORIGIN, write_raster

NUMBERS = np.arange(1, 1 + 3 * 37 * 53, dtype="uint16").reshape(3, 37, 53)
HOLE = (slice(5, 12), slice(8, 20))


def read(source: Source, rect: Rect | None = None) -> tuple[Array, Mask | None]:
    reader = SourceReader(source)
    try:
        return reader.read(rect or source.grid.rect)
    finally:
        reader.close()


def punched(dtype: str, value: float, bands: int = 3) -> np.ndarray:
    """(band, row, col) of 50 with `value` in HOLE."""
    data = np.full((bands, 37, 53), 50, dtype)
    data[:, *HOLE] = value
    return data


def only_hole_invalid(valid: Mask | None) -> bool:
    expected = np.ones((37, 53), bool)
    expected[HOLE] = False
    return valid is not None and bool((valid == expected).all())


def add_mask(path: Path, *, internal: bool) -> None:
    mask = np.full((37, 53), 255, "uint8")
    mask[HOLE] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(path, "r+") as raster:
        raster.write_mask(mask)


def refusal(path: Path | str, role: str = "PAN") -> InputError:
    """The error of opening and reading `path`, which names the file and has all four parts."""
    with pytest.raises(InputError) as caught:
        read(describe(path, role))
    error = caught.value
    assert error.subject == str(path)
    assert all((error.found, error.needed, error.remedy))
    return error


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "rect",
    [
        Rect(0, 0, 37, 53),
        Rect(3, 4, 9, 11),
        Rect(-6, -2, 20, 30),
        Rect(30, 40, 20, 30),
        Rect(-5, -5, 50, 70),
        Rect(-9, 3, 4, 4),
        Rect(60, 80, 3, 2),
    ],
    ids=str,
)
def test_beyond_the_raster_edges_repeat_and_are_invalid(
    tmp_path: Path, rect: Rect, masked: bool, flip: bool
) -> None:
    path = write_raster(tmp_path / "a.tif", NUMBERS, nodata=700 if masked else None)
    source = flip_rows(describe(path, "MS")) if flip else describe(path, "MS")
    whole = NUMBERS[:, ::-1] if flip else NUMBERS
    data, valid = read(source, rect)
    assert data.shape == (3, *rect.shape)
    for row, col in np.ndindex(rect.shape):
        y, x = rect.row + row, rect.col + col
        nearest = whole[:, min(max(y, 0), 36), min(max(x, 0), 52)]
        assert (data[:, row, col] == nearest).all()
        there = 0 <= y < 37 and 0 <= x < 53
        expected = there & ((nearest != 700) | (not masked))
        assert (np.ones(3, bool) if valid is None else valid[:, row, col]).tolist() == list(
            np.broadcast_to(expected, 3)
        )


def test_flipped_twice_a_raster_is_itself_and_its_ground_stays(tmp_path: Path) -> None:
    source = describe(write_raster(tmp_path / "a.tif", NUMBERS), "MS")
    flipped = flip_rows(source)
    assert flipped.grid.south_up
    assert flipped.grid.bounds() == source.grid.bounds()
    assert flip_rows(flipped).grid == source.grid


DRIVERS: dict[str, dict[str, Any]] = {
    "a.tif": {},
    "a.img": {"driver": "ENVI"},
    "a.ntf": {"driver": "NITF", "ICORDS": "N"},
    "a.jp2": {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"},
}


@pytest.mark.parametrize("name", DRIVERS)
def test_formats_are_read_alike(tmp_path: Path, name: str) -> None:
    path = write_raster(tmp_path / name, NUMBERS, **DRIVERS[name])
    source = describe(path, "MS")
    with gdal_settings(2**24):
        data, valid = read(source)
    assert (data == NUMBERS).all()
    assert valid is None
    assert source.grid.bounds() == pytest.approx((*ORIGIN[:1], ORIGIN[1] - 37, ORIGIN[0] + 53, ORIGIN[1]))


def test_a_vrt_and_a_zipped_file_are_read_alike(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", NUMBERS)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "inside/a.tif")
    source = describe(f"/vsizip/{tmp_path}/a.zip/inside/a.tif", "MS")
    assert (read(source)[0] == NUMBERS).all()
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{i}"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">a.tif</SourceFilename><SourceBand>{4 - i}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for i in (1, 2, 3)
    )
    vrt = tmp_path / "a.vrt"
    vrt.write_text(f'<VRTDataset rasterXSize="53" rasterYSize="37">{bands}</VRTDataset>')
    assert (read(describe(vrt, "MS"))[0] == NUMBERS[::-1]).all()


def test_a_source_opened_by_uri_is_named_as_gdal_names_it(tmp_path: Path) -> None:
    folder = tmp_path / "with blank"
    folder.mkdir()
    path = write_raster(folder / "a.tif", NUMBERS)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "inside/a.tif")
    for uri in (path.as_uri(), f"file://{path}", f"zip://{tmp_path}/a.zip!inside/a.tif"):
        source = describe(uri, "MS")
        vrt = tmp_path / "a.vrt"
        vrt.write_text(
            '<VRTDataset rasterXSize="53" rasterYSize="37"><VRTRasterBand dataType="UInt16" band="1">'
            f'<SimpleSource><SourceFilename relativeToVRT="0">{source.name}</SourceFilename></SimpleSource>'
            "</VRTRasterBand></VRTDataset>"
        )
        assert (read(describe(vrt, "MS"))[0] == NUMBERS[:1]).all()
        assert (read(source)[0] == NUMBERS).all()
    with pytest.raises(InputError, match="no such file"):
        describe(f"file://{folder}/none.tif", "MS")


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
)
def test_values_and_type_are_kept(tmp_path: Path, dtype: str) -> None:
    data = (
        np.linspace(-90 if np.dtype(dtype).kind != "u" else 0, 120, 37 * 53).reshape(1, 37, 53).astype(dtype)
    )
    source = describe(write_raster(tmp_path / "a.tif", data), "PAN")
    found, valid = read(source)
    assert source.dtype == dtype
    assert found.dtype == dtype
    assert (found == data).all()
    assert valid is None
    if np.dtype(dtype).kind == "f":
        assert source.value_range is None
    else:
        assert source.value_range == (np.iinfo(dtype).min, np.iinfo(dtype).max)


def test_bits_scales_offsets_names_units_and_tags_are_kept(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", NUMBERS % 2048, nbits=11)
    with rasterio.open(path, "r+") as raster:
        raster.scales, raster.offsets = (2e-5, 1.0, 0.5), (-0.1, 0.0, 3.0)
        raster.descriptions, raster.units = ("blue", None, "nir"), ("W", None, "K")
        raster.update_tags(PLATFORM="test")
        raster.update_tags(2, KEY="of band 2")
    source = describe(path, "MS")
    assert source.bits == 11
    assert source.value_range == (0, 2047)
    assert (source.scales, source.offsets) == ((2e-5, 1.0, 0.5), (-0.1, 0.0, 3.0))
    assert source.labels == ("blue", None, "nir")
    assert source.units[0::2] == ("W", "K")
    assert source.tags[""]["PLATFORM"] == "test"
    assert source.band_tags[1]["KEY"] == "of band 2"


def test_band_names_and_units_that_are_not_utf8_are_read_as_latin1(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif", NUMBERS)
    names = ("r\xf6d".encode("latin-1"), "gr\xf6n".encode(), b"nir")
    bands = b"".join(
        b'<VRTRasterBand dataType="UInt16" band="%d"><Description>%s</Description><UnitType>\xb5m</UnitType>'
        b'<SimpleSource><SourceFilename relativeToVRT="1">a.tif</SourceFilename>'
        b"<SourceBand>%d</SourceBand></SimpleSource></VRTRasterBand>" % (number, name, number)
        for number, name in enumerate(names, 1)
    )
    (tmp_path / "a.vrt").write_bytes(b'<VRTDataset rasterXSize="53" rasterYSize="37">%s</VRTDataset>' % bands)
    source = describe(tmp_path / "a.vrt", "MS")
    assert source.labels == ("r\xf6d", "gr\xf6n", "nir")
    assert source.units == ("\xb5m",) * 3
    assert (read(source)[0] == NUMBERS).all()


def test_an_envi_header_in_latin1_is_read(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.img", NUMBERS[:2], driver="ENVI")
    header = path.with_suffix(".hdr")
    text = header.read_text().replace("Band 1", "r\xf6d") + "description = {gr\xf6n}\n"
    header.write_text(text, encoding="latin-1")
    assert "r\xf6d" in text
    assert describe(path, "MS").labels == ("r\xf6d", "Band 2")


@pytest.mark.parametrize(
    ("dtype", "hole", "nodata"),
    [
        ("uint16", 0, 0),
        ("uint16", 65535, 65535),
        ("int16", -999, -999),
        ("uint8", 7, 7),
        ("float32", -9999, -9999),
        ("float32", -3.4e38, -3.4e38),
        ("float32", np.nan, np.nan),
        ("float64", np.nan, None),
        ("float32", np.inf, -1),
        ("float32", np.nan, -9999),
        ("float32", -np.inf, -np.inf),
        ("float64", np.nan, np.inf),
    ],
)
def test_no_data_values_and_nan_are_invalid(
    tmp_path: Path, dtype: str, hole: float, nodata: float | None
) -> None:
    source = describe(write_raster(tmp_path / "a.tif", punched(dtype, hole), nodata=nodata), "MS")
    assert source.masking == "values"
    assert only_hole_invalid(read(source)[1])


def test_floats_that_gdal_takes_for_no_data_are_invalid(tmp_path: Path) -> None:
    beside = np.float32(-9999) + 2 * np.spacing(np.float32(9999))
    path = write_raster(tmp_path / "a.tif", punched("float32", beside), nodata=-9999)
    with rasterio.open(path) as raster:
        assert only_hole_invalid(raster.read_masks() > 0)
    assert only_hole_invalid(read(describe(path, "MS"))[1])


@pytest.mark.parametrize("nodata", [-9999, 70000, 0.5, "nan", "-inf", "1e400"])
def test_no_data_that_no_pixel_can_hold_hides_nothing(tmp_path: Path, nodata: float | str) -> None:
    text = (
        '<VRTDataset rasterXSize="53" rasterYSize="37"><VRTRasterBand dataType="UInt16" band="1">'
        f"<NoDataValue>{nodata}</NoDataValue><SimpleSource><SourceFilename relativeToVRT='1'>a.tif"
        "</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    write_raster(tmp_path / "a.tif", NUMBERS[:1])
    (tmp_path / "a.vrt").write_text(text)
    data, valid = read(describe(tmp_path / "a.vrt", "PAN"))
    assert valid is None
    assert (data == NUMBERS[:1]).all()


@pytest.mark.parametrize("internal", [True, False])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_masks_inside_and_beside_the_file_count_also_while_fusing(
    tmp_path: Path, internal: bool, dtype: str
) -> None:
    path = write_raster(tmp_path / "a.tif", punched(dtype, 50))
    add_mask(path, internal=internal)
    assert (tmp_path / "a.tif.msk").exists() != internal
    source = describe(path, "MS")
    with gdal_settings(2**24):
        assert only_hole_invalid(read(source)[1])


def with_alpha(path: Path, alpha: np.ndarray, value: float = 50, **profile: Any) -> Path:
    data = np.concatenate([punched("uint8", value), alpha[None].astype("uint8")])
    return write_raster(path, data, photometric="RGB", alpha="YES", **profile)


def opaque() -> np.ndarray:
    return np.where(punched("uint8", 0, 1)[0] > 0, 255, 0)


def test_an_alpha_band_masks_and_is_no_band(tmp_path: Path) -> None:
    source = describe(with_alpha(tmp_path / "a.tif", opaque()), "MS")
    data, valid = read(source)
    assert source.bands == (1, 2, 3)
    assert data.shape == (3, 37, 53)
    assert only_hole_invalid(valid)


def test_no_data_counts_beside_an_alpha_band_and_beside_a_mask(tmp_path: Path) -> None:
    alpha = np.full((37, 53), 255)
    alpha[30:] = 0
    masked = write_raster(tmp_path / "m.tif", punched("uint8", 9), nodata=9)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as raster:
        raster.write_mask(alpha.astype("uint8"))
    for path in (with_alpha(tmp_path / "a.tif", alpha, 9, nodata=9), masked):
        valid = read(describe(path, "MS"))[1]
        assert valid is not None
        assert not valid[:, 30:].any()
        assert only_hole_invalid(np.concatenate([valid[:, :30], np.ones((3, 7, 53), bool)], 1))


@pytest.mark.parametrize("collar", [0, 34])
def test_near_infrared_marked_as_alpha_is_data_and_said(tmp_path: Path, collar: int) -> None:
    nir = np.random.default_rng(0).integers(20, 200, (37, 53))
    nir[:collar] = 0
    source = describe(with_alpha(tmp_path / "a.tif", nir), "MS")
    data, valid = read(source)
    assert source.bands == (1, 2, 3, 4)
    assert (data[3] == nir).all()
    assert valid is None
    assert any("band 4" in note and "alpha" in note for note in source.notes)


def test_a_soft_edged_alpha_is_still_alpha(tmp_path: Path) -> None:
    alpha = np.full((37, 53), 255)
    alpha[0], alpha[1], alpha[2] = 0, 90, 180
    assert describe(with_alpha(tmp_path / "a.tif", alpha), "MS").bands == (1, 2, 3)


def test_each_band_of_a_vrt_has_its_own_no_data(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif", np.stack([np.full((4, 4), 1), np.full((4, 4), 2)]).astype("uint8"))
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{i}"><NoDataValue>2</NoDataValue><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">a.tif</SourceFilename><SourceBand>{i}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for i in (1, 2)
    ).replace("<NoDataValue>2<", "<NoDataValue>9<", 1)
    path = tmp_path / "a.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="4"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>5e5,1,0,4e6,0,-1</GeoTransform>{bands}</VRTDataset>"
    )
    source = describe(path, "MS")
    assert source.nodata == (9.0, 2.0)
    valid = read(source)[1]
    assert valid is not None
    assert valid.mean((1, 2)).tolist() == [1.0, 0.0]
    with pytest.raises(InputError, match="different no-data"):
        warp_to(source, source.grid)


def warped(path: Path) -> tuple[Array, Mask]:
    """`path` read on a grid half a pixel off that reaches 10 pixels beyond it on each side."""
    place = from_origin(ORIGIN[0] - 10.5, ORIGIN[1] + 10.5, 1, 1)
    source = describe(path, "MS")
    data, valid = read(warp_to(source, Grid((57, 73), place, source.grid.crs)))
    assert valid is not None
    return data, valid


@pytest.mark.parametrize("kind", ["none", "nodata", "mask", "alpha", "mask and nodata"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_warping_keeps_the_mask_and_nothing_bleeds_out_of_it(tmp_path: Path, dtype: str, kind: str) -> None:
    nodata = 3 if "nodata" in kind else None
    data = punched(dtype, 3 if nodata else 50)
    path = tmp_path / "a.tif"
    if kind == "alpha":
        alpha = np.where(opaque() > 0, np.iinfo(dtype).max if np.dtype(dtype).kind != "f" else 255, 0)
        data = np.concatenate([data, alpha[None].astype(dtype)])
        write_raster(path, data, photometric="RGB", alpha="YES")
    else:
        if kind == "mask and nodata":
            data = np.roll(data, 20, 1)
        write_raster(path, data, nodata=nodata)
    if "mask" in kind:
        add_mask(path, internal=True)
    found, valid = warped(path)
    outside = np.ones((57, 73), bool)
    outside[10:48, 10:64] = False
    assert found.shape == (3, 57, 73)
    assert not valid[:, outside].any()
    assert valid[:, 12:46, 40:62].all()
    assert valid[:, 37:41, 20:29].any() == (kind != "mask and nodata")
    assert (valid[:, 17:21, 20:29].any()) == (kind == "none")
    assert np.abs(found[valid].astype(float) - 50).max() < 0.01


def test_warping_floats_invents_nothing_where_nan_is(tmp_path: Path) -> None:
    found, valid = warped(write_raster(tmp_path / "a.tif", punched("float32", np.nan)))
    assert not valid[:, 17:21, 20:29].any()
    assert not valid[:, :10].any()
    assert np.abs(found[valid] - 50).max() < 0.01


def test_data_marked_as_alpha_cannot_be_warped_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    nir = np.random.default_rng(0).integers(20, 200, (37, 53))
    source = describe(with_alpha(tmp_path / "a.tif", nir), "MS")
    with pytest.raises(InputError, match="colorinterp"):
        warp_to(source, source.grid)


def test_points_polynomials_and_no_transform_leave_the_grid_bare(tmp_path: Path) -> None:
    source = describe(write_raster(tmp_path / "a.tif", NUMBERS, transform=None, crs=None), "MS")
    assert source.grid == Grid((37, 53), None, None)
    assert not source.grid.georeferenced


@pytest.mark.parametrize("place", ["0,0,0,0,0,0", "0,0,0,0,0,1", "nan,1,0,0,0,-1", "0,1,0,0,0,inf"])
def test_a_geotransform_that_places_no_pixel_counts_as_none(tmp_path: Path, place: str) -> None:
    band = '<VRTRasterBand dataType="Byte" band="1"/>'
    text = (
        f'<VRTDataset rasterXSize="4" rasterYSize="4"><GeoTransform>{place}</GeoTransform>{band}</VRTDataset>'
    )
    (tmp_path / "a.vrt").write_text(text)
    assert not describe(tmp_path / "a.vrt", "PAN").grid.georeferenced


@pytest.mark.parametrize("compress", [None, "deflate"])
@pytest.mark.parametrize("keep", [0.5, 0.95])
def test_a_truncated_file_is_refused_where_it_is_cut(
    tmp_path: Path, keep: float, compress: str | None
) -> None:
    data = np.random.default_rng(0).integers(1, 9999, (1, 300, 300)).astype("uint16")
    path = write_raster(tmp_path / "a.tif", data, compress=compress)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    assert "cannot read" in refusal(path).found


def test_a_file_cut_in_its_header_is_refused_at_once(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", NUMBERS)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="cannot read"):
        describe(path, "PAN")


def palette(path: Path) -> Path:
    write_raster(path, punched("uint8", 1, 1), photometric="PALETTE")
    with rasterio.open(path, "r+") as raster:
        raster.write_colormap(1, {0: (0, 0, 0, 255), 1: (255, 0, 0, 255)})
    return path


def lone_alpha(path: Path) -> Path:
    write_raster(path, opaque()[None].astype("uint8"))
    with rasterio.open(path, "r+") as raster:
        raster.colorinterp = [ColorInterp.alpha]
    return path


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "complex_int16"])
def test_complex_pixels_are_refused(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 4, "width": 4, "dtype": dtype}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=from_origin(*ORIGIN, 1, 1), **profile):
        pass
    assert dtype in refusal(path).found


def test_palettes_and_lone_alphas_are_refused(tmp_path: Path) -> None:
    assert "colour table" in refusal(palette(tmp_path / "p.tif")).found
    assert "alpha" in refusal(lone_alpha(tmp_path / "l.tif")).found


def test_a_container_is_refused_with_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "two.gpkg"
    for name in ("first", "second"):
        profile = {"driver": "GPKG", "crs": "EPSG:3857", "RASTER_TABLE": name}
        write_raster(path, punched("uint8", 9, 1), APPEND_SUBDATASET="YES", **profile)
    error = refusal(path)
    assert "2 images" in error.found
    assert f"GPKG:{path}:first" in error.remedy
    assert read(describe(f"GPKG:{path}:first", "PAN"))[0].shape[1:] == (37, 53)


@pytest.mark.parametrize(
    ("told", "ours", "bits"),
    [
        ("11", True, 11),
        ("11", False, None),
        ("eleven", True, None),
        ("", True, None),
        ("0", True, None),
        ("17", True, None),
        ("4294967295", True, None),
        ("9" * 5000, True, None),
    ],
)
def test_a_tag_tells_the_bits_of_our_results(tmp_path: Path, told: str, ours: bool, bits: int | None) -> None:
    path = write_raster(tmp_path / "ms.tif", np.ones((1, 8, 8), np.uint16))
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(1, NBITS=told)
        raster.update_tags(**({"GEOSHARP_VERSION": "1"} if ours else {}))
    assert describe(path, "MS").bits == bits
