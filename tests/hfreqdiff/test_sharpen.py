"""One result of the model, whatever the tiles, the area, the threads and what no-data holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geosharp.engine.setup import Options
from geosharp.hfreqdiff.checkpoint import Header, Model
from geosharp.hfreqdiff.settings import DRAW_STEPS, Diffusion
from geosharp.hfreqdiff.sharpen import Sharpener, size_rules
from geosharp.imaging import classic
from geosharp.imaging.classic import Optics, Pair, cut
from geosharp.imaging.resample import Span, Spans
from geosharp.raster.area import Area
from geosharp.raster.grid import Rect
from geosharp.raster.pixels import Pixels
from geosharp.raster.scene import Scene, open_scene
from tests.engine.memory import FLOATS, MemoryWriter, fuse_in_memory
from tests.engine.test_compute import odd_scene
from tests.hfreqdiff.made_model import SIGMA_DATA, make_model, make_network
from tests.hfreqdiff.scene import make_moments, make_optics
from tests.made import make_pair

CPU = torch.device("cpu")
WAYS: dict[str, dict[str, int]] = {
    "mean": {"consistency": 0},
    "draw": {"consistency": 0, "steps": 3},
    "one round": {"consistency": 1},
    "two rounds of a draw": {"consistency": 2, "steps": 2},
    "mean and its uncertainty": {"consistency": 1, "draws": 2},
}
WHOLE = 4096
SMALL = Area(Rect(60, 90, 64, 64))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def float_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("float")
    return make_pair(folder, pan_shape=(212, 220), dtype="float32", offset=(0.5, -0.5))


@pytest.fixture(scope="module")
def odd(float_pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return odd_scene(float_pair, tmp_path_factory.mktemp("odd"), -1.0)


def fused(
    scene: Scene,
    model: Path,
    tile: int = WHOLE,
    *,
    area: Area | None = None,
    pixels: Pixels = FLOATS,
    **given: Any,
) -> MemoryWriter:
    options = Options(diffusion=Diffusion(model=model, device="cpu", **given))
    return fuse_in_memory(scene, "hfreqdiff", tile, options=options, area=area, pixels=pixels)


@pytest.fixture(scope="module")
def whole(odd: Scene, model: Path) -> Callable[[str], MemoryWriter]:
    """The odd scene in one tile, by the way it is made."""
    made: dict[str, MemoryWriter] = {}

    def make(way: str) -> MemoryWriter:
        if way not in made:
            made[way] = fused(odd, model, **WAYS[way])
        return made[way]

    return make


def assert_same(made: MemoryWriter, data: np.ndarray, valid: np.ndarray) -> None:
    """Up to what summing in another order may change: 1e-4 of a band's deviation."""
    np.testing.assert_array_equal(made.valid, valid)
    np.testing.assert_array_equal(np.isnan(made.data), np.isnan(data))
    gap = np.nanmax(np.abs(made.data - data), (1, 2))
    assert (gap <= 1e-4 * np.nanstd(data, (1, 2))).all()


@pytest.mark.parametrize("way", WAYS)
def test_tiles_of_any_size_and_parts_give_the_pixels_of_the_whole(
    odd: Scene, model: Path, whole: Callable[[str], MemoryWriter], way: str
) -> None:
    expected = whole(way)
    assert 0.8 < expected.valid.mean() < 1
    part = Rect(83, 71, 101, 129)
    index = part.within(odd.area)
    uncertain = "draws" in WAYS[way]
    for tile in (64, 100):
        made = fused(odd, model, tile, **WAYS[way])
        assert_same(made, expected.data, expected.valid)
        assert made.spread is not None
        assert expected.spread is not None
        assert made.spread.valid.any() == uncertain
        if uncertain:
            assert_same(made.spread, expected.spread.data, expected.valid)
    made = fused(odd, model, 256, area=Area(part), **WAYS[way])
    assert_same(made, expected.data[:, *index], expected.valid[index])


def test_whole_numbers_are_those_of_the_whole_but_for_rounding(odd: Scene, model: Path) -> None:
    pixels = Pixels("uint16", (0.0, 65535.0), 0)
    one, many = (
        fused(odd, model, tile, pixels=pixels, consistency=1).data.astype(int) for tile in (WHOLE, 100)
    )
    assert np.abs(one - many).max() <= 1
    assert (one != many).mean() <= 1e-4


@pytest.mark.parametrize("fill", [3e38, np.nan])
def test_what_no_data_holds_changes_nothing_and_holes_stay_holes(
    tmp_path: Path,
    float_pair: tuple[Path, Path],
    odd: Scene,
    model: Path,
    whole: Callable[[str], MemoryWriter],
    fill: float,
) -> None:
    way = "two rounds of a draw"
    made = fused(odd_scene(float_pair, tmp_path, fill), model, **WAYS[way])
    np.testing.assert_array_equal(made.data.view(np.uint32), whole(way).data.view(np.uint32))
    np.testing.assert_array_equal(made.valid, fuse_in_memory(odd, "exp", 256).valid)
    np.testing.assert_array_equal(made.valid, np.isfinite(made.data).all(0))


def test_every_choice_has_its_say(odd: Scene, model: Path, tmp_path: Path) -> None:
    ways: list[dict[str, Any]] = [
        {"consistency": 0},
        {"consistency": 1},
        {"consistency": 2},
        {"consistency": 0, "steps": 2},
        {"consistency": 0, "steps": 3},
        {"consistency": 0, "steps": 3, "seed": 1},
    ]
    made = [fused(odd, model, area=SMALL, **way).data for way in ways]
    made.append(fused(odd, make_model(tmp_path, seed=1), area=SMALL, **ways[0]).data)
    made.append(fuse_in_memory(odd, "glp", WHOLE, area=SMALL).data)
    for number, one in enumerate(made):
        for other in made[:number]:
            assert np.nanstd(one - other) > 1e-3 * np.nanstd(one)


def test_the_seed_decides_a_draw_and_nothing_else(odd: Scene, model: Path) -> None:
    first, again, other = (fused(odd, model, area=SMALL, steps=2, seed=seed).data for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9
    means = [fused(odd, model, area=SMALL, seed=seed).data for seed in (5, 6)]
    np.testing.assert_array_equal(*means)


def test_the_mean_does_not_depend_on_the_order_of_the_bands(
    made_pair: tuple[Path, Path], model: Path
) -> None:
    expected = fused(open_scene(*made_pair), model, area=SMALL, consistency=1).data
    made = fused(open_scene(*made_pair, bands=[3, 1, 4, 2]), model, area=SMALL, consistency=1).data
    np.testing.assert_allclose(made, expected[[2, 0, 3, 1]], rtol=1e-4)


@pytest.mark.parametrize("profile", [{"ratio": 2, "bands": 1}, {"ratio": 6, "bands": 2}])
def test_scenes_smaller_than_a_halo_and_of_any_number_of_bands(
    tmp_path: Path, model: Path, profile: dict[str, int]
) -> None:
    scene = open_scene(*make_pair(tmp_path, pan_shape=(48, 36), **profile))  # type: ignore[arg-type]
    made = fused(scene, model, **WAYS["two rounds of a draw"])
    assert made.data.shape == (profile["bands"], 48, 36)
    assert np.isfinite(made.data).all()


def make_sharpener(optics: Optics, settings: Diffusion) -> tuple[Sharpener, tuple[int, int]]:
    """The tiny model on a scene of two bands, and its halo."""
    network = make_network()
    model = Model(network, Header(network.architecture, SIGMA_DATA, {}), "")
    sharpener = Sharpener(model, optics, make_moments((0.9, 0.5)), settings, CPU)
    return sharpener, size_rules(network, optics, settings).halo


def ms_around(spans: Spans, optics: Optics) -> Spans:
    """The MS pixels that PAN pixels `spans` meet, which is what a reader gives."""
    rows, cols = (
        Span(
            math.floor((span.start - axis.offset) / axis.ratio),
            math.ceil((span.stop - axis.offset) / axis.ratio),
        )
        for span, axis in zip(spans, optics.axes, strict=True)
    )
    return rows, cols


def grow(target: Spans, halo: tuple[int, int], by: int = 0) -> Spans:
    rows, cols = (
        Span(span.start - far - by, span.stop + far + by) for span, far in zip(target, halo, strict=True)
    )
    return rows, cols


def make_noise(spans: Spans, optics: Optics) -> Pair:
    """A pair over PAN pixels `spans` whose every pixel is independent of the others."""
    generator, ms_spans = torch.Generator().manual_seed(1), ms_around(spans, optics)
    pan, ms = (
        100 * torch.randn(count, *(span.stop - span.start for span in over), generator=generator)
        for count, over in ((1, spans), (len(optics.gains), ms_spans))
    )
    return Pair(pan, ms, spans, ms_spans, None, None)


def replaced_beyond(pair: Pair, spans: Spans, optics: Optics) -> Pair:
    """The pair with other pixels wherever they are not of PAN pixels `spans`."""
    pan, ms = -3 * pair.pan, -3 * pair.ms
    for other, own, held, kept in (
        (pan, pair.pan, pair.pan_spans, spans),
        (ms, pair.ms, pair.ms_spans, ms_around(spans, optics)),
    ):
        cut(other, held, kept).copy_(cut(own, held, kept))
    return replace(pair, pan=pan, ms=ms)


@pytest.mark.parametrize("way", ["mean", "two rounds of a draw", "mean and its uncertainty"])
@pytest.mark.parametrize(
    ("ratio", "offset"), [(4.000245, (-0.5, 0.5)), (1.5, (0.3, -0.7)), (6.5, (0.0, 3.9))]
)
def test_nothing_beyond_the_halo_has_a_say(ratio: float, offset: tuple[float, float], way: str) -> None:
    optics = make_optics(ratio, offset, ((0.3, 0.25), (0.05, 0.3)))
    sharpener, halo = make_sharpener(optics, Diffusion(**WAYS[way]))  # type: ignore[arg-type]
    # As far from whole blocks as can be, at the beginning and at the end.
    target = Span(43, 59), Span(41, 57)
    with torch.inference_mode():
        pair = make_noise(grow(target, halo, 10), optics)
        expected, spread = sharpener.sharpen(pair, target)
        assert (spread is not None) == ("draws" in WAYS[way])
        assert expected.shape == (2, 16, 16)
        beyond = replaced_beyond(pair, grow(target, halo), optics)
        again, again_spread = sharpener.sharpen(beyond, target)
        assert torch.equal(again, expected)
        assert spread is None or torch.equal(again_spread, spread)
        # Nor is it needed: a reader gives no more than the halo.
        near, ms_near = grow(target, halo), ms_around(grow(target, halo), optics)
        exact = Pair(
            cut(pair.pan, pair.pan_spans, near),
            cut(pair.ms, pair.ms_spans, ms_near),
            near,
            ms_near,
            None,
            None,
        )
        torch.testing.assert_close(sharpener.sharpen(exact, target)[0], expected, rtol=1e-5, atol=1e-3)
        # What lies well inside it has one.
        inside = replaced_beyond(pair, grow(target, (halo[0] // 5, halo[1] // 5)), optics)
        assert not torch.equal(sharpener.sharpen(inside, target)[0], expected)


def test_the_spread_is_the_draws_root_mean_square_around_the_mean() -> None:
    optics, target = make_optics(4.0, (0.5, -0.5), ((0.3, 0.25), (0.05, 0.3))), (Span(40, 56), Span(40, 56))
    settings = Diffusion(steps=3, consistency=1, draws=3)
    sharpener, halo = make_sharpener(optics, settings)
    mean_alone, _ = make_sharpener(optics, replace(settings, steps=1, draws=0))
    with torch.inference_mode():
        pair = make_noise(grow(target, halo, 10), optics)
        fused, spread = sharpener.sharpen(pair, target)
        mean, _ = mean_alone.sharpen(pair, target)
        tile = sharpener._expect(pair, target)
        draws = torch.stack([sharpener._draw(tile, number) for number in range(3)])
    torch.testing.assert_close(draws[0], fused)
    assert not torch.equal(draws[0], draws[1])
    torch.testing.assert_close(spread, (draws - mean).square().mean(0).sqrt(), rtol=1e-4, atol=1e-3)


def test_halo_and_tiles_are_what_network_conditions_and_rounds_ask_for() -> None:
    network, optics = make_network(), make_optics()
    of = {way: size_rules(network, optics, Diffusion(**given)) for way, given in WAYS.items()}  # type: ignore[arg-type]
    assert {rules.multiple for rules in of.values()} == {4}
    shown = classic.size_rules(optics).halo
    assert of["mean"].halo == tuple(side + network.mean_margin + 3 for side in shown)
    drawn = network.encoder_margin + 3 * network.draw_margin + 3
    assert of["draw"].halo == tuple(side + drawn for side in shown)
    assert [rules.beside for rules in of.values()] == [0, 0, 0, 0, 4]
    uncertain = max(network.mean_margin, network.encoder_margin + DRAW_STEPS * network.draw_margin)
    one_round = of["one round"].halo[0] - network.mean_margin
    assert of["mean and its uncertainty"].halo[0] == one_round + uncertain
    assert all(one > mean for one, mean in zip(of["one round"].halo, of["mean"].halo, strict=True))


@pytest.mark.parametrize("way", ["mean", "two rounds of a draw"])
def test_bf16_is_the_networks_alone_and_near(way: str) -> None:
    optics, target = make_optics(4.0, (0.5, -0.5), ((0.3, 0.25), (0.05, 0.3))), (Span(40, 56), Span(40, 56))
    settings = Diffusion(**WAYS[way])  # type: ignore[arg-type]
    exact, halo = make_sharpener(optics, settings)
    half, _ = make_sharpener(optics, replace(settings, precision="bf16"))
    with torch.inference_mode():
        pair = make_noise(grow(target, halo, 10), optics)
        one, two = (sharpener.sharpen(pair, target)[0] for sharpener in (exact, half))
    assert two.dtype == torch.float32
    difference = (two - one).abs().max() / one.std()
    assert 0 < difference < 0.05
