"""Bands are found by number and by name, and files of one band each are named by what tells them apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from geosharp.errors import UsageError
from geosharp.raster.identity import identify, label_by_file
from geosharp.raster.source import Source, describe
from tests.made import write_raster


def band_files(folder: Path, *names: str) -> tuple[Source, ...]:
    pixels = np.ones((1, 4, 4), "uint8")
    return tuple(describe(write_raster(folder / name, pixels), "MS") for name in names)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["LC08_190031_B4.TIF", "LC08_190031_B3.TIF"], ["B4", "B3"]),
        (["T33TWF_B02_10m.tif", "T33TWF_B03_10m.tif", "T33TWF_B08_10m.tif"], ["B02", "B03", "B08"]),
        (["red.tif", "nir.tif"], ["red", "nir"]),
        (["scene-1-red.tif", "nir.tif"], ["scene-1-red", "nir"]),
    ],
)
def test_single_bands_are_named_by_what_differs_between_their_files(
    tmp_path: Path, names: list[str], labels: list[str]
) -> None:
    named = label_by_file(band_files(tmp_path, *names))
    assert [source.labels[0] for source in named] == labels


def test_names_that_files_give_themselves_stay(tmp_path: Path) -> None:
    sources = band_files(tmp_path, "a_1.tif", "a_2.tif")
    for source, name in zip(sources, ("blue", "red"), strict=True):
        with rasterio.open(source.name, "r+") as raster:
            raster.descriptions = (name,)
    told = tuple(describe(source.name, "MS") for source in sources)
    assert label_by_file(told) == told
    assert label_by_file(sources[:1]) == sources[:1]
    assert label_by_file((sources[0], sources[0])) == (sources[0], sources[0])


def test_bands_are_picked_by_number_and_name_in_the_order_asked(tmp_path: Path) -> None:
    sources = label_by_file(band_files(tmp_path, "x_red.tif", "x_green.tif", "x_nir.tif"))
    chosen = identify(sources[0], sources, None, ["NIR", 1, " 2 "]).bands
    assert [band.source for band in chosen] == [2, 0, 1]
    assert [band.name for band in chosen] == ["nir", "red", "green"]
    assert [band.source for band in identify(sources[0], sources, None, None).bands] == [0, 1, 2]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (2, ["green"]),
        ("nir", ["nir"]),
        ("3, RED,2,", ["nir", "red", "green"]),
        ((3, "1"), ["nir", "red"]),
        (np.array([2, 1]), ["green", "red"]),
    ],
)
def test_bands_may_be_one_several_or_a_text_of_several(
    tmp_path: Path, wanted: Any, chosen: list[str]
) -> None:
    sources = label_by_file(band_files(tmp_path, "x_red.tif", "x_green.tif", "x_nir.tif"))
    assert [band.name for band in identify(sources[0], sources, None, wanted).bands] == chosen


@pytest.mark.parametrize("wanted", [[3, 3], "nir,red,3", ["red", "RED"]])
def test_a_band_asked_for_twice_is_refused(tmp_path: Path, wanted: Any) -> None:
    sources = label_by_file(band_files(tmp_path, "x_red.tif", "x_green.tif", "x_nir.tif"))
    with pytest.raises(UsageError, match="more than once") as caught:
        identify(sources[0], sources, None, wanted)
    assert caught.value.subject == "--bands"


@pytest.mark.parametrize("want", ["purple", 0, 4, -1, "\u00b2", "", None, 2.5, 2.0, True, [1], b"1"])
def test_an_unknown_band_is_refused_with_those_there_are(tmp_path: Path, want: Any) -> None:
    sources = label_by_file(band_files(tmp_path, "x_red.tif", "x_green.tif", "x_nir.tif"))
    with pytest.raises(UsageError, match=r"1 \(red\), 2 \(green\), 3 \(nir\)") as caught:
        identify(sources[0], sources, None, [1, want])
    assert caught.value.subject == "--bands"


@pytest.mark.parametrize("wanted", [[], "", " , "])
def test_no_band_at_all_is_refused(tmp_path: Path, wanted: Any) -> None:
    sources = band_files(tmp_path, "red.tif", "nir.tif")
    with pytest.raises(UsageError, match="no band"):
        identify(sources[0], sources, None, wanted)


@pytest.mark.parametrize("wanted", [2.5, True, 0])
def test_what_is_no_list_of_bands_is_refused(tmp_path: Path, wanted: Any) -> None:
    sources = band_files(tmp_path, "red.tif", "nir.tif")
    with pytest.raises(UsageError) as caught:
        identify(sources[0], sources, None, wanted)
    assert repr(wanted) in caught.value.found.replace("'", "")
