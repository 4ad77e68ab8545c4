"""`geosharp.train`, from a user's files to a model that tells of itself, or to the reason why not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rasterio.transform import from_origin

import geosharp
from geosharp import training
from geosharp.errors import GeosharpError, InputError, OutputError, PairError, ResourceError, UsageError
from geosharp.hfreqdiff.checkpoint import load, read_header
from geosharp.quality.scores import METRICS
from geosharp.raster.scene import Scene
from geosharp.training import TrainResult, state_beside
from geosharp.tuning import tune as tuning
from geosharp.tuning import verdict
from geosharp.tuning.judge import BASE, CLASSICAL, TUNED, UNTRAINED
from geosharp.tuning.recipe import Recipe
from tests.hfreqdiff.made_model import make_model
from tests.made import make_pair
from tests.raster.made_sensor import write_sensor
from tests.tuning.made_ground import SHAPE

Pair = tuple[Path, Path]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("scene"), pan_shape=SHAPE, bands=3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches as small as they can be, two looks, and the sensor's table, which takes no time."""

    def recipe(**settings: Any) -> Recipe:
        return replace(Recipe(**settings), batch=1, side=32, margin=4, checks=2)

    learn = training.learn
    monkeypatch.setattr(training, "Recipe", recipe)
    monkeypatch.setattr(training, "learn", lambda scene, align: learn(scene, "sensor", align=align))


@pytest.fixture(scope="module")
def trained(pair: Pair, model: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """One run whose network has learnt something; see `small`, which a fixture of this scope comes before."""
    with pytest.MonkeyPatch.context() as patch:
        recipe, learn = training.Recipe, training.learn

        def tiny(**settings: Any) -> Recipe:
            return replace(recipe(**settings), batch=2, side=48, margin=4, checks=2)

        patch.setattr(training, "Recipe", tiny)
        patch.setattr(training, "learn", lambda scene, align: learn(scene, "sensor", align=align))
        folder = tmp_path_factory.mktemp("trained")
        wide = make_pair(folder, pan_shape=(656, 656), bands=3)
        return geosharp.train([wide], folder / "mine.safetensors", base=model, steps=30, device="cpu")


def test_a_network_that_knew_nothing_of_the_scene_gets_better(trained: TrainResult) -> None:
    reduced = trained.protocols["reduced"]
    assert trained.better
    assert reduced[TUNED]["psnr"] > reduced[BASE]["psnr"] + 0.5
    assert trained.verdict.startswith("better than the base: use it (+")
    assert len(trained.gains) == 3
    assert trained.facts["gains"] == [round(gain, 3) for gain in trained.gains]
    assert not state_beside(trained.path or "").exists()


def test_all_contestants_have_all_scores(trained: TrainResult) -> None:
    for protocol, metrics in METRICS.items():
        assert list(trained.protocols[protocol]) == [BASE, TUNED, *CLASSICAL]
        assert all(list(scores) == list(metrics) for scores in trained.protocols[protocol].values())


def test_the_model_serves_fuse_and_tells_how_it_was_made(
    trained: TrainResult, pair: Pair, model: Path, tmp_path: Path
) -> None:
    assert trained.path is not None
    header = read_header(trained.path)
    facts = header.facts
    assert header.sigma_data is None
    assert "the new model has no draws: --steps 1 only, no --uncertainty" in trained.notes
    assert facts == json.loads(json.dumps(trained.facts))
    (scene,) = facts["scenes"]
    assert (scene["pan"], scene["ms"]) == ("pan.tif", ["ms.tif"])
    assert all(len(digest) == 64 for _, digest in scene["sha256"])
    assert scene["calibration"]["source"] == "sensor"
    assert facts["base"]["sha256"] == load(model).digest
    assert facts["settings"].items() >= {"seed": "0", "base": model.name}.items()
    assert facts["scores"][TUNED]["reduced"]["psnr"] == trained.protocols["reduced"][TUNED]["psnr"]
    assert facts["verdict"] == trained.verdict
    result = geosharp.fuse(
        *pair,
        tmp_path / "fused.tif",
        calibration="sensor",
        diffusion=geosharp.Diffusion(trained.path, device="cpu"),
    )
    assert result.method == "hfreqdiff"


def test_what_is_no_better_is_not_written_unless_asked_for(
    pair: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "is_better", lambda *_: False)
    out = tmp_path / "m.safetensors"
    refused = geosharp.train([pair], out, base=model, steps=1, device="cpu")
    assert (refused.path, refused.better) == (None, False)
    assert "keep the base" in refused.verdict
    assert list(tmp_path.iterdir()) == [state_beside(out)]
    assert any(str(state_beside(out)) in note and "--keep" in note for note in refused.notes)
    steps: list[int] = []
    kept = geosharp.train(
        [pair],
        out,
        base=model,
        steps=1,
        device="cpu",
        keep=True,
        progress=lambda progress: steps.append(progress.step),
    )
    assert (kept.path, kept.better, steps) == (out, False, [])
    assert list(tmp_path.iterdir()) == [out]
    assert "keep the base" in read_header(out).facts["verdict"]


def test_a_run_that_was_stopped_goes_on_to_the_same_file(pair: Pair, model: Path, tmp_path: Path) -> None:
    def run(name: str, stop: int | None = None) -> bytes:
        def tell(progress: tuning.TrainProgress) -> None:
            if stop is not None and progress.step == 1:
                with pytest.raises(OutputError, match="written by another run"):
                    geosharp.train([pair], out, base=model, steps=4, device="cpu")
            if progress.step == stop:
                raise KeyboardInterrupt

        out = tmp_path / f"{name}.safetensors"
        geosharp.train([pair], out, base=model, steps=4, device="cpu", keep=True, progress=tell)
        with torch.no_grad():
            return b"".join(value.numpy().tobytes() for value in load(out).network.state_dict().values())

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop=3)
    out = tmp_path / "stopped.safetensors"
    assert state_beside(out).exists()
    assert not out.exists()
    with pytest.raises(OutputError, match="other setting seed"):
        geosharp.train([pair], out, base=model, steps=4, seed=1, device="cpu")
    assert run("stopped") == whole
    assert not state_beside(out).exists()


def test_draws_are_dropped_as_they_went_around_another_mean(pair: Pair, model: Path, tmp_path: Path) -> None:
    assert read_header(model).sigma_data is not None
    out = tmp_path / "m.safetensors"
    result = geosharp.train([pair], out, base=model, steps=1, device="cpu", keep=True)
    assert read_header(out).sigma_data is None
    assert any("draws" in note for note in result.notes)


def test_one_can_start_from_nothing(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.hfreqdiff.made_model import TINY

    monkeypatch.setattr(training, "PRESETS", {"small": TINY})
    out = tmp_path / "m.safetensors"
    result = geosharp.train([pair], out, base="none", steps=2, device="cpu", keep=True)
    assert read_header(out).architecture == TINY
    assert result.facts["base"]["sha256"] is None
    assert list(result.protocols["reduced"])[:2] == [UNTRAINED, TUNED]
    assert "the base" not in result.verdict
    assert any("not the shipped models" in note for note in result.notes)


def test_scenes_of_several_ratios_and_bands_are_learnt_together_and_told(
    pair: Pair, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    far = [{"transform": from_origin(0, 0, pixel, pixel)} for pixel in (1, 2)]
    other = make_pair(
        tmp_path / "other",
        pan_shape=(176, 176),
        ratio=2,
        bands=2,
        pan_profile=far[0],
        ms_profile=far[1],
    )
    out = tmp_path / "m.safetensors"
    result = geosharp.train([pair, other], out, base=model, steps=1, device="cpu", keep=True)
    assert any("2 ratios (2, 4)" in note for note in result.notes)
    assert any("2 numbers of bands (2, 3)" in note for note in result.notes)
    assert len(result.facts["scenes"]) == 2


def test_a_folder_is_paired_by_names(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    make_pair(folder, pan_shape=SHAPE, bands=3)
    (folder / "stray_ms.tif").write_bytes(b"")
    out = tmp_path / "m.safetensors"
    result = geosharp.train(folder, out, base=model, steps=1, device="cpu", keep=True)
    assert any("stray_ms.tif" in note for note in result.notes)


def small_scene(folder: Path) -> list[Pair]:
    return [make_pair(folder, pan_shape=(128, 128), bands=3)]


def far_scene(folder: Path) -> list[Pair]:
    return [make_pair(folder, bands=3, ms_profile={"transform": from_origin(0, 0, 4, 4)})]


def empty_scene(folder: Path) -> list[Pair]:
    pan, ms = make_pair(folder, pan_shape=SHAPE, bands=3, ms_profile={"nodata": 7})
    import numpy as np
    import rasterio

    with rasterio.open(ms, "r+") as raster:
        raster.write(np.full(raster.read().shape, 7, "uint16"))
    return [(pan, ms)]


def steep_scene(folder: Path) -> list[Pair]:
    return [make_pair(folder, pan_shape=(640, 640), ratio=8, bands=2)]


@pytest.mark.parametrize(
    ("make", "kind", "told"),
    [
        (small_scene, PairError, "32 x 32 MS pixels"),
        (far_scene, PairError, "do not overlap"),
        (empty_scene, PairError, "valid"),
        (steep_scene, PairError, "8 PAN pixels an MS pixel"),
        (lambda _: [], UsageError, "nothing"),
    ],
    ids=["small", "apart", "all invalid", "ratio", "none"],
)
def test_scenes_that_teach_nothing_are_refused(
    make: Any, kind: type[GeosharpError], told: str, model: Path, tmp_path: Path
) -> None:
    scenes = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(kind, match=told):
        geosharp.train(scenes, tmp_path / "m.safetensors", base=model, steps=1, device="cpu")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({"base": "no-such-model"}, "--base"),
        ({"steps": 0}, "--steps"),
        ({"hours": -1.0}, "--hours"),
        ({"device": "cuda"}, "--device cuda"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, Any], subject: str, pair: Pair, tmp_path: Path
) -> None:
    if subject == "--device cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(GeosharpError) as caught:
        geosharp.train([pair], tmp_path / "m.safetensors", **{"device": "cpu", **settings})
    assert caught.value.subject == subject
    assert not list(tmp_path.iterdir())


def test_a_base_that_is_no_model_is_refused(pair: Pair, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    with pytest.raises(InputError) as caught:
        geosharp.train([pair], tmp_path / "m.safetensors", base=broken, steps=1, device="cpu")
    assert caught.value.subject == str(broken)


@pytest.mark.parametrize("name", ["m.pt", "gone/m.safetensors"])
def test_an_output_that_cannot_be_is_refused_at_once(
    name: str, pair: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> Scene:
        raise AssertionError

    monkeypatch.setattr(training, "open_scene", never)
    with pytest.raises(GeosharpError):
        geosharp.train([pair], tmp_path / name, base=model, steps=1)


def test_nothing_that_is_read_is_replaced(pair: Pair, tmp_path: Path) -> None:
    base, table = make_model(tmp_path), tmp_path / "scenes.csv"
    table.write_text(f"pan,ms\n{pair[0]},{pair[1]}\n")
    sensor = write_sensor(tmp_path, "blue", "green", "red")
    for name, file in (("table", table), ("sensor", sensor)):
        (tmp_path / f"{name}.safetensors").symlink_to(file)
    before = {file: file.read_bytes() for file in (base, table, sensor)}
    for out in (base, tmp_path / "table.safetensors", tmp_path / "sensor.safetensors"):
        with pytest.raises(UsageError, match="the same file as the input"):
            geosharp.train(table, out, base=base, sensor=sensor, steps=1, overwrite=True, keep=True)
    assert {file: file.read_bytes() for file in before} == before


def test_bands_and_a_sensor_file_are_of_every_scene_and_tell_runs_apart(
    pair: Pair, model: Path, tmp_path: Path
) -> None:
    def stop(progress: tuning.TrainProgress) -> None:
        raise KeyboardInterrupt

    def run(sensor: Path, **settings: Any) -> TrainResult:
        settings = {"base": model, "steps": 1, "device": "cpu", "keep": True, **settings}
        return geosharp.train([pair], tmp_path / "m.safetensors", bands=[3, 1], sensor=sensor, **settings)

    sensor = write_sensor(tmp_path, "blue", "green", "red")
    with pytest.raises(KeyboardInterrupt):
        run(sensor, steps=4, progress=stop)
    other = write_sensor(tmp_path, "blue", "green", "red", head="bits = 11")
    with pytest.raises(OutputError, match="other sensor file"):
        run(other, steps=4)
    state_beside(tmp_path / "m.safetensors").unlink()
    (scene,) = run(other).facts["scenes"]
    assert (scene["sensor"], scene["bands"]) == ("newsat", ["red", "blue"])
    assert scene["sensor_sha256"] == hashlib.sha256(other.read_bytes()).hexdigest()


def test_an_old_model_is_not_replaced_unless_asked_to(pair: Pair, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    out.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        geosharp.train([pair], out, base=model, steps=1, device="cpu")
    assert out.read_bytes() == b"mine"


def test_a_disk_that_is_full_at_the_end_keeps_the_state(
    pair: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError(out, "cannot be written: No space left on device", "4 MB", "free some space")

    out = tmp_path / "m.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(training, "write_bytes", full)
        with pytest.raises(OutputError, match="No space left"):
            geosharp.train([pair], out, base=model, steps=1, device="cpu", keep=True)
    assert [path.name for path in tmp_path.iterdir()] == [state_beside(out).name]
    assert geosharp.train([pair], out, base=model, steps=1, device="cpu", keep=True).path == out


def test_what_appears_meanwhile_is_not_replaced_unless_asked_to(
    pair: Pair, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.safetensors"

    def intrude(_: tuning.TrainProgress) -> None:
        out.write_bytes(b"theirs")

    with pytest.raises(OutputError, match="exists already") as caught:
        geosharp.train([pair], out, base=model, steps=1, device="cpu", keep=True, progress=intrude)
    assert out.read_bytes() == b"theirs"
    assert "--overwrite" in caught.value.remedy
    assert state_beside(out).exists()
    geosharp.train([pair], out, base=model, steps=1, device="cpu", keep=True, overwrite=True)
    assert read_header(out).facts["steps_made"] == 1


def test_scenes_of_one_ground_are_told_and_hide_what_each_keeps_aside(
    pair: Pair, model: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "m.safetensors", make_pair(tmp_path, pan_shape=SHAPE, bands=3, seed=1)
    result = geosharp.train([pair, other], out, base=model, steps=1, device="cpu", keep=True)
    assert any(note.startswith("2 scenes overlap") for note in result.notes)


def test_a_scene_that_is_given_twice_counts_once(
    pair: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its places would count double as evidence, and choose as well as judge."""
    (tmp_path / "link").symlink_to(pair[0].parent)
    again = [str(tmp_path / "link" / file.name) for file in pair]
    out = tmp_path / "m.safetensors"
    result = geosharp.train([pair, (again[0], again[1])], out, base=model, steps=1, device="cpu", keep=True)
    assert len(result.facts["scenes"]) == 1
    assert "2 scenes, 1 of them different: each is learnt from once" in result.notes


def test_too_few_places_are_told_before_there_is_any_learning(
    pair: Pair, model: Path, tmp_path: Path
) -> None:
    told: list[str] = []

    def stop(_: tuning.TrainProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        geosharp.train(
            [pair],
            tmp_path / "m.safetensors",
            base=model,
            steps=1,
            device="cpu",
            on_note=told.append,
            progress=stop,
        )
    assert "1 of 4 places are kept aside: too few to tell what is better" in told[-1]


def test_files_are_hashed_once(
    pair: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Scene] = []
    count = training.hash_files

    def note(scene: Scene) -> dict[str, str]:
        hashed.append(scene)
        return count(scene)

    monkeypatch.setattr(training, "hash_files", note)
    geosharp.train([pair], tmp_path / "m.safetensors", base=model, steps=1, device="cpu", keep=True)
    assert len(hashed) == 1


def test_no_room_for_temporary_files_is_told_as_such(
    pair: Pair, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("pan.tif", "cannot be written: No space left on device", "room", "free some")

    monkeypatch.setattr(training, "prepare", full)
    with pytest.raises(ResourceError, match="TMPDIR"):
        geosharp.train([pair], tmp_path / "m.safetensors", base=model, steps=1, device="cpu")
