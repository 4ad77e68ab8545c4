from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from geosharp.engine.methods import DEFAULT_METHOD, METHODS
from geosharp.engine.preparation import prepare
from geosharp.engine.setup import Options
from geosharp.errors import PairError, ResourceError, UsageError
from geosharp.hfreqdiff.checkpoint import load, save
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.imaging import classic
from geosharp.raster.scene import open_scene
from tests.hfreqdiff.made_model import make_model, make_network
from tests.made import make_pair


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def test_every_classical_method_has_its_name() -> None:
    classical = {name for name, method in METHODS.items() if method.tensors and not method.diffuses}
    assert classical == set(classic.METHODS)
    assert [name for name, method in METHODS.items() if method.diffuses] == ["hfreqdiff"]
    assert DEFAULT_METHOD in METHODS


@pytest.mark.parametrize("method", METHODS)
def test_only_brovey_reads_no_halo_and_takes_weights(
    made_pair: tuple[Path, Path], model: Path, method: str
) -> None:
    asked = Diffusion(model=model) if METHODS[method].diffuses else None
    setup = prepare(*made_pair, method=method, diffusion=asked)
    assert (max(setup.plan.halo) == 0) == METHODS[method].weighted == (method == "brovey")


def notes(method: str, pair: tuple[Path, Path], **given: str) -> list[str]:
    told: list[str] = []
    METHODS[method].make_job(prepare(*pair, method=method, **given), told.append)  # type: ignore[arg-type]
    return told


@pytest.mark.parametrize("dtype", ["uint32", "int32", "float64"])
def test_types_that_float32_cannot_hold_are_noted(tmp_path: Path, dtype: str) -> None:
    pair = make_pair(tmp_path, dtype=dtype)
    assert any(f"{dtype} pixels are computed in float32" in note for note in notes("glp", pair))
    assert not any("float32" in note for note in notes("brovey", pair))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_types_that_float32_holds_are_not(tmp_path: Path, dtype: str) -> None:
    assert notes("glp", make_pair(tmp_path, dtype=dtype)) == []


def test_whole_numbers_of_brovey_in_floats_are_noted(made_pair: tuple[Path, Path]) -> None:
    assert any("whole numbers" in note for note in notes("brovey", made_pair, dtype="float32"))
    assert notes("brovey", made_pair) == []


def test_few_pixels_to_learn_from_are_noted(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, pan_shape=(64, 64))
    assert any("only" in note and "uncertain" in note for note in notes("glp", pair))


def diffusion(model: Path, **given: Any) -> Options:
    return Options(diffusion=Diffusion(model=model, **given))


def test_hfreqdiff_asks_for_more_than_glp_and_for_more_with_every_step_and_round(
    made_pair: tuple[Path, Path], model: Path
) -> None:
    scene = open_scene(*made_pair)
    ways: list[dict[str, int]] = [
        {"steps": 1, "consistency": 0},
        {"steps": 3, "consistency": 0},
        {"steps": 3, "consistency": 1},
    ]
    rules = [METHODS["hfreqdiff"].size_rules(scene, None, diffusion(model, **way)) for way in ways]
    assert {one.multiple for one in rules} == {4}
    halos = [METHODS["glp"].size_rules(scene, None, Options()).halo, *(one.halo for one in rules)]
    for smaller, larger in pairwise(halos):
        assert all(one < other for one, other in zip(smaller, larger, strict=True))


@pytest.mark.parametrize(("ratios", "served"), [((1.5, 6.5), False), ((4, 8), True), ((9, 12), False)])
def test_ratios_that_the_models_header_does_not_tell_are_refused(
    tmp_path: Path, ratios: tuple[float, float], served: bool
) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(64, 64), ratio=8))
    model = tmp_path / "mine.safetensors"
    save(model, make_network(), None, {}, ratios)
    if served:
        METHODS["hfreqdiff"].check(scene, diffusion(model))
        return
    needed = (
        f"8 PAN pixels an MS pixel; needed: {ratios[0]:g} to {ratios[1]:g} of them for the model {model.name}"
    )
    with pytest.raises(PairError, match=re.escape(needed)) as caught:
        METHODS["hfreqdiff"].check(scene, diffusion(model))
    assert caught.value.remedy == "take --method glp, and no option that only a model takes, such as --steps"
    assert scene.pan.name in caught.value.subject


def test_draws_of_a_model_that_has_not_learnt_to_are_refused(
    tmp_path: Path, made_pair: tuple[Path, Path]
) -> None:
    scene, mean = open_scene(*made_pair), make_model(tmp_path, sigma_data=None)
    METHODS["hfreqdiff"].check(scene, diffusion(mean))
    with pytest.raises(UsageError, match=f"^--steps 4: the model {mean.name} gives the mean alone") as caught:
        METHODS["hfreqdiff"].check(scene, diffusion(mean, steps=4))
    assert caught.value.remedy == "take --steps 1, or another --model"


def test_a_gpu_that_is_not_there_is_refused(
    made_pair: tuple[Path, Path], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    scene = open_scene(*made_pair)
    METHODS["hfreqdiff"].check(scene, diffusion(model, device="auto"))
    with pytest.raises(ResourceError, match=r"^--device cuda"):
        METHODS["hfreqdiff"].check(scene, diffusion(model, device="cuda"))


def test_facts_are_what_decides_the_pixels(model: Path) -> None:
    told = METHODS["hfreqdiff"].facts(diffusion(model, seed=3, consistency=2, device="cpu"))
    assert told == {
        "model": str(model),
        "model_sha256": load(model).digest,
        "steps": 1,
        "consistency": 2,
        "precision": "fp32",
        "device": "cpu",
    }
    drawn = METHODS["hfreqdiff"].facts(diffusion(model, steps=4, seed=3, consistency=2, device="cpu"))
    assert drawn == told | {"steps": 4, "seed": 3}
    assert METHODS["glp"].facts(Options()) == {}


def test_a_file_that_changes_under_way_changes_no_result(
    tmp_path: Path, made_pair: tuple[Path, Path]
) -> None:
    first, other = (make_model(tmp_path, seed=seed) for seed in (0, 1))
    digest = load(first).digest
    setup = prepare(*made_pair, method="hfreqdiff", diffusion=Diffusion(model=first, device="cpu"))
    other.replace(first)
    assert METHODS["hfreqdiff"].facts(setup.options)["model_sha256"] == digest
    first.unlink()
    METHODS["hfreqdiff"].make_job(setup, lambda _: None)
    assert setup.options.model.digest == digest
