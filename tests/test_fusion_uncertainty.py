"""How uncertain a result is, as a file beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

import geosharp
from geosharp import Diffusion
from geosharp.errors import OutputError, PairError, UsageError
from geosharp.fusion import FuseResult
from geosharp.raster.output import SceneWriter
from tests.hfreqdiff.made_model import make_model
from tests.made import ORIGIN, make_pair, texture, write_raster
from tests.quick import fuse

# A part of the shared pair: enough for laws, and quick.
PART = (ORIGIN[0] + 61, ORIGIN[1] - 170, ORIGIN[0] + 170, ORIGIN[1] - 75)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def fuse_both(
    folder: Path, pair: tuple[Path, Path], model: Path, area: Any = PART, draws: int = 2, **given: Any
) -> FuseResult:
    """out.tif and unc.tif in `folder`."""
    asked = Diffusion(model=model, device="cpu", draws=draws, **given)
    out, beside = folder / "out.tif", folder / "unc.tif"
    return fuse(
        *pair, out, method="hfreqdiff", area=area, diffusion=asked, uncertainty=beside, overwrite=True
    )


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read()


def test_it_lies_on_the_result_in_dn_and_tells_what_it_is(
    tmp_path: Path, made_pair: tuple[Path, Path], model: Path
) -> None:
    result = fuse_both(tmp_path, made_pair, model)
    assert result.uncertainty == tmp_path / "unc.tif"
    with rasterio.open(result.path) as fused, rasterio.open(result.uncertainty) as spread:
        assert (spread.crs, spread.transform, spread.shape) == (fused.crs, fused.transform, fused.shape)
        assert spread.dtypes == ("float32",) * fused.count
        assert spread.descriptions == tuple(
            f"{name or f'band {number}'}, standard deviation"
            for number, name in enumerate(fused.descriptions, 1)
        )
        told = json.loads(spread.tags()["GEOSHARP_PARAMETERS"])
        assert told.items() >= {"draws": 2, "draw_steps": 4, "seed": 0, "steps": 1}.items()
        deviations, pixels = spread.read(), fused.read()
    assert (deviations >= 0).all()
    # The tiny model draws about a tenth of a band's deviation around the mean.
    share = deviations.mean((1, 2)) / pixels.std((1, 2))
    assert ((share > 0.005) & (share < 0.5)).all()


def test_the_result_is_the_same_as_alone_and_more_draws_or_another_seed_tell_other_deviations(
    tmp_path: Path, made_pair: tuple[Path, Path], model: Path
) -> None:
    found = {}
    for name, given in {"first": {}, "again": {}, "more": {"draws": 4}, "other": {"seed": 1}}.items():
        folder = tmp_path / name
        folder.mkdir()
        fuse_both(folder, made_pair, model, **given)
        found[name] = read(folder / "unc.tif")
    np.testing.assert_array_equal(found["again"], found["first"])
    for name in ("more", "other"):
        assert (found[name] != found["first"]).mean() > 0.9
        assert found[name].mean() == pytest.approx(found["first"].mean(), rel=0.3)
    alone = Diffusion(model=model, device="cpu")
    fuse(*made_pair, tmp_path / "alone.tif", method="hfreqdiff", area=PART, diffusion=alone)
    gap = np.abs(read(tmp_path / "alone.tif").astype(int) - read(tmp_path / "first" / "out.tif"))
    assert gap.max() <= 1
    assert (gap > 0).mean() <= 1e-4


def test_holes_of_the_result_are_holes_of_its_uncertainty(tmp_path: Path, model: Path) -> None:
    pan, ms = make_pair(tmp_path, pan_shape=(128, 120))
    image = 100 + 50 * texture((128, 120), 3)
    image[40:70, 50:80] = 0
    write_raster(pan, image.astype("uint16")[None], nodata=0)
    fuse_both(tmp_path, (pan, ms), model, area=None)
    with rasterio.open(tmp_path / "out.tif") as fused, rasterio.open(tmp_path / "unc.tif") as spread:
        np.testing.assert_array_equal(spread.dataset_mask(), fused.dataset_mask())
        assert np.isnan(spread.nodata)
        np.testing.assert_array_equal(np.isnan(spread.read(1)), fused.dataset_mask() == 0)
        assert (fused.dataset_mask() == 0).sum() >= 900


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"method": "glp"}, UsageError, "^--method: glp, with .*--uncertainty.*; needed: hfreqdiff"),
        (
            {"uncertainty": "out.tif"},
            UsageError,
            "^--uncertainty: .*out.tif, as --out; needed: a file of its",
        ),
        ({"uncertainty": "unc.png"}, UsageError, "unc.png: ends in '.png'; needed"),
        ({"uncertainty": "there.tif"}, OutputError, "there.tif"),
        (
            {"uncertainty": None, "diffusion": Diffusion(draws=4)},
            UsageError,
            "^--draws: 4 of them, and nowhere",
        ),
        ({"diffusion": "mean"}, UsageError, "^--uncertainty: the model tiny-0-mean.* gives the mean alone"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, made_pair: tuple[Path, Path], given: dict[str, Any], kind: type[Exception], message: str
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (tmp_path / "there.tif").write_bytes(b"mine")
    given = {"uncertainty": "unc.tif", "method": None, **given}
    if given["uncertainty"] is not None:
        given["uncertainty"] = tmp_path / given["uncertainty"]
    if given.get("diffusion") == "mean":
        given["diffusion"] = Diffusion(model=make_model(models, sigma_data=None))
    with pytest.raises(kind, match=message):
        geosharp.fuse(*made_pair, tmp_path / "out.tif", calibration="sensor", **given)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "there.tif"]
    assert (tmp_path / "there.tif").read_bytes() == b"mine"


def test_glp_never_takes_the_place_of_a_model_whose_uncertainty_is_asked_for(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, pan_shape=(128, 128), ratio=8)
    with pytest.raises(PairError, match="8 PAN pixels an MS pixel"):
        geosharp.fuse(*pair, tmp_path / "out.tif", uncertainty=tmp_path / "unc.tif", calibration="sensor")
    assert not (tmp_path / "unc.tif").exists()


def test_where_the_one_cannot_be_finished_the_other_does_not_appear(
    tmp_path: Path, made_pair: tuple[Path, Path], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The uncertainty comes first, so that the result tells that all is there."""
    finish = SceneWriter._finish

    def fail(writer: SceneWriter) -> None:
        if writer.path.name == "unc.tif":
            raise OutputError(writer.path, "no", "yes", "try again")
        finish(writer)

    monkeypatch.setattr(SceneWriter, "_finish", fail)
    with pytest.raises(OutputError, match=r"unc\.tif"):
        fuse_both(tmp_path, made_pair, model)
    assert list(tmp_path.iterdir()) == []
