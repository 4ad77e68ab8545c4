"""The scripts of ablations, training curves, steps, uncertainty and tiling, on made data."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from rasterio.errors import NotGeoreferencedWarning

from geosharp.fusion import fuse
from geosharp.hfreqdiff.checkpoint import load
from geosharp.hfreqdiff.conditions import ADDITIVE, MODULATED, UP, base
from tests.hfreqdiff.made_model import make_model, make_network
from tests.made import make_pair, texture, write_raster

EXAMPLES = Path(__file__).parents[2] / "examples"
SCENE = "ikonos_urban"
TINY = "--preset small --width 8 --mean-blocks 1 --scenes 1 --side 32 --margin 4 --threads 1 --device cpu"
Script = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """Import a script by name."""
    for folder in ("benchmarks", "experiments"):
        monkeypatch.syspath_prepend(str(EXAMPLES / folder))
    yield importlib.import_module
    # Training takes numbers too small to matter for zero.
    torch.set_flush_denormal(False)


@pytest.fixture
def run(script: Script, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a script's main with arguments."""

    def start(name: str, *arguments: object) -> None:
        monkeypatch.setattr("sys.argv", [f"{name}.py", *map(str, arguments)])
        script(name).main()

    return start


@pytest.fixture
def imagery(script: Script, tmp_path: Path) -> Path:
    """Chips like those of pretrain/, of two places, one of them held out."""
    simulate, spectra = script("simulate"), script("spectra")
    (tmp_path / "pretrain").mkdir()
    for number, name in enumerate(simulate.MIX):
        bands = len(spectra.WAVELENGTHS.get(name, range(3)))
        chips = np.stack(
            [
                [30 + 180 * texture((40, 40), 50 * number + 11 * chip + band) for band in range(bands)]
                for chip in range(2)
            ]
        )
        names = ["here/0", f"{simulate.HELD_OUT[0]}_2020/0"]
        np.savez(tmp_path / "pretrain" / f"{name}.npz", ms=chips.astype("uint8"), name=names)
    return tmp_path / "pretrain"


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """One scene by a name of the bench's table."""
    (tmp_path / "bench" / SCENE).mkdir(parents=True)
    make_pair(tmp_path / "bench" / SCENE, pan_shape=(256, 256), bands=2)
    return tmp_path / "bench"


def flags(imagery: Path, out: Path, steps: int, unseen: int = 2) -> list[object]:
    return ["--data", imagery, "--out", out, "--steps", steps, "--unseen", unseen, *TINY.split()]


def scores_of(out: Path, name: str, step: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / name / "scores.json").read_text())[str(step)]
    return found


def test_pairs_differ_in_nothing_but_their_kernels(script: Script, imagery: Path) -> None:
    simulate, variants = script("simulate"), script("variants")
    sources = simulate.load_sources(imagery, False, torch.device("cpu"))
    today, told, fixed = (
        kind(sources, torch.device("cpu")).batch(3, 1, 2, 32)
        for kind in (simulate.Simulator, variants.TableTold, variants.FixedBlur)
    )
    # MS is the same whatever is told of it, and so is the truth.
    assert torch.equal(today.shown[:, :, UP], told.shown[:, :, UP])
    assert torch.allclose(base(today.shown) + today.missing, base(told.shown) + told.missing, atol=1e-5)
    assert not torch.allclose(today.shown[:, :, ADDITIVE], told.shown[:, :, ADDITIVE], atol=1e-3)
    assert not torch.allclose(today.shown[:, :, UP], fixed.shown[:, :, UP], atol=1e-3)
    # Of the width of kernels it is told one figure, whatever the band.
    assert all(batch.described[..., 3:5].unique().numel() == 1 for batch in (told, fixed))


def test_a_network_without_prior_does_the_same_where_the_prior_is_shown(
    script: Script, imagery: Path
) -> None:
    simulate, variants = script("simulate"), script("variants")
    sources = simulate.load_sources(imagery, False, torch.device("cpu"))
    batch = simulate.Simulator(sources, torch.device("cpu")).batch(1, 1, 2, 32)
    hidden, network = variants.hide_prior(batch), make_network()
    assert not hidden.shown[:, :, [ADDITIVE, MODULATED]].any()
    assert torch.allclose(
        hidden.missing + hidden.shown[:, :, UP], batch.missing + base(batch.shown), atol=1e-5
    )
    alone = network.mean(network.encode(hidden.shown, hidden.described))
    shipped = variants.ignore_prior(network)
    among = shipped.mean(shipped.encode(batch.shown, batch.described))
    assert torch.allclose(alone + hidden.shown[:, :, UP], among + base(batch.shown), atol=1e-5)


def test_all_of_it_is_what_pretrain_trains(
    run: Callable[..., None], imagery: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("pretrain", *flags(imagery, tmp_path / "own", 3))
    run("ablation", *flags(imagery, tmp_path / "study", 3), "--seeds", 1, "--variants", "full")
    own = load(tmp_path / "own" / "hfreqdiff-small-mean.safetensors")
    found = load(tmp_path / "study" / "full-1" / "step-3.safetensors")
    for name, value in own.network.state_dict().items():
        assert torch.equal(value, found.network.state_dict()[name]), name
    gain = scores_of(tmp_path / "study", "full-1", 3)["PADM, 1"]["gain"]
    assert gain == pytest.approx(own.header.facts["gain_on_held_out_places_db"]["all"], abs=6e-4)
    assert "| all of it, PADM pairs | PADM, 1 |" in capsys.readouterr().out


def test_an_ablation_goes_on_where_it_was_killed_and_trains_nothing_twice(
    script: Script,
    run: Callable[..., None],
    imagery: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ablation, whole, killed = script("ablation"), tmp_path / "whole", tmp_path / "killed"
    names = list(script("variants").VARIANTS)
    run("ablation", *flags(imagery, whole, 4), "--seeds", 1, "--variants", ",".join(names))
    table = capsys.readouterr().out
    assert all(table.count(f"| {variant.title} |") == len(variant.uses)
               for variant in script("variants").VARIANTS.values())  # fmt: skip

    def stop(run: Any, *_: object) -> None:
        raise KeyboardInterrupt

    asked = [*flags(imagery, killed, 4), "--seeds", 1, "--variants", "no-split"]
    keep = ablation.keep_weights
    with monkeypatch.context() as patch:
        patch.setattr(
            ablation, "keep_weights", lambda run, *rest: keep(run, *rest) if run.step < 4 else stop(run)
        )
        with pytest.raises(KeyboardInterrupt):
            run("ablation", *asked)
    assert torch.load(killed / "no-split-1" / "state.pt", weights_only=True)["step"] == 2
    begun, batches = [], ablation.pretrain.batches
    with monkeypatch.context() as patch:
        patch.setattr(ablation.pretrain, "batches", lambda *args: [begun.append(args[2]), batches(*args)][1])
        run("ablation", *asked)
    assert begun == [2]
    one, two = (load(out / "no-split-1" / "step-4.safetensors") for out in (whole, killed))
    assert one.header.sigma_data == two.header.sigma_data is not None
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, two.network.state_dict()[name]), name
    monkeypatch.setattr(ablation, "begin", stop)
    monkeypatch.setattr(ablation, "find_gain", stop)
    run("ablation", *flags(imagery, whole, 4), "--seeds", 1, "--variants", ",".join(names))
    assert table in capsys.readouterr().out
    with pytest.raises(SystemExit, match="other margin"):
        run("ablation", *flags(imagery, whole, 4), "--margin", 8)


def test_the_plain_diffusion_trains_all_but_the_mean(script: Script, imagery: Path, tmp_path: Path) -> None:
    ablation, variants = script("ablation"), script("variants")
    study = ablation.Study(tmp_path / "out", 2, tuple(map(str, flags(imagery, tmp_path, 2))))
    ablation.train(study, "no-split", 1)
    begun = ablation.begin(variants.VARIANTS["no-split"], study.arguments("no-split", 1))
    before = begun.network.state_dict()
    silent = {id(value) for name, value in begun.network.named_parameters() if name.startswith("mean_")}
    assert silent
    assert not silent & {id(parameter) for parameter in begun.parameters}
    model = load(tmp_path / "out" / "no-split-1" / "step-2.safetensors")
    after = model.network.state_dict()
    assert torch.equal(before["mean_head.project.weight"], after["mean_head.project.weight"])
    for name in ("stem.weight", "draw_head.project.weight"):
        assert not torch.equal(before[name], after[name]), name
    batch = next(study.simulate_held_out(script("simulate").Simulator))
    # Its mean is silent, so that geosharp's draws around it are its own.
    assert not model.network.mean(model.network.encode(batch.shown, batch.described)).any()
    assert not torch.equal(*(ablation.predict(model, batch, steps, 0) for steps in (1, 4)))


def test_differences_within_their_own_spread_are_none(script: Script) -> None:
    tell = script("ablation").tell
    assert "earns nothing" in tell([0.1, -0.1, 0.05])
    assert "worse than all of it" in tell([0.5, 0.52, 0.48])
    assert "better than all of it" in tell([-0.5, -0.52, -0.48])


@pytest.mark.slow
def test_the_curve_has_a_point_for_each_moment(
    run: Callable[..., None], imagery: Path, bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablation.MARKS", (0.5, 1.0))
    places = ["--bench", bench, "--scenes-of-bench", SCENE, "--seeds", 1]
    files = ["--markdown", tmp_path / "curve.md", "--svg", tmp_path / "curve.svg"]
    run("training_curve", *flags(imagery, tmp_path / "out", 2), *places, *files)
    rows = [line.split("|") for line in (tmp_path / "curve.md").read_text().splitlines()[2:]]
    assert [(row[1].strip(), int(row[2])) for row in rows] == [
        (name, step)
        for name in (
            "all of it, PADM pairs (PADM at work)",
            "fixed-MTF pairs (table at work)",
            "fixed-MTF pairs (PADM at work)",
        )
        for step in (1, 2)
    ]
    found = scores_of(tmp_path / "out", "fixed-1", 2)
    best = json.loads((tmp_path / "out" / "classical.json").read_text())[SCENE]
    for use in ("table, 1", "PADM, 1"):
        own = found[use]["bench"][SCENE]
        assert own["lead"] == pytest.approx(own["psnr"] - best)
    assert found["table, 1"]["bench"] != found["PADM, 1"]["bench"]
    assert (tmp_path / "curve.svg").read_text().count("<circle") == 6 * 4


def test_steps_scores_and_shows_every_number_of_steps(
    run: Callable[..., None], bench: Path, tmp_path: Path
) -> None:
    model, out = make_model(tmp_path), tmp_path / "out"
    run("steps", "--model", model, "--out", out, "--data", bench, "--scenes", SCENE, "--steps", "1,2")
    rows = [line.split("|") for line in (out / "steps.md").read_text().splitlines()[2:]]
    assert [(row[1].strip(), int(row[2])) for row in rows] == [
        (name, steps) for name in (SCENE, "mean") for steps in (1, 2)
    ]
    assert rows[0][3] != rows[1][3]
    assert rows[0][3:] == rows[2][3:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(out / f"{SCENE}.png") as picture:
            shown = picture.read()
    assert shown.shape == (3, 2 * 192, 4 * 2 * 192 + 3 * 4)
    pan, _, first, second = (shown[:, :, at : at + 384] for at in range(0, 4 * 388, 388))
    assert np.array_equal(pan[:, ::2, ::2], pan[:, 1::2, 1::2])
    assert not np.array_equal(first, second)


def test_more_steps_of_a_model_that_gives_the_mean_alone_are_refused(
    run: Callable[..., None], bench: Path, tmp_path: Path
) -> None:
    model = make_model(tmp_path, sigma_data=None)
    for name, rest in (("steps", ["--out", tmp_path / "out"]), ("uncertainty", [])):
        with pytest.raises(SystemExit, match="gives the mean alone"):
            run(name, "--model", model, *rest)
    assert not (tmp_path / "out").exists()


def test_detail_is_found_where_it_is(script: Script) -> None:
    pan = np.zeros((600, 500), np.uint16)
    pan[400:500, 300:400] = np.random.default_rng(0).integers(0, 99, (100, 100))
    rect = script("steps").find_detail(pan)
    assert rect.row <= 400 < 500 <= rect.stop_row
    assert rect.col <= 300 < 400 <= rect.stop_col


def test_a_deviation_that_is_right_is_found_reliable(script: Script) -> None:
    uncertainty, rng = script("uncertainty"), np.random.default_rng(0)
    truth, deviation = rng.normal(500, 50, (2, 200, 200)), rng.uniform(1, 20, (2, 200, 200))
    fused = truth + deviation * rng.normal(size=truth.shape)
    fused[0, :9] = np.nan
    found = uncertainty.judge("made", truth, fused, deviation)
    assert all(0.4 < rank < 0.7 for rank in (*found.ranks, found.overall))
    for predicted, error in found.parts:
        assert error == pytest.approx(predicted, rel=0.1)
    predicted = [part[0] for part in found.parts]
    assert predicted == sorted(predicted)
    other = uncertainty.judge("made", truth, fused, rng.permuted(deviation, axis=2))
    assert abs(other.overall) < 0.02


def test_ranks_are_spearman_s(script: Script) -> None:
    correlate = script("uncertainty").correlate_ranks
    values = np.array([3.0, 1.0, 2.0, 5.0])
    assert correlate(values, np.exp(values)) == pytest.approx(1)
    assert correlate(values, -(values**3)) == pytest.approx(-1)
    # Equal values share a rank: 1.5, 1.5, 3, 4 against 1, 2, 3, 4.
    assert correlate(np.array([1.0, 1.0, 2.0, 3.0]), np.arange(4.0)) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert np.isnan(correlate(values, np.ones(4)))


def test_uncertainty_is_held_against_the_error_of_the_mean(
    script: Script,
    run: Callable[..., None],
    bench: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    uncertainty, asked = script("uncertainty"), []

    def fuse_with_spread(*paths: Path, uncertainty: Path | None = None, **how: Any) -> None:
        """As fuse, but with a deviation of 7 DN everywhere."""
        diffusion = how.pop("diffusion")
        fuse(*paths, diffusion=replace(diffusion, draws=0), **how)
        if uncertainty is not None:
            asked.append((diffusion.steps, diffusion.draws))
            with rasterio.open(paths[2]) as raster:
                write_raster(uncertainty, np.full(raster.shape, 7, np.float32)[None].repeat(raster.count, 0))

    monkeypatch.setattr(uncertainty, "fuse", fuse_with_spread)
    chips = np.stack(
        [[40 + 150 * texture((96, 96), 9 * chip + band) for band in range(2)] for chip in (1, 2)]
    )
    names = [f"{script('simulate').HELD_OUT[0]}_2020/{chip}" for chip in range(2)]
    for name in script("native").SOURCES:
        np.savez(tmp_path / f"{name}.npz", ms=chips.astype("uint8"), name=names)
    monkeypatch.setattr(script("padm_planted"), "SIDE", 192)
    places = ["--bench", bench, "--scenes", SCENE, "--native", tmp_path, "--cases", 1]
    rest = ["--steps", 2, "--draws", 3, "--markdown", tmp_path / "u.md"]
    run("uncertainty", "--model", make_model(tmp_path), *places, *rest)
    text = capsys.readouterr().out
    assert (tmp_path / "u.md").read_text() == text
    assert asked == [(2, 3)] * 2
    for name in (SCENE, "naip_urban_native, ratio 2"):
        ranks, parts = (line for line in text.splitlines() if line.startswith(f"| {name}"))
        assert len(ranks.split("|")[3].split(",")) == 2
        assert parts.count("| 7 / ") == 10


def test_the_model_leaves_no_trace_of_tiles(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiling = script("tiling")
    monkeypatch.setattr(tiling, "MODEL_TILES", (64, 128, 65536))
    monkeypatch.setattr(tiling, "KINDS", (None,))
    pan, ms = make_pair(tmp_path, pan_shape=(192, 192), bands=2)
    asked = [pan, ms, "--model", make_model(tmp_path), "--steps", "1,2"]
    monkeypatch.setattr("sys.argv", ["tiling.py", *map(str, asked)])
    tiling.main()
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split("|") for line in lines if "of MS" in line]
    assert [(int(row[1]), int(row[3])) for row in rows] == [(s, t) for s in (1, 2) for t in (64, 128)]
    assert all(float(row[4].strip(" %")) <= 0.01 and float(row[5]) <= 1 for row in rows)
    assert sum("the same bytes" in line for line in lines) == 2
    halos = [[int(cell) for cell in line.split("|")[1:6]] for line in lines[-4:]]
    assert [halo[0] for halo in halos] == [1, 2, 4, 8]
    assert all(sum(halo[1:4]) == halo[4] and min(halo[1:4]) > 0 for halo in halos)
    # A draw of the made model uses up 8 PAN pixels a step.
    assert halos[3][2] - halos[2][2] == 4 * 8


def test_a_seam_is_seen(script: Script) -> None:
    image = 1000 * texture((512, 512), 4)[None].astype(np.float64)
    measure = script("tiling").measure_seam
    assert abs(measure(image, 128, (4.0, 4.0))) < 3
    image[:, 128:256] += 20
    assert measure(image, 128, (4.0, 4.0)) > 3


def test_differences_are_counted_in_pixels(script: Script) -> None:
    whole = np.zeros((3, 10, 10))
    other = whole.copy()
    other[:, 2, 3], other[1, 4, 4] = 1, -3
    found = script("tiling").compare({64: other, 65536: whole})
    assert found == {64: (0.02, 3.0), 65536: (0.0, 0.0)}
