"""What is decided of a fusion before its first tile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geosharp.engine import preparation
from geosharp.engine.preparation import (
    adopt,
    adopt_known,
    adopted_notes,
    choose_options,
    preliminary_notes,
    prepare,
)
from geosharp.errors import UsageError
from geosharp.hfreqdiff import checkpoint
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.padm.table import table_degradation
from tests.hfreqdiff.made_model import make_network
from tests.made import make_pair
from tests.raster.made_saturated import saturate
from tests.raster.made_sensor import write_sensor


@pytest.mark.parametrize(("ratio", "method"), [(4, "hfreqdiff"), (8, "glp")])
def test_a_method_that_nobody_asked_for_is_one_that_fits(tmp_path: Path, ratio: int, method: str) -> None:
    setup = prepare(*make_pair(tmp_path, pan_shape=(128, 128), ratio=ratio))
    assert setup.method == method
    assert any("takes the place of hfreqdiff" in note for note in preliminary_notes(setup)) == (ratio == 8)


@pytest.mark.parametrize("method", ["exp", "gsa", "hfreqdiff"])
def test_what_calibration_tells_is_adopted_by_methods_that_take_it(
    made_pair: tuple[Path, Path], method: str
) -> None:
    setup = prepare(*made_pair, method=method)
    blurred = replace(table_degradation(setup.scene), shift=(0.5, -1.0))
    gains = tuple((0.02, 0.02) for _ in blurred.gains)
    adopted = adopt(setup, replace(blurred, gains=gains))
    if method == "exp":
        assert adopted is setup
        return
    assert adopted.degradation is not None
    assert adopted.degradation.gains == gains
    before, after = (made.scene.relation.offset for made in (setup, adopted))
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((0.5, -1.0))
    # A wider kernel reaches further.
    assert min(adopted.plan.halo) > min(setup.plan.halo)


@pytest.mark.parametrize("method", ["brovey", "glp"])
def test_results_end_where_ms_saturates(tmp_path: Path, method: str) -> None:
    pan, ms = make_pair(tmp_path)
    before = prepare(pan, ms, method=method)
    assert adopted_notes(adopt(before, None)) == ()
    saturate(ms)
    setup = prepare(pan, ms, method=method)
    adopted = adopt(setup, table_degradation(setup.scene))
    assert (setup.pixels.limits, adopted.pixels.limits) == ((0.0, 65535.0), (0.0, 2047.0))
    assert adopted_notes(adopted) == ("MS saturates at 2047: values are clipped there",)
    # A part of the scene, which may show nothing of it, ends where the whole does.
    part = adopt(prepare(pan, ms, method=method, area=(500_000, 4_599_990, 500_010, 4_600_000)), None)
    assert part.pixels.limits == adopted.pixels.limits


def test_what_is_told_is_adopted_without_a_look_at_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pan, ms = make_pair(tmp_path)
    saturate(ms)
    setup = prepare(pan, ms, method="glp")
    degradation = table_degradation(setup.scene)
    adopted = adopt(setup, degradation)
    monkeypatch.setattr(preparation, "find_ceiling", lambda _: pytest.fail("looks again"))
    told = adopt_known(setup, degradation, adopted.ceiling)
    assert (told.pixels, told.ceiling, told.degradation) == (adopted.pixels, 2047, degradation)
    assert adopt_known(setup, None, None) is setup


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ({"dtype": "uint8"}, 255),
        ({"bits": 10}, 1023),
        ({"dtype": "int32"}, 2**31 - 1),
        ({"sensor": ""}, 4095),
    ],
    ids=str,
)
def test_what_is_asked_for_or_declared_goes_before(
    tmp_path: Path, given: dict[str, Any], most: float
) -> None:
    pan, ms = make_pair(tmp_path)
    saturate(ms)
    if "sensor" in given:
        given = {"sensor": write_sensor(tmp_path, "blue", "green", "red", "nir", head="bits = 12")}
    setup = adopt(prepare(pan, ms, method="glp", **given), None)
    assert setup.pixels.limits is not None
    assert (setup.pixels.limits[1], setup.ceiling) == (most, None)


def test_the_sensor_file_of_a_model_is_named_where_nothing_tells_the_sensor(
    tmp_path: Path, made_pair: tuple[Path, Path]
) -> None:
    told = {"sensor": "NewSat-1", "sensor_file": "newsat.toml"}
    checkpoint.save(tmp_path / "m.safetensors", make_network(), None, {"scenes": [told, told]})
    given: dict[str, Any] = {"diffusion": Diffusion(model=tmp_path / "m.safetensors", device="cpu")}
    (note,) = preliminary_notes(prepare(*made_pair, **given))
    assert "trained on NewSat-1" in note
    assert "--sensor-file newsat.toml" in note
    file = write_sensor(tmp_path, "blue", "green", "red", "nir")
    assert preliminary_notes(prepare(*made_pair, sensor=file, **given)) == ()
    assert preliminary_notes(prepare(*made_pair, method="glp")) == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"methods": ["glp", "better"]}, "^--method: 'better'; needed: one of hfreqdiff, "),
        ({"methods": ["glp"], "weights": [1.0]}, "^--weights: weights for glp; needed: --method brovey"),
        ({"methods": ["gsa", "exp"], "diffusion": Diffusion()}, "^--method: gsa, exp, with --model"),
        ({"methods": ["hfreqdiff"], "diffusion": 4}, "^diffusion: 4; needed: a geosharp.Diffusion"),
    ],
)
def test_options_that_no_method_has_a_use_for_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_options(**given)  # type: ignore[arg-type]
