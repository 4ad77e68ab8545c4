"""`fuse(adapt=...)`: a model learns from the scene that it is to fuse, and serves where it is the better."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

import geosharp
from geosharp import Diffusion, adaptation
from geosharp.adaptation import plan_recipe
from geosharp.engine.preparation import prepare
from geosharp.engine.setup import Setup
from geosharp.engine.stream import Progress
from geosharp.errors import GeosharpError, OutputError, PairError, ResourceError, UsageError
from geosharp.fusion import FuseResult
from geosharp.hfreqdiff.checkpoint import read_header
from geosharp.hfreqdiff.network import HFreqdiff
from geosharp.tuning import verdict
from geosharp.tuning.learner import WARM_UP
from geosharp.tuning.recipe import Recipe
from tests.hfreqdiff.made_model import make_model, make_network
from tests.made import ORIGIN, make_pair
from tests.raster.made_sensor import write_sensor
from tests.tuning.made_ground import SHAPE

Pair = tuple[Path, Path]
# Of the tiny model on two bands: 30 steps.
MINUTES = 0.0035
PART = (ORIGIN[0] + 61, ORIGIN[1] - 170, ORIGIN[0] + 170, ORIGIN[1] - 75)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Patches and batches as small as they can be and teach."""
    planned = adaptation.plan_recipe

    def plan(setup: Setup, network: HFreqdiff) -> Recipe:
        return replace(planned(setup, network), batch=2, side=48, margin=4, checks=2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation, "plan_recipe", plan)
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The least that keeps three places aside, without which nobody can tell what is better."""
    return make_pair(tmp_path_factory.mktemp("scene"), pan_shape=(480, 640), bands=2)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Keeps one place aside."""
    return make_pair(tmp_path_factory.mktemp("narrow"), pan_shape=SHAPE, bands=2)


def fuse(pair: Pair, out: Path, model: Path, **given: Any) -> FuseResult:
    given.setdefault("calibration", "sensor")
    seed = given.pop("seed", 0)
    return geosharp.fuse(*pair, out, diffusion=Diffusion(model, seed=seed, device="cpu"), **given)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read()


def told_by(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the tags tell of parameters and adaptation."""
    with rasterio.open(path) as raster:
        tags = raster.tags()
    return json.loads(tags["GEOSHARP_PARAMETERS"]), json.loads(tags["GEOSHARP_ADAPTATION"])


@dataclass(frozen=True)
class Run:
    result: FuseResult
    progress: list[Progress]
    base: bytes


@pytest.fixture(scope="module")
def adapted(wide: Pair, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole scene, fused by weights that are kept."""
    folder, base = tmp_path_factory.mktemp("adapted"), model.read_bytes()
    heard: list[Progress] = []
    result = fuse(
        wide,
        folder / "out.tif",
        model,
        adapt=MINUTES,
        save_model=folder / "mine.safetensors",
        progress=heard.append,
    )
    return Run(result, heard, base)


def test_better_weights_fuse_the_scene_and_the_base_stays(adapted: Run, model: Path) -> None:
    (said,) = (note for note in adapted.result.warnings if note.startswith("adaptation: "))
    assert said.startswith("adaptation: better than the base: use it (+")
    assert model.read_bytes() == adapted.base


def test_the_tags_tell_how_to_make_it_again(adapted: Run) -> None:
    parameters, told = told_by(adapted.result.path)
    assert adapted.result.model is not None
    digest = hashlib.sha256(adapted.result.model.read_bytes()).hexdigest()
    asked = {"adapt": MINUTES, "seed": 0, "steps": 1, "model_sha256": digest}
    assert parameters.items() >= asked.items()
    base = hashlib.sha256(adapted.base).hexdigest()
    assert told.items() >= {"steps": 30, "base_sha256": base, "better": True}.items()
    assert len(told["gains"]) == 3
    assert f"adaptation: {told['verdict']}" in adapted.result.warnings


def test_the_kept_weights_tell_of_themselves_and_give_the_same_pixels(
    adapted: Run, wide: Pair, model: Path, tmp_path: Path
) -> None:
    kept = adapted.result.model
    assert kept is not None
    header = read_header(kept)
    assert header.sigma_data is None
    (scene,) = header.facts["scenes"]
    assert (scene["pan"], scene["ms"]) == ("pan.tif", ["ms.tif"])
    assert all(len(digest) == 64 for _, digest in scene["sha256"])
    assert header.facts["made_by"].startswith("geosharp fuse --adapt ")
    assert (
        header.facts["settings"].items()
        >= {"seed": "0", "steps": "30", "minutes": "0.0035", "base": model.name}.items()
    )
    fuse(wide, tmp_path / "kept.tif", kept)
    fuse(wide, tmp_path / "base.tif", model)
    pixels = read(adapted.result.path)
    np.testing.assert_array_equal(read(tmp_path / "kept.tif"), pixels)
    assert (read(tmp_path / "base.tif") != pixels).mean() > 0.5


def test_the_same_seed_gives_the_same_bits_whatever_part_is_fused(
    adapted: Run, wide: Pair, model: Path, tmp_path: Path
) -> None:
    fuse(wide, tmp_path / "part.tif", model, adapt=MINUTES, area=PART)
    with rasterio.open(adapted.result.path) as whole:
        window = rasterio.windows.from_bounds(*PART, whole.transform)
        np.testing.assert_array_equal(read(tmp_path / "part.tif"), whole.read(window=window))
    digests = [told_by(path)[0]["model_sha256"] for path in (tmp_path / "part.tif", adapted.result.path)]
    assert digests[0] == digests[1]


def test_steps_are_told_from_before_the_first_to_the_last(adapted: Run) -> None:
    steps = [(p.tiles, p.total_tiles) for p in adapted.progress if p.stage == "adapt"]
    assert steps == [(step, 30) for step in range(31)]
    assert adapted.progress[-1].stage == "finish"


def test_what_is_no_better_leaves_the_base_and_says_so(
    wide: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "is_better", lambda *_: False)
    asked = {"adapt": 1e-6, "area": PART, "seed": 1}
    result = fuse(wide, tmp_path / "out.tif", model, save_model=tmp_path / "m.safetensors", **asked)
    assert result.model is None
    fuse(wide, tmp_path / "base.tif", model, area=PART)
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), read(tmp_path / "base.tif"))
    parameters, told = told_by(tmp_path / "out.tif")
    assert parameters["model_sha256"] == told["base_sha256"]
    assert (told["better"], told["steps"], parameters["seed"]) == (False, WARM_UP, 1)
    (said,) = (note for note in result.warnings if note.startswith("adaptation: "))
    assert said.startswith("adaptation: no better than the base: keep the base (")
    assert said.endswith(f"{model.name} fuses the scene as it is")
    assert any("m.safetensors is not written" in note for note in result.warnings)
    assert not any("--seed does nothing" in note for note in result.warnings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.tif", "out.tif"]


def test_a_scene_that_teaches_nothing_is_fused_by_the_base(model: Path, tmp_path: Path) -> None:
    pair = make_pair(tmp_path, pan_shape=(128, 128), bands=3)
    result = fuse(pair, tmp_path / "out.tif", model, adapt=MINUTES)
    (said,) = (note for note in result.warnings if note.startswith("adaptation: "))
    assert "32 x 32 MS pixels in common with PAN" in said
    fuse(pair, tmp_path / "base.tif", model)
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), read(tmp_path / "base.tif"))
    assert told_by(tmp_path / "out.tif")[1]["better"] is False


def test_a_scene_that_cannot_tell_what_is_better_is_not_learnt_from(
    narrow: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "tune", None)
    result = fuse(narrow, tmp_path / "out.tif", model, adapt=MINUTES)
    (said,) = (note for note in result.warnings if note.startswith("adaptation: "))
    assert "1 of the 3 places that tell what is better" in said
    assert told_by(tmp_path / "out.tif")[1]["better"] is False


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"adapt": 0}, UsageError, "^--adapt: 0; needed: minutes above 0"),
        ({"adapt": float("nan")}, UsageError, "^--adapt: nan"),
        ({"adapt": True}, UsageError, "^--adapt: True"),
        ({"method": "glp"}, UsageError, "^--method: glp, with .*--adapt.*; needed: hfreqdiff"),
        ({"diffusion": Diffusion(steps=4)}, UsageError, "^--adapt: with --steps 4;"),
        ({"uncertainty": "unc.tif"}, UsageError, "^--adapt: with --uncertainty;"),
        ({"adapt": None}, UsageError, "^--save-model: nothing to save; needed: --adapt"),
        ({"save_model": "m.pt"}, UsageError, r"m\.pt: ends in '\.pt'"),
        ({"save_model": "there.safetensors"}, OutputError, "exists already"),
        ({"save_model": "base.safetensors", "overwrite": True}, UsageError, "same file as the input"),
        ({"save_model": "sensor.safetensors", "overwrite": True}, UsageError, "same file as the input"),
        ({"save_model": "out.safetensors"}, UsageError, "^--save-model: .*, as --out"),
        ({"max_memory": 500 * 2**20}, ResourceError, "^--max-memory: 500 MB; needed: about 528 MB"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_before_there_is_any_work(
    given: dict[str, Any],
    kind: type[GeosharpError],
    message: str,
    made_pair: Pair,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.safetensors").write_bytes(b"mine")
    Path("base.safetensors").symlink_to(model)
    Path("out.safetensors").symlink_to(tmp_path / "out.tif")
    sensor = write_sensor(tmp_path, "blue", "green", "red", "nir")
    Path("sensor.safetensors").symlink_to(sensor)
    before = {path.name: path.is_symlink() or path.read_bytes() for path in tmp_path.iterdir()}
    asked = {"adapt": MINUTES, "save_model": "mine.safetensors", "sensor": sensor, "bands": [1, 2, 3]}
    asked |= {"diffusion": Diffusion(model, device="cpu"), "calibration": "sensor"}
    if "method" in given:
        del asked["diffusion"]
    monkeypatch.setattr(adaptation, "prepare", None)
    with pytest.raises(kind, match=message):
        geosharp.fuse(*made_pair, "out.tif", **asked | given)
    assert {path.name: path.is_symlink() or path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_ratio_that_the_model_does_not_serve_is_refused_as_glp_has_none(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, pan_shape=(128, 128), ratio=8)
    with pytest.raises(PairError, match="8 PAN pixels an MS pixel"):
        geosharp.fuse(*pair, tmp_path / "out.tif", adapt=1, calibration="sensor")


def test_no_room_for_temporary_files_is_told_as_such(
    made_pair: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("pan.tif", "cannot be written: No space left on device", "room", "free some")

    monkeypatch.setattr(adaptation, "prepare", full)
    with pytest.raises(ResourceError, match=r"TMPDIR .* or leave --adapt out"):
        fuse(made_pair, tmp_path / "out.tif", model, adapt=MINUTES)
    assert not list(tmp_path.iterdir())


def test_an_interruption_leaves_nothing_behind(
    wide: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(progress: Progress) -> None:
        if (progress.stage, progress.tiles) == ("adapt", 1):
            assert len(list(tmp_path.iterdir())) == 1
            raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out, kept = tmp_path / "out.tif", tmp_path / "m.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fuse(wide, out, model, adapt=MINUTES, save_model=kept, progress=stop)
    assert not list(tmp_path.iterdir())


def test_minutes_are_steps_by_what_a_step_costs_alone(made_pair: Pair) -> None:
    def plan(minutes: float, bands: int) -> Recipe:
        asked = Diffusion(seed=5, device="cpu")
        setup = prepare(*made_pair, bands=list(range(1, bands + 1)), diffusion=asked, adapt=minutes)
        return plan_recipe(setup, make_network())

    once = plan(1, 2)
    assert once.steps is not None
    assert (plan(2, 2).steps, plan(2, 4).steps) == (2 * once.steps, once.steps)
    assert plan(1e-9, 1).steps == WARM_UP
    assert once.seed == 5
